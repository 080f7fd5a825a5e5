/**
 * Over stdio nobody shows a credential: an agent is who it says it is, the rules judge it all the same, the book says that
 * nobody vouched for it, and the default that an operator chose is no way around them. The official client, the real gateway.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { COMPILED } from '../support/compiled.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { waitFor } from '../support/gateway-process.ts';

const ENTRY = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const RULES = {
  agents: {
    careful: { allow: { servers: ['echo'] }, deny: { tools: { echo: ['delete_*'] } } },
    narrow: { allow: { servers: ['*'], tools: { web: ['add'] } }, deny: { servers: ['echo'] } },
  },
};

let server: StartedScripted;
let folder = '';
let client: Client | null = null;

beforeAll(async () => {
  server = await startScripted();
});
afterAll(() => server.close());
afterEach(async () => {
  await client?.close();
  client = null;
  rmSync(folder, { recursive: true, force: true });
});

async function launch(env: Record<string, string> = {}, rules: JsonObject = RULES): Promise<Client> {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-pipe-'));
  const web = { url: server.url };
  writeFileSync(join(folder, '.mcp.json'), JSON.stringify({ mcpServers: { echo: web, web } }));
  writeFileSync(join(folder, '.mcp-gateway-rules.json'), JSON.stringify(rules));
  const launched = new Client({ name: 'pipe', version: '1' });
  await launched.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: [ENTRY, 'stdio'],
      cwd: folder,
      env: {
        PATH: process.env.PATH ?? '',
        HOME: folder,
        ...COMPILED,
        GATEWAY_AUDIT_LOG: join(folder, 'audit.jsonl'),
        ...env,
      },
      stderr: 'ignore',
    }),
  );
  client = launched;
  return launched;
}

interface Said {
  code: number | null;
  word: unknown;
  rule: unknown;
}

/** What came of a call: null where it worked. */
async function refusalOf(name: string, args: JsonObject): Promise<Said | null> {
  try {
    await client?.callTool({ name, arguments: args });
    return null;
  } catch (cause) {
    const { code = null, data } = cause as { code?: number; data?: JsonObject };
    return { code, word: data?.code, rule: data?.rule };
  }
}

/** Lines of operations, once there are so many. */
const book = (count: number) =>
  waitFor(() => {
    const lines = readFileSync(join(folder, 'audit.jsonl'), 'utf8').split('\n').slice(0, -1);
    const operations = lines.map(line => JSON.parse(line) as JsonObject).filter(({ subject }) => subject === 'local');
    return operations.length < count ? null : operations;
  }, `${count} lines in the book`);

describe('an agent that names itself', () => {
  test.each([
    ['careful', 'echo', 'add', null],
    ['careful', 'echo', 'delete_one', 'agents.careful.deny.tools.echo[0]'],
    ['careful', 'web', 'add', 'agents.careful.allow.servers: no allow entry'],
    ['narrow', 'echo', 'add', 'agents.narrow.deny.servers[0]'],
    ['narrow', 'web', 'add', null],
    ['narrow', 'web', 'get_time', 'agents.narrow.allow.tools.web: no allow entry'],
  ])('%s asks %s for %s: %s', async (agent, key, tool, rule) => {
    await launch();
    const args = { agent_id: agent, server: key, tool, args: { a: 1, b: 2 } };
    const before = JSON.stringify(server.stats().effects);
    const refusal = await refusalOf('execute_tool', args);
    expect(refusal?.rule ?? null).toBe(rule);
    if (rule !== null) expect(refusal).toMatchObject({ word: 'DENIED_BY_POLICY' });
    expect(JSON.stringify(server.stats().effects)).toBe(before);
    const [line] = await book(1);
    expect(line).toMatchObject({
      ...{ agent_id: agent, agent_verified: false, method: 'local', operation: 'execute_tool', server: key, tool },
      decision: rule === null ? 'ALLOW' : 'DENY',
      ...(rule === null ? {} : { rule }),
    });
  });
});

test('no agent, an unknown one and a malformed one get nothing, and a list is empty', async () => {
  await launch({ GATEWAY_EXPOSURE: 'direct' });
  const none = { code: expect.any(Number), word: 'INVALID_AGENT_ID', rule: undefined };
  for (const claim of [{}, { agent_id: 'ghost' }, { agent_id: '../x' }])
    expect(await refusalOf('execute_tool', { ...claim, server: 'echo', tool: 'add', args: {} })).toEqual(none);
  expect(await refusalOf('echo__add', { a: 1, b: 2 })).toEqual(none);
  expect((await client?.listTools())?.tools).toEqual([]);
  expect((await client?.listPrompts())?.prompts).toEqual([]);
  expect((await client?.listResources())?.resources).toEqual([]);
  expect(client?.getInstructions()).not.toMatch(/echo|web/);
  expect((await book(4)).slice(0, 4).map(({ decision }) => decision)).toEqual(['ERROR', 'ERROR', 'ERROR', 'ERROR']);
});

test('the operator’s default stands in for a caller that names none, with that agent’s rights and no more', async () => {
  const rules = { ...RULES, defaults: { deny_on_missing_agent: false } };
  await launch({ GATEWAY_DEFAULT_AGENT: 'narrow', GATEWAY_EXPOSURE: 'direct' }, rules);
  expect((await client?.listTools())?.tools.map(({ name }) => name)).toEqual(['web__add']);
  expect(await refusalOf('web__add', { a: 1, b: 2 })).toBeNull();
  expect(await refusalOf('echo__add', { a: 1, b: 2 })).toMatchObject({ rule: 'agents.narrow.deny.servers[0]' });
  expect((await book(3)).map(({ agent_id: agent }) => agent)).toEqual(['narrow', 'narrow', 'narrow']);
});
