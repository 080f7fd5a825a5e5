/**
 * Descriptors that whoever started the gateway left open in it (a supervisor's pipe, a shell's redirection) and that
 * every child would inherit in turn: Node opens its own close-on-exec, but cannot set that on foreign ones, nor close
 * them in the child alone. So the child gets /dev/null in their place. Linux only; elsewhere nothing tells which they are.
 */
import type { StdioOptions } from 'node:child_process';
import { openSync, readdirSync, readFileSync } from 'node:fs';

type Stdio = 'pipe' | 'ignore';

const O_CLOEXEC = 0o2000000;
/** The list given to spawn is as long as the highest number; nobody leaves open more than this by accident. */
const HIGHEST = 4096;

function listInherited(): number[] {
  let names: string[];
  try {
    names = readdirSync('/proc/self/fdinfo');
  } catch {
    return [];
  }
  return names.map(Number).filter(fd => {
    if (fd < 3 || fd > HIGHEST) return false;
    try {
      const flags = /^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
      return flags !== undefined && (Number.parseInt(flags, 8) & O_CLOEXEC) === 0;
    } catch {
      // The descriptor of the listing itself, closed since.
      return false;
    }
  });
}

/** A fact of the process, fixed when it began: read once, at the first child. */
let known: { inherited: readonly number[]; nothing: number } | null = null;

/** The `stdio` option of a spawn that passes on 0-2 as given and nothing of what we inherited. */
export function sealStdio(first: readonly [Stdio, Stdio, Stdio]): StdioOptions {
  if (known === null) {
    const inherited = process.platform === 'linux' ? listInherited() : [];
    known = { inherited, nothing: inherited.length === 0 ? -1 : openSync('/dev/null', 'r+') };
  }
  const { inherited, nothing } = known;
  const stdio: (Stdio | number)[] = [...first];
  for (const fd of inherited) {
    while (stdio.length < fd) stdio.push('ignore');
    stdio[fd] = nothing;
  }
  return stdio;
}
