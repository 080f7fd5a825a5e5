/** The gateway's own tools and the exposures that list them, through the public door of a process. */
import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { type Client, errorOf, openLegacy, openModern, type Reply, resultOf, textOf } from '../support/mcp-client.ts';

const SECRET = 'do-not-show-7f3a91c2';

let web: StartedScripted;
let gateway: GatewayProcess;
let client: Client;

beforeAll(async () => {
  web = await startScripted({ name: 'web' });
  const echo = stdioScripted({ name: 'echo' });
  gateway = await startGateway({
    servers: {
      echo: {
        ...echo,
        args: [...echo.args, '--ledger', `/dev/null`],
        env: { TOKEN: SECRET },
        description: 'Says it again',
      },
      web: { url: `${web.url}?key=${SECRET}`, headers: { 'X-Api-Key': SECRET } },
      gone: { command: 'program', description: 'Is never there' },
    },
    env: { GATEWAY_EXPOSURE: 'agent' },
  });
  client = await openLegacy(gateway.origin);
  await waitFor(async () => {
    const { structuredContent } = resultOf(await use('get_server_tools', { server: 'web' }));
    return structuredContent === undefined ? null : true;
  }, 'web is up');
});

afterAll(async () => {
  await client?.close();
  await gateway?.stop();
  await web?.close();
});

const use = (name: string, args: JsonObject = {}): Promise<Reply> =>
  client.request('tools/call', { name, arguments: args });
const structured = async (name: string, args: JsonObject = {}) =>
  resultOf(await use(name, args)).structuredContent as JsonObject;
const toolNames = async (of: Client) => {
  const { tools } = resultOf(await of.request('tools/list'));
  return (tools as JsonObject[]).map(({ name }) => name);
};
const execute = (tool: string, args: JsonObject = {}, more: JsonObject = {}) =>
  use('execute_tool', { server: 'echo', tool, args, ...more });

const AGENT_TOOLS = ['list_servers', 'get_server_tools', 'execute_tool'];

describe('the agent exposure', () => {
  test('lists exactly three tools, in both eras, and none of a server', async () => {
    expect(await toolNames(client)).toEqual(AGENT_TOOLS);
    expect(await toolNames(openModern(gateway.origin))).toEqual(AGENT_TOOLS);
  });

  test('still calls every public name', async () => {
    expect(textOf(await use('echo__add', { a: 2, b: 3 }))).toBe('5');
  });
});

describe('list_servers', () => {
  test('gives name and description, and nothing else unless asked', async () => {
    const nothing = { transport: null, command: null, url: null };
    expect(await structured('list_servers')).toEqual({
      result: [
        { name: 'echo', description: 'Says it again', ...nothing },
        { name: 'web', description: null, ...nothing },
        { name: 'gone', description: 'Is never there', ...nothing },
      ],
    });
  });

  test('gives metadata per kind, and no secret of arguments, environment, headers or query', async () => {
    const reply = await use('list_servers', { include_metadata: true });
    const { result } = resultOf(reply).structuredContent as { result: JsonObject[] };
    expect(result).toEqual([
      {
        name: 'echo',
        description: 'Says it again',
        transport: 'stdio',
        command: basename(process.execPath),
        url: null,
      },
      { name: 'web', description: null, transport: 'http', command: null, url: web.url },
      {
        name: 'gone',
        description: 'Is never there',
        transport: 'stdio',
        command: 'program',
        url: null,
      },
    ]);
    expect(JSON.stringify(reply)).not.toContain(SECRET);
  });

  test('says the same in its text as in its structured content', async () => {
    const reply = await use('list_servers', {});
    expect({ result: JSON.parse(textOf(reply)) }).toEqual(resultOf(reply).structuredContent);
  });
});

describe('get_server_tools', () => {
  const names = async (more: JsonObject) => {
    const { tools } = await structured('get_server_tools', { server: 'echo', ...more });
    return (tools as JsonObject[]).map(({ name }) => name);
  };

  test('gives the envelope, with tokens_used null where no budget was given', async () => {
    const all = await structured('get_server_tools', { server: 'echo' });
    expect(all).toMatchObject({ server: 'echo', total_available: 21, returned: 21, tokens_used: null, error: null });
    expect((all.tools as JsonObject[])[0]).toEqual({
      name: 'echo',
      description: 'Answers with the given text',
      inputSchema: expect.objectContaining({ type: 'object', required: ['text'] }),
    });
  });

  test.each([
    { given: { names: 'echo,add' }, tools: ['echo', 'add'], because: 'names are comma-separated' },
    { given: { names: ['echo', 'add'] }, tools: ['echo', 'add'], because: 'names are a list' },
    { given: { names: ' echo , nobody ' }, tools: ['echo'], because: 'unknown names and spaces are ignored' },
    { given: { pattern: 'get_*' }, tools: ['get_time'], because: 'a star matches the rest' },
    { given: { pattern: '[ad]*' }, tools: ['add', 'delete_all', 'delete_one', 'ask'], because: 'a class matches one' },
    { given: { pattern: 'ad?' }, tools: ['add'], because: 'a question mark matches one' },
    { given: { names: 'echo,add', pattern: 'a*' }, tools: ['add'], because: 'names and pattern intersect' },
    { given: { names: '', pattern: '' }, tools: 21, because: 'an empty text is none' },
    { given: { names: null, pattern: null }, tools: 21, because: 'null is none' },
  ])('narrows the answer: $because', async ({ given, tools }) => {
    const found = await names(given);
    if (typeof tools === 'number') expect(found).toHaveLength(tools);
    else expect([...found].sort()).toEqual([...tools].sort());
  });

  test('stops before the first tool that would exceed the token budget, by the documented estimate', async () => {
    const all = (await structured('get_server_tools', { server: 'echo' })).tools as JsonObject[];
    const cost = ({ name, description, inputSchema }: JsonObject) => {
      const length = String(name).length + String(description).length + JSON.stringify(inputSchema).length;
      return Math.max(1, Math.floor(length / 4));
    };
    for (const budget of [0, 40, 100, 100_000]) {
      let tokens = 0;
      let returned = 0;
      for (const tool of all) {
        if (tokens + cost(tool) > budget) break;
        tokens += cost(tool);
        returned += 1;
      }
      const answer = await structured('get_server_tools', { server: 'echo', max_schema_tokens: budget });
      expect(answer).toMatchObject({ returned, tokens_used: tokens, total_available: 21 });
      expect(answer.tools).toHaveLength(returned);
    }
  });

  test('refuses a server that is unknown or down with a code, and no path of it', async () => {
    for (const server of ['nobody', 'gone']) {
      const error = errorOf(await use('get_server_tools', { server }));
      expect(error).toMatchObject({ code: -32001, data: { code: 'SERVER_UNAVAILABLE', server } });
      expect(JSON.stringify(error)).not.toContain('/no/such');
    }
  });
});

describe('execute_tool', () => {
  test('runs a tool of a server', async () => {
    expect(resultOf(await execute('add', { a: 2, b: 3 }))).toMatchObject({ content: [{ type: 'text', text: '5' }] });
  });

  test('gives the answer of a tool exactly as the server itself does', async () => {
    const { origin, pathname } = new URL(web.url);
    const direct = await openLegacy(origin, { path: pathname });
    // Alone, because URIs that two servers share are renamed in answers too.
    const alone = await startGateway({ servers: { web: { url: web.url } }, env: { GATEWAY_EXPOSURE: 'agent' } });
    const through = await openLegacy(alone.origin);
    for (const tool of ['image', 'structured', 'fail']) {
      const own = resultOf(await direct.request('tools/call', { name: tool, arguments: {} }));
      if (tool === 'fail') expect(own.isError).toBe(true);
      if (tool === 'structured') expect(own).toHaveProperty(['_meta', 'example.test/trace'], 'abc');
      const inner = { server: 'web', tool, args: {} };
      expect(resultOf(await through.request('tools/call', { name: 'execute_tool', arguments: inner }))).toEqual(own);
      expect(resultOf(await through.request('tools/call', { name: `web__${tool}`, arguments: {} }))).toEqual(own);
    }
    await direct.close();
    await through.close();
    await alone.stop();
  });

  test('gives up after timeout_ms, says so, and cancels the call behind', async () => {
    const started = performance.now();
    const error = errorOf(
      await use('execute_tool', { server: 'web', tool: 'slow', args: { ms: 20_000 }, timeout_ms: 200 }),
    );
    expect(error).toMatchObject({ code: -32004, data: { code: 'TIMEOUT', timeout_ms: 200 } });
    expect(error.message).toContain('200 ms');
    expect(error.data).toHaveProperty('operation');
    // Far from the 20 s of the tool; how near to the 200 ms is the machine's matter.
    expect(performance.now() - started).toBeLessThan(10_000);
    await waitFor(() => (Number(web.stats().inFlight ?? 0) === 0 ? true : null), 'the call is cancelled behind');
  });

  test('waits as long as it takes where no time limit is given, and relays the progress', async () => {
    const steps: number[] = [];
    const reply = await client.request(
      'tools/call',
      { name: 'execute_tool', arguments: { server: 'echo', tool: 'slow', args: { ms: 1200 } } },
      {
        progressToken: 'mine',
        onFrame: ({ method, params }) => {
          if (method === 'notifications/progress') steps.push(Number((params as JsonObject).progress));
        },
      },
    );
    expect(textOf(reply)).toBe('slept 1200 ms');
    expect(steps.length).toBeGreaterThan(3);
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
  });

  test('asks for what is missing in a sentence', async () => {
    const error = errorOf(await use('execute_tool', { server: 'echo' }));
    expect(error).toMatchObject({ code: -32602, data: { code: 'INVALID_PARAMS' } });
    expect(error.message).toContain('tool');
  });

  test('says which tool of which server there is not', async () => {
    const error = errorOf(await execute('nobody'));
    expect(error).toMatchObject({ code: -32002, data: { code: 'TOOL_NOT_FOUND', tool: 'nobody', server: 'echo' } });
    expect(error.message).toContain('nobody');
  });
});

describe('get_gateway_status', () => {
  test('does not exist without debug', async () => {
    expect(errorOf(await use('get_gateway_status'))).toMatchObject({ data: { code: 'TOOL_NOT_FOUND' } });
  });

  test('tells reloads, policy, servers and files under debug', async () => {
    const debug = await startGateway({
      servers: { echo: stdioScripted() },
      env: { GATEWAY_EXPOSURE: 'agent', GATEWAY_DEBUG: 'true' },
    });
    const agent = await openLegacy(debug.origin);
    expect(await toolNames(agent)).toEqual([...AGENT_TOOLS, 'get_gateway_status']);
    const reply = await agent.request('tools/call', { name: 'get_gateway_status', arguments: {} });
    const history = {
      last_attempt: null,
      last_success: null,
      last_error: null,
      attempt_count: 0,
      success_count: 0,
    };
    expect(resultOf(reply).structuredContent).toMatchObject({
      reload_status: { mcp_config: history, gateway_rules: { ...history, last_warnings: [] } },
      policy_state: { total_agents: 0, agent_ids: [], defaults: {} },
      available_servers: ['echo'],
      config_paths: { mcp_config: debug.serversFile, gateway_rules: null },
      message: expect.any(String),
    });
    await agent.close();
    await debug.stop();
  });
});

describe('doors of one exposure', () => {
  const DISCOVERY_TOOLS = ['find_tools', 'call_tool'];

  test('/mcp/agent, /mcp/discovery and /mcp/direct list what their names say, whatever the default is', async () => {
    const listed: Record<string, unknown> = {};
    for (const path of ['/mcp/agent', '/mcp/discovery', '/mcp/direct']) {
      const at = await openLegacy(gateway.origin, { path });
      listed[path] = await toolNames(at);
      await at.close();
    }
    expect(listed['/mcp/agent']).toEqual(AGENT_TOOLS);
    expect(listed['/mcp/discovery']).toEqual(DISCOVERY_TOOLS);
    expect(listed['/mcp/direct']).toHaveLength(42);
    expect(listed['/mcp/direct']).toEqual(expect.arrayContaining(['echo__add', 'web__add']));
  });

  test('find_tools finds a tool by what is wanted, and call_tool calls it by the name it gave', async () => {
    const at = await openLegacy(gateway.origin, { path: '/mcp/discovery' });
    const found = await at.request('tools/call', { name: 'find_tools', arguments: { query: 'add two numbers' } });
    const { tools } = resultOf(found).structuredContent as { tools: JsonObject[] };
    expect(tools[0]).toMatchObject({ tool: 'add', inputSchema: { required: ['a', 'b'] } });
    const args = { name: tools[0]?.name ?? '', arguments: { a: 20, b: 22 } };
    expect(textOf(await at.request('tools/call', { name: 'call_tool', arguments: args }))).toBe('42');
    await at.close();
  });

  test('auto lists everything up to 40 tools and turns to discovery beyond', async () => {
    for (const [tools, listed] of [
      [40, 40],
      [41, 2],
    ] as const) {
      const auto = await startGateway({ servers: { many: stdioScripted({ tools }) }, env: { GATEWAY_EXPOSURE: '' } });
      const at = await openLegacy(auto.origin);
      const names = await toolNames(at);
      expect(names).toHaveLength(listed);
      if (listed === 2) expect(names).toEqual(DISCOVERY_TOOLS);
      expect(textOf(await at.request('tools/call', { name: 'many__tool_0007', arguments: { subject: 's' } }))).toBe(
        '{"subject":"s"}',
      );
      await at.close();
      await auto.stop();
    }
  });
});

describe('context reduction', () => {
  const tokens = (tools: unknown) => Math.ceil(JSON.stringify(tools).length / 4);

  test('10 servers of 50 tools cost an agent at most a tenth of what their own lists cost', async () => {
    const servers = Object.fromEntries(
      Array.from({ length: 10 }, (_, i) => [`server${i}`, stdioScripted({ tools: 50, name: `server${i}` })] as const),
    );
    const ten = await startGateway({ servers, env: { GATEWAY_EXPOSURE: 'agent' } });
    let direct = 0;
    for (const key of Object.keys(servers)) {
      const own = await openLegacy(ten.origin, { path: `/${key}/mcp` });
      const { tools } = resultOf(await own.request('tools/list'));
      expect(tools).toHaveLength(50);
      direct += tokens(tools);
      await own.close();
    }
    const figures: string[] = [];
    for (const path of ['/mcp/agent', '/mcp/discovery']) {
      const at = await openLegacy(ten.origin, { path });
      const { tools } = resultOf(await at.request('tools/list'));
      const through = tokens(tools);
      expect(through).toBeLessThanOrEqual(direct / 10);
      figures.push(`${path} ${through} tokens (${((100 * through) / direct).toFixed(1)} %)`);
      await at.close();
    }
    console.info(`context of 10 x 50 tools: direct ${direct} tokens; ${figures.join('; ')}`);
    await ten.stop();
  });
});
