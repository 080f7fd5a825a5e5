/**
 * How a child process is started, and what a start that failed is called. An argv array, never a shell; descriptors
 * 0-2 of ours and no other; the leader of its own session and process group.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { StdioLaunch } from '../../domain/server.ts';
import { buildChildEnvironment, type Environment } from './child-environment.ts';
import { sealStdio } from './inherited-descriptors.ts';

/** `mark` goes on top of the environment: it is ours, not the operator's. */
export function launchChild(
  launch: StdioLaunch,
  baseEnv: Environment,
  mark: Readonly<Record<string, string>>,
): ChildProcess | Error {
  try {
    return spawn(launch.command, [...launch.args], {
      ...(launch.cwd === null ? {} : { cwd: launch.cwd }),
      env: { ...buildChildEnvironment(baseEnv, launch.env, process.platform), ...mark },
      shell: false,
      // Leader of its own session and group (setsid); on Windows it would only open a console window.
      detached: process.platform !== 'win32',
      windowsHide: true,
      stdio: sealStdio(['pipe', 'pipe', 'pipe']),
    });
  } catch (error) {
    // Some failures are thrown (E2BIG, a NUL in an argument), most are emitted; to the caller they are one thing.
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** The reason is fit for a client, the detail for the log. */
export function explainFailedLaunch(code: string, launch: StdioLaunch): [reason: string, detail: string] {
  const detail = `${launch.command}: ${code}`;
  // The system says ENOENT for either.
  if (code === 'ENOENT' && launch.cwd !== null && !existsSync(launch.cwd)) {
    return ['working directory not found', `${detail} (working directory ${launch.cwd})`];
  }
  if (code === 'ENOENT') return ['command not found', detail];
  if (code === 'EACCES') return ['command is not executable', detail];
  return ['command could not be started', detail];
}

/** The system's name for an error (`ENOENT`), else its class. */
export function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
