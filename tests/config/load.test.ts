import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { formatProblem } from '../../src/config/load.ts';
import { locateServers } from '../../src/config/locate.ts';
import { createDesk, type Desk } from './desk.ts';

let desk: Desk;
beforeEach(() => {
  desk = createDesk();
});
afterEach(() => desk.remove());

const KEY = 'kq7Zt1vXw9Lr4Ns8Pd2Hf6Jb3Mc5Ty0GuEoIa';
const ALL = { a: { allow: { servers: ['*'] } } };
const OPEN = { deny_on_missing_agent: false };
const INIT_RULES = { agents: { default: { allow: { servers: ['*'], tools: { '*': ['*'] } } } }, defaults: OPEN };
const ONE = 'servers: {a: {command: x}}\n';
const yaml = (text: string) => desk.write('cwd/gateway.config.yaml', text);
const lines = async (env?: Record<string, string>) => (await desk.problems(env)).map(formatProblem);
const warnings = async (env: Record<string, string> = {}) => {
  const loaded = await desk.load(env);
  return loaded.ok ? loaded.warnings : ['not loaded'];
};

describe('loading', () => {
  it('fills in every default', async () => {
    yaml(ONE);
    expect(await desk.config()).toMatchObject({
      transport: 'stdio',
      listen: { host: '127.0.0.1', port: 8000, corsOrigins: [], allowedHosts: [], maxBodyBytes: 4_194_304 },
      apiKey: null,
      exposure: { default: 'auto', autoThreshold: 40, prefix: 'server', pinned: [] },
      sessions: { ttlMs: 3_600_000, maxSessions: 10_000 },
      firstListWaitMs: 5000,
      parkedTtlMs: 600_000,
      drainMs: 10_000,
      log: { level: 'info', format: 'auto', slowOperationMs: 2000 },
      metrics: true,
      debug: false,
      defaultAgent: null,
      files: {
        config: `${desk.cwd}/gateway.config.yaml`,
        servers: null,
        watched: [
          `${desk.cwd}/gateway.config.yaml`,
          ...[desk.cwd, `${desk.home}/.config/agent-mcp-gateway`, `${desk.cwd}/config`].map(at => `${at}/.mcp.json`),
          ...[desk.cwd, `${desk.home}/.config/agent-mcp-gateway`, `${desk.cwd}/config`].map(
            at => `${at}/.mcp-gateway-rules.json`,
          ),
          ...[desk.cwd, `${desk.home}/.config/agent-mcp-gateway`, `${desk.cwd}/config`].map(at => `${at}/scopes.yml`),
          `${desk.home}/.config/agent-mcp-gateway/vault.json`,
        ],
      },
    });
  });

  it('takes the command line before the environment, that before the file, that before the default', async () => {
    yaml(`listen: {host: 127.0.0.3, port: 7003}\ntransport: both\n${ONE}`);
    const listen = async (...from: Parameters<Desk['config']>) => (await desk.config(...from)).listen;
    expect(await listen()).toMatchObject({ host: '127.0.0.3', port: 7003 });
    const env = { GATEWAY_HTTP_HOST: '127.0.0.2', GATEWAY_HTTP_PORT: '7002', GATEWAY_TRANSPORT: 'http' };
    expect(await listen(env)).toMatchObject({ host: '127.0.0.2', port: 7002 });
    expect(await listen(env, { host: '::1', port: 0 })).toMatchObject({ host: '::1', port: 0 });
    expect((await desk.config(env)).transport).toBe('http');
    expect((await desk.config(env, { transport: 'stdio' })).transport).toBe('stdio');
  });

  it('reads every variable', async () => {
    yaml(ONE);
    const config = await desk.config({
      GATEWAY_CORS_ORIGINS: 'https://a.example, http://localhost:3000',
      GATEWAY_INIT_STRATEGY: 'lazy',
      GATEWAY_DEBUG: 'yes',
      GATEWAY_DEFAULT_AGENT: 'team.dev',
      GATEWAY_API_KEY: KEY,
      GATEWAY_EXPOSURE: 'agent',
      GATEWAY_TOOL_PREFIX: 'none',
      GATEWAY_LOG_LEVEL: 'warning',
    });
    expect(config).toMatchObject({
      listen: { corsOrigins: ['https://a.example', 'http://localhost:3000'] },
      debug: true,
      defaultAgent: 'team.dev',
      exposure: { default: 'agent', prefix: 'none' },
      log: { level: 'warn' },
      servers: [{ start: 'lazy' }],
    });
    expect(config.apiKey?.reveal()).toBe(KEY);
  });

  test.each(['true', '1', 'yes', 'TRUE', 'on'])('takes GATEWAY_DEBUG=%s for yes and logs more', async word => {
    yaml(ONE);
    expect(await desk.config({ GATEWAY_DEBUG: word })).toMatchObject({ debug: true, log: { level: 'debug' } });
  });

  it('lets a log level that was asked for win over the one that debug brings', async () => {
    yaml(ONE);
    const config = await desk.config({ GATEWAY_DEBUG: '1', GATEWAY_LOG_LEVEL: 'error' });
    expect(config.log.level).toBe('error');
  });

  it('treats an empty variable as unset', async () => {
    yaml(ONE);
    const config = await desk.config({ GATEWAY_HTTP_PORT: '', GATEWAY_API_KEY: '', GATEWAY_TRANSPORT: ' ' });
    expect(config).toMatchObject({ transport: 'stdio', listen: { port: 8000 }, apiKey: null });
  });

  test.each([
    { env: { GATEWAY_TRANSPORT: 'htpp' }, says: ['GATEWAY_TRANSPORT', 'did you mean http?'] },
    { env: { GATEWAY_HTTP_PORT: '80x' }, says: ['GATEWAY_HTTP_PORT', 'whole number'] },
    { env: { GATEWAY_HTTP_PORT: '65536' }, says: ['GATEWAY_HTTP_PORT', '65535'] },
    { env: { GATEWAY_HTTP_HOST: 'http://127.0.0.1' }, says: ['GATEWAY_HTTP_HOST', 'host name'] },
    { env: { GATEWAY_CORS_ORIGINS: '*' }, says: ['GATEWAY_CORS_ORIGINS', 'not an origin'] },
    { env: { GATEWAY_CORS_ORIGINS: 'https://a.example/path' }, says: ['GATEWAY_CORS_ORIGINS', 'not an origin'] },
    { env: { GATEWAY_INIT_STRATEGY: 'soon' }, says: ['GATEWAY_INIT_STRATEGY', 'eager, lazy'] },
    { env: { GATEWAY_DEBUG: 'maybe' }, says: ['GATEWAY_DEBUG', 'true, 1, yes, false, 0, no'] },
    { env: { GATEWAY_DEFAULT_AGENT: 'a b' }, says: ['GATEWAY_DEFAULT_AGENT'] },
    { env: { GATEWAY_EXPOSURE: 'agents' }, says: ['GATEWAY_EXPOSURE', 'did you mean agent?'] },
    { env: { GATEWAY_TOOL_PREFIX: 'yes' }, says: ['GATEWAY_TOOL_PREFIX', 'server, none'] },
    { env: { GATEWAY_LOG_LEVEL: 'verbose' }, says: ['GATEWAY_LOG_LEVEL', 'debug'] },
    { env: { GATEWAY_RULES: '/x.json' }, says: ['/x.json', 'cannot be read'] },
  ])('says what is wrong with $env', async ({ env, says }) => {
    yaml(ONE);
    const found = await lines(env);
    expect(found).toHaveLength(1);
    for (const part of says) expect(found[0]).toContain(part);
  });

  it('warns of variables that look like its own', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference
    yaml('servers: {a: {command: "${GATEWAY_TOOL}"}}');
    expect(
      await warnings({ GATEWAY_PORT: '1', GATEWAY_EXPOSUER: 'x', GATEWAY_TOOL: 'x', GATEWAY_AUDIT_LOG: '/a' }),
    ).toEqual([
      expect.stringContaining('did you mean GATEWAY_HTTP_PORT?'),
      expect.stringContaining('did you mean GATEWAY_EXPOSURE?'),
    ]);
  });

  it('freezes what it yields', async () => {
    yaml(ONE);
    const config = await desk.config();
    expect(Object.isFrozen(config) && Object.isFrozen(config.listen) && Object.isFrozen(config.servers)).toBe(true);
    expect(Object.isFrozen(config.servers[0]?.link)).toBe(true);
  });
});

describe('gateway.config.yaml', () => {
  test.each([
    { text: 'lisen: {}', says: ['lisen', 'did you mean listen?'], because: 'top level' },
    { text: 'listen: {prot: 1}', says: ['listen.prot', 'did you mean port?'], because: 'inside a section' },
    { text: 'servers: {a: {comand: x}}', says: ['servers.a.comand', 'did you mean command?'], because: 'in a server' },
    { text: 'quux: 1', says: ['quux', 'not a key'], because: 'nothing is near' },
    { text: 'listen: {port: high}', says: ['listen.port', 'whole number from 0 to 65535'], because: 'a number' },
    { text: 'listen: 5', says: ['listen', 'must be a section of keys'], because: 'a section' },
    { text: 'listen: {corsOrigins: x}', says: ['listen.corsOrigins', 'must be a list'], because: 'a list' },
    { text: 'drain: soon', says: ['drain', 'duration such as'], because: 'a duration' },
    { text: 'sessions: {ttl: 5ms}', says: ['sessions.ttl', 'at least 1000ms'], because: 'long enough' },
    {
      text: 'exposure: {default: all}',
      says: ['exposure.default', 'direct, agent, discovery, auto'],
      because: 'a word',
    },
    { text: 'metrics: maybe', says: ['metrics', 'true or false'], because: 'yes or no' },
    { text: 'listen: {maxBody: 4 megs}', says: ['listen.maxBody', '4MiB'], because: 'a size' },
    { text: 'servers: {a: {url: nope}}', says: ['servers.a.url', 'http:// or https://'], because: 'an address' },
    { text: 'servers: {a: {url: "http://h", args: [x]}}', says: ['servers.a.args', 'program'], because: 'fields fit' },
    { text: 'servers: {a: {command: x, headers: {}}}', says: ['servers.a.headers', '"url"'], because: 'fields fit' },
    {
      text: 'servers: {a: {callTimeout: never}}',
      says: ['servers.a.callTimeout', 'duration'],
      because: 'none or time',
    },
    { text: 'servers: {a: }', says: ['servers.a', 'neither "command" nor "url"'], because: 'an empty server' },
    {
      text: 'servers: {a: {package: no-such-package-here}}',
      says: ['servers.a.package', 'not installed'],
      because: 'npm',
    },
    { text: 'servers: {a: {package: ../x}}', says: ['servers.a.package', 'name of an npm'], because: 'no paths' },
    {
      text: 'servers: {a: {builtin: clock}}',
      says: ['servers.a.builtin', 'currenttime'],
      because: 'built-ins are few',
    },
    { text: 'servers: {mcp: {command: x}}', says: ['servers.mcp', 'path of the gateway'], because: 'reserved' },
    { text: 'a: [1', says: ['line 1'], because: 'YAML is YAML' },
    { text: '- a\nb: c', says: ['line 2, column 1'], because: 'one slip is one mistake, however often it is met' },
    { text: 'listen: {}\nlisten: {}', says: ['line 2', 'unique'], because: 'a key stands once' },
    { text: '- a', says: ['must be'], because: 'the file is a section' },
  ])('refuses $text ($because)', async ({ text, says }) => {
    const path = yaml(text);
    const found = await lines();
    expect(found).toHaveLength(1);
    for (const part of [path, ...says]) expect(found[0]).toContain(part);
  });

  it('says every mistake of every part at once, the servers file and the environment included', async () => {
    yaml('lisen: {}\ndrain: soon\nservers: {a: {url: x}, mcp: {command: x}}\n');
    desk.write('cwd/.mcp.json', { mcpServers: { b: {} } });
    expect((await desk.problems({ GATEWAY_EXPOSURE: 'x' })).map(({ path }) => path).sort()).toEqual(
      ['GATEWAY_EXPOSURE', 'lisen', 'drain', 'servers.a.url', 'servers.mcp', 'mcpServers.b'].sort(),
    );
  });

  it('reads every key of the example that operators copy', async () => {
    const { readFileSync } = await import('node:fs');
    yaml(readFileSync(new URL('../../config/gateway.example.yaml', import.meta.url), 'utf8'));
    const config = await desk.config();
    expect(config.servers.map(server => server.key)).toEqual(['everything', 'memory', 'currenttime', 'remote']);
    desk.write('cwd/.mcp.json', readFileSync(new URL('../../config/mcp.example.json', import.meta.url), 'utf8'));
    expect((await desk.config()).servers.map(server => server.key)).toContain('older');
  });

  it('starts packages and built-in servers with the Node of the gateway', async () => {
    yaml('servers: {m: {package: "@modelcontextprotocol/server-memory", args: [x]}, t: {builtin: currenttime}}');
    const [memory, time] = (await desk.config()).servers;
    expect(memory?.link).toMatchObject({
      command: '/opt/node/bin/node',
      args: [expect.stringMatching(/server-memory\/dist\/index\.js$/), 'x'],
    });
    expect(time?.link).toMatchObject({ args: [expect.stringMatching(/demo\/currenttime\.ts$/)] });
  });

  it('takes an empty section for an absent one', async () => {
    yaml('listen:\nservers:\nlog:\n');
    expect((await desk.config()).servers).toEqual([]);
    expect(await warnings()).toEqual([expect.stringContaining('no servers are configured')]);
  });

  it('reads a relative folder from where the file stands', async () => {
    const path = desk.write('elsewhere/g.yaml', 'servers: {a: {command: x, cwd: sub}}');
    const config = await desk.config({ GATEWAY_CONFIG: path });
    expect(config.servers[0]?.link).toMatchObject({ cwd: `${desk.folder}/elsewhere/sub` });
  });

  it('refuses aliases that unfold without end', async () => {
    const layers = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`);
    yaml(`a0: &a0 [x]\n${layers.join('\n')}\n`);
    expect((await lines())[0]).toContain('unfold');
  });

  it('never quotes the text around a mistake', async () => {
    yaml('apiKey: canary-0\n  oops: canary-1\n: :');
    const found = (await lines()).join('\n');
    expect(found).toContain('line');
    expect(found).not.toContain('canary');
  });
});

describe('which files are read', () => {
  const servers = (name: string) => ({ mcpServers: { [name]: { command: 'x' } } });
  const chosen = async (env: Record<string, string> = {}) => (await desk.config(env)).servers.map(server => server.key);

  it('looks for the servers file in the variable, the working directory, the home, the config folder', async () => {
    const named = desk.write('elsewhere/mine.json', servers('named'));
    desk.write('cwd/config/.mcp.json', servers('config'));
    expect(await chosen()).toEqual(['config']);
    desk.write('home/.config/agent-mcp-gateway/.mcp.json', servers('home'));
    expect(await chosen()).toEqual(['home']);
    desk.write('cwd/.mcp.json', servers('cwd'));
    expect(await chosen()).toEqual(['cwd']);
    expect(await chosen({ GATEWAY_MCP_CONFIG: named })).toEqual(['named']);
  });

  it('expands ~ in a named file, and reads a relative name from the working directory', async () => {
    desk.write('home/mine.json', servers('tilde'));
    desk.write('cwd/sub/mine.json', servers('relative'));
    expect(await chosen({ GATEWAY_MCP_CONFIG: '~/mine.json' })).toEqual(['tilde']);
    expect(await chosen({ GATEWAY_MCP_CONFIG: 'sub/mine.json' })).toEqual(['relative']);
  });

  it('takes a missing file that was named for a mistake, even where another would be found', async () => {
    desk.write('cwd/.mcp.json', servers('cwd'));
    expect(await lines({ GATEWAY_MCP_CONFIG: '/no/such.json' })).toEqual([
      expect.stringMatching(/^\/no\/such\.json: .*does not exist/),
    ]);
    expect(await lines({ GATEWAY_CONFIG: 'gone.yaml' })).toEqual([expect.stringContaining('gone.yaml')]);
    expect(await lines({ GATEWAY_MCP_CONFIG: desk.cwd })).toEqual([expect.stringContaining('it is a folder')]);
  });

  it('says where it looked when there is nothing to read', async () => {
    const found = await lines();
    expect(found).toHaveLength(1);
    for (const place of ['gateway.config.yaml', 'cwd/.mcp.json', 'agent-mcp-gateway', 'cwd/config', '--init']) {
      expect(found[0]).toContain(place);
    }
  });

  it('reads no YAML at all when GATEWAY_CONFIG is empty', async () => {
    yaml('nonsense: 1');
    desk.write('cwd/.mcp.json', servers('a'));
    expect((await desk.config({ GATEWAY_CONFIG: '' })).files.config).toBe(null);
  });

  it('lets the servers file win over the YAML, and says so', async () => {
    yaml('servers: {a: {command: yaml}, b: {command: yaml}}');
    desk.write('cwd/.mcp.json', { mcpServers: { a: { command: 'json' }, c: { command: 'json' } } });
    const links = (await desk.config()).servers.map(({ key, link }) => [key, link.kind === 'stdio' && link.command]);
    expect(links).toEqual([
      ['a', 'json'],
      ['b', 'yaml'],
      ['c', 'json'],
    ]);
    expect(await warnings()).toEqual([expect.stringContaining('"a" is in both files')]);
    const named = [...(await desk.config()).serverFiles].map(([file, names]) => [file.split('/').at(-1), ...names]);
    expect(named).toEqual([
      ['.mcp.json', 'a', 'c'],
      ['gateway.config.yaml', 'a', 'b'],
    ]);
  });

  it('can tell which places there are and which one was chosen', () => {
    const home = desk.write('home/.config/agent-mcp-gateway/.mcp.json', servers('home'));
    const { places, chosen: path } = locateServers({ env: {}, cwd: desk.cwd, home: desk.home });
    expect(path).toBe(home);
    expect(places.map(({ because, exists }) => [because, exists])).toEqual([
      ['working directory', false],
      ['home', true],
      ['config folder', false],
    ]);
  });

  test.each([
    { rules: { agents: ALL, defaults: OPEN }, because: 'with agents' },
    { rules: INIT_RULES, because: 'as --init writes them' },
    { rules: { agents: {} }, because: 'that let nobody do anything' },
  ])('rules $because are read, and bring the tools that carry an agent’s id', async ({ rules }) => {
    yaml(ONE);
    desk.write('cwd/.mcp-gateway-rules.json', rules);
    const config = await desk.config();
    expect([...(config.rules?.agents.keys() ?? [])]).toEqual(Object.keys(rules.agents));
    expect([config.exposure.default, config.files.rules]).toEqual(['agent', `${desk.cwd}/.mcp-gateway-rules.json`]);
  });

  test.each([
    { rules: { defaults: OPEN }, because: 'no agent is named' },
    { rules: [], because: 'it is no rules file' },
    { rules: { agents: ALL, defaults: OPEN, more: 1 }, because: 'an unknown key may restrict' },
    {
      rules: { agents: { a: { allow: { servers: ['*'], tools: ['get_*'] } } }, defaults: OPEN },
      because: 'its tools have the wrong form',
    },
    { rules: '{', because: 'nobody can tell what it was to say' },
  ])('does not start beside rules it cannot follow: $because', async ({ rules }) => {
    yaml(ONE);
    desk.write('cwd/.mcp-gateway-rules.json', rules);
    expect((await desk.load()).ok).toBe(false);
  });

  it('warns of rules for servers that do not exist', async () => {
    yaml(ONE);
    desk.write('cwd/.mcp-gateway-rules.json', { agents: { a: { allow: { servers: ['nowhere'] } } } });
    expect(await warnings()).toEqual(['Agent "a" allow.servers references undefined server "nowhere"']);
  });
});

describe('a login of the operator', () => {
  const reachable = { GATEWAY_HTTP_HOST: '0.0.0.0', GATEWAY_TRANSPORT: 'http' };

  test('is a credential: others may reach a gateway that has one, and are told what it lets in', async () => {
    desk.write('cwd/gateway.config.yaml', 'servers: {a: {command: x}}');
    const loaded = await desk.load({ ...reachable, ADMIN_PASSWORD: 'twelve-chars' });
    expect(loaded.ok && loaded.warnings).toContainEqual(
      expect.stringMatching(/^ADMIN_PASSWORD is the only credential/),
    );
    expect(loaded.ok && [loaded.config.identity.login?.user.reveal(), loaded.config.tokens.enabled]).toEqual([
      'admin',
      true,
    ]);
  });

  test.each([
    { env: { ADMIN_USER: 'root' }, says: 'is not set, but ADMIN_USER is and others can reach this gateway' },
    {
      env: { ADMIN_PASSWORD: 'elevenchars' },
      says: 'is shorter than 12 characters, and others can reach this gateway',
    },
  ])('where others can reach it there is no start: $says', async ({ env, says }) => {
    desk.write('cwd/gateway.config.yaml', 'servers: {a: {command: x}}');
    const problems = await desk.problems({ ...reachable, ...env });
    expect(problems.find(({ path }) => path === 'ADMIN_PASSWORD')?.message).toBe(says);
    expect(JSON.stringify(problems)).not.toContain('elevenchars');
  });
});
