/**
 * A server that is registered while the gateway runs is listed and called at once, by those who may; switched off it is
 * gone from every list, and removed nothing of it is left.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { waitFor } from '../support/gateway-process.ts';
import { errorOf, type Reply, resultOf } from '../support/mcp-client.ts';
import { type Caller, openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';

const toolsOf = (reply: Reply) => ((resultOf(reply).tools ?? []) as { name: string }[]).map(({ name }) => name).sort();

let gateway: RegistryGateway;
let clock: StartedScripted;
beforeAll(async () => {
  [gateway, clock] = await Promise.all([openRegistryGateway(), startScripted()]);
});
afterAll(async () => {
  await gateway.remove();
  await clock.close();
});

async function listed(caller: Caller): Promise<string[]> {
  const { body } = await gateway.read('/api/servers?include_tools=false', caller);
  return ((body.servers ?? []) as JsonObject[]).map(({ path }) => String(path));
}

async function callWith(caller: Caller, name: string, path = '/mcp'): Promise<string> {
  const client = await gateway.open('modern', caller, path);
  const reply = await client.call(name, { text: 'hello' });
  await client.close();
  const { code } = (errorOf(reply).data ?? {}) as JsonObject;
  return typeof code === 'string' ? code : reply.answer?.result === undefined ? `status ${reply.status}` : 'ok';
}

const untilTools = (path: string, caller: Caller = 'admin') =>
  waitFor(async () => {
    const { body } = await gateway.read(`/api/tools${path}`, caller);
    return Number(body.num_tools) > 0 ? body : null;
  }, `tools of ${path}`);

describe('a server', () => {
  test('is registered by a form, listed, called, switched off and on, and removed', async () => {
    const form = new URLSearchParams({
      ...{ name: 'Clock', description: 'Tells the time', path: '/team/clock', tags: 'time, demo' },
      proxy_pass_url: clock.url.replace(/\/mcp$/, ''),
    });
    const registered = await gateway.post('/register', 'developer', form);
    expect(registered).toMatchObject({ status: 201, body: { path: '/team/clock', name: 'Clock' } });
    expect(await listed('user')).toEqual(['/everyday', '/team/clock']);

    expect(await untilTools('/team/clock')).toMatchObject({ service_path: '/team/clock' });
    const own = await gateway.open('legacy', 'user', '/team/clock/mcp');
    expect(toolsOf(await own.request('tools/list'))).toContain('echo');
    await own.close();
    const all = await gateway.open('modern', 'user');
    const shown = toolsOf(await all.request('tools/list')).filter(name => name.startsWith('team_clock__'));
    await all.close();
    expect(shown.length).toBeGreaterThan(0);
    expect(await callWith('user', 'echo', '/team/clock/mcp')).toBe('ok');
    expect(await callWith('user', shown.find(name => name.includes('__echo')) ?? '')).toBe('ok');

    const off = await gateway.post('/toggle/team/clock', 'admin', new URLSearchParams());
    expect(off).toMatchObject({ status: 200, body: { new_enabled_state: false, status: 'disabled' } });
    const gone = await gateway.send('POST', '/team/clock/mcp', 'user', { jsonrpc: '2.0', id: 1, method: 'ping' });
    expect(gone.status).toBe(404);

    const on = await gateway.post('/api/servers/toggle', 'admin', { path: '/team/clock', new_state: true });
    expect(on.body).toMatchObject({ new_enabled_state: true });
    await untilTools('/team/clock');
    expect(await callWith('user', 'echo', '/team/clock/mcp')).toBe('ok');

    expect((await gateway.post('/api/servers/remove', 'admin', { path: 'team/clock' })).status).toBe(200);
    expect(await listed('user')).toEqual(['/everyday']);
    expect((await gateway.read('/api/servers/team/clock', 'admin')).status).toBe(404);
  });
});
