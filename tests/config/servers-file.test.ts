import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { formatProblem } from '../../src/config/load.ts';
import type { ServerSpec } from '../../src/domain/server.ts';
import { createDesk, type Desk } from './desk.ts';

let desk: Desk;
beforeEach(() => {
  desk = createDesk();
});
afterEach(() => desk.remove());

const servers = (entries: Record<string, unknown>) => desk.write('cwd/.mcp.json', { mcpServers: entries });
const lines = async (env: Record<string, string> = {}) => (await desk.problems(env)).map(formatProblem);

async function only(entry: unknown, env: Record<string, string> = {}): Promise<ServerSpec> {
  servers({ a: entry });
  const [spec] = (await desk.config(env)).servers;
  if (spec === undefined) throw new Error('no server');
  return spec;
}

describe('the servers file', () => {
  it('loads one program and one address', async () => {
    servers({
      git: { command: 'uvx', args: ['mcp-server-git'], env: { HOME: '/h' }, description: 'Git' },
      remote: { url: 'https://mcp.example.com/mcp', headers: { Authorization: 'Bearer abc' } },
    });
    const [git, remote] = (await desk.config()).servers;
    expect(git).toMatchObject({
      key: 'git',
      description: 'Git',
      enabled: true,
      era: 'auto',
      sharing: 'per-principal',
      start: 'eager',
      connectTimeoutMs: 30_000,
      listTimeoutMs: 10_000,
      callTimeoutMs: null,
      maxInFlight: 64,
      maxQueued: 1024,
      link: { kind: 'stdio', command: 'uvx', args: ['mcp-server-git'], cwd: null },
    });
    expect(remote).toMatchObject({
      description: null,
      maxInFlight: 256,
      link: { kind: 'http', url: 'https://mcp.example.com/mcp', transport: 'auto' },
    });
    expect(remote?.link.kind === 'http' && remote.link.headers.get('authorization')?.reveal()).toBe('Bearer abc');
  });

  test.each([
    { content: '[]', says: ['must be a JSON object'], because: 'the top level is an object' },
    { content: '"x"', says: ['must be a JSON object'], because: 'the top level is no text' },
    { content: 'null', says: ['must be a JSON object'], because: 'the top level is not null' },
    { content: '{}', says: ['mcpServers', 'is missing'], because: 'mcpServers is required' },
    { content: '{"mcpServers":[]}', says: ['mcpServers', 'must be an object'], because: 'servers have names' },
    {
      content: '{"mcpServers":{"a":1}}',
      says: ['mcpServers.a', 'must be an object'],
      because: 'an entry is an object',
    },
    { content: '{"mcpServers":{"a":null}}', says: ['mcpServers.a', 'must be an object'], because: 'null is no entry' },
    { content: '{"mcpServers":\n{,}}', says: ['not valid JSON', 'line 2'], because: 'JSON is JSON' },
    { content: '// x\n{}', says: ['not valid JSON', 'no comments'], because: 'JSON has no comments' },
    { content: '', says: ['not valid JSON'], because: 'an empty file is not JSON' },
  ])('is refused as a whole: $because', async ({ content, says }) => {
    const path = desk.write('cwd/.mcp.json', content);
    const found = await lines();
    expect(found).toHaveLength(1);
    for (const part of [path, ...says]) expect(found[0]).toContain(part);
  });

  test.each([
    { entry: { command: 'x', url: 'http://h' }, path: '', says: 'has "command" and "url"', because: 'only one way' },
    { entry: {}, path: '', says: 'neither "command" nor "url"', because: 'one way is needed' },
    { entry: { command: 5 }, path: '.command', says: 'must be a string', because: 'a program has a name' },
    { entry: { command: ' ' }, path: '.command', says: 'must name a program', because: 'blank is no program' },
    { entry: { command: 'x', args: 'y' }, path: '.args', says: 'must be an array', because: 'args is a list' },
    {
      entry: { command: 'x', args: ['a', 2] },
      path: '.args[1]',
      says: 'must be a string',
      because: 'the index is named',
    },
    { entry: { command: 'x', env: [] }, path: '.env', says: 'must be an object', because: 'env is a map' },
    {
      entry: { command: 'x', env: { A: 1 } },
      path: '.env.A',
      says: 'must be a string',
      because: 'env values are text',
    },
    {
      entry: { command: 'x', env: { 'A=B': '' } },
      path: '.env["A=B"]',
      says: 'environment variable',
      because: 'names',
    },
    { entry: { command: 'x', description: 1 }, path: '.description', says: 'must be a string', because: 'text' },
    { entry: { command: 'x', cwd: 1 }, path: '.cwd', says: 'must be a string', because: 'a folder has a name' },
    { entry: { url: 1 }, path: '.url', says: 'must be a string', because: 'an address is text' },
    { entry: { url: 'ftp://h' }, path: '.url', says: 'http:// or https://', because: 'other schemes are refused' },
    { entry: { url: 'localhost:1/mcp' }, path: '.url', says: 'http:// or https://', because: 'a scheme is needed' },
    { entry: { url: 'http://' }, path: '.url', says: 'not a valid address', because: 'a host is needed' },
    { entry: { url: 'http://u:p@h/' }, path: '.url', says: 'user name or password', because: 'addresses get shown' },
    { entry: { url: 'http://h', headers: 1 }, path: '.headers', says: 'must be an object', because: 'a map' },
    { entry: { url: 'http://h', headers: { A: 1 } }, path: '.headers.A', says: 'must be a string', because: 'text' },
    { entry: { url: 'http://h', headers: { 'A B': '' } }, path: '.headers["A B"]', says: 'header', because: 'names' },
    {
      entry: { url: 'http://h', headers: { A: 'x\r\nB: y' } },
      path: '.headers.A',
      says: 'no header may',
      because: 'CRLF',
    },
    {
      entry: { url: 'http://h', headers: { Host: 'x' } },
      path: '.headers.Host',
      says: 'gateway itself',
      because: 'ours',
    },
    {
      entry: { url: 'http://h', headers: { a: '1', A: '2' } },
      path: '.headers.A',
      says: 'twice',
      because: 'one value',
    },
  ])('names the server and the field: $path $says ($because)', async ({ entry, path, says }) => {
    servers({ github: entry, good: { command: 'x' } });
    const found = await lines();
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`mcpServers.github${path}: `);
    expect(found[0]).toContain(says);
  });

  it('says all mistakes of all servers at once', async () => {
    servers({
      a: { command: 1, args: [2], env: { X: 3 } },
      'b c': { command: 'x' },
      c: { command: 'x', url: 'http://h' },
    });
    expect((await desk.problems()).map(problem => problem.path)).toEqual([
      'mcpServers.a.command',
      'mcpServers.a.args[0]',
      'mcpServers.a.env.X',
      'mcpServers["b c"]',
      'mcpServers.c',
    ]);
  });

  test.each([
    '',
    'a b',
    'a/b',
    'ü',
    'x'.repeat(65),
    'mcp',
    'MCP',
    'sse',
    'health',
    'ready',
    'metrics',
    'api',
    'v0.1',
    'docs',
    'ws',
    'validate',
    '.well-known',
    'oauth2',
    'login',
    'logout',
    'register',
    'messages',
    '.',
    '..',
    '__proto__',
  ])('refuses the name %j', async name => {
    // Written by hand: in an object literal __proto__ would not be a key.
    desk.write('cwd/.mcp.json', `{"mcpServers":{${JSON.stringify(name)}:{"command":"x"}}}`);
    const found = await desk.problems();
    expect(found).toHaveLength(1);
    expect(found[0]?.message).toMatch(/name/);
  });

  test.each(['a', 'A.b_c-9', 'x'.repeat(64), 'constructor', 'mcp-server', '0'])('accepts the name %j', async name => {
    servers({ [name]: { command: 'x' } });
    expect((await desk.config()).servers[0]?.key).toBe(name);
  });

  test.each([
    { entry: { transport: 'http' }, transport: 'auto', because: 'the document accepts and ignores it' },
    { entry: { transport: 'sse' }, transport: 'sse', because: 'older servers need it' },
    { entry: { type: 'sse' }, transport: 'sse', because: 'how Claude Code writes it' },
    { entry: { type: 'streamable-http' }, transport: 'streamable-http', because: 'how other clients write it' },
    { entry: { type: 'streamableHttp' }, transport: 'streamable-http', because: 'how Cline writes it' },
    { entry: { type: 'http' }, transport: 'auto', because: 'some mean one, some the other' },
    { entry: { type: 'carrier-pigeon' }, transport: 'auto', because: 'kinds are inferred' },
    { entry: { type: 7 }, transport: 'auto', because: 'it is ignored, whatever it is' },
  ])('reads $entry as $transport: $because', async ({ entry, transport }) => {
    expect((await only({ url: 'http://h/mcp', ...entry })).link).toMatchObject({ kind: 'http', transport });
  });

  it('ignores keys it does not know, in an entry and beside the servers', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: another program's reference
    const inputs = [{ id: '${input:token}' }];
    const entry = { command: 'x', type: 'stdio', autoApprove: ['a'], headers: 7, timeout: 5 };
    desk.write('cwd/.mcp.json', { inputs, mcpServers: { a: { ...entry, headers: {} } } });
    expect((await desk.config()).servers).toHaveLength(1);
  });

  it('keeps a server that a client has switched off switched off', async () => {
    expect((await only({ command: 'x', disabled: true })).enabled).toBe(false);
  });

  it('runs a bare node with the Node of the gateway, and leaves paths as they are', async () => {
    expect((await only({ command: 'node', args: ['x.js'] })).link).toMatchObject({ command: '/opt/node/bin/node' });
    expect((await only({ command: 'node_modules/.bin/x' })).link).toMatchObject({ command: 'node_modules/.bin/x' });
  });

  it('reads a relative folder from the working directory', async () => {
    expect((await only({ command: 'x', cwd: 'sub' })).link).toMatchObject({ cwd: `${desk.cwd}/sub` });
  });

  it('reads a file that begins with a byte order mark', async () => {
    desk.write('cwd/.mcp.json', `\uFEFF${JSON.stringify({ mcpServers: { a: { command: 'x' } } })}`);
    expect((await desk.config()).servers).toHaveLength(1);
  });

  it('lets GATEWAY_INIT_STRATEGY decide when servers start', async () => {
    expect((await only({ command: 'x' }, { GATEWAY_INIT_STRATEGY: 'lazy' })).start).toBe('lazy');
  });

  it('never shows a value of env or headers, whether it was a reference or not', async () => {
    servers({
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a reference
      a: { command: 'x', env: { TOKEN: 'canary-1', OTHER: '${TOK}' } },
      b: { url: 'http://h', headers: { Authorization: 'Bearer canary-3' } },
    });
    const config = await desk.config({ TOK: 'canary-2' });
    const link = config.servers[0]?.link;
    expect(link?.kind === 'stdio' && link.env.get('OTHER')?.reveal()).toBe('canary-2');
    const { inspect } = await import('node:util');
    expect(inspect(config, { depth: 9 }) + JSON.stringify(config)).not.toMatch(/canary/);
  });

  it('never quotes the text around a mistake', async () => {
    desk.write('cwd/.mcp.json', '{"mcpServers":{"a":{"env":{"T":"canary" oops}}}}');
    expect((await lines()).join('\n')).not.toMatch(/canary|oops/);
  });
});
