/** The index says what the ledger says, and is made again when it does not fit. */
import fs from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import type { Disk } from '../../../src/outbound/audit/disk.ts';
import type { Ledger } from '../../../src/outbound/audit/ledger.ts';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { createAuditIndex } from '../../../src/outbound/sqlite/audit-index.ts';
import { openAuditIndexStore } from '../../../src/outbound/sqlite/audit-index-store.ts';
import { call, deny, makeFolder, openLedgerAt } from '../audit/desk.ts';
import { factsOf, keepLog } from '../audit/facts.ts';

const PAGE = { limit: 100, before: null };

function openIndexOf(ledger: Ledger) {
  const index = createAuditIndex({
    ...{ path: () => ledger.status().file, settle: () => ledger.settle(), clock: createSystemClock(), log: keepLog() },
  });
  onTestFinished(() => index.close());
  return index;
}

function openStore(path: string) {
  const store = openAuditIndexStore(path);
  onTestFinished(() => store.close());
  return store;
}

it('finds one allowed and one denied call by each of its filters', async () => {
  const path = join(makeFolder(), 'audit.jsonl');
  const ledger = openLedgerAt(path);
  await call(ledger, { agent: 'a', server: 'github', target: 'read', atMs: Date.UTC(2026, 0, 1) });
  await deny(ledger, { agent: 'b', server: 'postgres', target: 'drop', atMs: Date.UTC(2026, 0, 2), id: 'the-denied' });
  await ledger.close();
  const store = openStore(path);
  expect(store.catchUp()).toBe(2);
  const agents = (filter: Parameters<typeof store.query>[0]) =>
    store.query(filter, PAGE).events.map(({ agent_id }) => agent_id);
  expect(agents({})).toEqual(['b', 'a']);
  expect(agents({ decision: 'DENY' })).toEqual(['b']);
  expect(agents({ agent: 'a' })).toEqual(['a']);
  expect(agents({ server: 'postgres', tool: 'drop' })).toEqual(['b']);
  expect(agents({ requestId: 'the-denied' })).toEqual(['b']);
  expect(agents({ fromMs: Date.UTC(2026, 0, 2) })).toEqual(['b']);
  expect(agents({ untilMs: Date.UTC(2026, 0, 2) })).toEqual(['a']);
  expect(agents({ agent: "a' or '1'='1" })).toEqual([]);
});

it('counts what matches, by hour or by day, and knows the names there are', async () => {
  const path = join(makeFolder(), 'audit.jsonl');
  const ledger = openLedgerAt(path);
  const start = Date.UTC(2026, 0, 1, 10, 30);
  const store = openStore(path);
  expect(store.statistics({})).toMatchObject({ total: 0, timeline: [] });
  expect(store.options()).toMatchObject({ firstMs: null, lastMs: null });
  await call(ledger, { agent: 'a', server: 'github', target: 'read', atMs: start });
  await call(ledger, { agent: 'a', server: 'github', target: 'write', atMs: start + 60_000 });
  await deny(ledger, { agent: 'b', server: 'postgres', target: 'drop', atMs: start + 3_600_000 });
  await expect.poll(() => store.catchUp() + store.query({}, PAGE).total).toBe(3);
  const hourMs = 3_600_000;
  const { total, decisions, top, timeline } = store.statistics({});
  expect([total, decisions]).toEqual([3, { ALLOW: 2, DENY: 1, ERROR: 0 }]);
  expect(top.agent).toEqual([
    { name: 'a', count: 2 },
    { name: 'b', count: 1 },
  ]);
  expect(timeline).toEqual([
    { startMs: Date.UTC(2026, 0, 1, 10), lastsMs: hourMs, allow: 2, deny: 0, error: 0 },
    { startMs: Date.UTC(2026, 0, 1, 11), lastsMs: hourMs, allow: 0, deny: 1, error: 0 },
  ]);
  expect(store.statistics({ agent: "a' or '1'='1" }).total).toBe(0);
  expect(store.statistics({ server: 'postgres' })).toMatchObject({
    total: 1,
    top: { tool: [{ name: 'drop', count: 1 }] },
  });
  expect(store.options()).toMatchObject({
    ...{ names: { agent: ['a', 'b'], server: ['github', 'postgres'], tool: ['drop', 'read', 'write'] } },
    ...{ firstMs: start, lastMs: start + hourMs },
  });
  await call(ledger, { agent: 'a', atMs: start + 3 * 24 * hourMs });
  await expect.poll(() => store.catchUp() + store.query({}, PAGE).total).toBe(4);
  expect(store.statistics({}).timeline.map(({ lastsMs }) => lastsMs)).toEqual([24 * hourMs, 24 * hourMs]);
});

it('pages through everything once, across rotated files', async () => {
  const path = join(makeFolder(), 'audit.jsonl');
  const ledger = openLedgerAt(path, { maxFileBytes: 64 * 1024 });
  const store = openStore(path);
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(Array.from({ length: 100 }, () => deny(ledger)));
    store.catchUp();
  }
  const seen: number[] = [];
  for (let before: number | null = null, more = true; more; more = before !== null) {
    const page = store.query({}, { limit: 70, before });
    expect(page.total).toBe(500);
    seen.push(...page.events.map(({ seq }) => seq));
    before = page.before;
  }
  expect(seen).toEqual(Array.from({ length: 500 }, (_, n) => 500 - n));
  expect(store.catchUp()).toBe(0);
});

it('forgets what retention removed', async () => {
  const path = join(makeFolder(), 'audit.jsonl');
  const ledger = openLedgerAt(path, { maxFileBytes: 64 * 1024, keepFiles: 1 });
  const store = openStore(path);
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(Array.from({ length: 100 }, () => deny(ledger)));
    store.catchUp();
  }
  const { total, events } = store.query({}, { limit: 1000, before: null });
  expect(total).toBeLessThan(400);
  expect(events[0]?.seq).toBe(500);
});

it('is made again after it was removed, and when another ledger lies there', async () => {
  const path = join(makeFolder(), 'audit.jsonl');
  const first = openLedgerAt(path);
  await Promise.all(Array.from({ length: 10 }, () => deny(first)));
  await first.close();
  const store = openStore(path);
  expect(store.catchUp()).toBe(10);
  for (const name of ['audit.jsonl', 'audit.jsonl.head']) fs.rmSync(join(path, '..', name));
  const second = openLedgerAt(path);
  await Promise.all(Array.from({ length: 12 }, () => deny(second, { agent: 'second' })));
  await second.close();
  expect(store.catchUp()).toBe(12);
  expect(store.query({ agent: 'second' }, PAGE).total).toBe(12);
  expect(store.query({}, PAGE).total).toBe(12);
});

it('answers from a thread of its own, with everything that was written before the question', async () => {
  const path = join(makeFolder(), 'audit.jsonl');
  const ledger = openLedgerAt(path);
  const index = openIndexOf(ledger);
  await deny(ledger);
  expect((await index.query({}, PAGE)).total).toBe(1);
  await Promise.all(Array.from({ length: 200 }, () => deny(ledger)));
  expect((await index.query({ decision: 'DENY' }, { limit: 5, before: null })).events.map(({ seq }) => seq)).toEqual([
    201, 200, 199, 198, 197,
  ]);
});

it('answers nothing rather than "nothing was done" where no ledger could be opened', async () => {
  const ledger = openLedgerAt(join(makeFolder(), 'audit.jsonl'));
  const index = openIndexOf({ ...ledger, status: () => ({ ...ledger.status(), file: null }), settle: () => null });
  await expect(index.query({}, PAGE)).rejects.toThrow('no audit ledger is open');
  await expect(index.options()).rejects.toThrow('no audit ledger is open');
});

it.each(['process', 'disk'] as const)(
  'knows what was answered before the question, gathered or not (%s)',
  async durability => {
    const ledger = openLedgerAt(join(makeFolder(), 'audit.jsonl'), { durability });
    const index = openIndexOf(ledger);
    await index.query({}, PAGE);
    for (let round = 1; round <= 10; round += 1) {
      const id = `round-${round}`;
      for (let n = 0; n < 5; n += 1) await call(ledger, { id });
      // The disk is busy with another one meanwhile.
      const busy = call(ledger);
      expect([round, (await index.query({ requestId: id }, PAGE)).total]).toEqual([round, 5]);
      await call(ledger, { id });
      expect([round, (await index.statistics({ requestId: id })).total]).toEqual([round, 6]);
      await busy;
    }
  },
);

it('answers with what there is while the ledger cannot be written', async () => {
  const path = join(makeFolder(), 'book', 'audit.jsonl');
  const state = { isBroken: false };
  const writeSync = ((...args: Parameters<typeof fs.writeSync>) => {
    if (state.isBroken) throw Object.assign(new Error('refused'), { code: 'EIO' });
    return fs.writeSync(...args);
  }) as Disk['writeSync'];
  const ledger = openLedgerAt(path, {}, { disk: { ...fs, writeSync } });
  const index = openIndexOf(ledger);
  const underWay = factsOf();
  await deny(ledger);
  await ledger.intend(underWay);
  state.isBroken = true;
  ledger.conclude(underWay);
  expect((await index.query({}, PAGE)).total).toBe(1);
  expect(ledger.status()).toMatchObject({ failing: 'EIO', pending: 1 });
  expect((await index.options()).names.operation).toEqual(['tools/call']);
  state.isBroken = false;
  await expect.poll(() => ledger.isRefusing(), { timeout: 10_000 }).toBe(false);
  expect((await index.query({}, PAGE)).total).toBe(3);
});
