/**
 * Outlives a benchmark that was killed, for as long as it takes to end what it had started. Told on standard input, a line
 * each: `+<pid>` for a group leader that was started, `-<pid>` for one that ended; when the input ends, so do the others.
 *   node tests/bench/guard.ts <scratch folder>
 */
import fs from 'node:fs';
import readline from 'node:readline';

const live = new Set<number>();
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', line => {
  const pid = Number(line.slice(1));
  if (!Number.isInteger(pid) || pid <= 1) return;
  if (line.startsWith('+')) live.add(pid);
  else live.delete(pid);
});
lines.on('close', () => {
  for (const pid of live) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // it ended with its parent
    }
  }
  const folder = process.argv[2];
  if (folder !== undefined) fs.rmSync(folder, { recursive: true, force: true });
});
// A signal to the whole terminal group must not end the guard before those it guards.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
