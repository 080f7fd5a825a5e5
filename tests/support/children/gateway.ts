// Stands for a gateway that will be killed outright: keeps stubborn children, says so, and waits.
// `gateway.ts steady <marker>`: three children, one JSON line with their pids.
// `gateway.ts gap <marker>`: is killed after a child was started and before anybody was told of it.
// `gateway.ts storm <marker>`: starts and stops children without pause; one line per child started.
import { writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { spawnChild } from '../../../src/outbound/downstream/child-process.ts';
import { createWatchdog } from '../../../src/outbound/downstream/watchdog.ts';
import { silentLog } from './observe.ts';

const [, , manner, marker = ''] = process.argv;
const script = fileURLToPath(new URL('./stubborn.sh', import.meta.url));
const watchdog = createWatchdog(silentLog);
if (manner === 'gap') {
  watchdog.guard = pgid => {
    writeSync(1, `${pgid}\n`);
    process.kill(process.pid, 'SIGKILL');
  };
}

function startStubborn(line: (text: string) => void) {
  return spawnChild(
    {
      launch: { kind: 'stdio', command: 'sh', args: [script, marker], env: new Map(), cwd: null },
      baseEnv: process.env,
      maxLineBytes: 1024,
      stopGraceMs: 50,
      log: silentLog,
    },
    { line: bytes => line(bytes.toString()), exited: () => {} },
    watchdog,
  );
}

if (manner === 'steady') {
  const pids: number[] = [];
  for (let n = 0; n < 3; n += 1) {
    startStubborn(text => {
      pids.push(...text.split(' ').map(Number));
      if (pids.length === 6) process.stdout.write(`${JSON.stringify(pids)}\n`);
    });
  }
} else if (manner === 'gap') {
  startStubborn(() => {});
} else {
  const again = () => {
    const child = startStubborn(() => void child.stop().then(again));
    process.stdout.write(`${child.pid}\n`);
  };
  for (let n = 0; n < 4; n += 1) again();
}
