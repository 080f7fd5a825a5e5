import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createSocketServer } from 'node:net';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createAddressGuard } from '../../../src/outbound/fetch/address-guard.ts';
import type { Clock } from '../../../src/ports/clock.ts';
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY, TEST_AUTHORITY } from '../../support/certificates.ts';
import { QUIET } from '../../support/gate-of-issuers.ts';
import { openFakeNetwork, openGuardKit, rulesOf } from './guard-kit.ts';

const HERE = rulesOf(['127.0.0.0/8']);
const SECRETS = { authorization: 'Bearer secret', cookie: 'session=secret' };

interface Seen {
  method: string;
  path: string;
  headers: IncomingMessage['headers'];
  body: string;
}

async function start(answer: (request: IncomingMessage, response: ServerResponse) => void, tls = false) {
  const seen: Seen[] = [];
  const listener = (request: IncomingMessage, response: ServerResponse) => {
    let body = '';
    request.on('data', chunk => {
      body += chunk;
    });
    request.on('end', () => {
      seen.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body });
      answer(request, response);
    });
  };
  const server = tls
    ? createTlsServer({ key: LOCALHOST_KEY, cert: LOCALHOST_CERTIFICATE }, listener)
    : createServer(listener);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { seen, port, origin: `${tls ? 'https' : 'http'}://127.0.0.1:${port}` };
}

const sendJson = (value: unknown) => (_request: IncomingMessage, response: ServerResponse) =>
  void response.writeHead(200, { 'content-type': 'application/json', 'set-cookie': 'a=b' }).end(JSON.stringify(value));

describe('a request', () => {
  test('brings its method, headers and body, and its answer comes back as JSON', async () => {
    const { seen, origin } = await start(sendJson({ data: [1, 2] }));
    const { fetch } = openGuardKit({ rules: HERE });
    const got = await fetch.json({
      url: `${origin}/v1/embeddings?a=b`,
      purpose: 'embeddings',
      method: 'POST',
      headers: { 'Content-Type': 'application/json', authorization: 'Bearer key' },
      body: '{"input":["ä"]}',
    });
    expect(got).toMatchObject({
      ok: true,
      status: 200,
      document: { data: [1, 2] },
      url: `${origin}/v1/embeddings?a=b`,
    });
    expect(got.ok && 'set-cookie' in got.headers).toBe(false);
    expect(seen).toMatchObject([{ method: 'POST', path: '/v1/embeddings?a=b', body: '{"input":["ä"]}' }]);
    expect(seen[0]?.headers).toMatchObject({ authorization: 'Bearer key', accept: 'application/json' });
  });

  test('tells any status, and what is not JSON', async () => {
    const { origin } = await start((request, response) => {
      if (request.url === '/missing') response.writeHead(404).end('{"error":1}');
      else response.end('<html>');
    });
    const { fetch } = openGuardKit({ rules: HERE });
    const ask = (path: string) => fetch.json({ url: origin + path, purpose: 'agent-card' });
    expect(await ask('/missing')).toMatchObject({ ok: true, status: 404, document: { error: 1 } });
    expect(await ask('/page')).toEqual({ ok: false, why: 'not_json' });
  });

  test('goes to the next address that was checked where the first one does not answer', async () => {
    const { origin, seen } = await start(sendJson({}));
    const { fetch, asked } = openGuardKit({ rules: HERE, names: { 'two.test': ['127.0.0.9', '127.0.0.1'] } });
    const got = await fetch.send({ url: `http://two.test:${new URL(origin).port}/`, purpose: 'peer' });
    expect(got).toMatchObject({ ok: true, status: 200 });
    expect([seen.length, asked]).toEqual([1, ['two.test']]);
  });

  test('asks about a name once per connection, and keeps connections for the next requests', async () => {
    const { origin, seen } = await start(sendJson({}));
    const { fetch, asked } = openGuardKit({ rules: HERE, names: { 'one.test': ['127.0.0.1'] } });
    const url = `http://one.test:${new URL(origin).port}/`;
    for (let i = 0; i < 6; i++) expect(await fetch.send({ url, purpose: 'embeddings' })).toMatchObject({ ok: true });
    expect(seen).toHaveLength(6);
    // A request on the heels of an answer finds its connection still taken.
    expect(asked.length).toBeLessThanOrEqual(2);
  });

  test('of a head alone is told what there would be, however much', async () => {
    const { origin } = await start((_request, response) => response.writeHead(200, { 'content-length': 1e9 }).end());
    const { fetch } = openGuardKit({ rules: HERE });
    expect(await fetch.send({ url: origin, purpose: 'webhook', method: 'HEAD' })).toMatchObject({
      ...{ ok: true, headers: { 'content-length': '1000000000' } },
    });
  });

  test('ends when its caller no longer wants it', async () => {
    const { origin } = await start(() => {});
    const { fetch } = openGuardKit({ rules: HERE });
    const stop = new AbortController();
    const got = fetch.send({ url: origin, purpose: 'webhook', signal: stop.signal });
    setTimeout(() => stop.abort(), 50);
    expect(await got).toEqual({ ok: false, why: 'cancelled' });
    expect(await fetch.send({ url: origin, purpose: 'webhook', signal: AbortSignal.abort() })).toEqual({
      ok: false,
      why: 'cancelled',
    });
  });

  test.each([
    { header: 'Host', value: 'metadata.google.internal' },
    { header: 'Transfer-Encoding', value: 'chunked' },
    { header: 'Connection', value: 'x' },
    { header: 'x-a', value: 'b\r\nx-injected: 1' },
    { header: 'x a', value: 'b' },
  ])('with $header: $value is a mistake of ours and is not sent', async ({ header, value }) => {
    const { seen, origin } = await start(sendJson({}));
    const { fetch } = openGuardKit({ rules: HERE });
    const sent = fetch.send({ url: origin, purpose: 'webhook', headers: { [header]: value } });
    await expect(sent).rejects.toThrow('cannot be sent');
    expect(seen).toEqual([]);
  });

  test.each(['X-Forwarded-Host', 'X-Original-URL', 'Forwarded', 'mcp-init-host'])(
    'goes where its URL says whatever %s says',
    async header => {
      const { seen, origin } = await start(sendJson({}));
      const network = openFakeNetwork();
      const { port } = new URL(origin);
      network.ways.set(`127.0.0.1 ${port}`, Number(port));
      const { fetch } = openGuardKit({ rules: HERE });
      await fetch.send({ url: origin, purpose: 'webhook', headers: { [header]: '169.254.169.254' } });
      expect(network.tried).toEqual([`127.0.0.1 ${port}`]);
      expect(seen[0]?.headers.host).toBe(`127.0.0.1:${port}`);
    },
  );
});

describe('TLS', () => {
  test('keeps the name, though the socket goes to an address', async () => {
    const before = getCACertificates('default');
    setDefaultCACertificates([...before, TEST_AUTHORITY]);
    onTestFinished(() => setDefaultCACertificates(before));
    const { seen, port } = await start(sendJson({}), true);
    const names = { localhost: ['127.0.0.1'], 'elsewhere.test': ['127.0.0.1'] };
    const { fetch, asked } = openGuardKit({ rules: HERE, names });
    const ask = (host: string) => fetch.send({ url: `https://${host}:${port}/`, purpose: 'agent-card' });
    expect(await ask('localhost')).toMatchObject({ ok: true, status: 200 });
    expect(seen[0]?.headers.host).toBe(`localhost:${port}`);
    // The same server at the same address: its certificate is for another name.
    expect(await ask('elsewhere.test')).toEqual({ ok: false, why: 'unreachable' });
    expect(await ask('127.0.0.1')).toEqual({ ok: false, why: 'unreachable' });
    expect(seen).toHaveLength(1);
    expect(asked).toEqual(['localhost', 'elsewhere.test']);
  });

  test('of nobody we trust is refused', async () => {
    const { seen, port } = await start(sendJson({}), true);
    const { fetch } = openGuardKit({ rules: HERE, names: { localhost: ['127.0.0.1'] } });
    const got = await fetch.send({ url: `https://localhost:${port}/`, purpose: 'webhook', headers: SECRETS });
    expect([got, seen]).toEqual([{ ok: false, why: 'unreachable' }, []]);
  });
});

describe.each([301, 302, 303, 307, 308])('a redirect (%i)', status => {
  test.each([
    { to: 'another origin', location: (other: string) => `${other}/`, method: 'GET' },
    {
      to: 'another origin, without its scheme',
      location: (other: string) => other.slice('http:'.length),
      method: 'GET',
    },
    { to: 'another scheme', location: (_: string, own: string) => own.replace('http:', 'https:'), method: 'GET' },
    { to: 'metadata', location: () => 'http://169.254.169.254/latest/', method: 'GET' },
    { to: 'a private address', location: () => 'http://10.0.0.1/', method: 'GET' },
    { to: 'a file', location: () => 'file:///etc/hostname', method: 'GET' },
    { to: 'nowhere', location: () => '', method: 'GET' },
    { to: 'the same origin, of a POST', location: (_: string, own: string) => `${own}/next`, method: 'POST' },
    { to: 'the same origin, of a DELETE', location: (_: string, own: string) => `${own}/next`, method: 'DELETE' },
  ] as const)('to $to is not followed, and nothing is sent there', async ({ location, method }) => {
    const other = await start(sendJson({ stolen: true }));
    const first: { seen: Seen[]; origin: string } = await start((_request, response) => {
      response.writeHead(status, { location: location(other.origin, first.origin) }).end();
    });
    const network = openFakeNetwork();
    for (const { origin } of [first, other]) {
      const { port } = new URL(origin);
      network.ways.set(`127.0.0.1 ${port}`, Number(port));
    }
    const { fetch } = openGuardKit({ rules: HERE });
    const body = method === 'GET' ? {} : { body: 'a body' };
    const got = await fetch.send({
      url: first.origin,
      purpose: 'metadata',
      method,
      headers: SECRETS,
      redirects: 3,
      ...body,
    });
    // An empty Location is the page itself, within the origin: it ends with the third time.
    expect(got).toEqual({ ok: false, why: 'redirect' });
    expect(other.seen).toEqual([]);
    expect(new Set(network.tried)).toEqual(new Set([`127.0.0.1 ${new URL(first.origin).port}`]));
    expect(new Set(first.seen.map(({ path }) => path))).toEqual(new Set(['/']));
  });

  test('within the origin is followed by a GET that says so, three times at most', async () => {
    const { seen, origin } = await start((request, response) => {
      const left = Number(request.url?.slice(1));
      if (left > 0) response.writeHead(status, { location: `./${left - 1}#part` }).end();
      else response.end('{}');
    });
    const { fetch } = openGuardKit({ rules: HERE });
    const ask = (hops: number, redirects?: number) =>
      fetch.send({
        ...{ url: `${origin}/${hops}`, purpose: 'metadata', headers: SECRETS },
        ...(redirects === undefined ? {} : { redirects }),
      });
    expect(await ask(1)).toEqual({ ok: false, why: 'redirect' });
    expect(await ask(1, 1)).toMatchObject({ ok: true, url: `${origin}/0` });
    expect(await ask(3, 99)).toMatchObject({ ok: true, url: `${origin}/0` });
    seen.length = 0;
    expect(await ask(4, 99)).toEqual({ ok: false, why: 'redirect' });
    expect(seen.map(({ path }) => path)).toEqual(['/4', '/3', '/2', '/1']);
    expect(seen.every(({ headers }) => headers.authorization === SECRETS.authorization)).toBe(true);
  });
});

describe('a refusal', () => {
  test('is the same for an open port, a closed one, no machine, and no name', async () => {
    const open = createSocketServer().listen(0, '127.0.0.1');
    await new Promise(resolve => open.once('listening', resolve));
    onTestFinished(() => void open.close());
    const { port } = open.address() as AddressInfo;
    const { guard, fetch, logged } = openGuardKit({
      names: { 'open.corp.test': ['127.0.0.1'], 'gone.corp.test': ['10.255.255.1'] },
      rules: rulesOf([], true),
    });
    const targets = [
      `http://127.0.0.1:${port}/`,
      'http://127.0.0.1:1024/',
      'http://10.255.255.1/',
      `http://open.corp.test:${port}/`,
      'http://gone.corp.test/',
      'http://nobody.corp.test/',
    ];
    const seen = await Promise.all(
      targets.map(async url => [
        await fetch.send({ url, purpose: 'registration' }),
        await guard.mayReach(url, 'registration'),
      ]),
    );
    expect(seen).toEqual(targets.map(() => [{ ok: false, why: 'refused' }, false]));
    // Who runs the gateway learns the reason.
    expect(new Set(logged.map(({ fields }) => fields.why))).toEqual(new Set(['internal-address', 'unresolved']));
    expect(logged.every(({ fields }) => fields.purpose === 'registration')).toBe(true);
  });

  test.each([
    { url: 'http://127.0.0.1/', because: 'nothing was asked' },
    { url: 'http://inside.corp.test/', because: 'a name server near by answered' },
    { url: 'http://nobody.corp.test/', because: 'one far away did not know the name' },
  ])('of $url is told at the same moment, though $because', async ({ url }) => {
    let nowMs = 1000;
    const clock: Clock = {
      monotonicMs: () => nowMs,
      wallMs: () => nowMs,
      after(ms, run) {
        // The time a name server has is not used up.
        if (ms === 5000) return () => {};
        nowMs += ms;
        queueMicrotask(run);
        return () => {};
      },
    };
    const resolve = async (name: string) => {
      nowMs += name === 'inside.corp.test' ? 3 : 180;
      return name === 'inside.corp.test' ? ['10.0.0.1'] : [];
    };
    const guard = createAddressGuard({ rules: () => rulesOf([], true), clock, log: QUIET, resolve });
    expect(await guard.mayReach(url, 'registration')).toBe(false);
    expect(nowMs).toBe(1250);
  });

  test('is the answer where a name server gives none', async () => {
    const waits: (() => void)[] = [];
    const after: Clock['after'] = (ms, run) => {
      if (ms === 5000) waits.push(run);
      else queueMicrotask(run);
      return () => {};
    };
    const guard = createAddressGuard({
      ...{ rules: () => HERE, log: QUIET, resolve: () => new Promise<never>(() => {}) },
      clock: { monotonicMs: () => 0, wallMs: () => 0, after },
    });
    const may = guard.mayReach('https://silent.test/', 'registration');
    await expect.poll(() => waits.length).toBe(1);
    waits[0]?.();
    expect(await may).toBe(false);
  });

  test('keeps what a URL holds out of the log', async () => {
    const { fetch, logged } = openGuardKit();
    await fetch.send({ url: 'https://user:pa55@10.0.0.1/pa55?key=pa55', purpose: 'webhook', headers: { x: 'pa55' } });
    expect(logged).toMatchObject([{ fields: { why: 'user-info', purpose: 'webhook', host: '10.0.0.1' } }]);
    expect(JSON.stringify(logged)).not.toContain('pa55');
  });

  test('follows the rules in force: what was allowed no longer is after a reload', async () => {
    const { origin } = await start(sendJson({}));
    let rules = HERE;
    const { fetch } = openGuardKit({ rules: () => rules });
    expect(await fetch.send({ url: origin, purpose: 'peer' })).toMatchObject({ ok: true });
    rules = rulesOf([]);
    expect(await fetch.send({ url: origin, purpose: 'peer' })).toEqual({ ok: false, why: 'refused' });
  });
});
