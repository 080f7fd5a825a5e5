/** A real process that writes audit is killed again and again; nothing that anybody was told of may be missing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { recoverAbandonedLedgers } from '../../../src/outbound/audit/abandoned.ts';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { tryLock } from '../../../src/outbound/sqlite/file-lock.ts';
import { makeFolder, openLedgerAt, readAll } from './desk.ts';
import { keepLog, options } from './facts.ts';

const CHILD = fileURLToPath(new URL('./ledger-child.ts', import.meta.url));
/** 500 for the figure that is published; a few keep the promise watched. */
const KILLS = Number(process.env.GATEHOUSE_KILLS ?? 12);

async function runAndKill(path: string, run: number, afterMs: number): Promise<string[]> {
  const child = spawn(process.execPath, [CHILD, path, String(run)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    said += text;
  });
  await once(child.stdout, 'data');
  setTimeout(() => child.kill('SIGKILL'), afterMs);
  await once(child, 'close');
  return said.split('\n').slice(0, -1);
}

it(`keeps every acknowledged record over ${KILLS} kills, and the chain verifies`, {
  timeout: 60_000 + KILLS * 2_000,
}, async () => {
  const path = join(makeFolder(), 'audit.jsonl');
  const told: string[] = [];
  for (let run = 1; run <= KILLS; run += 1) told.push(...(await runAndKill(path, run, Math.random() * 60)));
  await openLedgerAt(path).close();

  const { events, fault } = await readAll(path);
  expect(fault).toBeNull();
  const seen = new Map<string, number>();
  for (const { request_id: id } of events) seen.set(id ?? '', (seen.get(id ?? '') ?? 0) + 1);
  expect(told.length).toBeGreaterThan(KILLS);
  expect(told.filter(id => seen.get(id.slice(1)) !== 1)).toEqual([]);
  if (process.env.GATEHOUSE_KILLS !== undefined) {
    const interrupted = events.filter(({ outcome }) => outcome === 'interrupted').length;
    const healed = events.filter(({ operation }) => operation === 'audit/healed').length;
    process.stdout.write(
      `${KILLS} kills: ${told.length} acknowledged, ${events.length} lines, ${interrupted} interrupted, ${healed} healed\n`,
    );
  }
});

it('recovers the ledger of a second process that died without a successor', async () => {
  const path = join(makeFolder(), 'audit.jsonl');
  const first = openLedgerAt(path);
  const told = await runAndKill(path, 1, 30);
  await recoverAbandonedLedgers({ config: options(path), clock: createSystemClock(), log: keepLog(), tryLock });
  const { events, fault } = await readAll(path, 1);
  expect(fault).toBeNull();
  const ids = events.map(({ request_id: id }) => id);
  expect(told.filter(id => !ids.includes(id.slice(1)))).toEqual([]);
  expect(fs.statSync(join(path, '..', 'audit-2.jsonl.intents')).size).toBe(0);
  expect(first.status().file).toBe(path);
});
