/**
 * Processes and what they cost: start (pinned to a core), stop (by process id), processor time and memory of a
 * process tree. Figures come from Linux's /proc and are null elsewhere; pinning needs taskset and two cores.
 */
import type { ChildProcess, StdioOptions } from 'node:child_process';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';

const TASKSET = ['/usr/bin/taskset', '/bin/taskset'].find(path => fs.existsSync(path)) ?? null;
const HAS_PROC = fs.existsSync('/proc/self/schedstat');

function read(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch {
    return ''; // the process went away in between
  }
}

/** The cores this process may use, in order. */
export function listCores(): number[] {
  const allowed = /Cpus_allowed_list:\s*(\S+)/.exec(read('/proc/self/status'))?.[1];
  if (allowed === undefined) return os.cpus().map((_, index) => index);
  return allowed.split(',').flatMap(range => {
    const [from = 0, to = from] = range.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });
}

export interface Cores {
  /** Load generator and downstreams. */
  load: number;
  /** Whatever is measured. */
  peer: number;
}

/** Null where pinning is impossible: everything then runs where the kernel likes. */
export function findCores(): Cores | null {
  const [load, peer] = listCores();
  return TASKSET === null || load === undefined || peer === undefined ? null : { load, peer };
}

/** argv, to be run on one core. */
export function pinned(argv: readonly string[], core: number | null): string[] {
  return core === null || TASKSET === null ? [...argv] : [TASKSET, '-c', String(core), ...argv];
}

export interface StartOptions {
  core: number | null;
  env: NodeJS.ProcessEnv;
  cwd: string;
  stdio: StdioOptions;
  /** Ask Linux's autogroup scheduler for a larger share (root only); for machines that others use too. */
  favour: boolean;
}

/** Starts a program as the leader of a session of its own, so that it can be stopped with its children. */
export function start(argv: readonly string[], options: StartOptions): ChildProcess {
  const [command = '', ...args] = pinned(argv, options.core);
  const { env, cwd, stdio } = options;
  const child = spawn(command, args, { env, cwd, stdio, detached: true });
  child.on('error', () => {});
  if (options.favour && child.pid !== undefined) {
    try {
      fs.writeFileSync(`/proc/${child.pid}/autogroup`, '-15');
    } catch {
      // no such kernel feature, or not allowed: measure without
    }
  }
  return child;
}

export const isAlive = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

export const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

/** Asks a process to end, waits, then ends it and what it started. */
export async function stop(child: ChildProcess, graceMs = 4000): Promise<void> {
  if (child.pid === undefined || !isAlive(child)) return;
  const tree = findTree([child.pid]);
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  await Promise.race([gone, sleep(graceMs)]);
  for (const pid of tree) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // already gone, as it should be
    }
  }
  await Promise.race([gone, sleep(1000)]);
}

/** The processes and all their descendants, except those (and below) whose command line says otherwise. */
export function findTree(
  roots: readonly number[],
  isForeign: (commandLine: string) => boolean = () => false,
): number[] {
  if (!HAS_PROC) return [...roots];
  const children = new Map<number, number[]>();
  for (const entry of fs.readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid)) continue;
    const stat = read(`/proc/${pid}/stat`);
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    children.set(parent, [...(children.get(parent) ?? []), pid]);
  }
  const found: number[] = [];
  const queue = [...roots];
  for (let pid = queue.pop(); pid !== undefined; pid = queue.pop()) {
    const commandLine = read(`/proc/${pid}/cmdline`);
    if (commandLine === '' || isForeign(commandLine)) continue;
    found.push(pid);
    queue.push(...(children.get(pid) ?? []));
  }
  return found;
}

/** Milliseconds on a core, all threads of these processes; null without /proc. */
export function readBusyMs(pids: readonly number[]): number | null {
  if (!HAS_PROC) return null;
  let nanoseconds = 0;
  for (const pid of pids) {
    for (const thread of listThreads(pid)) {
      nanoseconds += Number(read(`/proc/${pid}/task/${thread}/schedstat`).split(' ')[0] ?? 0);
    }
  }
  return nanoseconds / 1e6;
}

/** Milliseconds the main threads were ready and had no core; null without /proc. */
export function readWaitedMs(pids: readonly number[]): number | null {
  if (!HAS_PROC) return null;
  return pids.reduce((sum, pid) => sum + Number(read(`/proc/${pid}/schedstat`).split(' ')[1] ?? 0), 0) / 1e6;
}

function listThreads(pid: number): string[] {
  try {
    return fs.readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** Resident memory, in KB: now (VmRSS), or the most there was (VmHWM). */
export function readMemoryKb(pids: readonly number[], field: 'VmRSS' | 'VmHWM' = 'VmRSS'): number | null {
  if (!HAS_PROC) return null;
  const pattern = new RegExp(`${field}:\\s+(\\d+)`);
  return pids.reduce((sum, pid) => sum + Number(pattern.exec(read(`/proc/${pid}/status`))?.[1] ?? 0), 0);
}

/** Busy milliseconds of the whole machine since it started, whoever caused them. */
export function readMachineBusyMs(): number {
  if (!HAS_PROC) return 0;
  const line = read('/proc/stat').split('\n', 1)[0] ?? '';
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) * 10;
}

/** Waits, for a bounded time, until the rest of the machine does little. */
export async function waitForQuiet(maxMs: number): Promise<void> {
  const endsAt = performance.now() + maxMs;
  while (HAS_PROC && performance.now() < endsAt) {
    const before = readMachineBusyMs();
    const since = performance.now();
    await sleep(250);
    if ((readMachineBusyMs() - before) / (performance.now() - since) < 0.2) return;
  }
}

/** A port on 127.0.0.1 that was free a moment ago, for programs that must be told one. */
export function findFreePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = net.createServer();
    probe.once('error', reject);
    probe.listen({ host: '127.0.0.1', port: 0 }, () => {
      const address = probe.address();
      const port = address !== null && typeof address === 'object' ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}
