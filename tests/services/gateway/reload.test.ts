import { describe, expect, test } from 'vitest';
import { createReload, type Loaded } from '../../../src/services/gateway/reload.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { createKeptLog, settle } from '../../support/staircase.ts';

type Config = { name: string };
const good = (name: string): Loaded<Config> => ({ ok: true, config: { name }, warnings: [] });
const bad = (...problems: string[]): Loaded<Config> => ({ ok: false, problems });

function desk() {
  const clock = createFrozenClock(Date.UTC(2026, 10, 21));
  const log = createKeptLog();
  const applied: string[] = [];
  const loads: ((loaded: Loaded<Config> | Promise<Loaded<Config>>) => void)[] = [];
  let applyThrows = false;
  const reload = createReload<Config>({
    load: () => new Promise(resolve => void loads.push(resolve)),
    async apply({ name }) {
      if (applyThrows) throw new Error('cannot apply');
      applied.push(name);
      return { added: [name], removed: [], updated: [], unchanged: [] };
    },
    clock,
    log,
  });
  return { clock, log, applied, loads, reload, breakApply: () => (applyThrows = true) };
}

const statusOf = (reload: ReturnType<typeof desk>['reload']) => reload.status().mcp_config;

describe('a reload', () => {
  test('puts a good configuration in force and counts it', async () => {
    const { clock, applied, loads, reload } = desk();
    const done = reload.now();
    clock.advance(1_000);
    loads[0]?.(good('next'));
    expect(await done).toEqual({ ok: true, problems: [], warnings: [] });
    expect(applied).toEqual(['next']);
    expect(statusOf(reload)).toEqual({
      last_attempt: '2026-11-21T00:00:00.000Z',
      last_success: '2026-11-21T00:00:01.000Z',
      last_error: null,
      attempt_count: 1,
      success_count: 1,
    });
  });

  test('of a bad configuration applies nothing, keeps every problem, and the next good one clears them', async () => {
    const { applied, loads, reload } = desk();
    const first = reload.now();
    loads[0]?.(bad('one', 'two'));
    expect(await first).toMatchObject({ ok: false, problems: ['one', 'two'] });
    expect([applied, statusOf(reload)]).toMatchObject([
      [],
      { last_error: 'one\ntwo', attempt_count: 1, success_count: 0, last_success: null },
    ]);
    const second = reload.now();
    loads[1]?.(good('fixed'));
    await second;
    expect(statusOf(reload)).toMatchObject({ last_error: null, attempt_count: 2, success_count: 1 });
  });

  test('whose reading breaks is a bad one', async () => {
    const { loads, reload } = desk();
    const done = reload.now();
    loads[0]?.(Promise.reject(new Error('disk gone')));
    expect(await done).toEqual({ ok: false, problems: ['disk gone'], warnings: [] });
  });

  test('whose application breaks is a bad one, and the next is tried all the same', async () => {
    const { loads, reload, breakApply } = desk();
    breakApply();
    const first = reload.now();
    const second = reload.now();
    loads[0]?.(good('a'));
    expect(await first).toMatchObject({ ok: false, problems: ['cannot apply'] });
    expect(statusOf(reload)).toMatchObject({ last_error: 'cannot apply', success_count: 0 });
    await settle();
    loads[1]?.(bad('still'));
    expect(await second).toMatchObject({ ok: false, problems: ['still'] });
  });

  test('asked for during another runs once more afterwards, shared by all who asked', async () => {
    const { applied, loads, reload } = desk();
    const first = reload.now();
    const others = [reload.now(), reload.now(), reload.now()];
    expect(loads).toHaveLength(1);
    loads[0]?.(good('old'));
    await first;
    await settle();
    expect(loads).toHaveLength(2);
    loads[1]?.(good('new'));
    await Promise.all(others);
    expect(applied).toEqual(['old', 'new']);
    expect(statusOf(reload)).toMatchObject({ attempt_count: 2 });
  });
});

test('before the first reload everything is null and nothing was counted', () => {
  expect(desk().reload.status()).toEqual({
    mcp_config: { last_attempt: null, last_success: null, last_error: null, attempt_count: 0, success_count: 0 },
    gateway_rules: {
      last_attempt: null,
      last_success: null,
      last_error: null,
      attempt_count: 0,
      success_count: 0,
      last_warnings: [],
    },
  });
});

test('warnings of a good configuration are logged as such and kept with the rules', async () => {
  const { log, loads, reload } = desk();
  const done = reload.now();
  loads[0]?.({ ok: true, config: { name: 'a' }, warnings: ['mind this'] });
  await done;
  expect(log.lines).toMatchObject([{ level: 'warn', message: '[HOT RELOAD] done' }]);
  expect(reload.status()).toMatchObject({ gateway_rules: { last_warnings: ['mind this'] } });
});
