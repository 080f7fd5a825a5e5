import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { maskSecrets, sanitiseForClient } from '../../src/domain/sanitise.ts';

describe('what a client never reads', () => {
  test.each([
    {
      text: "ENOENT: no such file or directory, open '/home/alice/.ssh/id_rsa'",
      said: "ENOENT: no such file or directory, open '[path]'",
      because: 'a quoted path',
    },
    {
      text: "cannot open '/Users/John Doe/My Files/x.txt'",
      said: "cannot open '[path]'",
      because: 'a quoted path with spaces',
    },
    {
      text: 'failed at /opt/app/server.py:12 while reading',
      said: 'failed at [path] while reading',
      because: 'a path with a line number',
    },
    { text: 'config=/etc/gatehouse/keys.yaml', said: 'config=[path]', because: 'a path after an equals sign' },
    { text: 'no /secret.key here', said: 'no [path] here', because: 'a file at the root' },
    { text: 'see ~/.aws/credentials', said: 'see [path]', because: 'a path from home' },
    { text: 'C:\\Users\\alice\\app\\main.js not found', said: '[path] not found', because: 'a Windows path' },
    { text: 'D:/projects/app/main.js not found', said: '[path] not found', because: 'a Windows path with slashes' },
    { text: '\\\\fileserver\\share\\x.doc is locked', said: '[path] is locked', because: 'a UNC path' },
    { text: 'file:///srv/app/x.js failed', said: '[path] failed', because: 'a file URL' },
    { text: 'thrown in src/tools/run.ts:40:11', said: 'thrown in [source]', because: 'a place in the source' },
    {
      text: 'connect ECONNREFUSED 10.1.2.3:5432',
      said: 'connect ECONNREFUSED [address]',
      because: 'an address with a port',
    },
    { text: 'peer 192.168.0.17 closed', said: 'peer [address] closed', because: 'a bare address' },
    { text: 'connect ECONNREFUSED ::1:8080', said: 'connect ECONNREFUSED [address]', because: 'an IPv6 address' },
    { text: 'bound to [fe80::1%eth0]:8080', said: 'bound to [address]', because: 'an IPv6 address in brackets' },
    { text: 'peer 2001:db8:0:0:0:0:0:1 closed', said: 'peer [address] closed', because: 'an IPv6 address in full' },
    {
      text: 'getaddrinfo ENOTFOUND db.prod.internal',
      said: 'getaddrinfo ENOTFOUND [host]',
      because: 'a host that was looked up',
    },
    { text: 'connect to redis:6379 failed', said: 'connect to [host] failed', because: 'a short host with a port' },
    {
      text: 'upstream api.example.com:8443 timed out',
      said: 'upstream [host] timed out',
      because: 'a host with a port',
    },
    { text: 'localhost:3000 refused', said: '[host] refused', because: 'the local host' },
    { text: 'vault.corp said no', said: '[host] said no', because: 'an internal name' },
    {
      text: 'GET http://10.0.0.5:9000/x?token=abc failed',
      said: 'GET [url]?[redacted] failed',
      because: 'a URL with an address',
    },
    { text: 'GET http://metadata/latest failed', said: 'GET [url] failed', because: 'a URL with a short host' },
    {
      text: 'postgres://app:pw12345@db.example.com/main is down',
      said: '[url] is down',
      because: 'a connection string',
    },
    {
      text: 'Boom\n    at run (/app/x.js:1:2)\n    at node:internal/x:3:4\nend',
      said: 'Boom\nend',
      because: 'a stack of JavaScript',
    },
    {
      text: 'Traceback (most recent call last):\n  File "/app/x.py", line 3, in <module>\n    run()\nValueError: bad',
      said: 'ValueError: bad',
      because: 'a stack of Python',
    },
    {
      text: 'Exception: x\n\tat com.acme.Main.run(Main.java:12)\n\tat com.acme.Main.main(Main.java:3)',
      said: 'Exception: x',
      because: 'a stack of Java',
    },
    { text: 'sent Bearer abc.def-ghi and lost', said: 'sent Bearer [redacted] and lost', because: 'a bearer token' },
    {
      text: 'jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcDEF123 expired',
      said: 'jwt [redacted] expired',
      because: 'a JWT',
    },
    {
      text: `sha ${'0123456789abcdef'.repeat(4)} mismatch`,
      said: 'sha [redacted] mismatch',
      because: 'a long hex string',
    },
    {
      text: 'key Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MEFCQ0RFRkdISg== bad',
      said: 'key [redacted] bad',
      because: 'a long base64 string',
    },
    { text: `digest/sha_${'0123456789abcdef'.repeat(4)}`, said: '[redacted]', because: 'a hex string behind a prefix' },
    { text: 'password=hunter2, user=bob', said: 'password=[redacted], user=bob', because: 'a password' },
    {
      text: 'token ghp_abcdefghijklmnopqrstuvwxyz0123456789',
      said: 'token [redacted]',
      because: 'a token with a known prefix',
    },
    {
      text: 'see https://docs.example.com/errors?session=abcdef',
      said: 'see https://docs.example.com/errors?[redacted]',
      because: 'a query string',
    },
    { text: 'a\x1b[31mb\x00c\u202ed', said: 'a [31mb c d', because: 'control characters' },
  ])('$because', ({ text, said }) => expect(sanitiseForClient(text)).toBe(said));

  test.each([
    'The repository was not found.',
    'at least one argument is required',
    'Invalid arguments: "path" must be a string',
    'Rate limit exceeded, retry in 12:30 minutes',
    'Unexpected token < in JSON at position 0',
    'Tool github__create_issue failed: issue #12 and/or #13 exists',
    'see https://docs.github.com/en/rest/issues for details',
    'version 1.2.3 is too old, 2025-11-25 is needed',
    'ratio 3:4, time 12:30:45',
    'Ünïcode und Ähnliches: 日本語 ✓',
    'std::string is not a type',
    'input/output error',
    'session 0192f0c1-7b1e-7cc3-a1b2-4d5e6f708192 has expired',
    '',
  ])('leaves alone: %s', text => expect(sanitiseForClient(text)).toBe(text));

  test('is bounded', () => {
    const said = sanitiseForClient('word '.repeat(100_000));
    expect(said.length).toBeLessThanOrEqual(2_001);
    expect(said.endsWith('…')).toBe(true);
  });

  test('no absolute path, address or key survives, wherever it stands', () => {
    const word = fc.stringMatching(/^[a-z]{1,10}$/);
    const secret = fc.oneof(
      fc.tuple(word, word, word).map(([a, b, c]) => `/${a}/${b}/${c}.txt`),
      fc.ipV4(),
      fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 65535 })).map(([ip, port]) => `${ip}:${port}`),
      fc.ipV6().filter(ip => ip.split(':').length === 8 && !ip.includes('.')),
      fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytes => Buffer.from(bytes).toString('hex')),
    );
    fc.assert(
      fc.property(
        word,
        secret,
        fc.constantFrom(' ', '"', '(', '=', ', ', '\n'),
        word,
        (before, hidden, joint, after) => {
          expect(sanitiseForClient(`${before}${joint}${hidden} ${after}`)).not.toContain(hidden);
        },
      ),
    );
  });
});

describe('hostile texts end', () => {
  const UNITS = [
    'eyJ',
    'eyJ.',
    'Bearer ',
    'bearer',
    'a',
    'A1',
    '/',
    '/a',
    '//',
    'a/',
    './',
    '~/',
    'a.',
    'a-',
    'a:',
    ':',
    '::',
    '1.',
    '1.1',
    '[',
    '[:',
    '"',
    "'",
    '`',
    '"/',
    '\\',
    'C:\\',
    '?',
    '?a',
    '?a=',
    '#',
    '&',
    '&a',
    '=',
    'key',
    'key=',
    'token',
    'token:',
    'token\\"',
    '://',
    'a://',
    'a://@',
    '@',
    '-----BEGIN ',
    '-----BEGIN A-----',
    '\n',
    '\n ',
    '\n at ',
    ' ',
    '\t',
    'at ',
    'host ',
    'dial tcp ',
    'cookie',
    'cookie: ',
    'authorization=',
    'File "',
    '\n  File "',
    '%',
    '0',
    'f',
    '[redacted]',
  ];
  // A pattern that goes quadratic would take minutes for one of these; linear ones take milliseconds.
  test.each(UNITS)('made of %j', unit => {
    const text = unit.repeat(Math.ceil(200_000 / unit.length));
    expect(typeof maskSecrets(text)).toBe('string');
    for (const end of ['', 'x', '"', '\n', '!'])
      expect(sanitiseForClient(text.slice(0, 16_000) + end).length).toBeLessThan(2_002);
  });
});
