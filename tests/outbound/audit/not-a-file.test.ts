/** Links, pipes, folders and files of others where a file of the ledger should be: nothing is written through or over them. */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Disk } from '../../../src/outbound/audit/disk.ts';
import { openAuditIndexStore } from '../../../src/outbound/sqlite/audit-index-store.ts';
import { call, deny, factsOf, makeFolder, openLedgerAt, readAll } from './desk.ts';

/** Longer than the ledger waits before it tries again, three times. */
const SEVERAL_TRIES_MS = 1_800;
const PRECIOUS = 'precious '.repeat(100);

const makePath = () => join(makeFolder(), 'audit.jsonl');
const makePipe = (path: string) => void execFileSync('mkfifo', [path]);
const textOf = (path: string) => fs.readFileSync(path, 'utf8');

/** Only the checkpoint is written at the start of a file: lines are appended. */
const failAtStart = (state: { isBroken: boolean }) =>
  ((fd: number, bytes: Uint8Array, offset: number, length: number, position?: number | null) => {
    if (state.isBroken && position === 0) throw Object.assign(new Error('refused'), { code: 'ENOSPC' });
    return fs.writeSync(fd, bytes, offset, length, position ?? null);
  }) as Disk['writeSync'];

const STANDING: readonly { what: string; stand: (at: string, path: string) => void; code: string; says: string }[] = [
  {
    ...{ what: 'a link to the ledger', stand: (at, path) => fs.symlinkSync(basename(path), at) },
    ...{ code: 'ELOOP', says: 'is a symbolic link' },
  },
  { what: 'a pipe', stand: makePipe, code: 'EINVAL', says: 'is not a regular file' },
];

describe.each(STANDING)('$what at the start', ({ stand, code, says }) => {
  it.each(['head', 'intents', 'lock'])('is no %s: refused by name until it is gone, and left as it is', async kind => {
    const path = makePath();
    const first = openLedgerAt(path);
    for (let n = 0; n < 5; n += 1) await call(first);
    await first.close();
    const written = textOf(path);
    const at = `${path}.${kind}`;
    fs.renameSync(at, `${at}.kept`);
    stand(at, path);

    const ledger = openLedgerAt(path);
    expect(await call(ledger)).toBe(false);
    expect([ledger.status().failing, ledger.isRefusing()]).toEqual([code, true]);
    expect(ledger.log.lines).toContainEqual(
      expect.objectContaining({ level: 'error', code, detail: `${at} ${says}: move it away` }),
    );
    expect(textOf(path)).toBe(written);
    expect(fs.lstatSync(at).isFile()).toBe(false);

    fs.renameSync(`${at}.kept`, at);
    await expect.poll(() => ledger.isRefusing(), { timeout: 10_000 }).toBe(false);
    expect(await call(ledger)).toBe(true);
    await ledger.close();
    const { events, fault } = await readAll(path);
    expect([events.length, fault]).toEqual([7, null]);
  });
});

describe.each([
  ...STANDING,
  {
    ...{ what: 'the ledger itself, by a second name', stand: (at: string, path: string) => fs.linkSync(path, at) },
    ...{ code: 'EINVAL', says: 'is longer than a checkpoint' },
  },
  { what: 'a folder', stand: (at: string) => fs.mkdirSync(at), code: 'EISDIR', says: 'is a folder' },
])('$what where the checkpoint was, while calls are made', ({ stand, code, says }) => {
  it('stops them: no line is written over, and one is written about it when it is gone', async () => {
    const path = makePath();
    const ledger = openLedgerAt(path);
    for (let n = 0; n < 5; n += 1) await call(ledger);
    const at = `${path}.head`;
    fs.rmSync(at);
    stand(at, path);
    await expect
      .poll(async () => [await call(ledger), ledger.status().failing], { timeout: 10_000 })
      .toEqual([false, code]);
    expect(ledger.log.lines).toContainEqual(
      expect.objectContaining({ level: 'error', code, detail: `${at} ${says}: move it away` }),
    );
    const written = textOf(path);
    await sleep(SEVERAL_TRIES_MS);
    expect(textOf(path)).toBe(written);
    expect(written).not.toContain('audit/unavailable');
    expect(ledger.isRefusing()).toBe(true);

    fs.rmSync(at, { recursive: true });
    await expect.poll(() => ledger.isRefusing(), { timeout: 10_000 }).toBe(false);
    await ledger.close();
    const { events, fault } = await readAll(path);
    expect([events.filter(({ operation }) => operation === 'audit/unavailable').length, fault]).toEqual([1, null]);
  });
});

it('writes no line about an outage as long as the checkpoint cannot be written', async () => {
  const path = makePath();
  const state = { isBroken: false };
  const ledger = openLedgerAt(path, {}, { disk: { ...fs, writeSync: failAtStart(state) } });
  await call(ledger);
  state.isBroken = true;
  await call(ledger);
  await expect.poll(() => ledger.status().failing, { timeout: 10_000 }).toBe('ENOSPC');
  await sleep(SEVERAL_TRIES_MS);
  expect(textOf(path)).not.toContain('audit/unavailable');
  state.isBroken = false;
  await expect.poll(() => ledger.isRefusing(), { timeout: 10_000 }).toBe(false);
  await ledger.close();
  const { events, fault } = await readAll(path);
  expect([events.filter(({ operation }) => operation === 'audit/unavailable').length, fault]).toEqual([1, null]);
});

it('ends and lets go of its files when the last checkpoint cannot be written', async () => {
  const path = makePath();
  const state = { isBroken: false };
  const ledger = openLedgerAt(path, {}, { disk: { ...fs, writeSync: failAtStart(state) } });
  await call(ledger);
  state.isBroken = true;
  await ledger.close();
  expect(ledger.log.lines).toContainEqual(
    expect.objectContaining({ message: 'audit ledger could not be closed well', code: 'ENOSPC' }),
  );
  const next = openLedgerAt(path);
  expect(next.status().file).toBe(path);
  await next.close();
  const { events, fault } = await readAll(path);
  expect([events.length, fault]).toEqual([1, null]);
});

it('follows no link when it writes announcements anew', async () => {
  const path = makePath();
  const ledger = openLedgerAt(path, { maxFileBytes: 4_000 });
  const underWay = factsOf({ target: 'under_way' });
  await ledger.intend(underWay);
  const other = join(path, '..', 'other');
  fs.writeFileSync(other, PRECIOUS);
  fs.symlinkSync('other', `${path}.intents.new`);
  for (let n = 0; n < 20 && ledger.status().failing === null; n += 1) await deny(ledger);
  expect(ledger.status().failing).toBe('ELOOP');
  expect(textOf(other)).toBe(PRECIOUS);
  fs.rmSync(`${path}.intents.new`);
  await expect.poll(() => ledger.isRefusing(), { timeout: 10_000 }).toBe(false);
  await ledger.conclude(underWay);
  await ledger.close();
  const { events, fault } = await readAll(path);
  expect([events.filter(({ tool }) => tool === 'under_way').length, fault]).toEqual([1, null]);
});

it('keeps a link that was put where the announcements were, and writes into a file of its own', async () => {
  const path = makePath();
  const ledger = openLedgerAt(path);
  const underWay = factsOf({ target: 'under_way' });
  await ledger.intend(underWay);
  fs.rmSync(`${path}.intents`);
  fs.symlinkSync(basename(path), `${path}.intents`);
  await deny(ledger);
  await expect.poll(() => fs.lstatSync(`${path}.intents`).isFile(), { timeout: 10_000 }).toBe(true);
  expect(textOf(`${path}.intents`)).toContain('under_way');
  expect(fs.readlinkSync(`${path}.intents.other-1`)).toBe(basename(path));
  await ledger.conclude(underWay);
  await ledger.close();
  const { events, fault } = await readAll(path);
  expect(events.map(({ tool, operation }) => tool ?? operation).toSorted()).toEqual([
    ...['audit/put-aside', 'create_issue', 'under_way'],
  ]);
  expect(fault).toBeNull();
});

it('makes no searchable copy of what a link leads to', () => {
  const path = makePath();
  fs.writeFileSync(path, '');
  fs.symlinkSync(basename(path), `${path}.index`);
  expect(() => openAuditIndexStore(path)).toThrow('ELOOP');
  expect(textOf(path)).toBe('');
});

it('keeps the ledger itself where a link says, also over a restart and into the next file', async () => {
  const path = makePath();
  const volume = join(makeFolder(), 'volume.jsonl');
  fs.symlinkSync(volume, path);
  const first = openLedgerAt(path, { maxFileBytes: 4_000 });
  await call(first);
  await first.close();
  expect(textOf(volume).split('\n')).toHaveLength(2);
  const second = openLedgerAt(path, { maxFileBytes: 4_000 });
  for (let n = 0; n < 20; n += 1) await deny(second);
  expect(second.status().counts.rotations).toBeGreaterThan(1);
  await second.close();
  const { events, fault } = await readAll(path);
  expect([events.map(({ seq }) => seq), fault]).toEqual([Array.from({ length: 21 }, (_, n) => n + 1), null]);
});
