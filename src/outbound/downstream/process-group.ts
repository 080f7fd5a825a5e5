/**
 * Signals to a whole process group, and whether anything of it still lives (POSIX.1 kill, setsid).
 * On Windows there are no groups: the number is the leader's own.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const POLL_MS = 15;
const LISTING_EVERY = 8;
const hasGroups = process.platform !== 'win32';

/** Returns false when nothing was there that we could signal. */
export function signalGroup(pgid: number, signal: NodeJS.Signals | 0): boolean {
  try {
    process.kill(hasGroups ? -pgid : pgid, signal);
    return true;
  } catch {
    // ESRCH: nobody. EPERM: on macOS only zombies are left, elsewhere it is not ours to kill.
    return false;
  }
}

/**
 * True while a process of the group runs. A zombie does not count: its parent may never collect it (an orphan in a
 * container whose first process is no init), and there is nothing left of it to stop.
 */
export function isGroupAlive(pgid: number): boolean {
  if (!signalGroup(pgid, 0)) return false;
  return process.platform !== 'linux' || hasRunningMember(pgid);
}

function hasRunningMember(pgid: number): boolean {
  let pids: string[];
  try {
    pids = readdirSync('/proc');
  } catch {
    return true;
  }
  let found = 0;
  for (const pid of pids) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
      // "pid (name) state ppid pgrp ...": the name may hold blanks and brackets, so read behind the last one.
      const [state, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ', 3);
      if (Number(group) !== pgid) continue;
      if (state !== 'Z' && state !== 'X') return true;
      found += 1;
    } catch {
      // Gone since the directory was read.
    }
  }
  // Signalled a moment ago yet not seen (hidepid mounts): believe the kernel, not the listing.
  return found === 0 && signalGroup(pgid, 0);
}

/** Waits until nothing of the group runs; returns false when it still does after `ms`. */
export async function waitForGroupEnd(pgid: number, ms: number): Promise<boolean> {
  for (let round = 1; round * POLL_MS <= ms; round += 1) {
    // The listing costs a read per process of the machine, the signal nothing: look for zombies only now and then.
    if (!signalGroup(pgid, 0) || (round % LISTING_EVERY === 0 && !isGroupAlive(pgid))) return true;
    await sleep(POLL_MS);
  }
  return !isGroupAlive(pgid);
}
