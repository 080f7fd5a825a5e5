/**
 * A process that only writes audit until it is killed: calls (`+id` once one may have its effect, `=id` once its end
 * was handed over) and denials (`-id` once answered). What it says on stdout, somebody was told.
 */
import { writeSync } from 'node:fs';
import { createLedger } from '../../../src/outbound/audit/ledger.ts';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { tryLock } from '../../../src/outbound/sqlite/file-lock.ts';
import { factsOf, keepLog, options } from './facts.ts';

const [path = '', run = ''] = process.argv.slice(2);
const config = options(path, { maxFileBytes: 64 * 1024, keepFiles: 100_000 });
const ledger = createLedger({ config, clock: createSystemClock(), log: keepLog(), tryLock });
ledger.open();

const tell = (text: string) => void writeSync(1, `${text}\n`);
let count = 0;

async function work(): Promise<void> {
  for (;;) {
    const id = `${run}.${++count}`;
    if (count % 3 === 0) {
      const denied = factsOf({ id, outcome: 'denied', code: 'DENIED_BY_POLICY' });
      await ledger.conclude(denied);
      tell(`-${id}`);
    } else {
      const facts = factsOf({ id });
      await ledger.intend(facts);
      tell(`+${id}`);
      await new Promise(resolve => setImmediate(resolve));
      ledger.conclude(facts);
    }
    if (count % 7 === 0) await new Promise(resolve => setTimeout(resolve, 1));
  }
}

void Promise.all(Array.from({ length: 16 }, work));
