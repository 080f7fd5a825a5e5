import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { CALLERS, type Caller, openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';
import { runGatehouse } from './gatehouse-process.ts';

let gateway: RegistryGateway;
let cwd: string;
beforeAll(async () => {
  gateway = await openRegistryGateway();
  cwd = mkdtempSync(join(tmpdir(), 'gatehouse-servers-'));
});
afterAll(async () => {
  await gateway.remove();
  rmSync(cwd, { recursive: true, force: true });
});

/** An address where nobody listens. */
let nobody: string;
beforeAll(async () => {
  const closed = createServer();
  await new Promise<void>(resolve => void closed.listen(0, '127.0.0.1', resolve));
  nobody = `http://127.0.0.1:${(closed.address() as AddressInfo).port}/mcp`;
  await new Promise(resolve => closed.close(resolve));
});

const run = (caller: Caller, ...args: string[]) =>
  runGatehouse({ args, cwd, env: { GATEWAY_URL: gateway.origin(), GATEWAY_TOKEN: CALLERS[caller] } });

it('registers a file, lists, shows, switches and removes it, each with its exit code', async () => {
  const wish = {
    name: 'Clock',
    description: 'Tells the time',
    path: '/team/clock',
    proxy_pass_url: gateway.ofFile.url,
  };
  writeFileSync(join(cwd, 'clock.json'), JSON.stringify(wish));
  expect(await run('developer', 'server', 'add', 'clock.json')).toMatchObject({ code: 0 });
  expect(await run('developer', 'server', 'add', 'clock.json')).toMatchObject({
    ...{ code: 1, stderr: expect.stringContaining('409') },
  });
  writeFileSync(join(cwd, 'kept.json'), JSON.stringify({ ...wish, path: '/mcpgw' }));
  expect(await run('admin', 'server', 'add', 'kept.json')).toMatchObject({
    ...{ code: 1, stderr: expect.stringContaining("is kept for the registry's own tools") },
  });
  expect(await run('user', 'service', 'list')).toMatchObject({
    ...{ code: 0, stdout: expect.stringMatching(/^\/everyday .*\n\/team\/clock .*Tells the time\n$/) },
  });
  expect(await run('user', 'server', 'disable', '/team/clock')).toMatchObject({ code: 1 });
  expect(await run('operator', 'server', 'disable', '/team/clock')).toMatchObject({ code: 0 });
  const shown = await run('user', 'server', 'show', '/team/clock');
  expect(JSON.parse(shown.stdout)).toMatchObject({ path: '/team/clock', is_enabled: false });
  expect(await run('admin', 'service', 'delete', '/team/clock')).toMatchObject({ code: 0 });
  expect(await run('user', 'server', 'show', '/team/clock')).toMatchObject({ code: 1 });
});

it('refreshes a server, and ends with 1 where that does not answer', async () => {
  expect(await run('admin', 'server', 'refresh', '/everyday')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^healthy, \d+ tools/),
  });
  const wish = { name: 'Dead', description: 'dead', path: '/dead', proxy_pass_url: nobody };
  expect((await gateway.post('/api/servers/register', 'admin', wish)).status).toBe(201);
  expect(await run('admin', 'server', 'refresh', '/dead')).toMatchObject({
    code: 1,
    stdout: expect.stringMatching(/^unhealthy/),
  });
});

it('a server keeps its path: saying another is refused, and the same is not', async () => {
  for (const method of ['PUT', 'PATCH']) {
    const wish = { name: 'Dead', description: 'dead', proxy_pass_url: nobody };
    const other = await gateway.send(method, '/api/servers/dead', 'admin', { ...wish, path: '/elsewhere' });
    expect([method, other.status, other.body.detail]).toEqual([method, 400, expect.stringContaining('keeps its path')]);
    const same = await gateway.send(method, '/api/servers/dead', 'admin', { ...wish, path: '/dead' });
    expect([method, same.status]).toEqual([method, 200]);
  }
});

it('says so where something answers that is no gateway', async () => {
  const other = createServer(
    (_req, res) => void res.writeHead(404, { 'content-type': 'text/html' }).end('<h1>Not here</h1>'),
  );
  await new Promise<void>(resolve => void other.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  const said = await runGatehouse({ args: ['server', 'list', '--url', url], cwd, env: {} });
  expect([said.code, said.stderr]).toEqual([
    1,
    expect.stringContaining(`${url} does not answer as a gateway does (404)`),
  ]);
  other.close();
});

it('says what is wrong with a file before anything is asked', async () => {
  writeFileSync(join(cwd, 'odd.json'), '[]');
  for (const file of ['odd.json', 'missing.json'])
    expect(await run('admin', 'server', 'add', file)).toMatchObject({ code: 2, stderr: expect.stringContaining(file) });
});
