/** What the ledger does when its files or its folder are moved, removed or replaced under it: on the real disk. */
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Disk } from '../../../src/outbound/audit/disk.ts';
import { openAuditIndexStore } from '../../../src/outbound/sqlite/audit-index-store.ts';
import { call, deny, factsOf, makeFolder, openLedgerAt, readAll } from './desk.ts';

/** Longer than the ledger waits before it tries again, twice. */
const SEVERAL_TRIES_MS = 1_300;
/** Longer than the ledger takes to look at all of its files after a line. */
const SEEN_MS = 400;
/** Longer than it trusts a look. */
const A_MOMENT_MS = 5;

const makePath = () => join(makeFolder(), 'book', 'audit.jsonl');
const isWellAgain = (ledger: { isRefusing(): boolean }) =>
  expect.poll(() => ledger.isRefusing(), { timeout: 10_000 }).toBe(false);
const kindsOf = (events: readonly { operation: string; tool: string | null }[]) =>
  events.map(({ operation, tool }) => tool ?? operation);

describe.each(['process', 'disk'] as const)('a folder that is gone (%s)', durability => {
  it.each([
    { place: 'nothing', stand: () => {}, code: 'ENOENT' },
    { place: 'a file', stand: (folder: string) => fs.writeFileSync(folder, ''), code: 'ENOTDIR' },
  ])(
    'stops everything until it is back, then all that was written is there: $place stands there',
    async ({ stand, code }) => {
      const path = makePath();
      const ledger = openLedgerAt(path, { durability });
      const underWay = factsOf({ target: 'under_way' });
      await ledger.intend(underWay);
      for (let n = 0; n < 5; n += 1) expect(await call(ledger)).toBe(true);
      await sleep(SEEN_MS);

      fs.rmSync(dirname(path), { recursive: true });
      stand(dirname(path));
      await sleep(A_MOMENT_MS);
      expect(await call(ledger)).toBe(false);
      ledger.conclude(underWay);
      const endsMs = performance.now() + SEVERAL_TRIES_MS;
      while (performance.now() < endsMs) {
        expect(await call(ledger)).toBe(false);
        expect(ledger.isRefusing()).toBe(true);
        await sleep(20);
      }
      expect(ledger.status()).toMatchObject({ failing: code, pending: 1 });
      expect(ledger.log.lines.filter(({ message }) => message === 'audit ledger can be written again')).toEqual([]);

      fs.rmSync(dirname(path), { force: true });
      fs.mkdirSync(dirname(path));
      await isWellAgain(ledger);
      expect(await call(ledger)).toBe(true);
      await ledger.close();
      const { events, fault } = await readAll(path);
      expect(fault).toBeNull();
      expect(kindsOf(events)).toEqual([
        ...Array(5).fill('create_issue'),
        ...['under_way', 'audit/unavailable', 'create_issue'],
      ]);
    },
  );
});

it('says that it cannot be written when nobody writes, too', async () => {
  const path = makePath();
  const ledger = openLedgerAt(path);
  await deny(ledger);
  await sleep(SEEN_MS);
  fs.rmSync(dirname(path), { recursive: true });
  await sleep(A_MOMENT_MS);
  expect(ledger.isRefusing()).toBe(true);
  expect(ledger.status().failing).toBe('ENOENT');
});

it('keeps what ends meanwhile with the word open, and writes it once the folder is back', async () => {
  const path = makePath();
  const ledger = openLedgerAt(path, { onFailure: 'open' });
  await call(ledger);
  fs.rmSync(dirname(path), { recursive: true });
  for (let n = 0; n < 10; n += 1) {
    await sleep(60);
    expect(await call(ledger)).toBe(true);
  }
  expect(ledger.isRefusing()).toBe(false);
  fs.mkdirSync(dirname(path));
  await expect.poll(() => ledger.status().failing, { timeout: 10_000 }).toBeNull();
  await ledger.close();
  const { events, fault } = await readAll(path);
  expect(fault).toBeNull();
  expect(events.filter(({ tool }) => tool === 'create_issue')).toHaveLength(11);
});

it('is not well again by a write that went into a folder put away meanwhile', async () => {
  const path = makePath();
  let isTakenAway = false;
  const writeSync = ((fd: number, bytes: Uint8Array, offset: number, length: number, position?: number | null) => {
    const written = fs.writeSync(fd, bytes, offset, length, position ?? null);
    if (isTakenAway || !Buffer.from(bytes).includes('audit/unavailable')) return written;
    isTakenAway = true;
    fs.rmSync(dirname(path), { recursive: true });
    return written;
  }) as Disk['writeSync'];
  const ledger = openLedgerAt(path, {}, { disk: { ...fs, writeSync } });
  await call(ledger);
  fs.renameSync(dirname(path), `${dirname(path)}-away`);
  await sleep(A_MOMENT_MS);
  expect(await call(ledger)).toBe(false);
  fs.renameSync(`${dirname(path)}-away`, dirname(path));
  await expect.poll(() => isTakenAway, { timeout: 10_000 }).toBe(true);
  expect(ledger.isRefusing()).toBe(true);
  fs.mkdirSync(dirname(path));
  await isWellAgain(ledger);
  await ledger.close();
  const { events, fault } = await readAll(path);
  expect(fault).toBeNull();
  expect(kindsOf(events)).toEqual(['create_issue', 'audit/unavailable', 'audit/unavailable']);
});

it('announces the very call that found the ledger well again', async () => {
  const path = makePath();
  const ledger = openLedgerAt(path);
  fs.rmSync(dirname(path), { recursive: true });
  await sleep(A_MOMENT_MS);
  expect(await call(ledger)).toBe(false);
  fs.mkdirSync(dirname(path));
  const isAnnounced = async () => {
    const facts = factsOf({ target: 'the_first' });
    if ((await ledger.intend(facts)) !== true) return false;
    return fs.readFileSync(`${path}.intents`, 'utf8').includes('the_first');
  };
  // Without a pause in which its own timer could be first.
  let isWell = false;
  while (!isWell) {
    isWell = await isAnnounced();
    if (!isWell) expect(ledger.isRefusing()).toBe(true);
    await new Promise(resolve => setImmediate(resolve));
  }
  expect(isWell).toBe(true);
});

describe('a file that was removed alone', () => {
  it('has its latest lines written again: they may have gone into it when it had no name any more', async () => {
    const path = makePath();
    const ledger = openLedgerAt(path);
    await deny(ledger);
    fs.rmSync(path);
    await sleep(A_MOMENT_MS);
    await deny(ledger);
    await ledger.close();
    const { events, fault } = await readAll(path);
    expect([events.map(({ seq }) => seq), fault]).toEqual([[1, 2], null]);
  });

  it('is missed by who verifies, where it had been seen in its place: to remove lines is not undone in silence', async () => {
    const path = makePath();
    const ledger = openLedgerAt(path);
    await deny(ledger);
    await sleep(SEEN_MS);
    fs.rmSync(path);
    await deny(ledger);
    await ledger.close();
    const { events, fault } = await readAll(path);
    expect(events.map(({ seq }) => seq)).toEqual([2]);
    expect(fault).toMatchObject({ kind: 'missing', seq: 1 });
  });

  it.each(['intents', 'head', 'lock'])('is made again, with what was in it: %s', async kind => {
    const path = makePath();
    const ledger = openLedgerAt(path);
    const underWay = factsOf({ target: 'under_way' });
    await ledger.intend(underWay);
    fs.rmSync(`${path}.${kind}`);
    await deny(ledger);
    await expect.poll(() => fs.existsSync(`${path}.${kind}`), { timeout: 10_000 }).toBe(true);
    expect(fs.readFileSync(`${path}.intents`, 'utf8')).toContain('under_way');
    const other = openLedgerAt(path);
    expect(other.status().file).not.toBe(path);
    await ledger.conclude(underWay);
    await ledger.close();
    expect(await readAll(path)).toMatchObject({ fault: null, events: [{ seq: 1 }, { seq: 2 }] });
  });
});

describe('a file that was moved', () => {
  it('is missed by verifying and by searches, until it is back under the name of its first line', async () => {
    const path = makePath();
    const ledger = openLedgerAt(path);
    const search = () => {
      const store = openAuditIndexStore(path);
      store.catchUp();
      const { events } = store.query({}, { limit: 10, before: null });
      store.close();
      return events.map(({ seq }) => seq);
    };
    await deny(ledger);
    await deny(ledger);
    await sleep(SEEN_MS);
    expect(search()).toEqual([2, 1]);
    fs.renameSync(path, `${path}.1`);
    await sleep(A_MOMENT_MS);
    await deny(ledger);
    await ledger.close();
    expect((await readAll(path)).fault).toMatchObject({ kind: 'missing', message: 'lines 1 to 2 are missing' });
    expect(search()).toEqual([3]);

    fs.renameSync(`${path}.1`, join(dirname(path), 'audit.000000000001.jsonl'));
    expect((await readAll(path)).fault).toBeNull();
    for (const name of fs.readdirSync(dirname(path))) {
      if (name.startsWith('audit.jsonl.index')) fs.rmSync(join(dirname(path), name));
    }
    expect(search()).toEqual([3, 2, 1]);
  });
});

describe('what stands where the file was', () => {
  it('is a new file that another program made for us: it is gone on with, as by logrotate', async () => {
    const path = makePath();
    const ledger = openLedgerAt(path);
    await deny(ledger);
    fs.renameSync(path, `${path}.1`);
    fs.writeFileSync(path, '');
    await sleep(A_MOMENT_MS);
    expect(await call(ledger)).toBe(true);
    await ledger.close();
    expect(fs.readFileSync(`${path}.1`, 'utf8').split('\n')).toHaveLength(2);
    expect((await readAll(path)).events.map(({ seq }) => seq)).toEqual([2]);
  });

  it('is an older copy of it: the lines since are added', async () => {
    const path = makePath();
    const ledger = openLedgerAt(path);
    await deny(ledger);
    fs.copyFileSync(path, `${path}.copy`);
    await deny(ledger);
    await deny(ledger);
    fs.renameSync(`${path}.copy`, path);
    await sleep(A_MOMENT_MS);
    await deny(ledger);
    await ledger.close();
    const { events, fault } = await readAll(path);
    expect([events.map(({ seq }) => seq), fault]).toEqual([[1, 2, 3, 4], null]);
  });

  it('is something else: it is put aside whole, and that is written down', async () => {
    const path = makePath();
    const ledger = openLedgerAt(path);
    await deny(ledger);
    fs.rmSync(dirname(path), { recursive: true });
    fs.mkdirSync(dirname(path));
    fs.writeFileSync(path, 'of another program\n');
    await sleep(A_MOMENT_MS);
    await deny(ledger);
    await ledger.close();
    expect(fs.readFileSync(`${path}.other-1`, 'utf8')).toBe('of another program\n');
    const { events, fault } = await readAll(path);
    expect(fault).toBeNull();
    expect(kindsOf(events).toSorted()).toEqual(['audit/put-aside', 'create_issue', 'create_issue']);
  });

  it('is the ledger of another gateway: nothing is written into it, and ours goes on when that one has ended', async () => {
    const path = makePath();
    const ledger = openLedgerAt(path);
    await call(ledger);
    await sleep(SEEN_MS);
    fs.rmSync(dirname(path), { recursive: true });
    const other = openLedgerAt(path);
    expect(other.status().file).toBe(path);
    await deny(other, { target: 'of_the_other' });
    await sleep(A_MOMENT_MS);
    expect(await call(ledger)).toBe(false);
    expect(ledger.status().failing).toBe('EBUSY');
    await deny(other, { target: 'of_the_other' });
    await other.close();

    await isWellAgain(ledger);
    expect(await call(ledger)).toBe(true);
    await ledger.close();
    expect(fs.readFileSync(`${path}.other-1`, 'utf8').split('of_the_other')).toHaveLength(3);
    const { events, fault } = await readAll(path);
    expect(fault).toBeNull();
    expect(kindsOf(events)).toEqual(['create_issue', 'audit/put-aside', 'audit/unavailable', 'create_issue']);
  });
});
