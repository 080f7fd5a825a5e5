/** `gatehouse --print-config-paths` and the disk: what a gateway reads and leaves there is what was printed before. */
import { copyFileSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, expect, it, onTestFinished } from 'vitest';
import { createDesk, type Desk } from '../config/desk.ts';
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY } from '../support/certificates.ts';
import { SCOPES } from '../support/vending-gateway.ts';
import { type Running, runGatehouse, startGatehouse } from './gatehouse-process.ts';

const KEY = 'kq7Zt1vXw9Lr4Ns8Pd2Hf6Jb3Mc5Ty0GuEoIa';

let desk: Desk;
let running: Running | null = null;
beforeEach(() => {
  desk = createDesk();
});
afterEach(async () => {
  running?.child.kill('SIGKILL');
  await running?.ended;
  running = null;
  desk.remove();
});

const place = () => ({ cwd: desk.cwd, env: { HOME: desk.home } });
const run = (args: readonly string[], input?: string) => runGatehouse({ args, ...place() }, input);

/** Shape: what is printed of each file, by its path. */
async function printed(): Promise<Map<string, string>> {
  const { code, stdout, stderr } = await run(['--print-config-paths']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return new Map(
    [...stdout.matchAll(/^(\S.*?): (\/.*?)(?: {2}\((.+)\))?$/gm)].map(([, name, path, is]) => [
      path ?? '',
      `${name}: ${is ?? 'read'}`,
    ]),
  );
}

const onDisk = () =>
  readdirSync(desk.folder, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));

it('names every file that a gateway reads and writes, before there is any and after', async () => {
  desk.write('secrets/ci.key', `${KEY}\n`);
  desk.write('cwd/scopes.yml', SCOPES);
  desk.write('cwd/.mcp.json', { mcpServers: { off: { command: 'x', disabled: true } } });
  desk.write('cwd/gateway.config.yaml', {
    servers: { time: { builtin: 'currenttime' } },
    identity: { keys: [{ name: 'ci', key: `\${file:../secrets/ci.key}`, groups: ['team'] }] },
  });
  const before = await printed();
  for (const path of onDisk()) expect([path, before.has(path)]).toEqual([path, true]);
  const logs = join(desk.home, '.cache/agent-mcp-gateway/logs');
  expect(before.get(join(logs, 'audit.jsonl'))).toBe('audit ledger: does not exist yet');
  expect(before.get(join(desk.folder, 'secrets/ci.key'))).toBe('referred to: exists');

  expect(await run(['secret', 'set', 'github'], 'a secret\n')).toMatchObject({ code: 0 });
  expect(await run(['quarantine', 'add', 'server', 'other', '--reason', 'slow'])).toMatchObject({ code: 0 });
  running = startGatehouse({ args: ['serve', '--port', '0'], ...place() });
  const [, origin = ''] = await running.says(/(http:\/\/127\.0\.0\.1:\d+)\/mcp/);
  const post = async (path: string, body: object) => {
    const headers = { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' };
    const reply = await fetch(origin + path, { method: 'POST', headers, body: JSON.stringify(body) });
    expect([path, reply.status]).toEqual([path, 200]);
    return (await reply.json()) as { token_data: { jti: string } };
  };
  const { token_data: token } = await post('/api/tokens/generate', {});
  await post('/api/tokens/revoke', { jti: token.jti });
  // While it runs: what a database keeps beside itself is not tidied away yet.
  const left = onDisk();
  running.child.kill('SIGTERM');
  expect(await running.ended).toBe(0);

  const after = await printed();
  expect([...after.keys()]).toEqual([...before.keys()]);
  const unnamed = left.filter(
    path => ![...before.keys()].some(known => ['', '-wal', '-shm', '-journal'].some(ending => path === known + ending)),
  );
  expect(unnamed).toEqual([]);
  expect(left).toContain(join(logs, 'registry.db-wal'));
  expect(before.get(join(logs, 'registry.db-wal'))).toBe('registry log: does not exist yet');
  for (const name of [
    'audit ledger',
    'audit checkpoint',
    'registry',
    'token keys',
    'token revocations',
    'vault',
    'quarantine',
  ])
    expect([...after.values()]).toContain(`${name}: exists`);
}, 60_000);

it('names all that a backup needs: a copy of what is there starts elsewhere, after a kill too', async () => {
  desk.write('cwd/gateway.config.yaml', { servers: {}, outbound: { allow: ['127.0.0.1'] } });
  running = startGatehouse({ args: ['serve', '--port', '0'], ...place() });
  const [, origin = ''] = await running.says(/(http:\/\/127\.0\.0\.1:\d+)\/mcp/);
  const server = { name: 'Wiki', description: 'x', path: '/wiki', proxy_pass_url: 'http://127.0.0.1:18999/mcp' };
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify(server);
  const made = await fetch(`${origin}/api/servers/register`, { method: 'POST', headers, body });
  expect(made.status).toBe(201);
  // Of the same home, with a ledger of its own.
  const second = startGatehouse({ args: ['serve', '--port', '0'], ...place() });
  onTestFinished(() => void second.child.kill('SIGKILL'));
  const [, beside = ''] = await second.says(/(http:\/\/127\.0\.0\.1:\d+)\/mcp/);
  expect((await fetch(`${beside}/api/servers/wiki`)).status).toBe(200);
  for (const gateway of [running, second]) {
    gateway.child.kill('SIGKILL');
    await gateway.ended;
  }

  const files = [...(await printed()).keys()];
  const named = files.filter(path => existsSync(path));
  const logs = join(desk.home, '.cache/agent-mcp-gateway/logs');
  const ledgers = readdirSync(logs).filter(name => name.startsWith('audit') && !/\.(lock|index)/.test(name));
  expect(ledgers.filter(name => name.startsWith('audit-2'))).toHaveLength(3);
  expect(ledgers.filter(name => !named.includes(join(logs, name)))).toEqual([]);
  const other = createDesk();
  onTestFinished(() => other.remove());
  for (const path of named) {
    const to = join(other.folder, relative(desk.folder, path));
    mkdirSync(dirname(to), { recursive: true, mode: 0o700 });
    copyFileSync(path, to);
  }
  running = startGatehouse({ args: ['serve', '--port', '0'], cwd: other.cwd, env: { HOME: other.home } });
  const [, restored = ''] = await running.says(/(http:\/\/127\.0\.0\.1:\d+)\/mcp/);
  expect((await fetch(`${restored}/api/servers/wiki`)).status).toBe(200);
}, 60_000);

it('names what stands in the configuration only, and says of what is not there why', async () => {
  desk.write('cwd/keys/jwks.json', { keys: [{ kty: 'EC' }] });
  desk.write('cwd/tls/cert.pem', LOCALHOST_CERTIFICATE);
  desk.write('cwd/tls/key.pem', LOCALHOST_KEY);
  desk.write('cwd/gateway.config.yaml', {
    servers: {},
    listen: { tls: { cert: 'tls/cert.pem', key: 'tls/key.pem' } },
    identity: {
      publicUrl: 'https://gw.example.test',
      issuers: [{ issuer: 'https://id.example.test', audiences: ['a'], jwksFile: 'keys/jwks.json' }],
    },
    audit: { path: 'book/audit.jsonl', index: false },
    storage: { backend: 'memory' },
    search: { provider: 'transformers', modelFolder: 'models' },
  });
  const { stdout } = await run(['--print-config-paths']);
  for (const line of [
    `referred to: ${desk.cwd}/keys/jwks.json  (exists)`,
    `TLS certificate: ${desk.cwd}/tls/cert.pem  (exists)`,
    `TLS key: ${desk.cwd}/tls/key.pem  (exists)`,
    `search models: ${desk.cwd}/models  (does not exist yet)`,
    `search vectors: ${desk.cwd}/book/search-vectors.db  (does not exist yet)`,
    'registry: none  (it is kept in memory)',
  ])
    expect(stdout.split('\n')).toContain(line);
  expect(stdout).not.toContain('audit index');
});

it('says of a configuration with mistakes what can be said, and that there is more', async () => {
  desk.write('cwd/gateway.config.yaml', 'servers: {}\nlisen: {}\n');
  const { code, stdout, stderr } = await run(['--print-config-paths']);
  expect(code).toBe(0);
  expect(stdout).toContain(`configuration: ${desk.cwd}/gateway.config.yaml`);
  expect(stdout).toContain(`vault: ${desk.home}/.config/agent-mcp-gateway/vault.json  (does not exist yet)`);
  expect(stdout).not.toContain('audit ledger');
  expect(stderr).toMatch(/^Where the rest is cannot be said:\nThe configuration has one mistake:\n.*lisen/);
});
