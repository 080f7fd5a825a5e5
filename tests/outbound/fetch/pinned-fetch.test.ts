import { afterEach, beforeEach, expect, test } from 'vitest';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { createPinnedFetch } from '../../../src/outbound/fetch/pinned-fetch.ts';
import type { FetchJson } from '../../../src/ports/fetch-json.ts';
import { type KeyServer, startKeyServer } from '../../support/token-issuer.ts';

let server: KeyServer;
let fetchJson: FetchJson;

beforeEach(async () => {
  server = await startKeyServer();
  fetchJson = createPinnedFetch({ origins: new Set([server.origin]), clock: createSystemClock(), maxBytes: 1000 });
});
afterEach(() => server.close());

test('reads a document from an origin it may', async () => {
  server.documents.set('/a', { b: 1 });
  expect(await fetchJson(`${server.origin}/a`, 5000)).toEqual({ ok: true, document: { b: 1 } });
});

test.each(['https://elsewhere.test/a', 'http://127.0.0.1:9/a', 'file:///etc/passwd', 'not an address', ''])(
  'opens no socket for %s',
  async url => {
    expect(await fetchJson(url, 5000)).toEqual({ ok: false, why: 'not_allowed' });
  },
);

test('does not take another port, scheme or user name for the same origin', async () => {
  const { host, port } = new URL(server.origin);
  for (const url of [`https://${host}/`, `http://localhost:${port}/`, `http://${host}@127.0.0.1:9/`])
    expect(await fetchJson(url, 5000)).toEqual({ ok: false, why: 'not_allowed' });
  expect(server.total()).toBe(0);
});

test.each([
  { trouble: 'error', why: 'status', because: 'a server that fails' },
  { trouble: 'cut', why: 'unreachable', because: 'a connection that breaks' },
] as const)('says $why for $because', async ({ trouble, why }) => {
  server.trouble = trouble;
  expect(await fetchJson(`${server.origin}/a`, 5000)).toEqual({ ok: false, why });
});

test.each([
  { status: 302, location: '/b' },
  { status: 307, location: 'http://127.0.0.1:9/' },
])('follows no redirect ($status)', async ({ status, location }) => {
  server.trouble = res => void res.writeHead(status, { location }).end();
  expect(await fetchJson(`${server.origin}/a`, 5000)).toEqual({ ok: false, why: 'status' });
  expect(server.total()).toBe(1);
});

test('gives up on a body beyond the cap, however it comes', async () => {
  server.trouble = res => {
    res.writeHead(200);
    for (let i = 0; i < 10; i++) res.write('x'.repeat(200));
  };
  expect(await fetchJson(`${server.origin}/a`, 5000)).toEqual({ ok: false, why: 'too_large' });
});

test.each(['', '[]', '"a"', 'null', '{', '{"a":1}}'])('%j is no document', async body => {
  server.trouble = res => void res.end(body);
  expect(await fetchJson(`${server.origin}/a`, 5000)).toEqual({ ok: false, why: 'not_json' });
});

test('an answer that never ends is over after its time, before and after the head', async () => {
  server.trouble = 'hang';
  expect(await fetchJson(`${server.origin}/a`, 100)).toEqual({ ok: false, why: 'timeout' });
  server.trouble = res => void res.writeHead(200).write('{');
  expect(await fetchJson(`${server.origin}/a`, 100)).toEqual({ ok: false, why: 'timeout' });
});
