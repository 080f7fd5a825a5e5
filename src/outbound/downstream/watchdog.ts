/**
 * One small shell per gateway that outlives it by seconds: when the gateway dies, by whatever signal, the shell's stdin
 * ends and it stops every process group still registered. Refused here: deciding when a child has ended (its owner
 * releases it) and polling; between two registrations the shell sleeps in `read`.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { Socket } from 'node:net';
import type { Log } from '../../ports/log.ts';
import { codeOf } from './child-launch.ts';
import { sealStdio } from './inherited-descriptors.ts';

export interface Watchdog {
  /** Has this process group stopped should the gateway die. */
  guard(pgid: number): void;
  /** To be called as soon as the group has ended: its number may be given to somebody else. */
  release(pgid: number): void;
  /** Ends the shell; groups still registered are stopped by it. Idempotent. */
  close(): Promise<void>;
  /**
   * To be called right before a spawn; the next `guard` or `dismiss` answers it. Returns what the child's environment
   * must hold: should the gateway die between the spawn and `guard`, the child is found by it (Linux).
   */
  expect?(): Readonly<Record<string, string>>;
  /** The expected spawn failed. */
  dismiss?(): void;
}

const MARK_NAME = 'GATEHOUSE_CHILD';

/**
 * Runs in any POSIX shell (`kill -SIG -n` without `--`, which BusyBox takes for a number). Its stdin: `?` a spawn
 * follows, `!` it failed, `+n` group n lives, `-n` it has ended. Signals are ignored because a stop of the whole service
 * (systemd, Ctrl-C) reaches it too, while the gateway still needs it; the end of its stdin is the one thing it obeys.
 * Its pauses are counted, not measured: a `sleep` that takes no fractions sleeps whole seconds, and one that is missing
 * makes it brisk, not stuck.
 */
const SCRIPT = `
trap '' HUP INT QUIT TERM PIPE
mark=$1
groups=
expected=
while IFS= read -r line; do
  case $line in '?') expected=1; continue ;; '!') expected=; continue ;; esac
  pgid=\${line#?}
  case $pgid in ''|0|1|*[!0-9]*) continue ;; esac
  case $line in
    +*) expected=; groups="$groups $pgid" ;;
    -*) kept=; for one in $groups; do [ "$one" = "$pgid" ] || kept="$kept $one"; done; groups=$kept ;;
  esac
done
alive() {
  kept=
  for one in $groups; do kill -0 "-$one" 2>/dev/null && kept="$kept $one"; done
  groups=$kept
  [ -n "$groups" ]
}
send() { for one in $groups; do kill "-$1" "-$one" 2>/dev/null; done; }
adopt() {
  for file in $(grep -l -e "$mark" /proc/[0-9]*/environ 2>/dev/null); do
    read -r stat 2>/dev/null <"\${file%/environ}/stat" || continue
    set -- \${stat##*) }
    case " $groups " in *" $3 "*) continue ;; esac
    [ "$3" -gt 1 ] && kill -TERM "-$3" 2>/dev/null && groups="$groups $3"
  done
}
alive && send TERM
tenths=0
while [ $tenths -lt 20 ]; do
  if [ -n "$expected" ]; then
    adopt
    [ $tenths -lt 10 ] || expected=
  fi
  alive || [ -n "$expected" ] || exit 0
  if sleep 0.1 2>/dev/null; then tenths=$((tenths + 1)); else sleep 1; tenths=$((tenths + 10)); fi
done
send KILL
exit 0
`;

const SHELL = '/bin/sh';
/** Restarts in a row before giving up; a shell that stayed up for a while counts as healthy again. */
const MAX_RESTARTS = 5;
const HEALTHY_AFTER_MS = 10_000;
/** Longer than the shell's own two seconds between TERM and KILL. */
const CLOSE_WITHIN_MS = 5000;

export function createWatchdog(log: Log): Watchdog {
  const guarded = new Set<number>();
  const mark = randomUUID();
  let shell: ChildProcess | null = null;
  let closing: Promise<void> | null = null;
  let hasGivenUp = false;
  let restarts = 0;

  function giveUp(cause: string): void {
    if (hasGivenUp) return;
    hasGivenUp = true;
    shell = null;
    log.warn('no watchdog for child processes: if the gateway is killed outright, they may stay behind', { cause });
  }

  function tell(line: string): void {
    if (shell?.stdin?.writable) shell.stdin.write(`${line}\n`);
  }

  function start(): void {
    if (process.platform === 'win32') {
      giveUp('no process groups on this platform');
      return;
    }
    let started: ChildProcess;
    try {
      started = spawn(SHELL, ['-c', SCRIPT, 'gatehouse-watchdog', `${MARK_NAME}=${mark}`], {
        // A session of its own: Ctrl-C on the terminal is for the gateway.
        detached: true,
        // Holds no directory that somebody may want to unmount.
        cwd: '/',
        env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
        stdio: sealStdio(['pipe', 'ignore', 'ignore']),
      });
    } catch (error) {
      giveUp(error instanceof Error ? codeOf(error) : String(error));
      return;
    }
    shell = started;
    const healthy = setTimeout(() => {
      restarts = 0;
    }, HEALTHY_AFTER_MS).unref();
    started.on('error', error => {
      clearTimeout(healthy);
      if (started.pid === undefined) giveUp(codeOf(error));
    });
    // EPIPE when it was killed; its exit is what counts.
    started.stdin?.on('error', () => {});
    started.on('exit', () => {
      clearTimeout(healthy);
      started.stdin?.destroy();
      if (shell !== started) return;
      shell = null;
      if (closing === null && guarded.size > 0) restart();
    });
    // The gateway must be able to end while the shell waits.
    started.unref();
    if (started.stdin instanceof Socket) started.stdin.unref();
    for (const pgid of guarded) tell(`+${pgid}`);
  }

  function restart(): void {
    restarts += 1;
    if (restarts > MAX_RESTARTS) {
      giveUp('it keeps ending');
      return;
    }
    log.warn('the watchdog for child processes ended and is started again');
    start();
  }

  function end(ending: ChildProcess): Promise<void> {
    return new Promise(resolve => {
      const late = setTimeout(() => {
        ending.kill('SIGKILL');
        resolve();
      }, CLOSE_WITHIN_MS);
      ending.once('exit', () => {
        clearTimeout(late);
        resolve();
      });
      ending.ref();
      ending.stdin?.end();
    });
  }

  return {
    expect() {
      if (closing === null && !hasGivenUp) {
        if (shell === null) start();
        tell('?');
      }
      return { [MARK_NAME]: mark };
    },
    dismiss: () => tell('!'),
    guard(pgid) {
      if (closing !== null || hasGivenUp || !Number.isSafeInteger(pgid) || pgid <= 1 || guarded.has(pgid)) return;
      guarded.add(pgid);
      if (shell === null) start();
      else tell(`+${pgid}`);
    },
    release(pgid) {
      if (guarded.delete(pgid)) tell(`-${pgid}`);
    },
    close() {
      closing ??= shell === null || shell.exitCode !== null || shell.pid === undefined ? Promise.resolve() : end(shell);
      return closing;
    },
  };
}
