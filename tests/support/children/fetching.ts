/**
 * Fetches its first argument, a good URL, a few times, and then the second within a cap of 10 MiB; prints as JSON what came
 * of that, how long it took, and by how much the process grew meanwhile. Run with --expose-gc.
 */

import { readAllowedTarget } from '../../../src/domain/outbound-rules.ts';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { createAddressGuard } from '../../../src/outbound/fetch/address-guard.ts';
import { createGuardedFetch } from '../../../src/outbound/fetch/guarded-fetch.ts';
import { silentLog as log } from './observe.ts';

export interface Fetching {
  why: string;
  ms: number;
  grownMiB: number;
}

const MIB = 1024 * 1024;
const target = readAllowedTarget('127.0.0.0/8');
if (typeof target === 'string') throw new Error(target);
const rules = () => ({ allow: [target], allowHttp: false });
const clock = createSystemClock();
const fetch = createGuardedFetch({ guard: createAddressGuard({ rules, clock, log }), rules, clock, log });

const settle = async () => {
  for (let i = 0; i < 3; i++) {
    globalThis.gc?.();
    await new Promise(resolve => setTimeout(resolve, 20));
  }
  return process.memoryUsage.rss();
};

async function measure(url: string): Promise<Fetching> {
  const before = await settle();
  let most = before;
  const timer = setInterval(() => {
    most = Math.max(most, process.memoryUsage.rss());
  }, 2);
  const start = performance.now();
  const got = await fetch.send({ url, purpose: 'test', maxBytes: 10 * MIB, timeoutMs: 3000 });
  const ms = Math.round(performance.now() - start);
  clearInterval(timer);
  most = Math.max(most, process.memoryUsage.rss());
  const why = got.ok ? `ok ${got.body.length}` : got.why;
  return { why, ms, grownMiB: Math.round(((most - before) / MIB) * 10) / 10 };
}

const [good, url] = process.argv.slice(2);
if (good === undefined || url === undefined) throw new Error('a good URL and another');
// What the first requests of a process cost is no answer's fault.
for (let i = 0; i < 5; i++) await measure(good);
process.stdout.write(`${JSON.stringify(await measure(url))}\n`);
await fetch.close();
process.exit(0);
