/** Whatever is changed in a ledger afterwards is found, and the first line that is not as it was written is named. */

import { hash } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readSeal } from '../../../src/domain/audit-chain.ts';
import { deny, makeFolder, openLedgerAt, readAll } from './desk.ts';

const LINES = 40;

async function makeLedger(maxFileBytes = 1024 * 1024): Promise<string> {
  const path = join(makeFolder(), 'audit.jsonl');
  const ledger = openLedgerAt(path, { maxFileBytes });
  for (let n = 0; n < LINES; n += 1) await deny(ledger);
  await ledger.close();
  return path;
}

function edit(path: string, change: (lines: string[]) => string[]): void {
  const lines = fs.readFileSync(path, 'utf8').split('\n').slice(0, -1);
  fs.writeFileSync(
    path,
    change(lines)
      .map(line => `${line}\n`)
      .join(''),
  );
}

/** With a hash that fits the new text: what somebody who knows the format would write. */
function reseal(line: string, from: string, to: string): string {
  const changed = line.replace(from, to).replace(/,"hash":"[0-9a-f]{64}"\}$/, '');
  return `${changed},"hash":"${hash('sha256', `${changed}}`, 'hex')}"}`;
}

const swap = (lines: string[], n: number): string[] => {
  const [a = '', b = ''] = lines.slice(n, n + 2);
  return [...lines.slice(0, n), b, a, ...lines.slice(n + 2)];
};

const TAMPERINGS: readonly { name: string; change: (lines: string[], n: number) => string[]; kinds: string[] }[] = [
  { name: 'edited', change: (l, n) => l.with(n, (l[n] ?? '').replace('"DENY"', '"ALLOW"')), kinds: ['altered'] },
  {
    name: 'edited and given a fitting hash',
    change: (l, n) => l.with(n, reseal(l[n] ?? '', '"DENY"', '"ALLOW"')),
    kinds: ['rewritten'],
  },
  { name: 'deleted', change: (l, n) => l.toSpliced(n, 1), kinds: ['missing', 'truncated'] },
  { name: 'doubled', change: (l, n) => l.toSpliced(n + 1, 0, l[n] ?? ''), kinds: ['out of order'] },
  { name: 'made unreadable', change: (l, n) => l.with(n, '{}'), kinds: ['unreadable'] },
];

it.each(TAMPERINGS)('finds every single line that was $name', async ({ change, kinds }) => {
  const path = await makeLedger();
  const original = fs.readFileSync(path);
  for (let n = 0; n < LINES; n += 1) {
    edit(path, lines => change(lines, n));
    const { fault } = await readAll(path);
    expect({ n, seq: fault?.seq, known: kinds.includes(fault?.kind ?? '') }).toEqual({
      n,
      seq: kinds.includes('out of order') ? n + 2 : n + 1,
      known: true,
    });
    fs.writeFileSync(path, original);
  }
});

it('finds any two neighbours that changed places', async () => {
  const path = await makeLedger();
  const original = fs.readFileSync(path);
  for (let n = 0; n < LINES - 1; n += 1) {
    edit(path, lines => swap(lines, n));
    expect((await readAll(path)).fault).toMatchObject({ seq: n + 1, kind: 'missing' });
    fs.writeFileSync(path, original);
  }
});

it('finds a tail of any length cut off, and a ledger emptied or removed', async () => {
  const path = await makeLedger();
  const original = fs.readFileSync(path);
  for (let n = 1; n <= LINES; n += 1) {
    edit(path, lines => lines.slice(0, LINES - n));
    expect((await readAll(path)).fault).toMatchObject({ seq: LINES - n + 1, kind: 'truncated' });
    fs.writeFileSync(path, original);
  }
});

it('finds lines cut off at the beginning, and a whole file gone', async () => {
  const path = await makeLedger();
  edit(path, lines => lines.slice(3));
  expect((await readAll(path)).fault).toMatchObject({ seq: 1, kind: 'missing' });
});

it('finds a whole ledger written anew by the checkpoint', async () => {
  const path = await makeLedger();
  const other = await makeLedger();
  fs.copyFileSync(other, path);
  expect((await readAll(path)).fault).toMatchObject({ seq: 1, kind: 'rewritten' });
});

it('says so when the checkpoint is gone', async () => {
  const path = await makeLedger();
  fs.rmSync(`${path}.head`);
  expect((await readAll(path)).fault?.kind).toBe('unanchored');
});

it('goes on after lines that somebody removed while it was down, so that the gap stays to be found', async () => {
  const path = await makeLedger();
  edit(path, lines => lines.slice(0, 10));
  const ledger = openLedgerAt(path);
  await deny(ledger);
  await ledger.close();
  const { fault, events } = await readAll(path);
  expect(fault).toMatchObject({ seq: 11, kind: 'missing' });
  expect(events.at(-2)?.operation).toBe('audit/discrepancy');
  expect(readSeal(fs.readFileSync(path, 'utf8').trimEnd().split('\n').at(-1) ?? '')?.seq).toBe(LINES + 2);
});
