import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { findFreePort } from '../support/free-port.ts';
import { type GatewayProcess, startGateway } from '../support/gateway-process.ts';
import { CALLERS, openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';
import { runGatehouse } from './gatehouse-process.ts';

let gateway: RegistryGateway;
let cwd: string;
beforeAll(async () => {
  gateway = await openRegistryGateway();
  cwd = mkdtempSync(join(tmpdir(), 'gatehouse-self-test-'));
  writeFileSync(join(cwd, 'key.txt'), CALLERS.user);
  writeFileSync(join(cwd, 'wrong.txt'), 'x'.repeat(40));
  const part = (value: JsonObject) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const over = [part({ alg: 'ES256' }), part({ exp: 1_700_000_000 }), 'c2ln'].join('.');
  writeFileSync(join(cwd, 'over.json'), JSON.stringify({ access_token: over }));
  for (const name of ['alpha', 'beta', 'gamma', 'delta'])
    await gateway.post('/api/servers/register', 'admin', {
      ...{ name, description: `Does ${name}`, path: `/team/${name}`, proxy_pass_url: gateway.ofFile.url },
    });
});
afterAll(async () => {
  await gateway.remove();
  rmSync(cwd, { recursive: true, force: true });
});

const test = (url: string, ...args: string[]) =>
  runGatehouse({ args: ['test-registry-api', '--url', url, ...args], cwd });
const linesOf = (stdout: string) => stdout.trimEnd().split('\n');

it('passes at a gateway, a line for every check and the totals', async () => {
  const { code, stdout, stderr } = await test(gateway.origin(), '--token-file', 'key.txt');
  expect([code, stderr]).toEqual([0, '']);
  const lines = linesOf(stdout);
  expect(lines.at(-1)).toBe(`${lines.length - 1} passed, 0 failed, 0 skipped`);
  expect(lines.slice(0, -1).every(line => line.startsWith('pass  '))).toBe(true);
  // For a pipe, no colour.
  expect(stdout).not.toContain('\u001b');
});

it.each(['list-servers', 'get-server'])('checks %s alone', async part => {
  const { code, stdout } = await test(gateway.origin(), '--token-file', 'key.txt', '--test', part);
  expect(code).toBe(0);
  const checks = linesOf(stdout).slice(0, -1);
  expect(checks.length).toBeGreaterThan(4);
  expect(checks.every(line => line.startsWith(`pass  ${part}: `))).toBe(true);
});

it('skips what a gateway without credentials cannot show', async () => {
  const open: GatewayProcess = await startGateway({ servers: { one: { url: gateway.ofFile.url } } });
  onTestFinished(() => open.stop());
  const { code, stdout } = await test(open.origin);
  expect(code).toBe(0);
  expect(stdout).toContain('skip  list-servers: asks for a credential where none is shown: this gateway needs none');
});

it('fails where there is nothing to read', async () => {
  writeFileSync(join(cwd, 'stranger.txt'), CALLERS.stranger);
  const { code, stdout } = await test(gateway.origin(), '--token-file', 'stranger.txt');
  expect(code).toBe(1);
  expect(stdout).toContain('the list is empty: register a server, or show a credential that sees one');
});

it.each([
  {
    because: 'a credential that is not good',
    args: ['--token-file', 'wrong.txt'],
    code: 1,
    says: 'does not accept the credential from --token-file wrong.txt (401)',
  },
  {
    because: 'a token that is over',
    args: ['--token-file', 'over.json'],
    code: 1,
    says: 'It expired at 2023-11-14T22:13:20.000Z: get another one',
  },
  { because: 'no credential', args: [], code: 1, says: 'wants a credential and none was shown (401)' },
  { because: 'a file that is not there', args: ['--token-file', 'none.txt'], code: 2, says: 'none.txt cannot be read' },
  {
    because: 'a check that is not there',
    args: ['--test', 'everything'],
    code: 2,
    says: 'Allowed choices are list-servers, get-server, all',
  },
])('says what is wrong, and checks nothing: $because', async ({ args, code, says }) => {
  const ran = await test(gateway.origin(), ...args);
  expect(ran).toMatchObject({ code, stdout: '' });
  expect(ran.stderr).toContain(says);
});

it('says that nobody answers', async () => {
  const url = `http://127.0.0.1:${await findFreePort()}`;
  expect(await test(url)).toMatchObject({
    code: 1,
    stdout: '',
    stderr: expect.stringContaining(`no gateway answers at ${url}`),
  });
});

it('has help with examples', async () => {
  const { code, stdout } = await runGatehouse({ args: ['test-registry-api', '--help'], cwd });
  expect(code).toBe(0);
  expect(stdout).toContain('Examples:\n  gatehouse test-registry-api --token-file key.txt');
});

/** What a right registry would answer, before something is wrong with it. */
const entry = (name: string): JsonObject => ({
  server: { name: `org.example/${name}`, description: 'Does things', version: '1.0.0' },
  _meta: {},
});
const page = (names: string[], nextCursor: string | null, count = names.length): JsonObject => ({
  servers: names.map(entry),
  metadata: { nextCursor, count },
});
type Answer = { status: number; body: JsonObject };

function right(url: URL): Answer {
  const [, name, version] = /^\/v0\.1\/servers\/([^/]+)\/versions(?:\/(.+))?$/.exec(url.pathname) ?? [];
  if (name === undefined) {
    const limit = Number(url.searchParams.get('limit') ?? 100);
    if (!(limit >= 1 && limit <= 1000)) return { status: 400, body: {} };
    const names = ['a', 'b', 'c'].filter(known => `org.example/${known}` > (url.searchParams.get('cursor') ?? ''));
    const shown = names.slice(0, limit);
    return { status: 200, body: page(shown, names.length > limit ? `org.example/${shown.at(-1)}` : null) };
  }
  const known = ['a', 'b', 'c'].find(own => `org.example/${own}` === decodeURIComponent(name));
  if (known === undefined) return { status: 404, body: {} };
  if (version === undefined) return { status: 200, body: page([known], null) };
  return ['latest', '1.0.0'].includes(version) ? { status: 200, body: entry(known) } : { status: 404, body: {} };
}

async function startRegistry(answer: (url: URL) => Answer): Promise<string> {
  const server: Server = createServer((req, res) => {
    const { status, body } = answer(new URL(req.url ?? '/', 'http://registry.test'));
    res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it('passes at another registry that is right', async () => {
  expect(await test(await startRegistry(right))).toMatchObject({
    code: 0,
    stdout: expect.stringContaining(' 0 failed'),
  });
});

const isPage = (url: URL) => url.pathname === '/v0.1/servers' && url.searchParams.get('limit') === '1';
it.each<{ says: string; wrong: (url: URL) => Answer | null }>([
  {
    says: 'org.example/a 1.0.0 comes twice',
    wrong: url =>
      isPage(url) && url.searchParams.get('cursor') === 'org.example/b'
        ? { status: 200, body: page(['a'], null) }
        : null,
  },
  {
    says: 'leads back to where it came from',
    wrong: url => (isPage(url) ? { status: 200, body: page(['a'], 'again') } : null),
  },
  { says: 'is on no small page', wrong: url => (isPage(url) ? { status: 200, body: page(['a'], null) } : null) },
  { says: 'metadata.count says 7', wrong: url => (isPage(url) ? { status: 200, body: page(['a'], null, 7) } : null) },
  {
    says: 'refuses limit=1001: was answered with 200',
    wrong: url => (url.searchParams.get('limit') === '1001' ? { status: 200, body: page([], null) } : null),
  },
  {
    says: 'was answered with 403, not 404',
    wrong: url => (url.pathname.includes('elsewhere') ? { status: 403, body: {} } : null),
  },
  {
    says: 'server.version: ',
    wrong: url =>
      url.pathname.endsWith('/latest') && url.pathname.includes('example%2Fa')
        ? { status: 200, body: { server: { name: 'org.example/a', description: 'x' }, _meta: {} } }
        : null,
  },
  {
    says: 'is about org.example/b, not org.example/a',
    wrong: url => (url.pathname.endsWith('/1.0.0') ? { status: 200, body: entry('b') } : null),
  },
  {
    says: 'was answered with 500, not 200',
    wrong: url => (url.pathname.endsWith('/versions') ? { status: 500, body: {} } : null),
  },
])('finds a registry out: $says', async ({ says, wrong }) => {
  const { code, stdout } = await test(await startRegistry(url => wrong(url) ?? right(url)));
  expect(code).toBe(1);
  expect(linesOf(stdout).some(line => line.startsWith('FAIL  ') && line.includes(says))).toBe(true);
  expect(stdout).not.toMatch(/ 0 failed/);
});
