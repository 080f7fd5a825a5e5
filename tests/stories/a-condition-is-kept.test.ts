/**
 * Whoever says `If-Match` has nothing done to what has changed since: not by any operation that changes anything. Whoever
 * makes no condition is not told of others who write at the same moment.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';
import { agentCard } from '../support/searched-gateway.ts';

let behind: StartedScripted;
let gateway: RegistryGateway;
beforeAll(async () => {
  behind = await startScripted();
  gateway = await openRegistryGateway();
}, 60_000);
afterAll(async () => {
  await gateway.remove();
  await behind.close();
});

const send = (method: string, path: string, body: JsonObject | undefined, ifMatch?: string) =>
  gateway.send(method, path, 'admin', body, ifMatch === undefined ? {} : { 'if-match': ifMatch });
const card = (more: JsonObject = {}) => ({
  ...{ name: 'A server', description: 'Does things', proxy_pass_url: behind.url, path: '/there' },
  ...more,
});
const AGENT = agentCard('/helper', 'Helper', 'Helps');
const tagOf = async (path: string) => (await gateway.read(path, 'admin')).headers.get('etag') ?? '';

beforeEach(async () => {
  for (const body of [card({ overwrite: true }), card({ version: 'v2' })])
    expect([201, 409]).toContain((await send('POST', '/api/servers/register', body)).status);
  expect([201, 409]).toContain((await send('POST', '/api/agents/register', AGENT)).status);
  expect((await send('POST', '/api/servers/toggle', { path: '/there', new_state: true })).status).toBe(200);
});

const SERVER = '/api/servers/there';
const HELPER = '/api/agents/helper';
const { path: _, ...rewritten } = AGENT;

test.each([
  { of: SERVER, method: 'PUT', path: SERVER, body: { name: 'n', description: 'd' } },
  { of: SERVER, method: 'PATCH', path: SERVER, body: { description: 'else' } },
  { of: SERVER, method: 'PATCH', path: `${SERVER}/auth-credential`, body: { auth_scheme: 'none' } },
  { of: SERVER, method: 'POST', path: '/api/servers/toggle', body: { path: '/there', new_state: false } },
  { of: SERVER, method: 'POST', path: '/toggle/there', body: {} },
  { of: SERVER, method: 'PUT', path: `${SERVER}/versions/default`, body: { version: 'v2' } },
  { of: SERVER, method: 'POST', path: '/edit/there', body: { description: 'by the form' } },
  { of: SERVER, method: 'POST', path: '/api/servers/remove', body: { path: '/there' } },
  { of: SERVER, method: 'DELETE', path: SERVER, body: undefined },
  { of: HELPER, method: 'PUT', path: HELPER, body: rewritten },
  { of: HELPER, method: 'PATCH', path: HELPER, body: { description: 'else' } },
  { of: HELPER, method: 'POST', path: `${HELPER}/toggle?enabled=false`, body: undefined },
  { of: HELPER, method: 'DELETE', path: HELPER, body: undefined },
])('$method $path is done to the revision that is meant, and to no other', async ({ of, method, path, body }) => {
  const now = await tagOf(of);
  for (const other of ['"1"', '"999999999"', `W/${now}`, now.replace('"', '"0'), 'odd', '']) {
    const refused = await send(method, path, body, other);
    expect([other, refused.status, refused.body.detail]).toEqual([other, 412, expect.any(String)]);
    expect(await tagOf(of)).toBe(now);
  }
  const whole = method === 'PUT' && path === SERVER ? { ...body, proxy_pass_url: behind.url } : body;
  const done = await send(method, path, whole, `"1", ${now}`);
  expect([200, 204, 303], JSON.stringify(done.body)).toContain(done.status);
  expect(await tagOf(of)).not.toBe(now);
});

test('where there is nothing to match, a condition is not met, and what was asked is not done', async () => {
  const document = (await gateway.read('/openapi.json', 'admin')).body;
  const operations = Object.entries(document.paths as Record<string, Record<string, JsonObject>>).flatMap(
    ([path, methods]) =>
      Object.entries(methods)
        .filter(([, { responses, parameters = [] }]) => {
          const isTaken = (parameters as JsonObject[]).some(({ name }) => name === 'If-Match');
          return '412' in (responses as JsonObject) && !isTaken;
        })
        .map(([method, { 'x-access': access }]) => ({ method: method.toUpperCase(), path, access })),
  );
  expect(operations.length).toBeGreaterThan(20);
  for (const { method, path } of operations) {
    const { status, body } = await send(method, path.replace(/\{[^}]+\}/g, 'there'), {}, '"1"');
    expect([method, path, status, body.detail]).toEqual([method, path, 412, expect.stringContaining('If-Match')]);
  }
});

describe('without a condition', () => {
  const dozen = Array.from({ length: 12 }, (_, i) => i);

  test.each([
    { what: 'changes of a server', status: 200, one: (i: number) => send('PATCH', SERVER, { license: `L${i}` }) },
    {
      ...{ what: 'servers in its place', status: 201 },
      one: (i: number) => send('POST', '/api/servers/register', card({ overwrite: true, license: `L${i}` })),
    },
    { what: 'changes of an agent', status: 200, one: (i: number) => send('PATCH', HELPER, { description: `L${i}` }) },
    {
      ...{ what: 'switchings of an agent', status: 200 },
      one: (i: number) => send('POST', `${HELPER}/toggle?enabled=${i % 2 === 0}`, undefined),
    },
  ])('twelve $what at one moment are all made', async ({ status, one }) => {
    const answers = await Promise.all(dozen.map(one));
    expect(answers.map(answer => answer.status)).toEqual(dozen.map(() => status));
  });
});
