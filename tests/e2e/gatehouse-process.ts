/** The gateway as its users meet it: a process with arguments, an environment of its own, and three streams. */
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { COMPILED } from '../support/compiled.ts';

const ENTRY = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface Launch {
  args?: readonly string[];
  /** All there is, but for PATH. */
  env?: Readonly<Record<string, string>>;
  cwd: string;
}

export interface Running {
  child: ChildProcessWithoutNullStreams;
  stdout(): string;
  stderr(): string;
  /** The exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals | null>;
  /** Waits until what was written so far matches; rejects when the process ends first. */
  says(pattern: RegExp): Promise<RegExpExecArray>;
}

export function startGatehouse({ args = [], env = {}, cwd }: Launch): Running {
  const child = spawn(process.execPath, [ENTRY, ...args], {
    cwd,
    env: { PATH: process.env.PATH, HOME: cwd, ...COMPILED, ...env },
  });
  let stdout = '';
  let stderr = '';
  const listeners = new Set<() => void>();
  const news = () => {
    for (const listener of listeners) listener();
  };
  child.stdout.setEncoding('utf8').on('data', chunk => {
    stdout += chunk;
    news();
  });
  child.stderr.setEncoding('utf8').on('data', chunk => {
    stderr += chunk;
    news();
  });
  // Whoever writes to a gateway that has just ended is not the subject here.
  child.stdin.on('error', () => {});
  let over = false;
  const ended = new Promise<number | NodeJS.Signals | null>(resolve => {
    child.on('close', (code, signal) => {
      over = true;
      resolve(code ?? signal);
      news();
    });
  });
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ended,
    says: pattern =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(stdout) ?? pattern.exec(stderr);
          if (match === null && !over) return;
          listeners.delete(look);
          if (match !== null) resolve(match);
          else reject(new Error(`ended without saying ${pattern}:\n${stdout}\n${stderr}`));
        };
        listeners.add(look);
        look();
      }),
  };
}

/** Runs to the end with nothing on stdin. */
export async function runGatehouse(launch: Launch, input = '') {
  const running = startGatehouse(launch);
  running.child.stdin.end(input);
  const code = await running.ended;
  return { code, stdout: running.stdout(), stderr: running.stderr() };
}
