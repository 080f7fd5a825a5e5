import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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

it('says what is wrong with a file before anything is asked', async () => {
  writeFileSync(join(cwd, 'odd.json'), '[]');
  for (const file of ['odd.json', 'missing.json'])
    expect(await run('admin', 'server', 'add', file)).toMatchObject({ code: 2, stderr: expect.stringContaining(file) });
});
