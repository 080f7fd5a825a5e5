/** The process as its launcher meets it: transports, streams, files, children, from start to end. */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { createDesk, type Desk } from '../config/desk.ts';
import { COMPILED } from '../support/compiled.ts';
import { stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { openLegacy, resultOf, textOf } from '../support/mcp-client.ts';
import { ENTRY } from './default-servers.ts';
import { type Running, runGatehouse, startGatehouse } from './gatehouse-process.ts';
import { askRaw } from './raw-http.ts';
import { connectSdk } from './sdk-clients.ts';

let desk: Desk;
let running: Running[];
let gateways: GatewayProcess[];

beforeEach(() => {
  desk = createDesk();
  running = [];
  gateways = [];
});
afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  for (const gateway of gateways) gateway.discard();
  desk.remove();
});

const launch = (args: readonly string[], env: Record<string, string> = {}) => {
  const started = startGatehouse({ args, cwd: desk.cwd, env: { HOME: desk.home, ...env } });
  running.push(started);
  return started;
};
const run = (args: readonly string[], env: Record<string, string> = {}) =>
  runGatehouse({ args, cwd: desk.cwd, env: { HOME: desk.home, ...env } });
const start = async (setup: Parameters<typeof startGateway>[0]) => {
  const gateway = await startGateway(setup);
  gateways.push(gateway);
  return gateway;
};
const servers = (mcpServers: Record<string, JsonObject>, path = 'cwd/.mcp.json') => desk.write(path, { mcpServers });
const line = (id: number, method: string, params: JsonObject = {}) =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;
const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };

describe('stdio', () => {
  test('an SDK client that launches it under the agent exposure sees exactly three tools', async () => {
    servers({ echo: stdioScripted() });
    const env = { PATH: process.env.PATH ?? '', HOME: desk.home, ...COMPILED, GATEWAY_EXPOSURE: 'agent' };
    const where = { kind: 'stdio' as const, command: process.execPath, args: [ENTRY], env, cwd: desk.cwd };
    for (const sdk of ['v1', 'v2 auto'] as const) {
      const client = await connectSdk(sdk, where);
      expect(await client.tools()).toEqual(['list_servers', 'get_server_tools', 'execute_tool']);
      await client.close();
    }
  });

  test('speaks only JSON-RPC on stdout, whatever goes wrong, and ends with 0 when stdin closes', async () => {
    const noisy = {
      command: process.execPath,
      args: ['-e', 'console.log("not json"); console.error("oh"); process.exit(3)'],
    };
    const garbage = stdioScripted({
      // biome-ignore lint/suspicious/noThenProperty: the word of the script
      script: [{ on: 'tools/call', name: 'add', do: 'garbage', text: 'junk', then: 'answer' }],
    });
    servers({ noisy, garbage, gone: { command: '/no/such/program' } });
    const gateway = launch([], { GATEWAY_LOG_LEVEL: 'debug', GATEWAY_DEBUG: 'true' });
    gateway.child.stdin.write(line(1, 'initialize', HELLO));
    await gateway.says(/"id":1[,}]/);
    gateway.child.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\nthis is no JSON\n');
    gateway.child.stdin.write(line(2, 'tools/call', { name: 'gone__anything', arguments: {} }));
    gateway.child.stdin.write(line(3, 'tools/call', { name: 'garbage__add', arguments: { a: 1, b: 2 } }));
    await gateway.says(/"id":2[,}]/);
    await gateway.says(/"id":3[,}]/);
    gateway.child.stdin.end();
    expect(await gateway.ended).toBe(0);
    const messages = gateway.stdout().trimEnd().split('\n');
    for (const message of messages) expect(JSON.parse(message)).toHaveProperty('jsonrpc', '2.0');
    expect(messages.length).toBeGreaterThanOrEqual(4);
    for (const logged of gateway.stderr().trimEnd().split('\n')) expect(() => JSON.parse(logged)).not.toThrow();
  });

  test('finishes the call under way on SIGTERM, then ends with 0', async () => {
    servers({ echo: stdioScripted() });
    const gateway = launch(['stdio']);
    gateway.child.stdin.write(line(1, 'initialize', HELLO));
    gateway.child.stdin.write(line(2, 'tools/call', { name: 'echo__slow', arguments: { ms: 800 } }));
    const call = { name: 'echo__echo', arguments: { text: 'before' } };
    gateway.child.stdin.write(line(3, 'tools/call', call));
    await gateway.says(/"id":3,.*before/);
    gateway.child.kill('SIGTERM');
    expect(await gateway.ended).toBe(0);
    expect(gateway.stdout()).toMatch(/"id":2,.*slept 800 ms/);
  });

  test('tells a modern client nothing that it did not ask for', async () => {
    servers({ echo: stdioScripted() });
    const gateway = launch(['stdio'], { GATEWAY_EXPOSURE: 'direct' });
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const ask = (id: number, method: string, params: JsonObject = {}) =>
      gateway.child.stdin.write(line(id, method, { ...params, _meta }));
    ask(1, 'server/discover');
    ask(2, 'tools/list');
    await gateway.says(/"id":2[,}]/);
    // Both change the list of tools.
    ask(3, 'tools/call', { name: 'echo__toggle', arguments: {} });
    await gateway.says(/"id":3[,}]/);
    for (let id = 4; ; id += 1) {
      ask(id, 'tools/list');
      const [answer] = await gateway.says(new RegExp(`.*"id":${id}[,}].*`));
      if (answer.includes('echo__extra')) break;
    }
    gateway.child.stdin.end();
    expect(await gateway.ended).toBe(0);
    for (const message of gateway.stdout().trimEnd().split('\n')) expect(JSON.parse(message)).toHaveProperty('id');
  });

  test('is served beside HTTP by one process, and both are answered', async () => {
    servers({ echo: stdioScripted() });
    const gateway = launch([], { GATEWAY_TRANSPORT: 'both', GATEWAY_HTTP_PORT: '0', GATEWAY_EXPOSURE: 'direct' });
    const [, url = ''] = await gateway.says(/listens at (http:\S+\/mcp)/);
    const http = await connectSdk('v1', { kind: 'http', url });
    gateway.child.stdin.write(line(1, 'initialize', HELLO));
    await gateway.says(/"id":1[,}]/);
    gateway.child.stdin.write(line(2, 'tools/call', { name: 'echo__echo', arguments: { text: 'by pipe' } }));
    const [answer] = await Promise.all([
      http.call('echo__echo', { text: 'by wire' }),
      gateway.says(/"id":2,.*by pipe/),
    ]);
    expect(answer.texts).toEqual(['by wire']);
    const metrics = (await (await fetch(new URL('/metrics', url))).json()) as {
      operations: Record<string, { count: number }>;
    };
    expect(metrics.operations['tools/call']?.count).toBe(2);
    await http.close();
    gateway.child.stdin.end();
    expect(await gateway.ended).toBe(0);
  });
});

describe('HTTP', () => {
  test('asked for by environment it listens where it is told, and on no other address', async () => {
    servers({ echo: stdioScripted() });
    const gateway = launch([], { GATEWAY_TRANSPORT: 'http', GATEWAY_HTTP_HOST: '127.0.0.1', GATEWAY_HTTP_PORT: '0' });
    const [, url = ''] = await gateway.says(/listens at (http:\S+\/mcp)/);
    expect((await fetch(new URL('/health', url))).status).toBe(200);
    const others = Object.values(networkInterfaces()).flatMap(list => (list ?? []).filter(({ internal }) => !internal));
    for (const { address, family } of others) {
      if (family !== 'IPv4') continue;
      expect(await isOpen(address, Number(new URL(url).port))).toBe(false);
    }
  });

  test('plays the documented exchange to the letter: lenient root, session, call without initialized', async () => {
    const gateway = await start({ servers: { echo: stdioScripted() }, env: { GATEWAY_EXPOSURE: '' } });
    const health = await gateway.get('/health');
    expect(health.status).toBe(200);
    expect(JSON.parse(health.text)).toMatchObject({
      status: 'healthy',
      service: expect.any(String),
      version: expect.any(String),
    });

    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const hello = await askRaw(gateway.origin, { headers, body: line(1, 'initialize', HELLO) });
    expect(hello.status).toBe(200);
    expect(hello.headers['content-type']).toBe('application/json');
    expect(JSON.parse(hello.text)).toMatchObject({
      jsonrpc: '2.0',
      id: 1,
      result: { protocolVersion: '2025-11-25' },
    });
    const session = hello.headers['mcp-session-id'];
    expect(session).toMatch(/^[\x21-\x7e]{32,}$/);

    const called = await askRaw(gateway.origin, {
      headers: { ...headers, 'mcp-session-id': String(session) },
      body: line(2, 'tools/call', { name: 'list_servers', arguments: { agent_id: 'researcher' } }),
    });
    expect(called.status).toBe(200);
    expect(JSON.parse(called.text)).toMatchObject({
      result: { structuredContent: { result: [{ name: 'echo' }] } },
    });
    await gateway.stop();
  });
});

describe('the servers file', () => {
  test('with a program and a URL loads; what is wrong in one is said by server and rule, exit 1', async () => {
    servers({ a: { command: 'node' }, b: { url: 'https://mcp.example.com/mcp' } });
    expect((await run(['validate'])).code).toBe(0);

    const wrong: [unknown, string][] = [
      [{ mcpServers: { both: { command: 'x', url: 'http://h' } } }, 'both: has "command" and "url"'],
      [{ mcpServers: { none: {} } }, 'none: has neither "command" nor "url" (exactly one of "command", "package", '],
      [{ mcpServers: { args: { command: 'x', args: ['ok', 1] } } }, 'args.args[1]: must be a string'],
      [{ mcpServers: { env: { command: 'x', env: { A: 1 } } } }, 'env.env.A: must be a string'],
      [{ mcpServers: { url: { url: 'ftp://h' } } }, 'url.url: must begin with http:// or https://'],
      [{ mcpServers: { headers: { url: 'http://h', headers: { A: 1 } } } }, 'headers.headers.A: must be a string'],
      [{ mcpServers: { entry: 'node' } }, 'entry: must be an object'],
      [{ mcpServers: [] }, 'mcpServers: must be an object'],
      [{}, 'mcpServers: is missing'],
    ];
    await Promise.all(
      wrong.map(async ([content, says], i) => {
        const path = desk.write(`wrong/${i}.json`, content);
        const { code, stderr, stdout } = await run(['--mcp-config', path]);
        expect([says, code, stdout]).toEqual([says, 1, '']);
        expect(stderr).toContain(says);
      }),
    );
  });

  test('is found by variable, then working directory, then home, then ./config', async () => {
    const key = async (env: Record<string, string> = {}) => {
      const { stdout } = await run(['validate'], env);
      return /servers {8}1\n {4}(\S+)/.exec(stdout)?.[1];
    };
    const of = (name: string) => ({ [name]: { command: 'x' } });
    servers(of('config'), 'cwd/config/.mcp.json');
    expect(await key()).toBe('config');
    servers(of('home'), 'home/.config/agent-mcp-gateway/.mcp.json');
    expect(await key()).toBe('home');
    servers(of('cwd'));
    expect(await key()).toBe('cwd');
    servers(of('variable'), 'home/mine.json');
    expect(await key({ GATEWAY_MCP_CONFIG: '~/mine.json' })).toBe('variable');
    const { stdout } = await run(['--print-config-paths'], { GATEWAY_MCP_CONFIG: '~/mine.json' });
    expect(stdout).toContain(`servers file: ${join(desk.home, 'mine.json')}`);
  });

  test('has its references filled in, at the start and at every reload; an unset one keeps what was there', async () => {
    const echo = stdioScripted();
    // biome-ignore lint/suspicious/noTemplateCurlyInString: references for the gateway
    const [tok, gone] = ['${TOK}', '${GONE}'];
    const gateway = await start({
      servers: { echo: { ...echo, env: { SEEN_TOKEN: tok } } },
      env: { TOK: 'first-value' },
    });
    const client = await openLegacy(gateway.origin);
    const env = async () =>
      JSON.stringify(resultOf(await client.request('tools/call', { name: 'echo__whoami', arguments: {} })));
    expect(await env()).toContain('SEEN_TOKEN');

    gateway.writeServers({ echo: { ...echo, env: { SEEN_TOKEN: gone } }, more: echo });
    await waitFor(() => (/GONE/.test(gateway.stderr()) ? true : null), 'the mistake is said');
    expect(await env()).toContain('SEEN_TOKEN');
    expect((await gateway.get('/ready')).text).toContain('"servers_configured":1');

    gateway.writeServers({ echo: { ...echo, env: { SEEN_AGAIN: tok } } });
    await waitFor(async () => ((await env()).includes('SEEN_AGAIN') ? true : null), 'the new environment is in use');
    await client.close();
    await gateway.stop();
  });
});

describe('servers', () => {
  test('lazy: nothing runs until it is needed; then it does', async () => {
    const gateway = await start({ servers: { echo: stdioScripted() }, env: { GATEWAY_INIT_STRATEGY: 'lazy' } });
    const children = () => gateway.offspring().filter(({ commandLine }) => commandLine.includes('scripted.ts'));
    expect((await gateway.get('/ready')).status).toBe(200);
    expect(children()).toEqual([]);
    const client = await openLegacy(gateway.origin);
    expect(children()).toEqual([]);
    expect(textOf(await client.request('tools/call', { name: 'echo__add', arguments: { a: 1, b: 1 } }))).toBe('2');
    expect(children()).toHaveLength(1);
    await client.close();
    await gateway.stop();
  });

  test('eager: they run from the start, and a broken one neither blocks nor makes the gateway unready', async () => {
    const hangs = stdioScripted({ script: [{ on: '*', do: 'hang' }] });
    const gateway = await start({
      servers: { echo: stdioScripted(), broken: { command: '/no/such/program' }, hangs },
      settings: { firstListWait: '1s' },
    });
    await waitFor(
      () => (gateway.offspring().some(({ commandLine }) => commandLine.includes('scripted.ts')) ? true : null),
      'the child runs without being asked for',
    );
    expect(await gateway.get('/ready')).toMatchObject({ status: 200 });
    await waitFor(async () => {
      const samples = await gateway.samples();
      const up = (server: string) => samples.get(`gatehouse_downstream_up{server="${server}"}`);
      return up('echo') === 1 && up('broken') === 0 && up('hangs') === 0 ? true : null;
    }, 'metrics tell which one is down');
    const client = await openLegacy(gateway.origin);
    const { tools } = resultOf(await client.request('tools/list'));
    expect(tools).toHaveLength(21);
    await client.close();
    await gateway.stop();
  });
});

describe('--debug', () => {
  test('is the same as GATEWAY_DEBUG', async () => {
    servers({ echo: stdioScripted() });
    for (const [args, env] of [
      [['--debug', 'stdio'], {}],
      [['stdio'], { GATEWAY_DEBUG: '1' }],
    ] as const) {
      const gateway = launch(args, { ...env, GATEWAY_EXPOSURE: 'agent' });
      gateway.child.stdin.write(line(1, 'initialize', HELLO) + line(2, 'tools/list'));
      await gateway.says(/"id":2,.*get_gateway_status/);
      expect(gateway.stderr()).toContain('"level":"debug"');
      gateway.child.stdin.end();
      expect(await gateway.ended).toBe(0);
    }
  });
});

describe('--init', () => {
  test('writes files that start, once the programs in them are there', async () => {
    expect((await run(['--init'])).code).toBe(0);
    expect((await run(['validate'])).code).toBe(0);
    // Its servers come by npx from the network; only that they are read is shown here.
    const path = join(desk.home, '.config', 'agent-mcp-gateway', '.mcp.json');
    writeFileSync(path, JSON.stringify({ mcpServers: { echo: stdioScripted() } }));
    const gateway = launch(['serve', '--port', '0']);
    await gateway.says(/echo\s+21 tools/);
  });
});

function isOpen(host: string, port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({ host, port, timeout: 2000 });
    const end = (open: boolean) => {
      socket.destroy();
      resolve(open);
    };
    socket.once('connect', () => end(true));
    socket.once('timeout', () => end(false));
    socket.once('error', () => end(false));
  });
}
