import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { failure } from '../../../src/domain/error.ts';
import type { Json, JsonObject } from '../../../src/domain/json.ts';
import { Secret } from '../../../src/domain/secret.ts';
import { answerOf, type FakeServer, tool } from '../../support/fake-downstreams.ts';
import {
  contentOf,
  createStaircase,
  resultOf,
  type Staircase,
  type StaircaseOptions,
} from '../../support/staircase.ts';

const CANARY = 'canary-77aa';
const secret = new Map([['TOKEN', new Secret(CANARY)]]);
const ECHO_TOOLS = ['echo', 'add', 'get_time', 'delete_all', 'delete_one'].map(name => tool(name));
const SERVERS: Record<string, FakeServer> = {
  echo: {
    spec: {
      description: 'Says it again.',
      link: { kind: 'stdio', command: 'echo-server', args: [`--key=${CANARY}`], env: secret, cwd: null },
    },
    lists: { tools: ECHO_TOOLS },
  },
  web: {
    spec: {
      link: {
        kind: 'http',
        url: `https://user:${CANARY}@web.test/mcp?key=${CANARY}`,
        headers: secret,
        transport: 'auto',
      },
    },
    lists: { tools: [tool('echo')] },
  },
  off: { spec: { enabled: false } },
};
const make = (options: StaircaseOptions = {}) => createStaircase(SERVERS, { exposure: 'agent', ...options });
const use = (house: Staircase, name: string, args?: Json) =>
  house.handle('tools/call', args === undefined ? { name } : { name, arguments: args });

describe('list_servers', () => {
  test('gives every enabled server with its description, null where there is none', async () => {
    const handled = await use(await make(), 'list_servers', {});
    const servers = [
      { name: 'echo', description: 'Says it again.', transport: null, command: null, url: null },
      { name: 'web', description: null, transport: null, command: null, url: null },
    ];
    expect(contentOf(handled)).toEqual(servers);
    expect(resultOf(handled)).toMatchObject({ structuredContent: { result: servers }, isError: false });
  });

  test('tells transport, command and URL when asked, and no secret of arguments, headers or the URL', async () => {
    const handled = await use(await make(), 'list_servers', { include_metadata: true });
    expect(contentOf(handled)).toEqual([
      { name: 'echo', description: 'Says it again.', transport: 'stdio', command: 'echo-server', url: null },
      { name: 'web', description: null, transport: 'http', command: null, url: 'https://web.test/mcp' },
    ]);
    expect(JSON.stringify(handled)).not.toContain(CANARY);
  });

  test.each(['/opt/inner/bin/run-it', 'C:\\Tools\\run-it', './run-it', 'run-it'])(
    'tells of the command %s its name alone',
    async command => {
      const house = await createStaircase(
        { a: { spec: { link: { kind: 'stdio', command, args: [], env: new Map(), cwd: null } } } },
        { exposure: 'agent' },
      );
      expect(contentOf(await use(house, 'list_servers', { include_metadata: true }))).toMatchObject([
        { command: 'run-it' },
      ]);
    },
  );

  test.each([undefined, {}, { include_metadata: null }, { agent_id: null }, { extra: 1 }])('takes %j', async args => {
    expect((await use(await make(), 'list_servers', args as Json)).kind).toBe('answer');
  });
});

describe('get_server_tools', () => {
  const ask = async (args: JsonObject, house?: Staircase) =>
    contentOf(await use(house ?? (await make()), 'get_server_tools', { server: 'echo', ...args }));
  const namesOf = (content: unknown) => (content as { tools: { name: string }[] }).tools.map(({ name }) => name);

  test('gives the tools under their own names, in the document’s envelope', async () => {
    const content = await ask({});
    expect(content).toEqual({
      tools: ECHO_TOOLS.map(({ name, description, inputSchema }) => ({ name, description, inputSchema })),
      server: 'echo',
      total_available: 5,
      returned: 5,
      tokens_used: null,
      error: null,
    });
  });

  test.each([
    { args: { names: 'echo,add' }, names: ['echo', 'add'], because: 'names with commas' },
    { args: { names: ' add , echo ,' }, names: ['echo', 'add'], because: 'white space and order do not matter' },
    { args: { names: ['echo', 'add'] }, names: ['echo', 'add'], because: 'names as a list' },
    { args: { names: 'echo,nope' }, names: ['echo'], because: 'an unknown name is ignored' },
    {
      args: { names: '' },
      names: ['echo', 'add', 'get_time', 'delete_all', 'delete_one'],
      because: 'models write an empty text where they mean none',
    },
    {
      args: { names: null, pattern: null, max_schema_tokens: null },
      names: ['echo', 'add', 'get_time', 'delete_all', 'delete_one'],
      because: 'null is none',
    },
    {
      args: { pattern: '' },
      names: ['echo', 'add', 'get_time', 'delete_all', 'delete_one'],
      because: 'the same for a pattern',
    },
    { args: { pattern: 'get_*' }, names: ['get_time'], because: 'a pattern' },
    { args: { pattern: '[ad]*' }, names: ['add', 'delete_all', 'delete_one'], because: 'a pattern with a set' },
    { args: { names: 'add,echo', pattern: 'a*' }, names: ['add'], because: 'both together' },
    { args: { pattern: 'nope' }, names: [], because: 'nothing matches: an empty list, no error' },
  ])('$args: $because', async ({ args, names }) => expect(namesOf(await ask(args as JsonObject))).toEqual(names));

  test('keeps within a token budget by the documented estimate, and stops at the first tool that would exceed it', async () => {
    const listed = fc.array(
      fc.record({ name: fc.string({ minLength: 1, maxLength: 30 }), description: fc.string({ maxLength: 200 }) }),
      { maxLength: 12 },
    );
    await fc.assert(
      fc.asyncProperty(listed, fc.nat(200), async (given, budget) => {
        const unique = [...new Map(given.map(one => [one.name, one])).values()];
        const house = await createStaircase({
          echo: { lists: { tools: unique.map(({ name, description }) => tool(name, { description })) } },
        });
        const costs = unique.map(({ name, description }) =>
          Math.max(1, Math.floor((name.length + description.length + '{"type":"object"}'.length) / 4)),
        );
        let used = 0;
        const fitting = costs.findIndex(cost => {
          used += cost;
          return used > budget;
        });
        const returned = fitting < 0 ? unique.length : fitting;
        const content = await ask({ max_schema_tokens: budget }, house);
        expect(content).toMatchObject({
          returned,
          total_available: unique.length,
          tokens_used: costs.slice(0, returned).reduce((sum, cost) => sum + cost, 0),
        });
        expect(namesOf(content)).toEqual(unique.slice(0, returned).map(({ name }) => name));
      }),
      { numRuns: 40 },
    );
  });

  test('looks for changed configuration files first', async () => {
    const house = await make();
    await ask({}, house);
    expect(house.reloadChecks.count).toBe(1);
  });

  test('asks no server again for what is known', async () => {
    const house = await make();
    house.downstreams.queried.length = 0;
    await ask({}, house);
    expect(house.downstreams.queried).toEqual([]);
  });

  test('gives the last known tools of a server that is down', async () => {
    const house = await make();
    house.downstreams.fail('echo', 'gone');
    expect(namesOf(await ask({}, house))).toHaveLength(5);
  });

  test.each([
    { server: 'ghost', reason: 'No server of this name.', because: 'nobody configured it' },
    { server: 'never', reason: 'Could not be started.', because: 'it never came up' },
  ])('of $server is SERVER_UNAVAILABLE: $because', async ({ server, reason }) => {
    const house = await createStaircase({ never: {} }, { cold: true });
    house.downstreams.fail('never', 'Could not be started.');
    expect(await use(house, 'get_server_tools', { server })).toMatchObject({
      code: 'SERVER_UNAVAILABLE',
      data: { server, reason },
    });
  });

  test.each([
    { args: {}, names: 'server' },
    { args: { server: '' }, names: 'server' },
    { args: { server: 5 }, names: 'server' },
    { args: { server: 'echo', names: 5 }, names: 'names' },
    { args: { server: 'echo', names: [5] }, names: 'names' },
    { args: { server: 'echo', pattern: 'x'.repeat(201) }, names: 'pattern' },
    { args: { server: 'echo', max_schema_tokens: -1 }, names: 'max_schema_tokens' },
    { args: { server: 'echo', max_schema_tokens: 1.5 }, names: 'max_schema_tokens' },
  ])('says what is wrong with $args', async ({ args, names }) => {
    const handled = await use(await make(), 'get_server_tools', args as Json);
    expect(handled).toMatchObject({ code: 'INVALID_PARAMS', say: expect.stringContaining(names) });
  });
});

describe('execute_tool', () => {
  const run = (args: JsonObject) => ({ server: 'echo', tool: 'add', args: { a: 2, b: 3 }, ...args });

  test('runs the tool and gives its own result unchanged', async () => {
    const result = {
      content: [{ type: 'text', text: '5' }, { type: 'odd' }],
      structuredContent: { sum: 5 },
      isError: false,
      _meta: { a: 1 },
    };
    const house = await createStaircase(
      { echo: { ...SERVERS.echo, answer: () => answerOf('legacy', result) } },
      { exposure: 'agent' },
    );
    expect(await use(house, 'execute_tool', run({}))).toEqual(answerOf('legacy', result));
    expect(house.downstreams.sent).toMatchObject([
      { server: 'echo', method: 'tools/call', params: { name: 'add', arguments: { a: 2, b: 3 } } },
    ]);
  });

  test('passes on arguments of any shape as they came', async () => {
    const house = await make();
    const json = fc.jsonValue({ depthSize: 'small' });
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.oneof(fc.string(), fc.constant('__proto__')), json, { noNullPrototype: true }),
        async given => {
          const args = JSON.parse(JSON.stringify(given)) as JsonObject;
          house.downstreams.sent.length = 0;
          await use(house, 'execute_tool', run({ args }));
          expect(JSON.stringify(house.downstreams.sent[0]?.params.arguments)).toBe(JSON.stringify(args));
        },
      ),
      { numRuns: 100 },
    );
    expect(({} as JsonObject).polluted).toBeUndefined();
  });

  test('sends the caller’s _meta along, and none of its own parameters', async () => {
    const house = await make();
    const params = { name: 'execute_tool', arguments: run({ agent_id: 'bob' }), _meta: { 'x/trace': 't' } };
    await house.handle('tools/call', params);
    expect(house.downstreams.sent[0]?.params).toEqual({
      name: 'add',
      arguments: { a: 2, b: 3 },
      _meta: { 'x/trace': 't' },
    });
  });

  test('hands the time limit to the server’s connection', async () => {
    const house = await make();
    await use(house, 'execute_tool', run({ timeout_ms: 200 }));
    await use(house, 'execute_tool', run({}));
    expect(house.downstreams.sent.map(({ options }) => options.timeoutMs)).toEqual([200, null]);
  });

  test.each([
    {
      args: run({ tool: 'nope' }),
      code: 'TOOL_NOT_FOUND',
      data: { tool: 'nope', server: 'echo' },
      because: 'no such tool there',
    },
    {
      args: run({ tool: 'echo__add' }),
      code: 'TOOL_NOT_FOUND',
      data: { tool: 'echo__add', server: 'echo' },
      because: 'it takes own names',
    },
    {
      args: run({ server: 'ghost' }),
      code: 'SERVER_UNAVAILABLE',
      data: { server: 'ghost' },
      because: 'no such server',
    },
    { args: run({ agent_id: 'a b' }), code: 'INVALID_AGENT_ID', data: {}, because: 'an agent id has no spaces' },
    { args: run({ agent_id: '../x' }), code: 'INVALID_AGENT_ID', data: {}, because: 'an agent id has no slashes' },
    { args: run({ agent_id: 5 }), code: 'INVALID_PARAMS', data: {}, because: 'an agent id is text' },
    { args: { tool: 'add', args: {} }, code: 'INVALID_PARAMS', data: {}, because: 'no server' },
    { args: { server: 'echo', args: {} }, code: 'INVALID_PARAMS', data: {}, because: 'no tool' },
    { args: run({ args: 'x' }), code: 'INVALID_PARAMS', data: {}, because: 'arguments that are text' },
    { args: run({ args: [] }), code: 'INVALID_PARAMS', data: {}, because: 'arguments that are a list' },
    { args: run({ timeout_ms: 0 }), code: 'INVALID_PARAMS', data: {}, because: 'no time at all' },
    { args: run({ timeout_ms: '200' }), code: 'INVALID_PARAMS', data: {}, because: 'a time that is text' },
  ])('$code: $because', async ({ args, code, data }) => {
    const house = await make();
    expect(await use(house, 'execute_tool', args as Json)).toMatchObject({ kind: 'failure', code, data });
    expect(house.downstreams.sent).toEqual([]);
  });

  test('passes a failure of the server on with its code', async () => {
    const no = failure('OUTCOME_UNKNOWN', { server: 'echo', reason: 'it is gone' });
    const house = await createStaircase({ echo: { ...SERVERS.echo, answer: () => no } }, { exposure: 'agent' });
    expect(await use(house, 'execute_tool', run({}))).toBe(no);
  });

  test('that takes too long says the operation the caller asked for: itself, or tools/call', async () => {
    const no = failure('TIMEOUT', { operation: 'tools/call', timeout_ms: 200 });
    const house = await createStaircase({ echo: { ...SERVERS.echo, answer: () => no } }, { exposure: 'agent' });
    const data = { operation: 'execute_tool', timeout_ms: 200 };
    expect(await use(house, 'execute_tool', run({}))).toMatchObject({ kind: 'failure', code: 'TIMEOUT', data });
    expect(await use(house, 'echo__echo', {})).toBe(no);
  });
});

describe('find_tools and call_tool', () => {
  const make = () => createStaircase(SERVERS, { exposure: 'discovery' });

  test('find by words, best first, under names that call_tool takes', async () => {
    const house = await make();
    const content = contentOf(await use(house, 'find_tools', { query: 'delete one' })) as { tools: JsonObject[] };
    expect(content.tools.map(({ name, server, tool: own, score }) => [name, server, own, score])).toEqual([
      ['echo__delete_one', 'echo', 'delete_one', 1],
      ['echo__delete_all', 'echo', 'delete_all', 0.5],
    ]);
    expect((await use(house, 'call_tool', { name: 'echo__delete_one', arguments: { a: 1 } })).kind).toBe('answer');
    expect(house.downstreams.sent).toMatchObject([
      { server: 'echo', params: { name: 'delete_one', arguments: { a: 1 } } },
    ]);
  });

  test.each([
    { args: { query: 'echo', server: 'web' }, found: ['web__echo'], because: 'one server' },
    { args: { query: 'echo', server: 'ghost' }, found: [], because: 'a server nobody knows' },
    { args: { query: 'delete', limit: 1 }, found: ['echo__delete_all'], because: 'no more than asked for' },
    {
      args: { natural_language_query: 'delete', top_n_tools: 1 },
      found: ['echo__delete_all'],
      because: 'the words of document 1',
    },
  ])('$args: $because', async ({ args, found }) => {
    const content = contentOf(await use(await make(), 'find_tools', args)) as { tools: { name: string }[] };
    expect(content.tools.map(({ name }) => name)).toEqual(found);
  });

  test('find_tools says which servers are behind it, so that a model knows there is something to find', async () => {
    const { tools } = resultOf(await (await make()).handle('tools/list'));
    const description = (tools as JsonObject[])[0]?.description;
    expect(description).toContain('6 tools of 2 servers');
    expect(description).toContain('echo (5: Says it again.), web (1)');
  });

  test('the older names work: intelligent_tool_finder and invoke_mcp_tool', async () => {
    const house = await make();
    expect((await use(house, 'intelligent_tool_finder', { natural_language_query: 'add' })).kind).toBe('answer');
    await use(house, 'invoke_mcp_tool', { server_name: '/web', tool_name: 'echo', arguments: {} });
    expect(house.downstreams.sent).toMatchObject([{ server: 'web', params: { name: 'echo' } }]);
  });

  test.each([
    { args: { tool_name: 'add' }, missing: ['server_name'], because: 'no server is named' },
    { args: { sever_name: '/web', tool_name: 'echo__add' }, missing: ['server_name'], because: 'a key is misspelt' },
    { args: { server_name: '/echo' }, missing: ['tool_name'], because: 'no tool is named' },
    { args: { server_name: '/echo', name: 'add' }, missing: ['tool_name'], because: 'call_tool names a tool so' },
    { args: { name: 'echo__add' }, missing: ['server_name', 'tool_name'], because: 'it is a name for call_tool' },
  ])('invoke_mcp_tool says what is missing and calls nothing: $because', async ({ args, missing }) => {
    const house = await make();
    const refused = await use(house, 'invoke_mcp_tool', { ...args, arguments: {} });
    if (refused.kind !== 'failure') throw new Error(JSON.stringify(refused));
    expect([refused.code, [...(refused.say ?? '').matchAll(/(\w+): is missing/g)].map(([, name]) => name)]).toEqual([
      'INVALID_PARAMS',
      missing,
    ]);
    expect(house.downstreams.sent).toEqual([]);
  });

  test('invoke_mcp_tool takes the server as the finder spells it; call_tool still takes the tool by either name', async () => {
    const house = await make();
    await use(house, 'invoke_mcp_tool', { service_path: '/web', tool_name: 'echo' });
    await use(house, 'call_tool', { tool_name: 'echo__add' });
    await use(house, 'call_tool', { name: 'echo__add' });
    expect(house.downstreams.sent).toMatchObject([
      { server: 'web', params: { name: 'echo' } },
      { server: 'echo', params: { name: 'add' } },
      { server: 'echo', params: { name: 'add' } },
    ]);
  });

  test.each([
    { name: 'find_tools', args: {}, because: 'no query' },
    { name: 'find_tools', args: { query: 'x', limit: 51 }, because: 'too many' },
    { name: 'call_tool', args: { arguments: {} }, because: 'no name' },
    {
      name: 'call_tool',
      args: { name: 'echo__add', mcp_registry_url: 'https://elsewhere.test' },
      because: 'somebody else’s gateway',
    },
  ])('$name is refused: $because', async ({ name, args }) => {
    const house = await make();
    expect(await use(house, name, args as Json)).toMatchObject({ code: 'INVALID_PARAMS' });
    expect(house.downstreams.sent).toEqual([]);
  });

  test('call_tool does not call the gateway’s own tools through itself', async () => {
    expect(await use(await make(), 'call_tool', { name: 'call_tool', arguments: { name: 'call_tool' } })).toMatchObject(
      { code: 'TOOL_NOT_FOUND' },
    );
  });
});

describe('get_gateway_status', () => {
  test('is an unknown tool unless debugging', async () => {
    expect(await use(await make(), 'get_gateway_status', {})).toMatchObject({ code: 'TOOL_NOT_FOUND' });
    expect(contentOf(await use(await make({ debug: true }), 'get_gateway_status', {}))).toEqual({
      message: 'all is well',
    });
  });
});

test('every permitted public name stays callable, whatever is listed', async () => {
  for (const exposure of ['direct', 'agent', 'discovery', 'auto'] as const) {
    const house = await make({ exposure });
    expect((await use(house, 'echo__add', {})).kind).toBe('answer');
    expect((await use(house, 'execute_tool', { server: 'echo', tool: 'add', args: {} })).kind).toBe('answer');
  }
});

test('the three tools cost a small part of what they stand for (contract G45)', async () => {
  const many = Object.fromEntries(
    Array.from({ length: 10 }, (_, s) => [
      `server${s}`,
      {
        lists: {
          tools: Array.from({ length: 50 }, (_, t) =>
            tool(`tool_${t}`, { description: 'What it does, in a sentence of ordinary length.' }),
          ),
        },
      },
    ]),
  );
  const size = async (exposure: 'direct' | 'agent') =>
    JSON.stringify(resultOf(await (await createStaircase(many, { exposure })).handle('tools/list'))).length;
  expect(await size('agent')).toBeLessThan((await size('direct')) / 10);
});
