// Prints as JSON which descriptors this process, a child of it and the watchdog's shell have open: "<number> <what>".
import { readdirSync, readlinkSync } from 'node:fs';
import { spawnChild } from '../../../src/outbound/downstream/child-process.ts';
import { createWatchdog } from '../../../src/outbound/downstream/watchdog.ts';
import { offspringOf, silentLog } from './observe.ts';

const watchdog = createWatchdog(silentLog);

function describe(pid: number | undefined): string[] {
  return readdirSync(`/proc/${pid}/fd`)
    .sort((a, b) => Number(a) - Number(b))
    .flatMap(fd => {
      try {
        return [`${fd} ${readlinkSync(`/proc/${pid}/fd/${fd}`)}`];
      } catch {
        return [];
      }
    });
}

const child = spawnChild(
  {
    launch: { kind: 'stdio', command: 'cat', args: [], env: new Map(), cwd: null },
    baseEnv: process.env,
    maxLineBytes: 1024,
    stopGraceMs: 1000,
    log: silentLog,
  },
  {
    line() {
      const shell = offspringOf(process.pid).find(it => it.commandLine.includes('gatehouse-watchdog GATEHOUSE_CHILD='));
      const found = { own: describe(process.pid), ofChild: describe(child.pid ?? 0), ofShell: describe(shell?.pid) };
      process.stdout.write(`${JSON.stringify(found)}\n`);
      void child.stop().then(() => watchdog.close());
    },
    exited() {},
  },
  watchdog,
);
child.write('up');
