/** What runs on this machine, read from /proc (Linux), and waiting for it to change. */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Log, LogFields } from '../../../src/ports/log.ts';

export const silentLog: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silentLog };

export interface LogEntry {
  level: string;
  message: string;
  fields: LogFields;
}

export function createLogBook(): { log: Log; entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  const write =
    (level: string) =>
    (message: string, fields: LogFields = {}) => {
      entries.push({ level, message, fields });
    };
  const log: Log = {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    with: () => log,
  };
  return { log, entries };
}

/** Resolves with whether the condition came true in time. */
export async function until(condition: () => boolean, ms: number): Promise<boolean> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) return false;
    await sleep(25);
  }
  return true;
}

export interface ProcessFacts {
  pid: number;
  state: string;
  parent: number;
  group: number;
  session: number;
  commandLine: string;
}

/** Zombies included: state `Z`. */
export function listProcesses(): ProcessFacts[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .flatMap(name => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
        const [state = '', parent, group, session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        const commandLine = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return [
          {
            pid: Number(name),
            state,
            parent: Number(parent),
            group: Number(group),
            session: Number(session),
            commandLine,
          },
        ];
      } catch {
        return [];
      }
    });
}

/** Running members of a process group. */
export function groupMembers(pgid: number): number[] {
  return listProcesses()
    .filter(it => it.group === pgid && it.state !== 'Z')
    .map(it => it.pid);
}

export function isRunning(pid: number): boolean {
  return listProcesses().some(it => it.pid === pid && it.state !== 'Z');
}

/** Children of a process, uncollected zombies included. */
export function offspringOf(pid: number): ProcessFacts[] {
  return listProcesses().filter(it => it.parent === pid);
}
