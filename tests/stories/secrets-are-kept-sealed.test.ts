/**
 * Secrets that an operator keeps in the vault: used wherever a configuration may refer to one, in clear text in no file
 * and no log, taken up when they change, and out of reach for a gateway with another key.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { runGatehouse } from '../e2e/gatehouse-process.ts';
import { startRecorded } from '../support/downstreams/recorded.ts';
import { stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { openLegacy } from '../support/mcp-client.ts';
import { randomSecret } from '../support/token-issuer.ts';

let home: string;
let env: Record<string, string>;
let gateway: GatewayProcess | null;
const closing: (() => Promise<void>)[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'gatehouse-kept-'));
  env = { GATEWAY_VAULT: join(home, 'vault.json') };
  gateway = null;
});
afterEach(async () => {
  gateway?.discard();
  for (const close of closing.splice(0)) await close();
  rmSync(home, { recursive: true, force: true });
});

const run = (args: string[], input = '') => runGatehouse({ args, cwd: home, env }, input);
const keep = async (name: string, value: string) => {
  const said = await run(['secret', 'set', name], `${value}\n`);
  expect(said).toMatchObject({ code: 0, stderr: '' });
  expect(said.stdout).not.toContain(value);
};
const vaulted = (name: string) => `\${vault:${name}}`;
const filesOf = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(name => join(folder, name))
    .filter(path => statSync(path).isFile());

test('a secret reaches the servers and callers it is for, and stands in clear text nowhere', async () => {
  const server = await startRecorded({ transport: 'http', era: 'legacy' });
  closing.push(() => server.close());
  const values = { header: randomSecret(), credential: randomSecret(), child: randomSecret(), key: randomSecret() };
  for (const [name, value] of Object.entries(values)) await keep(name, value);
  gateway = await startGateway({
    env: { ...env, GATEWAY_AUDIT_LOG: join(home, 'audit.jsonl') },
    settings: {
      log: { level: 'debug' },
      identity: { keys: [{ name: 'ci', key: vaulted('key') }] },
      policy: { keyHolder: {} },
      servers: {
        plain: { url: server.url, headers: { 'x-api-key': vaulted('header') } },
        signed: { url: server.url, auth: { scheme: 'bearer', credential: vaulted('credential') } },
        child: { ...stdioScripted(), env: { CHILD_SECRET: vaulted('child') } },
      },
    },
  });
  const { origin } = gateway;
  await waitFor(() => (server.of('initialize').length >= 2 ? true : null), 'both servers are connected');
  const seen = server.of('initialize').map(({ headers }) => headers['x-api-key'] ?? headers.authorization);
  expect(seen).toEqual(expect.arrayContaining([values.header, `Bearer ${values.credential}`]));
  await expect(openLegacy(origin)).rejects.toThrow();
  const client = await openLegacy(origin, { headers: { authorization: `Bearer ${values.key}` } });
  await client.request('tools/list', {});
  const child = gateway.offspring();
  expect(child.length).toBeGreaterThan(0);
  expect(
    child.some(({ pid }) => readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`CHILD_SECRET=${values.child}`)),
  ).toBe(true);

  const everything = [gateway.stderr(), ...filesOf(home).map(path => readFileSync(path, 'latin1'))].join('\n');
  expect(everything).toContain('"check"');
  for (const value of Object.values(values)) {
    expect(everything).not.toContain(value);
    expect(everything).not.toContain(Buffer.from(value).toString('base64').slice(2, -4));
  }
}, 60_000);

test('a secret that changes is in force without a restart', async () => {
  const server = await startRecorded({ transport: 'http', era: 'legacy' });
  closing.push(() => server.close());
  await keep('token', 'first');
  gateway = await startGateway({
    env: { ...env, GATEWAY_LOG_LEVEL: 'info' },
    settings: { servers: { it: { url: server.url, headers: { 'x-api-key': vaulted('token') } } } },
  });
  const keys = () => new Set(server.seen.map(({ headers }) => headers['x-api-key']));
  await waitFor(() => (keys().has('first') ? true : null), 'the server is connected');
  await keep('token', 'second');
  await waitFor(() => (keys().has('second') ? true : null), 'the new secret is used');

  // Without it nothing can be said to the server, so what was in force stays, and the log says why.
  expect((await run(['secret', 'remove', 'token'])).code).toBe(0);
  const { stderr } = gateway;
  await waitFor(() => (stderr().includes('vault holds no secret token') ? true : null), 'it is said');
}, 60_000);

test.each([
  { key: 'b'.repeat(64), because: 'the key does not open the vault' },
  { key: 'a password', because: 'a key must be 32 bytes in base64 or hexadecimal' },
])('a start with a wrong key is refused, though nothing refers to the vault: $because', async ({ key, because }) => {
  env.GATEWAY_VAULT_KEY = 'a'.repeat(64);
  await keep('token', 'first');
  const before = readFileSync(env.GATEWAY_VAULT ?? '', 'utf8');
  env.GATEWAY_VAULT_KEY = key;
  writeFileSync(join(home, '.mcp.json'), JSON.stringify({ mcpServers: { it: { url: 'http://127.0.0.1:9/mcp' } } }));
  const said = await run(['serve']);
  expect(said.code).toBe(1);
  expect(said.stderr).toContain(`the vault cannot be opened: ${because}`);
  expect(said.stderr).not.toContain(key);
  expect(readFileSync(env.GATEWAY_VAULT ?? '', 'utf8')).toBe(before);
});

test('a value on the command line is refused and not repeated', async () => {
  const said = await run(['secret', 'set', 'token', 'hunter2']);
  expect(said.code).toBe(2);
  expect(said.stdout + said.stderr).not.toContain('hunter2');
  expect(readdirSync(home)).toEqual([]);
});
