/**
 * Names that do not tell their server (`prefix: none`, or one with a hash) lead whoever may not use what they stand for where
 * names lead that nobody has: the answer to a guess does not tell that it was a good one.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { waitFor } from '../support/gateway-process.ts';
import { type Caller, openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';

describe.each(['none', 'server'] as const)('prefix: %s', prefix => {
  let gateway: RegistryGateway;
  /** Of a tool that `lob` has no right to. */
  let tool: string;
  beforeAll(async () => {
    gateway = await openRegistryGateway({ exposure: { prefix } });
    const wish = { name: 'Clock', description: 'Tells', path: '/team/clock', proxy_pass_url: gateway.ofFile.url };
    if (prefix === 'server') expect((await gateway.post('/api/servers/register', 'admin', wish)).status).toBe(201);
    tool = await waitFor(async () => {
      const { tools } = (await ask('admin', 'tools/list')).result as { tools: { name: string }[] };
      const isOurs = (name: string) => prefix === 'none' || name.startsWith('team_clock__');
      return tools.map(({ name }) => name).find(name => isOurs(name) && name.includes('add')) ?? null;
    }, 'it is listed');
  }, 60_000);
  afterAll(() => gateway?.remove());

  async function ask(caller: Caller, method: string, params: JsonObject = {}): Promise<JsonObject> {
    const client = await gateway.open('modern', caller);
    try {
      return (await client.request(method, params)).answer ?? {};
    } finally {
      await client.close();
    }
  }
  /** Without what was asked for, and what every answer has of its own. */
  const told = ({ error }: JsonObject, name: string) =>
    JSON.stringify(error ?? 'no error')
      .replaceAll(name, 'NAME')
      .replaceAll(/"request_id":"[^"]*"/g, '');

  test('a tool', async () => {
    const call = (caller: Caller, name: string) => ask(caller, 'tools/call', { name, arguments: { a: 1, b: 2 } });
    const invented = tool.replace(/.$/, last => (last === 'x' ? 'y' : 'x'));
    const [real, other] = [await call('lob', tool), await call('lob', invented)];
    expect(told(real, tool)).toBe(told(other, invented));
    expect(told(real, tool)).not.toBe('"no error"');
    expect(JSON.stringify((await call('user', tool)).result)).toContain('3');
  });

  test('a prompt', async () => {
    const get = (name: string) => ask('lob', 'prompts/get', { name, arguments: {} });
    const [real, other] = [await get('greet'), await get('greetx')];
    expect(told(real, 'greet')).toBe(told(other, 'greetx'));
    expect(told(real, 'greet')).not.toBe('"no error"');
  });
});
