/** A ledger on the real disk, calls through it, and what stands in its files afterwards. */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type LedgerOnDisk, listLedgers, readCheckpoint, readLedger } from '../../../src/cli/audit-files.ts';
import type { AuditEvent, AuditFacts } from '../../../src/domain/audit.ts';
import { type Fault, walkChain } from '../../../src/domain/audit-chain.ts';
import { createLedger, type Ledger, type LedgerDeps, type LedgerOptions } from '../../../src/outbound/audit/ledger.ts';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { tryLock } from '../../../src/outbound/sqlite/file-lock.ts';
import { factsOf, type KeptLog, keepLog, options } from './facts.ts';

export { factsOf } from './facts.ts';

export function makeFolder(): string {
  const folder = fs.mkdtempSync(join(tmpdir(), 'gatehouse-audit-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function openLedgerAt(
  path: string,
  more: Partial<LedgerOptions> = {},
  deps: Partial<LedgerDeps> = {},
): Ledger & { log: KeptLog } {
  const log = keepLog();
  const ledger = createLedger({ config: options(path, more), clock: createSystemClock(), log, tryLock, ...deps });
  ledger.open();
  onTestFinished(() => ledger.close());
  return Object.assign(ledger, { log });
}

/** One call as the gateway makes it. False: it was refused. */
export async function call(ledger: Ledger, more: Partial<AuditFacts> = {}): Promise<boolean> {
  const facts = factsOf(more);
  const mayGoOn = await (ledger.intend(facts) ?? true);
  if (!mayGoOn) Object.assign(facts, { outcome: 'refused', code: 'AUDIT_UNAVAILABLE' });
  await ledger.conclude(facts);
  return mayGoOn;
}

export async function deny(ledger: Ledger, more: Partial<AuditFacts> = {}): Promise<void> {
  await ledger.conclude(factsOf({ outcome: 'denied', code: 'DENIED_BY_POLICY', ...more }));
}

export async function readAll(path: string, slot = 0): Promise<{ events: AuditEvent[]; fault: Fault | null }> {
  const ledger: LedgerOnDisk | undefined = listLedgers(path)[slot];
  if (ledger === undefined) return { events: [], fault: null };
  const chain = walkChain(readCheckpoint(ledger));
  const events: AuditEvent[] = [];
  let fault: Fault | null = null;
  for await (const line of readLedger(ledger)) {
    events.push(JSON.parse(line) as AuditEvent);
    fault ??= chain.take(line);
  }
  return { events, fault: fault ?? chain.finish() };
}
