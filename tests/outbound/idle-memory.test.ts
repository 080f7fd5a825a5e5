import { expect, test } from 'vitest';
import { createIdleMemory } from '../../src/outbound/idle-memory.ts';
import { createFrozenClock } from '../support/frozen-clock.ts';

function start(isBusy = () => false) {
  const clock = createFrozenClock();
  const pauses: number[] = [];
  const memory = createIdleMemory(clock, isBusy, () => void pauses.push(clock.monotonicMs()));
  const work = (calls: number) => {
    for (let n = 0; n < calls; n++) memory.note();
  };
  return { clock, pauses, work };
}

test('memory is given back once after work, not while it goes on', () => {
  const { clock, pauses, work } = start();
  for (let n = 0; n < 20; n++) {
    work(500);
    clock.advance(300);
  }
  expect(pauses).toHaveLength(0);
  clock.advance(1_000);
  expect(pauses).toHaveLength(1);
  clock.advance(60_000);
  expect(pauses).toHaveLength(1);
});

test('a few calls are not worth a pause, many small pauses of work are', () => {
  const { clock, pauses, work } = start();
  for (let n = 0; n < 7; n++) {
    work(300);
    clock.advance(2_000);
  }
  expect(pauses).toHaveLength(1);
});

test('a call under way is not disturbed', () => {
  let isBusy = true;
  const { clock, pauses, work } = start(() => isBusy);
  work(5_000);
  clock.advance(30_000);
  expect(pauses).toHaveLength(0);
  isBusy = false;
  clock.advance(1_000);
  expect(pauses).toHaveLength(1);
});

test('the collector of this Node is found and collects', async () => {
  const clock = createFrozenClock();
  const memory = createIdleMemory(clock, () => false);
  const waste = new WeakRef({});
  for (let n = 0; n < 5_000; n++) memory.note();
  // A new WeakRef holds its target until the turn ends.
  await new Promise(resolve => setTimeout(resolve, 1));
  clock.advance(1_000);
  expect(waste.deref()).toBeUndefined();
});
