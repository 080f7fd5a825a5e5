/**
 * `gatehouse audit verify`: walks every line of every ledger and names the first that is not as it was written. Exit 1
 * when there is one, or when there is nothing to verify. What was announced and has no line yet is said, and no fault.
 */
import { type ChainEnd, type Fault, walkChain } from '../domain/audit-chain.ts';
import { findConcluded } from '../domain/audit-intent.ts';
import {
  findLedgers,
  type LedgerOnDisk,
  listLedgers,
  locateLedger,
  readCheckpoint,
  readIntents,
  readLedger,
} from './audit-files.ts';
import type { Host } from './host.ts';

export interface VerifyOptions {
  file?: string | undefined;
  /** `<seq>:<hash>` that was noted elsewhere (the gateway says them in its log), blanks allowed. */
  expect?: string | undefined;
}

/** `open`: announcements that no line concludes. */
type Verified = { ledger: LedgerOnDisk; end: ChainEnd; fault: Fault | null; met: boolean; open: number };

/** The gateway may put a file aside while it is read; then it is read again. */
const ATTEMPTS = 3;

export async function verifyAudit(host: Host, options: VerifyOptions): Promise<number> {
  const { stdout, stderr } = host;
  const path = locateLedger(host, options.file);
  const expected = options.expect === undefined ? null : parseExpected(options.expect);
  if (options.expect !== undefined && expected === null) {
    stderr.line('error: --expect is written <line>:<hash>, as the gateway says them in its log');
    return 2;
  }
  const ledgers = findLedgers(host, path);
  if (ledgers === null) return 1;
  const verified: Verified[] = [];
  for (const ledger of ledgers) verified.push(await verify(path, ledger, expected));

  for (const { ledger, end, fault, open } of verified) {
    if (fault === null) {
      stdout.line(`${stdout.paint.green('intact')}   ${ledger.name}: ${end.seq} lines, ${countFiles(ledger)}`);
      if (end.seq > 0) stdout.line(`         last ${end.seq}:${end.hash}`);
      if (open > 0) stdout.line(`         ${describeOpen(open)}`);
    } else {
      stdout.line(
        `${stdout.paint.red('broken')}   ${ledger.name}: line ${fault.seq} is ${fault.kind}: ${fault.message}`,
      );
    }
  }
  const isMet = expected === null || verified.some(({ met }) => met);
  if (expected !== null && !isMet) {
    stdout.line(`${stdout.paint.red('broken')}   line ${expected.seq} with the expected hash is in none of them`);
  }
  return isMet && verified.every(({ fault }) => fault === null) ? 0 : 1;
}

async function verify(path: string, ledger: LedgerOnDisk, expected: ChainEnd | null): Promise<Verified> {
  for (let attempt = 1, current = ledger; ; attempt += 1) {
    const result = await walk(current, expected);
    const now = listLedgers(path).find(({ name }) => name === ledger.name) ?? current;
    if (result.fault === null || attempt === ATTEMPTS || now.files.join() === current.files.join()) return result;
    current = now;
  }
}

async function walk(ledger: LedgerOnDisk, expected: ChainEnd | null): Promise<Verified> {
  const chain = walkChain(readCheckpoint(ledger));
  // Before the lines: what a running gateway concludes meanwhile is found among them.
  const open = new Set(readIntents(ledger).map(({ id }) => id));
  let met = false;
  for await (const line of readLedger(ledger)) {
    const fault = chain.take(line);
    if (fault !== null) return { ledger, end: chain.end, fault, met, open: 0 };
    if (open.size > 0) for (const id of findConcluded(line)) open.delete(id);
    if (chain.end.seq === expected?.seq && chain.end.hash === expected.hash) met = true;
  }
  return { ledger, end: chain.end, fault: chain.finish(), met, open: open.size };
}

function describeOpen(open: number): string {
  const [are, them, they] =
    open === 1 ? ['operation was announced and is', 'it', 'it'] : ['operations were announced and are', 'them', 'they'];
  const meaning = `the next start writes ${them} down as interrupted (while the gateway runs, ${they} may be under way)`;
  return `${open} ${are} not concluded: ${meaning}`;
}

function countFiles({ files }: LedgerOnDisk): string {
  return files.length === 1 ? 'one file' : `${files.length} files`;
}

function parseExpected(written: string): ChainEnd | null {
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(written.replace(/\s/g, '')) ?? [];
  return seq === undefined || hash === undefined ? null : { seq: Number(seq), hash };
}
