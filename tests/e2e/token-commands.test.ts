import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, test } from 'vitest';
import { resultOf } from '../support/mcp-client.ts';
import { KEYS, openVendingGateway, type VendingGateway } from '../support/vending-gateway.ts';
import { runGatehouse } from './gatehouse-process.ts';

let gateway: VendingGateway;
let cwd: string;
beforeAll(async () => {
  gateway = await openVendingGateway({ tokens: { perHour: 100 } });
});
afterAll(() => gateway.remove());
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), 'gatehouse-tokens-'));
});
afterEach(() => rmSync(cwd, { recursive: true, force: true }));

const run = (env: Record<string, string>, ...args: string[]) =>
  runGatehouse({ args: ['token', ...args], cwd, env: { GATEWAY_URL: gateway.origin(), ...env } });

async function toolsWith(token: string): Promise<string[]> {
  const client = await gateway.open('modern', token);
  const tools = resultOf(await client.request('tools/list')).tools as { name: string }[];
  await client.close();
  return tools.map(({ name }) => name);
}

it('writes a token alone to stdout, good for what was asked', async () => {
  writeFileSync(join(cwd, 'key.txt'), `${KEYS.ci}\n`);
  const args = ['generate', '--token-file', 'key.txt', '--scopes', 'echo-only', '--hours', '2'];
  const { code, stdout, stderr } = await run({}, ...args);
  expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(/^\S+ is good until 20\S+Z\.\n$/) });
  expect(stdout.trim().split('\n')).toHaveLength(1);
  expect(await toolsWith(stdout.trim())).toContain('alpha__echo');
});

it('writes the token of an agent for its owner alone, replaces it whole, and it works', async () => {
  const refresh = () => run({ GATEWAY_TOKEN: KEYS.ci }, 'refresh', '--agent-id', 'builder', '--out', 'tokens');
  expect(await refresh()).toMatchObject({ code: 0 });
  const path = join(cwd, 'tokens', 'agent-builder-m2m-token.json');
  const first = JSON.parse(readFileSync(path, 'utf8'));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(cwd, 'tokens')).mode & 0o777).toBe(0o700);
  expect(first).toMatchObject({ agent_id: 'builder', token_type: 'Bearer', gateway_url: `${gateway.origin()}/mcp` });
  expect(first.expires_at - first.issued_at).toBe(first.expires_in);

  await refresh();
  const second = JSON.parse(readFileSync(path, 'utf8'));
  expect(second.jti).not.toBe(first.jti);
  expect(readdirSync(join(cwd, 'tokens'))).toEqual(['agent-builder-m2m-token.json']);
  expect(await toolsWith(second.access_token)).toContain('alpha__echo');
});

it('takes a token back, and what it wrote serves as the credential for that', async () => {
  await run({ GATEWAY_TOKEN: KEYS.ci }, 'refresh', '--agent-id', 'builder');
  const file = 'agent-builder-m2m-token.json';
  const { jti, access_token: token } = JSON.parse(readFileSync(join(cwd, file), 'utf8'));
  expect(await run({}, 'revoke', jti, '--token-file', file)).toMatchObject({ code: 0, stderr: '' });
  expect((await gateway.post('/mcp', token, {})).status).toBe(401);
});

it('writes no token of another agent, and leaves none alive', async () => {
  const said = await run({ GATEWAY_TOKEN: KEYS.ci }, 'refresh', '--agent-id', 'tester');
  expect(said).toMatchObject({ code: 1, stdout: '' });
  expect(said.stderr).toContain("this credential is the agent builder's, not tester's");
  expect(readdirSync(cwd)).toEqual([]);
  const operations = gateway.book().map(({ operation }) => operation);
  expect(operations.slice(-2)).toEqual(['tokens/generate', 'tokens/revoke']);
});

test.each([
  { env: {}, args: ['generate'], code: 1, says: 'wants a credential and none was shown (401)' },
  { env: { GATEWAY_TOKEN: 'nobody-knows-this-one' }, args: ['generate'], code: 1, says: 'from GATEWAY_TOKEN (401)' },
  { env: { GATEWAY_TOKEN: KEYS.lob }, args: ['generate'], code: 1, says: 'may not have tokens. (403)' },
  {
    ...{ env: { GATEWAY_TOKEN: KEYS.ci }, args: ['generate', '--scopes', 'admins'], code: 1 },
    says: 'Requested scopes exceed the scopes of the caller. (403)',
  },
  { env: { GATEWAY_TOKEN: KEYS.ci }, args: ['revoke', 'nonsense'], code: 1, says: 'jti: not the id of a token' },
  { env: {}, args: ['generate', '--hours', '25'], code: 2, says: 'whole number from 1 to 24' },
  { env: {}, args: ['generate', '--token-file', 'absent'], code: 2, says: 'absent cannot be read: it does not exist' },
  { env: {}, args: ['refresh', '--agent-id', '../x'], code: 2, says: 'agent ids hold letters' },
  { env: {}, args: ['refresh'], code: 2, says: '--agent-id' },
  { env: { GATEWAY_URL: 'http://127.0.0.1:1' }, args: ['generate'], code: 1, says: 'Start one with "gatehouse serve"' },
  { env: { GATEWAY_URL: 'ftp://x' }, args: ['generate'], code: 2, says: 'must be an address such as' },
  { env: { GATEWAY_URL: 'http://a:b@127.0.0.1:1' }, args: ['generate'], code: 2, says: 'must be an address such as' },
  {
    ...{ env: { GATEWAY_URL: 'http://gateway.invalid', GATEWAY_TOKEN: KEYS.ci }, args: ['generate'], code: 2 },
    says: 'the credential from GATEWAY_TOKEN was not sent',
  },
  { env: { GATEWAY_TOKEN: 'two words' }, args: ['generate'], code: 2, says: 'characters that no token has' },
])('exit $code: $says', async ({ env, args, code, says }) => {
  const said = await run(env as Record<string, string>, ...args);
  expect(said).toMatchObject({ code, stdout: '' });
  expect(said.stderr).toContain(says);
  for (const secret of Object.values(KEYS)) expect(said.stderr).not.toContain(secret);
});

it('takes the address of the MCP door for the address of the gateway', async () => {
  const said = await run({ GATEWAY_TOKEN: KEYS.ci, GATEWAY_URL: `${gateway.origin()}/mcp` }, 'generate', '--json');
  expect(said.code).toBe(0);
  expect(JSON.parse(said.stdout)).toMatchObject({ success: true, token_data: { agent: 'builder' } });
});

it('follows no redirect with its credential, and lets no answer steer the terminal', async () => {
  const seen: (string | undefined)[] = [];
  const trap = createServer((req, res) => {
    seen.push(req.url);
    if (req.url === '/stolen') return void res.end('{}');
    const detail = JSON.stringify({ detail: 'go\u001b[2Jaway' });
    res.writeHead(307, { location: '/stolen', 'content-type': 'application/json' }).end(detail);
  }).listen(0, '127.0.0.1');
  await new Promise(resolve => trap.once('listening', resolve));
  const url = `http://127.0.0.1:${(trap.address() as AddressInfo).port}`;
  const said = await run({ GATEWAY_URL: url, GATEWAY_TOKEN: KEYS.ci }, 'generate');
  trap.close();
  expect(said).toMatchObject({ code: 1, stdout: '', stderr: 'error: go?[2Jaway (307)\n' });
  expect(seen).toEqual(['/api/tokens/generate']);
});

it('leaves the file that is there when the folder cannot be written to', async () => {
  mkdirSync(join(cwd, 'tokens'));
  // A folder in its place cannot be replaced by a file, whoever runs this.
  mkdirSync(join(cwd, 'tokens', 'agent-builder-m2m-token.json'));
  const said = await run({ GATEWAY_TOKEN: KEYS.ci }, 'refresh', '--agent-id', 'builder', '--out', 'tokens');
  expect(said).toMatchObject({ code: 1, stdout: '' });
  expect(said.stderr).toMatch(/^error: E\w+/);
  expect(readdirSync(join(cwd, 'tokens'))).toEqual(['agent-builder-m2m-token.json']);
});
