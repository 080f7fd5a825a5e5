/**
 * One child process of a stdio server: started without a shell, in a process group of its own, with an allow-listed
 * environment; its stdout as lines, its end reported once, its group stopped as a whole.
 * MCP, "stdio" transport and its shutdown order: close stdin, wait, SIGTERM, wait, SIGKILL. Refused here: JSON, retries.
 */
import type { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { StdioLaunch } from '../../domain/server.ts';
import type { Log } from '../../ports/log.ts';
import type { Environment } from './child-environment.ts';
import { codeOf, explainFailedLaunch, launchChild } from './child-launch.ts';
import { createStderrReader } from './child-stderr.ts';
import { createLineSplitter } from './line-splitter.ts';
import { signalGroup, waitForGroupEnd } from './process-group.ts';
import { createSecretMask } from './secret-mask.ts';
import type { Watchdog } from './watchdog.ts';

/** Unread input beyond which a child counts as stuck. Callers are expected to hold back long before. */
const DEFAULT_MAX_PENDING_BYTES = 64 * 1024 * 1024;
/** How long a killed group may take to be gone: only a process stuck in the kernel needs longer. */
const KILLED_WITHIN_MS = 5000;
/** After the leader's death: silence on its pipes for this long means that nobody but a grandchild holds them. */
const LAST_WORDS_MS = 100;
const LAST_WORDS_ROUNDS = 20;

export interface ChildOptions {
  launch: StdioLaunch;
  /** The gateway's own environment, from which the allow-list picks. */
  baseEnv: Environment;
  /** Beyond it the child is stopped. */
  maxLineBytes: number;
  /** Waited after the close of stdin, and again after SIGTERM. */
  stopGraceMs: number;
  /** Unread input beyond it stops the child. */
  maxPendingBytes?: number;
  log: Log;
}

export interface ExitReport {
  code: number | null;
  signal: string | null;
  /** Fit for a client: no path, host or stack. */
  reason: string;
  /** For the log: the command, the system's error code, the last lines of stderr with secrets masked. */
  detail: string;
}

export interface ChildHandlers {
  /**
   * One line of stdout without its newline; never empty. The bytes are the receiver's own and are not written to again;
   * a short line may be a view of the chunk it came in, so copy what is to be kept for long. After `pauseReading` the
   * rest of the current chunk (at most 64 KiB) still arrives.
   */
  line(bytes: Buffer): void;
  /** Called exactly once and never before `spawnChild` has returned, also when the spawn itself failed. No line follows. */
  exited(how: ExitReport): void;
}

export interface Child {
  /** null when the spawn failed. */
  readonly pid: number | null;
  /**
   * Sends one line (its newline is added here). False when the pipe is full: wait for `drained`. Never throws; after
   * the end a no-op.
   */
  write(line: string): boolean;
  /** Resolves when there is room again, or the child has ended. */
  drained(): Promise<void>;
  /** Waiting to be read by the child; counted in UTF-16 units where the text is not ASCII. */
  readonly pendingBytes: number;
  /** Without effect once the child is being stopped or has ended: what its pipe still holds is delivered then. */
  pauseReading(): void;
  resumeReading(): void;
  /**
   * stdin close, wait, SIGTERM to the group, wait, SIGKILL to the group. Resolves when the whole group is gone and
   * `exited` was called. Idempotent.
   */
  stop(): Promise<void>;
}

export function spawnChild(options: ChildOptions, handlers: ChildHandlers, watchdog: Watchdog): Child {
  const { launch, log, stopGraceMs } = options;
  const maxPendingBytes = options.maxPendingBytes ?? DEFAULT_MAX_PENDING_BYTES;
  const mask = createSecretMask(launch.env.values());
  const stderr = createStderrReader(log, mask);

  const leaderGone = Promise.withResolvers<void>();
  const allGone = Promise.withResolvers<void>();
  let hasLeader = true;
  let hasReported = false;
  let isReadable = true;
  let stopping: Promise<void> | null = null;
  /** Why we ended it, if we did. */
  let ourReason: string | null = null;
  let waitingForRoom: (() => void)[] = [];
  let bytesRead = 0;
  /** Written in this turn of the event loop, behind a first line that went out at once. */
  let batch = '';
  let isTurnOpen = false;

  const splitter = createLineSplitter(options.maxLineBytes, bytes => {
    try {
      handlers.line(bytes);
    } catch (error) {
      log.error('a line from a child could not be handled', { error: String(error) });
    }
  });

  const started = launchChild(launch, options.baseEnv, watchdog.expect?.() ?? {});
  const child = started instanceof Error ? null : started;
  const pid = child?.pid ?? null;
  if (pid === null) watchdog.dismiss?.();
  else watchdog.guard(pid);
  const pipesClosed = Promise.all([closed(child?.stdout), closed(child?.stderr)]);
  if (started instanceof Error) setImmediate(() => settleFailedSpawn(started));

  child?.on('error', error => {
    // Later errors (a signal that could not be sent) change nothing: the exit is what counts.
    if (child.pid === undefined) settleFailedSpawn(error);
    else log.debug('child process error', { code: codeOf(error) });
  });
  child?.once('exit', (code, signal) => void settleExit(code, signal));

  child?.stdin?.on('drain', releaseWaiting);
  for (const pipe of [child?.stdin, child?.stdout, child?.stderr]) {
    // EPIPE and ECONNRESET: the other side is gone, and its exit says why.
    pipe?.on('error', error => log.debug('child pipe closed', { code: codeOf(error) }));
  }
  child?.stdin?.on('close', releaseWaiting);
  child?.stderr?.on('data', (chunk: Buffer) => {
    bytesRead += chunk.length;
    stderr.push(chunk);
  });
  child?.stdout?.on('data', (chunk: Buffer) => {
    bytesRead += chunk.length;
    if (splitter.push(chunk)) return;
    child.stdout?.destroy();
    forceStop('sent a line longer than the limit');
  });

  function releaseWaiting(): void {
    const waiting = waitingForRoom;
    waitingForRoom = [];
    for (const go of waiting) go();
  }

  function report(code: number | null, signal: string | null, reason: string, detail: string): void {
    if (hasReported) return;
    hasReported = true;
    splitter.abandon();
    child?.stdin?.destroy();
    child?.stdout?.destroy();
    child?.stderr?.destroy();
    releaseWaiting();
    try {
      handlers.exited({ code, signal, reason, detail });
    } catch (error) {
      log.error('the end of a child could not be handled', { error: String(error) });
    }
  }

  function settleFailedSpawn(error: Error): void {
    hasLeader = false;
    report(null, null, ...explainFailedLaunch(codeOf(error), launch));
    leaderGone.resolve();
    allGone.resolve();
  }

  async function settleExit(code: number | null, signal: string | null): Promise<void> {
    if (!hasLeader) {
      // Given up on before; its number must still be released.
      if (pid !== null) await reapGroup(pid);
      return;
    }
    hasLeader = false;
    leaderGone.resolve();
    resumeForGood();
    // At once, and while the last words are read: nothing of the group may outlive its leader for long.
    const reaped = pid === null ? true : reapGroup(pid);
    await readLastWords();
    splitter.end();
    stderr.end();
    const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
    const said = stderr.tail();
    report(
      code,
      signal,
      ourReason ?? how,
      `${mask.apply(launch.command)} ${how}${said === '' ? '' : `; stderr: ${said}`}`,
    );
    await reaped;
    allGone.resolve();
  }

  function resumeForGood(): void {
    isReadable = true;
    child?.stdout?.resume();
  }

  /** The leader's exit may overtake what it wrote last; a grandchild may hold the pipes open for ever. */
  async function readLastWords(): Promise<void> {
    let before = -1;
    for (let round = 0; round < LAST_WORDS_ROUNDS && bytesRead !== before; round += 1) {
      before = bytesRead;
      if (await endsWithin(pipesClosed, LAST_WORDS_MS)) return;
      // A loop that was busy runs late timers before it reads: give the pipes their turn.
      await nextTurn();
    }
  }

  /** For a group whose leader has ended. */
  async function reapGroup(pgid: number): Promise<void> {
    if (signalGroup(pgid, 'SIGTERM') && !(await waitForGroupEnd(pgid, stopGraceMs))) {
      signalGroup(pgid, 'SIGKILL');
      if (!(await waitForGroupEnd(pgid, KILLED_WITHIN_MS))) {
        // Stays with the watchdog.
        log.error('a child process group does not end', { pgid });
        return;
      }
    }
    watchdog.release(pgid);
  }

  async function runStop(isForced: boolean): Promise<void> {
    resumeForGood();
    flush();
    child?.stdin?.end();
    if (pid === null) return allGone.promise;
    if (hasLeader && !isForced) await endsWithin(leaderGone.promise, stopGraceMs);
    if (hasLeader) {
      signalGroup(pid, 'SIGTERM');
      await endsWithin(leaderGone.promise, stopGraceMs);
    }
    if (hasLeader) {
      signalGroup(pid, 'SIGKILL');
      await endsWithin(leaderGone.promise, KILLED_WITHIN_MS);
    }
    if (hasLeader) {
      log.error('a child process does not end', { pid });
      hasLeader = false;
      report(null, null, ourReason ?? 'did not end', `${mask.apply(launch.command)} did not end after SIGKILL`);
      return;
    }
    await allGone.promise;
  }

  function beginStop(reason: string, isForced: boolean): Promise<void> {
    if (stopping === null) {
      if (hasLeader) ourReason = reason;
      stopping = runStop(isForced);
    }
    return stopping;
  }

  function forceStop(reason: string): void {
    log.warn('child process is stopped', { why: reason, pid });
    void beginStop(reason, true);
  }

  function flush(): void {
    if (batch === '') return;
    const text = batch;
    batch = '';
    if (child?.stdin?.writable) child.stdin.write(text);
  }

  function pending(): number {
    return batch.length + (child?.stdin?.writableLength ?? 0);
  }

  function hasRoom(): boolean {
    const stdin = child?.stdin;
    if (!stdin?.writable) return true;
    return !stdin.writableNeedDrain && pending() < stdin.writableHighWaterMark;
  }

  return {
    pid,
    write(line) {
      const stdin = child?.stdin;
      if (!hasLeader || stopping !== null || !stdin?.writable) return true;
      if (isTurnOpen) batch += `${line}\n`;
      else {
        // One system call for all lines of a turn but the first: under load it is most of what a write costs.
        isTurnOpen = true;
        setImmediate(() => {
          isTurnOpen = false;
          flush();
        });
        stdin.write(`${line}\n`);
      }
      if (pending() > maxPendingBytes) {
        batch = '';
        forceStop('does not read its input');
        return true;
      }
      return hasRoom();
    },
    async drained() {
      flush();
      if (!hasLeader || stopping !== null || hasRoom()) return;
      await new Promise<void>(resolve => waitingForRoom.push(resolve));
    },
    get pendingBytes() {
      return pending();
    },
    pauseReading() {
      if (!hasLeader || stopping !== null) return;
      isReadable = false;
      child?.stdout?.pause();
    },
    resumeReading() {
      if (isReadable) return;
      resumeForGood();
    },
    stop: () => beginStop('stopped', false),
  };
}

function closed(pipe: Readable | null | undefined): Promise<void> {
  if (!pipe || pipe.closed) return Promise.resolve();
  return new Promise(resolve => pipe.once('close', () => resolve()));
}

/** Returns false when the time is over first; leaves no timer behind. */
async function endsWithin(end: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>(resolve => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const isEnded = await Promise.race([end.then(() => true), late]);
  clearTimeout(timer);
  return isEnded;
}
