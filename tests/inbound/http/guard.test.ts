import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createGuard, type GuardRules, isLoopback } from '../../../src/inbound/http/guard.ts';
import { ask, exchange, type Running, startServer } from './wire.ts';

describe('on a loopback bind', () => {
  let server: Running;
  beforeAll(async () => {
    server = await startServer({
      allowedHosts: ['gate.example', 'other.example:8443'],
      corsOrigins: ['https://app.example'],
    });
  });
  afterAll(() => server.stop(0));

  test.each([
    { host: 'localhost', status: 200 },
    { host: 'LOCALHOST:8123', status: 200 },
    { host: '127.0.0.1', status: 200 },
    { host: '127.0.0.1:1', status: 200 },
    { host: '[::1]', status: 200 },
    { host: '[::1]:65535', status: 200 },
    { host: 'gate.example', status: 200 },
    { host: 'gate.example:9000', status: 200 },
    { host: 'other.example:8443', status: 200 },
    { host: 'other.example', status: 403 },
    { host: 'evil.example', status: 403 },
    { host: 'localhost.evil.example', status: 403 },
    { host: 'evil-localhost', status: 403 },
    { host: '127.0.0.1.nip.io', status: 403 },
    { host: '2130706433', status: 403 },
    { host: '[::ffff:127.0.0.1]', status: 403 },
    { host: '10.0.0.1:8000', status: 403 },
    { host: 'gw/?x', status: 400 },
    { host: 'a#b', status: 400 },
    { host: 'localhost@evil.example', status: 400 },
    { host: 'localhost:99999', status: 400 },
    { host: 'localhost:', status: 400 },
    { host: 'localhost:80:80', status: 400 },
    { host: 'local host', status: 400 },
    { host: 'localhost, evil.example', status: 400 },
    { host: 'a..b', status: 400 },
    { host: '[::1', status: 400 },
    { host: '[zz::1]', status: 400 },
    { host: '', status: 400 },
    { host: `${'a'.repeat(300)}.example`, status: 400 },
    { host: 'loc%61lhost', status: 400 },
  ])('Host "$host" is answered $status', async ({ host, status }) => {
    for (const line of ['GET /health HTTP/1.1', 'DELETE /mcp HTTP/1.1', 'OPTIONS /mcp HTTP/1.1', 'GET /sse HTTP/1.1']) {
      const answer = await ask(server.port, { host }, line);
      if (status === 200) expect(answer.status, line).not.toBe(403);
      else expect(answer.status, line).toBe(status);
      if (status !== 200)
        expect(JSON.parse(answer.body)).toEqual({ error: expect.any(String), detail: expect.any(String) });
    }
  });

  test.each([
    { origin: 'http://localhost', status: 200 },
    { origin: 'http://localhost:3000', status: 200 },
    { origin: 'https://LOCALHOST:3000', status: 200 },
    { origin: 'http://127.0.0.1:6274', status: 200 },
    { origin: 'http://[::1]:5173', status: 200 },
    { origin: 'https://app.example', status: 200 },
    { origin: 'http://app.example', status: 403 },
    { origin: 'https://app.example:444', status: 403 },
    { origin: 'https://app.example.evil.example', status: 403 },
    { origin: 'http://evil.example', status: 403 },
    { origin: 'http://localhost.evil.example', status: 403 },
    { origin: 'http://localhost:3000.evil.example', status: 403 },
    { origin: 'http://localhost@evil.example', status: 403 },
    { origin: 'http://evil.example/http://localhost', status: 403 },
    { origin: 'http://localhost:99999', status: 403 },
    { origin: 'ftp://localhost', status: 403 },
    { origin: 'http://127.0.0.1.nip.io', status: 403 },
    { origin: 'null', status: 403 },
    { origin: '', status: 403 },
  ])('Origin "$origin" is answered $status on every route', async ({ origin, status }) => {
    for (const line of [
      'GET /health HTTP/1.1',
      'DELETE /mcp HTTP/1.1',
      'OPTIONS /mcp HTTP/1.1',
      'GET /nothing HTTP/1.1',
    ]) {
      const answer = await ask(server.port, { origin }, line);
      if (status === 200) expect(answer.status, line).not.toBe(403);
      else {
        expect(answer.status, line).toBe(403);
        expect(JSON.parse(answer.body)).toMatchObject({
          error: 'forbidden_origin',
          detail: expect.stringContaining('listen.corsOrigins'),
        });
        expect(answer.headers.has('access-control-allow-origin')).toBe(false);
      }
    }
  });

  test('a request without Origin passes', async () => {
    expect((await ask(server.port)).status).toBe(200);
  });

  test('two Hosts are refused even when both are ours', async () => {
    const answer = await exchange(server.port, 'GET /health HTTP/1.1\r\nHost: localhost\r\nhOST: localhost\r\n\r\n');
    expect(answer.status).toBe(400);
  });

  test('two Authorizations are refused: another hop may have read the other one', async () => {
    const answer = await exchange(
      server.port,
      'GET /health HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer a\r\nauthorization: Bearer b\r\nConnection: close\r\n\r\n',
    );
    expect(answer.status).toBe(400);
  });

  test('HTTP/1.1 without a Host is refused, HTTP/1.0 without one is a health checker', async () => {
    expect((await exchange(server.port, 'GET /health HTTP/1.1\r\n\r\n')).status).toBe(400);
    expect((await exchange(server.port, 'GET /health HTTP/1.0\r\n\r\n')).status).toBe(200);
  });

  test.each([
    { target: 'http://localhost:8000/health', status: 200 },
    { target: 'http://localhost:8000/health?x=http://y', status: 200 },
    { target: 'http://evil.example/health', status: 400 },
    { target: 'http://localhost:8001/health', status: 400 },
    { target: 'http://u@localhost:8000/health', status: 400 },
    { target: 'gopher://localhost:8000/health', status: 400 },
    { target: 'http://localhost:8000', status: 200 },
  ])('absolute target $target with Host localhost:8000 is answered $status', async ({ target, status }) => {
    expect((await ask(server.port, { host: 'localhost:8000' }, `GET ${target} HTTP/1.1`)).status).toBe(status);
  });
});

describe('on another bind', () => {
  const judge = (rules: Partial<GuardRules>, host: string, origin?: string) => {
    const guard = createGuard({ host: '192.0.2.7', allowedHosts: [], corsOrigins: [], ...rules });
    const req = { headers: { host }, rawHeaders: ['Host', host], httpVersion: '1.1', url: '/mcp', method: 'POST' };
    const refusal = guard.checkHost(req as never) ?? guard.checkOrigin(origin, host);
    return refusal?.status ?? 200;
  };

  test.each([
    { rules: {}, host: 'gate.example', status: 200, because: 'without a list any well-formed name passes' },
    { rules: {}, host: 'gw/?x', status: 400, because: 'without a list a malformed name does not' },
    { rules: { allowedHosts: ['gate.example'] }, host: 'gate.example', status: 200, because: 'a listed name passes' },
    { rules: { allowedHosts: ['gate.example'] }, host: 'gate.example:8000', status: 200, because: 'on any port' },
    { rules: { allowedHosts: ['gate.example'] }, host: 'evil.example', status: 403, because: 'another name does not' },
    { rules: { allowedHosts: ['gate.example'] }, host: '192.0.2.7:8000', status: 200, because: 'our address passes' },
    { rules: { allowedHosts: ['gate.example'] }, host: '192.0.2.8', status: 403, because: 'another address does not' },
    {
      rules: { allowedHosts: ['gate.example'] },
      host: 'localhost:8000',
      status: 200,
      because: 'a probe beside us passes',
    },
  ])('$because', ({ rules, host, status }) => expect(judge(rules, host)).toBe(status));

  test.each([
    { corsOrigins: ['https://app.example'], origin: 'https://app.example', status: 200 },
    { corsOrigins: ['https://app.example/'], origin: 'https://app.example', status: 200 },
    { corsOrigins: ['https://app.example'], origin: 'http://localhost:3000', status: 403 },
    { corsOrigins: [], origin: 'https://app.example', status: 403 },
    { corsOrigins: ['null', '*'], origin: 'null', status: 403 },
    { corsOrigins: ['*'], origin: 'https://evil.example', status: 403 },
  ])('with $corsOrigins listed, Origin $origin is answered $status', ({ corsOrigins, origin, status }) => {
    expect(judge({ corsOrigins }, 'gate.example', origin)).toBe(status);
  });

  const listed = { allowedHosts: ['gate.example'] };
  test.each([
    { rules: listed, host: 'gate.example', origin: 'https://gate.example', status: 200, because: 'it is our page' },
    {
      rules: listed,
      host: 'gate.example:8000',
      origin: 'http://GATE.example:8000',
      status: 200,
      because: 'case is none',
    },
    {
      rules: listed,
      host: 'gate.example:8000',
      origin: 'http://gate.example',
      status: 403,
      because: 'another port is',
    },
    { rules: listed, host: 'gate.example', origin: 'http://other.example', status: 403, because: 'it is not our page' },
    { rules: {}, host: 'gate.example', origin: 'http://gate.example', status: 403, because: 'a name can be rebound' },
    { rules: {}, host: '192.0.2.9:80', origin: 'http://192.0.2.9:80', status: 200, because: 'an address cannot' },
    { rules: {}, host: '[2001:db8::1]', origin: 'http://[2001:db8::1]', status: 200, because: 'an address cannot' },
    { rules: {}, host: 'localhost:80', origin: 'http://localhost:80', status: 200, because: 'this machine cannot' },
    {
      rules: {},
      host: 'localhost:80',
      origin: 'http://localhost:81',
      status: 403,
      because: 'another program runs there',
    },
    { rules: { tls: {} }, host: '192.0.2.9', origin: 'http://192.0.2.9', status: 403, because: 'ours are encrypted' },
    { rules: { tls: {} }, host: '192.0.2.9', origin: 'https://192.0.2.9', status: 200, because: 'ours are encrypted' },
    {
      rules: { ownOrigin: 'https://gw.test' },
      host: 'gw.test',
      origin: 'https://gw.test',
      status: 200,
      because: 'told so',
    },
    {
      rules: { ownOrigin: 'https://gw.test' },
      host: 'gw.test',
      origin: 'http://gw.test',
      status: 403,
      because: 'not so',
    },
  ])('a page at $origin that asks $host is answered $status: $because', ({ rules, host, origin, status }) => {
    expect(judge(rules, host, origin)).toBe(status);
  });

  test('what was judged beside one Host is judged anew beside another', () => {
    const guard = createGuard({ host: '192.0.2.7', allowedHosts: [], corsOrigins: [] });
    expect(guard.checkOrigin('http://192.0.2.9', '192.0.2.9')).toBeNull();
    expect(guard.checkOrigin('http://192.0.2.9', '192.0.2.7')).not.toBeNull();
  });

  test('remembers good hosts in bounded space and stays right', () => {
    const guard = createGuard({ host: '0.0.0.0', allowedHosts: [], corsOrigins: [] });
    for (let i = 0; i < 2_000; i += 1) {
      const host = `h${i}.example`;
      const req = { headers: { host }, rawHeaders: ['Host', host], httpVersion: '1.1', url: '/', method: 'GET' };
      expect(guard.checkHost(req as never)).toBeNull();
    }
  });
});

test.each([
  ['127.0.0.1', true],
  ['127.8.9.1', true],
  ['::1', true],
  ['[::1]', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['127.0.0.1.nip.io', false],
  ['192.168.1.1', false],
])('%s is loopback: %s', (host, expected) => expect(isLoopback(host)).toBe(expected));
