import { describe, expect, test } from 'vitest';
import { parseIp } from '../../src/domain/ip-address.ts';
import {
  judgeAddresses,
  judgeDestination,
  NO_EXCEPTIONS,
  type OutboundRules,
  readAllowedTarget,
  readDestination,
  type UrlRefusal,
} from '../../src/domain/outbound-rules.ts';

const PUBLIC = ['93.184.215.14'];

function rules(allow: readonly string[], allowHttp = false): OutboundRules {
  return {
    allow: allow.map(line => {
      const target = readAllowedTarget(line);
      if (typeof target === 'string') throw new Error(target);
      return target;
    }),
    allowHttp,
  };
}

/** null: it may be fetched. */
function judge(url: string, addresses: readonly string[] = PUBLIC, by = NO_EXCEPTIONS): UrlRefusal | null {
  const to = readDestination(url);
  if (typeof to === 'string') return to;
  return judgeDestination(to, by) ?? (to.address === null ? judgeAddresses(to, addresses.map(parseIp), by) : null);
}

test.each<{ url: string; why: UrlRefusal | null; because: string }>([
  { url: 'https://mcp.example.com/mcp?a=b', why: null, because: 'a public https URL' },
  { url: 'HTTPS://MCP.Example.com:8443/', why: null, because: 'case means nothing in scheme and host' },
  { url: 'https://mcp.example.com./', why: null, because: 'a final dot only says that the name is whole' },
  { url: 'https://bücher.example/', why: null, because: 'a name in its own letters' },
  { url: 'https://a_b.example.com/', why: null, because: 'some names have an underscore' },
  { url: 'http://mcp.example.com/', why: 'plain-http', because: 'anybody on the way could answer' },
  { url: 'wss://mcp.example.com/', why: 'scheme', because: 'it is not fetched' },
  { url: 'https:mcp.example.com/', why: 'malformed', because: 'parsers disagree about it' },
  { url: 'https://mcp.example.com\\@127.0.0.1/', why: 'malformed', because: 'parsers disagree about the backslash' },
  { url: 'https://mcp.example.com/ ', why: 'malformed', because: 'a blank is cut off by some' },
  { url: 'https://mcp.example.com/\u0000', why: 'malformed', because: 'a control character' },
  { url: `https://mcp.example.com/${'a'.repeat(2048)}`, why: 'malformed', because: 'it is too long' },
  { url: 'https://mcp.example.com/#', why: 'fragment', because: 'an empty one hides what follows, too' },
  { url: 'https://@mcp.example.com/', why: 'user-info', because: 'an empty user is one' },
  { url: 'https://8.8.8.8/', why: null, because: 'a public address' },
  { url: 'https://134744072/', why: 'spelling', because: 'the same address as one number' },
  { url: 'https://8.8.010.8/', why: 'spelling', because: 'octal' },
  { url: 'https://%38.8.8.8/', why: 'spelling', because: 'escaped digits' },
  { url: 'https://mcp%2eexample.com/', why: 'spelling', because: 'an escaped dot' },
  { url: 'https://mcp.exam\u00adple.com/', why: 'spelling', because: 'an invisible hyphen' },
  { url: 'https://mcp.example.com:6379/', why: 'port', because: 'a database' },
  { url: 'https://mcp.example.com:22/', why: 'port', because: 'a shell' },
  { url: 'https://server/', why: 'name', because: 'a name without a dot belongs to our own network' },
  { url: 'https://-a.example.com/', why: 'name', because: 'no such label' },
  { url: 'https://a..example.com/', why: 'name', because: 'an empty label' },
  { url: 'https://METADATA.google.internal./', why: 'name', because: 'it hands out credentials' },
])('$url: $why, because: $because', ({ url, why }) => expect(judge(url)).toBe(why));

describe('a name is judged by all of its addresses', () => {
  test.each<{ addresses: readonly string[]; why: UrlRefusal | null }>([
    { addresses: ['93.184.215.14', '2606:4700::1'], why: null },
    { addresses: [], why: 'unresolved' },
    { addresses: ['93.184.215.14', '10.0.0.5'], why: 'internal-address' },
    { addresses: ['93.184.215.14', '169.254.169.254'], why: 'forbidden-address' },
    { addresses: ['fe80::1%eth0'], why: 'forbidden-address' },
    { addresses: ['not an address'], why: 'forbidden-address' },
  ])('$addresses: $why', ({ addresses, why }) => expect(judge('https://mcp.example.com/', addresses)).toBe(why));
});

describe('an operator may allow', () => {
  test.each<{ allow: string; url: string; addresses?: readonly string[]; why: UrlRefusal | null; because: string }>([
    {
      allow: 'localhost',
      url: 'http://localhost:3000/',
      addresses: ['127.0.0.1', '::1'],
      why: null,
      because: 'a name, over plain http too',
    },
    {
      allow: 'localhost',
      url: 'http://127.0.0.1:3000/',
      why: 'internal-address',
      because: 'the name was listed, not the address',
    },
    { allow: '127.0.0.0/8', url: 'http://127.0.0.1:3000/', why: null, because: 'a range' },
    {
      allow: '127.0.0.0/8',
      url: 'http://localhost/',
      addresses: ['127.0.0.1'],
      why: null,
      because: 'a name within a range',
    },
    {
      allow: '127.0.0.0/8',
      url: 'http://localhost/',
      addresses: ['127.0.0.1', '::1'],
      why: 'internal-address',
      because: 'one address is outside',
    },
    { allow: '::ffff:10.0.0.0/104', url: 'http://10.0.0.1/', why: null, because: 'one address has one meaning' },
    {
      allow: '*.corp.example',
      url: 'https://a.b.corp.example/',
      addresses: ['10.1.1.1'],
      why: null,
      because: 'all names below',
    },
    {
      allow: '*.corp.example',
      url: 'https://corp.example/',
      addresses: ['10.1.1.1'],
      why: 'internal-address',
      because: 'not the name itself',
    },
    {
      allow: '*.corp.example',
      url: 'https://evilcorp.example/',
      addresses: ['10.1.1.1'],
      why: 'internal-address',
      because: 'whole labels only',
    },
    {
      allow: 'compose-server',
      url: 'http://compose-server:8080/',
      addresses: ['172.18.0.3'],
      why: null,
      because: 'a name without a dot',
    },
    {
      allow: 'mcp.example.com:6379',
      url: 'https://mcp.example.com:6379/',
      why: null,
      because: 'a port that is listed itself',
    },
    {
      allow: 'mcp.example.com',
      url: 'https://mcp.example.com:6379/',
      why: 'port',
      because: 'the host does not bring its database along',
    },
    {
      allow: '10.0.0.5:8443',
      url: 'https://10.0.0.5:9443/',
      why: 'internal-address',
      because: 'one port, not the others',
    },
    { allow: '[fd00::5]:8443', url: 'https://[fd00::5]:8443/', why: null, because: 'IPv6 with a port' },
    {
      allow: '*.corp.example',
      url: 'https://a.corp.example/',
      addresses: ['169.254.169.254'],
      why: 'forbidden-address',
      because: 'metadata is never allowed',
    },
    { allow: 'fc00::/7', url: 'http://[fd00:ec2::254]/', why: 'forbidden-address', because: 'nor as part of a range' },
    {
      allow: '*.corp.example',
      url: 'https://a.corp.example:22/',
      addresses: ['10.1.1.1'],
      why: 'port',
      because: 'nor is a shell',
    },
    { allow: '127.0.0.0/8', url: 'http://0x7f000001/', why: 'spelling', because: 'nor an address that hides' },
  ])('$allow, so $url: $why, because: $because', ({ allow, url, addresses, why }) => {
    expect(judge(url, addresses, rules([allow]))).toBe(why);
  });

  test('plain http to all that is public', () => {
    const development = rules([], true);
    expect(judge('http://mcp.example.com/', PUBLIC, development)).toBeNull();
    expect(judge('http://mcp.example.com/', ['10.0.0.1'], development)).toBe('internal-address');
  });

  test.each([
    { line: '169.254.169.254', says: 'never allowed' },
    { line: '169.254.0.0/16', says: 'never allowed' },
    { line: 'fe80::/10', says: 'never allowed' },
    { line: 'metadata.google.internal', says: 'never allowed' },
    { line: '0.0.0.0/0', says: 'every address' },
    { line: '::/0', says: 'every address' },
    { line: '10.0.0.5/8', says: 'must be zero' },
    { line: 'https://localhost', says: 'is a URL' },
    { line: '*', says: 'is not a host name' },
    { line: 'a.*.example', says: 'is not a host name' },
    { line: 'git*.example', says: 'is not a host name' },
    { line: '999.1.1.1', says: 'is not a host name' },
    { line: 'localhost:22', says: 'a port that is never allowed' },
    { line: 'localhost:99999', says: 'a port that is never allowed' },
    { line: '', says: 'is not a host name' },
  ])('but not $line', ({ line, says }) => expect(readAllowedTarget(line)).toContain(says));
});
