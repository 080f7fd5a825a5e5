import { expect, test } from 'vitest';
import { createBackoff } from '../../../src/outbound/downstream/backoff.ts';
import { createBreaker } from '../../../src/outbound/downstream/breaker.ts';
import { createRetryBudget } from '../../../src/outbound/downstream/retry-budget.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';

function makeBreaker() {
  const clock = createFrozenClock();
  const probes: number[] = [];
  let opened = 0;
  const breaker = createBreaker({
    failures: 5,
    baseMs: 1000,
    maxMs: 30_000,
    clock,
    opened: () => {
      opened += 1;
    },
    probe: () => probes.push(clock.monotonicMs()),
  });
  return { breaker, clock, probes, opened: () => opened };
}

test('opens at the fifth failure in a row and not before', () => {
  const { breaker, opened } = makeBreaker();
  for (let i = 0; i < 4; i += 1) breaker.failed(null);
  expect(breaker.state).toBe('closed');
  breaker.succeeded();
  for (let i = 0; i < 4; i += 1) breaker.failed(null);
  expect(breaker.state).toBe('closed');
  breaker.failed(null);
  expect(breaker.state).toBe('open');
  expect(opened()).toBe(1);
});

test('probes once per wait, the waits doubling up to their limit', () => {
  const { breaker, clock, probes, opened } = makeBreaker();
  for (let i = 0; i < 5; i += 1) breaker.failed(null);
  const waits: number[] = [];
  for (let round = 0; round < 9; round += 1) {
    const before = clock.monotonicMs();
    const seen = probes.length;
    while (probes.length === seen) clock.advance(50);
    waits.push(clock.monotonicMs() - before);
    expect(breaker.state).toBe('half-open');
    clock.advance(60_000);
    expect(probes).toHaveLength(round + 1);
    breaker.failed(null);
  }
  waits.forEach((wait, round) => {
    const middle = Math.min(1000 * 2 ** round, 30_000);
    expect(wait).toBeGreaterThanOrEqual(middle * 0.5);
    expect(wait).toBeLessThanOrEqual(middle * 1.5 + 50);
  });
  expect(opened()).toBe(1);
});

test('waits at least as long as the server asked', () => {
  const { breaker, clock, probes } = makeBreaker();
  for (let i = 0; i < 5; i += 1) breaker.failed(20_000);
  clock.advance(19_900);
  expect(probes).toEqual([]);
  expect(breaker.retryAfterMs).toBeGreaterThan(0);
  clock.advance(200);
  expect(probes).toHaveLength(1);
});

test('closed by its probe, it is on its guard until a call has succeeded', () => {
  const { breaker, clock } = makeBreaker();
  for (let i = 0; i < 5; i += 1) breaker.failed(null);
  clock.advance(2000);
  breaker.recovered();
  expect(breaker.state).toBe('closed');
  breaker.failed(null);
  expect(breaker.state).toBe('open');
  clock.advance(5000);
  breaker.recovered();
  breaker.succeeded();
  for (let i = 0; i < 4; i += 1) breaker.failed(null);
  expect(breaker.state).toBe('closed');
});

test('many that fall together do not return together', () => {
  const waits = Array.from({ length: 2000 }, () => createBackoff(1000, 30_000).nextMs()).sort((a, b) => a - b);
  const window = ((waits.at(-1) ?? 0) - (waits[0] ?? 0)) / 10;
  const densest = Math.max(...waits.map(start => waits.filter(wait => wait >= start && wait < start + window).length));
  expect(densest / waits.length).toBeLessThanOrEqual(0.25);
});

test('the budget for repeating is a fifth of the traffic and ten a second', () => {
  const clock = createFrozenClock();
  const budget = createRetryBudget(clock);
  const spendAll = (): number => {
    let spent = 0;
    while (budget.spend()) spent += 1;
    return spent;
  };
  expect(spendAll()).toBe(10);
  for (let i = 0; i < 50; i += 1) budget.earn();
  expect(spendAll()).toBeGreaterThanOrEqual(9);
  clock.advance(1000);
  expect(spendAll()).toBe(10);
  clock.advance(3_600_000);
  expect(spendAll()).toBe(20);
});
