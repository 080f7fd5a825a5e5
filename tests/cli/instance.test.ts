import { randomUUID } from 'node:crypto';
import { expect, test, vi } from 'vitest';
import { createInstance } from '../../src/app/instance.ts';
import { isGatewayId } from '../../src/domain/gateway-path.ts';
import type { Downstreams } from '../../src/ports/downstreams.ts';
import { createKeptLog } from '../support/staircase.ts';

const NAME = 'GATEHOUSE_LAUNCHERS';
const FILES = { config: '/etc/gateway.config.yaml', servers: null };

function launch(env: Readonly<Record<string, string | undefined>>, files = FILES, servesStdio = true, alike = 0) {
  const log = createKeptLog();
  const start = vi.fn<Downstreams['start']>();
  const instance = createInstance({ env, files, servesStdio, version: '1', log, countAncestors: () => alike });
  instance.startServers({ start } as Partial<Downstreams> as Downstreams);
  return { ...instance, hasStarted: start.mock.calls.length === 1, warnings: log.lines.length };
}

test('each process has an id of its own, and its servers start', () => {
  const [one, other] = [launch({}), launch({})];
  expect(isGatewayId(one.id)).toBe(true);
  expect(one.id).not.toBe(other.id);
  expect(one).toMatchObject({ hasStarted: true, warnings: 0, clientInfo: { name: 'mcp-gatehouse', version: '1' } });
});

test('one that was launched by a gateway of the same files is that gateway, however many are in between', () => {
  const first = launch({ PATH: '/bin' });
  expect(first.childEnv.PATH).toBe('/bin');
  const between = launch(first.childEnv, { ...FILES, config: '/etc/other.yaml' });
  expect(between).toMatchObject({ hasStarted: true, warnings: 0 });
  expect(between.id).not.toBe(first.id);
  expect(launch(between.childEnv)).toMatchObject({ id: first.id, hasStarted: false, warnings: 1 });
});

test('one that is not asked over stdio starts its servers, whoever launched it', () => {
  const first = launch({});
  expect(launch(first.childEnv, FILES, false)).toMatchObject({ id: first.id, hasStarted: true });
});

test.each(['', ',', '=', 'x', `${'0'.repeat(64)}=x`, '='.repeat(100_000), ',='.repeat(100_000), `=${randomUUID()}`])(
  'whatever else stands in the variable is passed over (%#)',
  text => {
    const instance = launch({ [NAME]: text });
    expect(isGatewayId(instance.id)).toBe(true);
    expect(instance.hasStarted).toBe(true);
    expect(instance.childEnv[NAME]?.length).toBeLessThan(500);
  },
);

test('a chain of launches does not grow its environment without end', () => {
  let env: Readonly<Record<string, string | undefined>> = {};
  for (let place = 0; place < 100; place++) env = launch(env, { ...FILES, config: `/etc/${place}.yaml` }).childEnv;
  expect(env[NAME]?.split(',')).toHaveLength(17);
});

test('a chain of launches that hand on no environment ends', () => {
  expect(launch({}, FILES, true, 3)).toMatchObject({ hasStarted: true, warnings: 0 });
  expect(launch({}, FILES, true, 4)).toMatchObject({ hasStarted: false, warnings: 1 });
  expect(launch({}, FILES, false, 4)).toMatchObject({ hasStarted: true });
});
