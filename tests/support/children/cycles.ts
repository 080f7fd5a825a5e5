// Starts, stops and crashes children `cycles.ts <count>` times, eight at once, and prints as JSON what is left:
// { cycles, reports, descriptorsBefore, descriptorsAfter, running, offspring, reasons }.
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Child, spawnChild } from '../../../src/outbound/downstream/child-process.ts';
import { createWatchdog } from '../../../src/outbound/downstream/watchdog.ts';
import { groupMembers, offspringOf, silentLog, until } from './observe.ts';

type Ending = 'stop after a line' | 'stop at once' | 'wait for the exit';
const fixture = (name: string) => fileURLToPath(new URL(name, import.meta.url));
const kinds: { command: string; args: string[]; ending: Ending }[] = [
  { command: 'sh', args: ['-c', 'echo up; exec cat'], ending: 'stop after a line' },
  { command: 'sh', args: ['-c', 'echo up; exec cat'], ending: 'stop at once' },
  { command: 'sh', args: ['-c', 'echo up; exit 3'], ending: 'wait for the exit' },
  { command: 'sh', args: ['-c', 'kill -9 $$'], ending: 'wait for the exit' },
  { command: 'sh', args: [fixture('stubborn.sh')], ending: 'stop after a line' },
  { command: 'sh', args: [fixture('orphaning.sh')], ending: 'wait for the exit' },
  { command: 'gatehouse-no-such-command', args: [], ending: 'wait for the exit' },
  { command: 'sleep', args: ['600'], ending: 'stop at once' },
];

const watchdog = createWatchdog(silentLog);
const pids: number[] = [];
const reasons: Record<string, number> = {};
let reports = 0;

async function cycle(n: number): Promise<void> {
  const kind = kinds[n % kinds.length] ?? kinds[0];
  if (kind === undefined) return;
  let child: Child | null = null;
  const ready = Promise.withResolvers<void>();
  child = spawnChild(
    {
      launch: { kind: 'stdio', command: kind.command, args: kind.args, env: new Map(), cwd: null },
      baseEnv: process.env,
      maxLineBytes: 1024,
      stopGraceMs: 100,
      log: silentLog,
    },
    {
      line: () => kind.ending === 'stop after a line' && ready.resolve(),
      exited: how => {
        reports += 1;
        reasons[how.reason] = (reasons[how.reason] ?? 0) + 1;
        ready.resolve();
      },
    },
    watchdog,
  );
  if (child.pid !== null) pids.push(child.pid);
  child.write('{"hello":1}');
  if (kind.ending !== 'stop at once') await ready.promise;
  await child.stop();
}

async function run(count: number): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) {
      next += 1;
      await cycle(next);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
}

const countDescriptors = () => readdirSync('/proc/self/fd').length;
const count = Number(process.argv[2] ?? 200);

await run(kinds.length);
const descriptorsBefore = countDescriptors();
reports = 0;
for (const reason of Object.keys(reasons)) delete reasons[reason];
await run(count);
await until(() => countDescriptors() <= descriptorsBefore, 5000);
const descriptorsAfter = countDescriptors();
const running = pids.flatMap(groupMembers);
await watchdog.close();
const offspring = offspringOf(process.pid);
process.stdout.write(
  `${JSON.stringify({ cycles: count, reports, descriptorsBefore, descriptorsAfter, running, offspring, reasons })}\n`,
);
