import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import packageFacts from '../../package.json' with { type: 'json' };
import { createDesk, type Desk } from '../config/desk.ts';
import { waitFor } from '../support/gateway-process.ts';
import { type Running, runGatehouse, startGatehouse } from './gatehouse-process.ts';

let desk: Desk;
let running: Running[];

beforeEach(() => {
  desk = createDesk();
  running = [];
});

afterEach(async () => {
  for (const { child } of running) child.kill('SIGKILL');
  await Promise.all(running.map(({ ended }) => ended));
  desk.remove();
});

const place = (env: Record<string, string> = {}) => ({ cwd: desk.cwd, env: { HOME: desk.home, ...env } });
const run = (args: readonly string[], env?: Record<string, string>) => runGatehouse({ args, ...place(env) });
const start = (args: readonly string[], env?: Record<string, string>) => {
  const process = startGatehouse({ args, ...place(env) });
  running.push(process);
  return process;
};
const oneServer = () => desk.write('cwd/gateway.config.yaml', 'servers: {time: {builtin: currenttime}}\n');
const rpc = (id: number, method: string, params: object = {}) =>
  `${JSON.stringify({ jsonrpc: '2.0', id, method, params })}\n`;
const HELLO = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'test', version: '1' } };

describe('the command line', () => {
  it('prints the version of package.json and nothing else', async () => {
    const { code, stdout, stderr } = await run(['--version']);
    expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: `${packageFacts.version}\n`, stderr: '' });
  });

  it('explains itself with examples', async () => {
    const { code, stdout } = await run(['--help']);
    expect(code).toBe(0);
    for (const word of ['serve', 'stdio', 'validate', '--init', 'Examples:', 'claude mcp add']) {
      expect(stdout).toContain(word);
    }
  });

  test.each([
    { args: ['serv'], says: 'did you mean serve?' },
    { args: ['xyzzy'], says: "unknown command 'xyzzy'" },
    { args: ['--debgu'], says: '--debug' },
    { args: ['serve', '--prot', '1'], says: '--port' },
    { args: ['serve', '--port', 'high'], says: 'whole number from 0 to 65535' },
    { args: ['serve', '--port'], says: 'argument missing' },
    { args: ['validate', 'extra'], says: 'too many arguments' },
  ])('answers $args with a word of help and exit code 2', async ({ args, says }) => {
    const { code, stdout, stderr } = await run(args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(says);
    expect(stderr).toContain('gatehouse --help');
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('writes no colour codes where there is no terminal', async () => {
    expect((await run(['validate'])).stderr).not.toContain('\u001b');
  });
});

describe('gatehouse validate', () => {
  it('sums up a good configuration and ends with 0', async () => {
    oneServer();
    const { code, stdout } = await run(['validate']);
    expect(code).toBe(0);
    for (const part of ['valid', 'gateway.config.yaml', 'time', '127.0.0.1:8000']) expect(stdout).toContain(part);
  });

  it('says every mistake, each on its line with what to do, and ends with 1', async () => {
    desk.write('cwd/gateway.config.yaml', 'lisen: {}\nservers: {a: {url: x}}\n');
    desk.write('cwd/.mcp.json', { mcpServers: { b: { command: 'x', url: 'http://h' } } });
    const { code, stdout, stderr } = await run(['validate'], { GATEWAY_HTTP_PORT: 'x' });
    expect(code).toBe(1);
    expect(stdout).toBe('');
    const lines = stderr.split('\n').filter(line => line.startsWith('  '));
    expect(lines).toHaveLength(4);
    for (const part of ['did you mean listen?', 'servers.a.url', 'mcpServers.b', 'GATEWAY_HTTP_PORT']) {
      expect(lines.filter(line => line.includes(part))).toHaveLength(1);
    }
  });

  it('reads the files named by options, before and after the command', async () => {
    const mine = desk.write('elsewhere/mine.yaml', 'servers: {other: {command: x}}');
    const servers = desk.write('elsewhere/servers.json', { mcpServers: { third: { command: 'x' } } });
    for (const args of [
      ['--config', mine, '--mcp-config', servers, 'validate'],
      ['validate', '--config', mine, '--mcp-config', servers],
    ]) {
      const { code, stdout } = await run(args);
      expect(code).toBe(0);
      expect(stdout).toMatch(/other[\s\S]*third/);
    }
  });
});

describe('gatehouse --print-config-paths', () => {
  it('shows which files are read, where else it looked, and why', async () => {
    desk.write('cwd/config/.mcp.json', { mcpServers: {} });
    const home = desk.write('home/.config/agent-mcp-gateway/.mcp.json', { mcpServers: {} });
    const { code, stdout } = await run(['--print-config-paths']);
    expect(code).toBe(0);
    expect(stdout).toContain('configuration: none');
    expect(stdout).toContain(`servers file: ${home}`);
    expect(stdout).toContain(`> ${home}  (home)`);
    expect(stdout).toMatch(/cwd\/\.mcp\.json {2}\(working directory, does not exist\)/);

    const named = await run(['--print-config-paths'], { GATEWAY_MCP_CONFIG: '~/x.json' });
    expect(named.stdout).toContain(`${desk.home}/x.json  (GATEWAY_MCP_CONFIG, does not exist)`);
  });
});

describe('gatehouse --init', () => {
  const folder = () => join(desk.home, '.config', 'agent-mcp-gateway');

  it('writes two files that only their owner may read, and with which the gateway is content', async () => {
    const { code, stdout } = await run(['--init']);
    expect(code).toBe(0);
    for (const name of ['.mcp.json', '.mcp-gateway-rules.json']) {
      expect(stdout).toContain(join(folder(), name));
      expect(JSON.parse(readFileSync(join(folder(), name), 'utf8'))).toBeTypeOf('object');
      expect(statSync(join(folder(), name)).mode & 0o077).toBe(0);
    }
    expect((await run(['validate'])).code).toBe(0);
  });

  it('leaves what is there as it is when nobody can be asked, and says so', async () => {
    await run(['--init']);
    writeFileSync(join(folder(), '.mcp.json'), '{"mcpServers":{}}');
    const { code, stdout, stderr } = await run(['--init']);
    expect(code).toBe(0);
    expect(stdout).toContain('kept');
    expect(stderr).toContain('Nothing was overwritten');
    expect(readFileSync(join(folder(), '.mcp.json'), 'utf8')).toBe('{"mcpServers":{}}');
  });
});

describe('gatehouse --init where nothing can be written', () => {
  it('says so in one sentence and ends with 1', async () => {
    const { code, stderr } = await run(['--init'], { HOME: desk.write('a-file', '') });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error: .*a-file.*\n$/);
  });
});

describe('a start that cannot be', () => {
  test.each([
    { because: 'there is no configuration', env: {}, says: 'gatehouse --init' },
    { because: 'the named file is missing', env: { GATEWAY_MCP_CONFIG: '/no/such' }, says: '/no/such' },
  ])('ends with 1 and says what to do: $because', async ({ env, says }) => {
    for (const args of [[], ['serve'], ['stdio']]) {
      const { code, stdout, stderr } = await run(args, env);
      expect(code).toBe(1);
      expect(stdout).toBe('');
      expect(stderr).toContain(says);
    }
  });

  it('names the variable that is not set', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference
    desk.write('cwd/.mcp.json', { mcpServers: { a: { command: 'x', env: { T: '${TOK}' } } } });
    const { code, stderr } = await run([]);
    expect(code).toBe(1);
    expect(stderr).toContain('mcpServers.a.env.T: the environment variable TOK is not set');
  });

  it('refuses a door that others can reach without a key', async () => {
    oneServer();
    const { code, stderr } = await run(['serve', '--host', '0.0.0.0', '--port', '0']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/--host: .*GATEWAY_API_KEY.*127\.0\.0\.1/);
  });

  it('says in one sentence that the port is taken', async () => {
    oneServer();
    const other = createServer();
    await new Promise<void>(resolve => other.listen(0, '127.0.0.1', resolve));
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await run(['serve', '--port', String(port)]);
    other.close();
    expect(code).toBe(1);
    expect(stderr).toContain(`Port ${port} on 127.0.0.1 is in use`);
    expect(stderr).not.toMatch(/\n\s+at /);
  });
});

describe('gatehouse on stdio', () => {
  it('is what the bare command does, speaks nothing but JSON-RPC on stdout, and ends with 0 when stdin closes', async () => {
    desk.write(
      'cwd/gateway.config.yaml',
      'servers: {time: {builtin: currenttime}, gone: {command: /no/such/program}}\n',
    );
    const gateway = start([], { GATEWAY_DEBUG: 'true', GATEWAY_EXPOSURE: 'agent' });
    gateway.child.stdin.write(rpc(1, 'initialize', HELLO));
    await gateway.says(/"id":1/);
    gateway.child.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
    gateway.child.stdin.write(rpc(2, 'tools/list'));
    await gateway.says(/"id":2/);
    gateway.child.stdin.end();
    expect(await gateway.ended).toBe(0);
    const lines = gateway.stdout().trimEnd().split('\n');
    for (const line of lines) expect(JSON.parse(line)).toMatchObject({ jsonrpc: '2.0' });
    expect(gateway.stderr()).not.toBe('');
    const names = lines.map(line => JSON.parse(line)).find(({ id }) => id === 2).result.tools;
    expect(names.map(({ name }: { name: string }) => name)).toEqual(
      expect.arrayContaining(['list_servers', 'get_server_tools', 'execute_tool', 'get_gateway_status']),
    );
  });

  it('ends with 0 at once when stdin is closed from the beginning', async () => {
    oneServer();
    expect((await run(['stdio'])).code).toBe(0);
  });
});

describe('gatehouse serve', () => {
  it('tells the URL, the line to paste and each server, then drains and ends with 0 on SIGTERM', async () => {
    oneServer();
    const gateway = start(['serve', '--port', '0']);
    const [, url = ''] = await gateway.says(/listens at (http:\S+\/mcp)/);
    await gateway.says(/time\s+1 tool/);
    expect(gateway.stdout()).toContain(`claude mcp add --transport http gatehouse ${url}`);
    expect(gateway.stdout()).toContain(`{"mcpServers":{"gatehouse":{"type":"http","url":"${url}"}}}`);
    expect((await fetch(new URL('/health', url))).status).toBe(200);
    gateway.child.kill('SIGTERM');
    expect(await gateway.ended).toBe(0);
  });

  it('is what the bare command does under GATEWAY_TRANSPORT=http', async () => {
    oneServer();
    const gateway = start([], { GATEWAY_TRANSPORT: 'http', GATEWAY_HTTP_HOST: '127.0.0.1', GATEWAY_HTTP_PORT: '0' });
    const [, url = ''] = await gateway.says(/listens at (http:\S+\/mcp)/);
    expect((await fetch(new URL('/health', url))).status).toBe(200);
    gateway.child.kill('SIGINT');
    expect(await gateway.ended).toBe(0);
  });

  it('says why a server is not there, without keeping the others waiting', async () => {
    desk.write(
      'cwd/gateway.config.yaml',
      `servers: {gone: {command: /no/such/program}, silent: {command: cat, connectTimeout: 25s}, time: {builtin: currenttime}}\n`,
    );
    const gateway = start(['serve', '--port', '0']);
    await gateway.says(/gone\s+unavailable/);
    await gateway.says(/time\s+1 tool/);
    expect(gateway.stderr()).not.toMatch(/silent\s+unavailable/);
  });

  it('serves stdin and stdout as well where asked, with the lines for people on stderr', async () => {
    oneServer();
    const gateway = start(['serve', '--stdio', '--port', '0']);
    const [, url = ''] = await gateway.says(/listens at (http:\S+\/mcp)/);
    expect((await fetch(new URL('/health', url))).status).toBe(200);
    gateway.child.stdin.write(rpc(1, 'initialize', HELLO));
    await gateway.says(/"id":1/);
    expect(gateway.stderr()).toContain('listens at');
    gateway.child.stdin.end();
    expect(await gateway.ended).toBe(0);
    for (const line of gateway.stdout().trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('jsonrpc');
  });

  it('shows the header to paste where a key is needed, and never the key', async () => {
    oneServer();
    const key = 'kq7Zt1vXw9Lr4Ns8Pd2Hf6Jb3Mc5Ty0GuEoIa';
    const gateway = start(['serve', '--port', '0'], { GATEWAY_API_KEY: key });
    await gateway.says(/time\s+1 tool/);
    expect(gateway.stdout()).toContain('--header "Authorization: Bearer $GATEWAY_API_KEY"');
    expect(gateway.stdout() + gateway.stderr()).not.toContain(key);
  });

  it('reads the configuration again on SIGHUP, and keeps the old one when the new one is broken', async () => {
    oneServer();
    const gateway = start(['serve', '--port', '0']);
    await gateway.says(/time\s+1 tool/);
    desk.write('cwd/gateway.config.yaml', 'servers: {time: {builtin: currenttime}, more: {builtin: currenttime}}\n');
    gateway.child.kill('SIGHUP');
    await gateway.says(/more\s+1 tool/);
    desk.write('cwd/gateway.config.yaml', 'servers: {more: {nonsense: 1}}\n');
    gateway.child.kill('SIGHUP');
    await gateway.says(/servers\.more\.nonsense/);
    expect(gateway.child.exitCode).toBe(null);
  });

  describe('with a call under way', () => {
    /** Of so many seconds, and it has arrived. */
    async function startCall(duration: number) {
      const text = 'servers: {slow: {package: "@modelcontextprotocol/server-everything", args: [stdio]}}\n';
      desk.write('cwd/gateway.config.yaml', text);
      const gateway = start(['serve', '--port', '0']);
      const [, url = ''] = await gateway.says(/listens at (http:\S+\/mcp)/);
      await gateway.says(/slow\s+\d+ tools/);
      const answer = fetch(new URL('/', url), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: rpc(1, 'tools/call', { name: 'slow__trigger-long-running-operation', arguments: { duration, steps: 5 } }),
      }).then(
        response => response.json(),
        () => 'cut off',
      );
      await waitFor(async () => {
        const samples = await (await fetch(new URL('/metrics', url), { headers: { accept: 'text/plain' } })).text();
        return samples.includes('gatehouse_calls_in_flight 1\n') ? true : null;
      }, 'the call is under way');
      return { gateway, answer };
    }

    it('lets it finish, and takes signals in quick succession for one wish', async () => {
      const { gateway, answer } = await startCall(5);
      gateway.child.kill('SIGINT');
      gateway.child.kill('SIGINT');
      gateway.child.kill('SIGTERM');
      expect(await answer).toMatchObject({ id: 1, result: { content: [{ type: 'text' }] } });
      expect(await gateway.ended).toBe(0);
    });

    it('stops without waiting after the second', async () => {
      const { gateway } = await startCall(600);
      gateway.child.kill('SIGTERM');
      await new Promise(resolve => setTimeout(resolve, 1000));
      gateway.child.kill('SIGTERM');
      expect(await gateway.ended).toBe(143);
    });
  });
});
