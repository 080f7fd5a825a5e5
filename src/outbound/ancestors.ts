/** The processes that launched this one, as far as the system tells: Linux does, elsewhere there are none to be seen. */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';

const MAX_ANCESTORS = 256;

/** How many of them run this very program: a gateway that launches itself, however, has one more at each step. */
export function countAncestorsAlike(program: string = process.argv[1] ?? ''): number {
  const name = basename(program);
  let alike = 0;
  let pid = process.ppid;
  for (let step = 0; pid > 1 && step < MAX_ANCESTORS; step++) {
    const seen = look(pid);
    if (seen === null) break;
    if (scriptOf(seen.args) === name) alike += 1;
    pid = seen.parent;
  }
  return alike;
}

/** Of a process of Node, the name of what it runs: what only hands on our command line is none. */
function scriptOf([command = '', ...args]: readonly string[]): string | null {
  if (basename(command) !== basename(process.execPath)) return null;
  const script = args.find(arg => !arg.startsWith('-'));
  return script === undefined ? null : basename(script);
}

function look(pid: number): { args: readonly string[]; parent: number } | null {
  try {
    const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    // The name in brackets may hold anything; its parent comes two fields behind it.
    const facts = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [, parent] = facts.slice(facts.lastIndexOf(')') + 2).split(' ');
    return { args, parent: Number(parent) };
  } catch {
    return null;
  }
}
