/**
 * A caller who may use every server asks for a private one of somebody else, and for one that does not exist: by every
 * method and door, in both eras, the answers are the same. Whoever was granted nothing of that name is denied, alike too.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Era } from '../../src/domain/era.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { waitFor } from '../support/gateway-process.ts';
import { openClient } from '../support/mcp-client.ts';
import { fetchHeld } from '../support/openapi-check.ts';
import { ADMIN, METHODS, openSearched, type SearchedGateway, tokenFor, type Who } from '../support/searched-gateway.ts';

const EVERY: Who = { name: 'eve', groups: ['everybody'] };
const LOB: Who = { name: 'lou', groups: ['lob'] };
const ALL_METHODS = [
  ...METHODS,
  'prompts/get',
  'prompts/list',
  'resources/read',
  'resources/list',
  'completion/complete',
];
const ERAS: readonly Era[] = ['legacy', 'modern'];
/** Of one length, so that what differs is not the name. */
const [PRIVATE, ABSENT] = ['vineyard', 'vanished'];

let server: StartedScripted;
let searched: SearchedGateway;
beforeAll(async () => {
  server = await startScripted();
  const at = (path: string, more: JsonObject = {}) => ({
    ...{ path: `/${path}`, name: path, description: path, proxy_pass_url: server.url },
    ...more,
  });
  searched = await openSearched({
    rights: {
      everybody: { ui: { list_service: ['all'] }, servers: [{ server: '*', methods: ALL_METHODS, tools: '*' }] },
      lob: { ui: { list_service: ['orchard'] }, servers: [{ server: 'orchard', methods: ALL_METHODS, tools: '*' }] },
    },
    servers: [at('orchard'), at(PRIVATE, { visibility: 'private' })],
    agents: [],
    tools: 2 * 21,
  });
}, 60_000);
afterAll(async () => {
  await searched?.stop();
  await server?.close();
});

async function ask(who: Who, era: Era, path: string, method: string, params: JsonObject): Promise<string> {
  const headers = { authorization: `Bearer ${tokenFor(who)}` };
  try {
    const client = await openClient(searched.gateway.origin, era, { path, headers });
    const { status, answer } = await client.request(method, params);
    await client.close();
    return JSON.stringify([status, answer]);
  } catch (cause) {
    return String(cause);
  }
}

const call = (name: string, args: JsonObject) => ({ method: 'tools/call', params: { name, arguments: args } });
const QUESTIONS: Record<string, (name: string) => { path?: string; method: string; params: JsonObject }> = {
  'a tool by its public name': name => call(`${name}__echo`, { text: 'hi' }),
  'a tool that it has not': name => call(`${name}__nothing`, {}),
  'a tool through execute_tool': name => call('execute_tool', { server: name, tool: 'echo', args: { text: 'hi' } }),
  'a tool through call_tool': name => call('call_tool', { service_path: `/${name}`, tool_name: 'echo', arguments: {} }),
  'its tools': name => call('get_server_tools', { server: name }),
  'a prompt': name => ({ method: 'prompts/get', params: { name: `${name}__plain` } }),
  'a completion': name => ({
    method: 'completion/complete',
    params: { ref: { type: 'ref/prompt', name: `${name}__greet` }, argument: { name: 'name', value: 'a' } },
  }),
  'a tool at its own door': name => ({ path: `/${name}/mcp`, ...call('echo', { text: 'hi' }) }),
  'a list at its own door': name => ({ path: `/${name}/mcp`, method: 'tools/list', params: {} }),
};

describe.each(ERAS)('in the %s era', era => {
  for (const [what, question] of Object.entries(QUESTIONS)) {
    test.each([
      { who: EVERY, because: 'may use every server' },
      { who: LOB, because: 'was granted another server' },
    ])(`${what}: the answer to $who.name, who $because, tells nothing`, async ({ who }) => {
      const answers = await Promise.all(
        [PRIVATE, ABSENT].map(async name => {
          const {
            path = /agent|execute|get_server/.test(what) ? '/mcp/agent' : '/mcp',
            method,
            params,
          } = question(name as string);
          return (await ask(who, era, path, method, params)).replaceAll(name as string, 'NAME');
        }),
      );
      expect(answers[0]).toBe(answers[1]);
      expect(answers[0]).toMatch(/"error"|isError|404|403/);
    });
  }

  test('its owner uses it', async () => {
    expect(
      await ask(ADMIN, era, '/mcp', 'tools/call', { name: `${PRIVATE}__echo`, arguments: { text: 'hi' } }),
    ).toContain('hi');
  });
});

test('the explanation of a decision about oneself tells nothing either', async () => {
  const explain = async (name: string) => {
    const reply = await fetchHeld(`${searched.gateway.origin}/api/policy/explain`, {
      method: 'POST',
      headers: { authorization: `Bearer ${tokenFor(EVERY)}`, 'content-type': 'application/json' },
      body: JSON.stringify({ server: name, tool: 'echo' }),
    });
    return `${reply.status} ${await reply.text()}`.replaceAll(name, 'NAME');
  };
  const [ofPrivate, ofAbsent] = [await explain(PRIVATE as string), await explain(ABSENT as string)];
  expect(ofPrivate).toBe(ofAbsent);
  expect(ofPrivate).toContain('200 {"kind":"explained"');
});

test('the book says that it was denied, by whatever way it was asked for', async () => {
  const questions = Object.values(QUESTIONS);
  for (const question of questions) {
    const { path = '/mcp/agent', method, params } = question(PRIVATE as string);
    await ask({ name: 'ira', groups: EVERY.groups }, 'modern', path, method, params);
  }
  const denials = () =>
    searched.gateway
      .bookText()
      .split('\n')
      .filter(line => line.includes('ira') && line.includes('"DENY"') && line.includes('"visibility"'));
  await waitFor(() => (denials().length >= questions.length ? true : null), 'each of them is written down');
  for (const line of denials()) expect(line).toContain(PRIVATE);
});
