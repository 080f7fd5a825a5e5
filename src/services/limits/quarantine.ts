/**
 * The quarantine in force: asked before policy on every list, search and call, and by nobody overruled. Built for being
 * empty: then the question costs one comparison. What is kept may be changed by another process; the store tells.
 */
import type { Identity } from '../../domain/identity.ts';
import {
  findBlock,
  type Quarantined,
  type QuarantineEntry,
  quarantinedAt,
  withEntry,
  withoutEntry,
} from '../../domain/quarantine.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { QuarantineStore } from '../../ports/quarantine.ts';

export interface Quarantine {
  /** Rejects when what is kept cannot be understood: better not to start than to let in whom somebody shut out. */
  start(): Promise<void>;
  /** Grows with every change of what is in force: what was made of an older version is stale. */
  version(): number;
  isEmpty(): boolean;
  /** What is in force, as one snapshot. */
  current(): Quarantined;
  /** `tool` by its own name. Null as far as it does not matter. */
  isBlocked(who: Identity | null, server: ServerKey | null, tool: string | null): boolean;
  /** The same, with the entry that decides: for the record, not for the caller. */
  findBlock(who: Identity | null, server: ServerKey | null, tool: string | null): QuarantineEntry | null;
  /** In force, in no order. */
  entries(): readonly QuarantineEntry[];
  /** In force when it resolves. Rejects when it cannot be kept, or there are too many. */
  add(entry: QuarantineEntry): Promise<void>;
  /** False: there was none. */
  remove(kind: QuarantineEntry['kind'], name: string): Promise<boolean>;
  onChange(listener: () => void): void;
  stop(): Promise<void>;
}

export function createQuarantine(deps: { store: QuarantineStore; clock: Clock; log: Log }): Quarantine {
  const { store, clock, log } = deps;
  const listeners: (() => void)[] = [];
  let kept: readonly QuarantineEntry[] = [];
  let current = quarantinedAt([], 0);
  let version = 0;
  let cancelTimer = () => {};
  let stopWatching: () => Promise<void> = async () => {};
  let reading: Promise<void> = Promise.resolve();
  let stopped = false;

  function adopt(entries: readonly QuarantineEntry[]): void {
    kept = entries;
    enforce();
  }

  /** Puts in force what is not over, and comes back when the next is. */
  function enforce(): void {
    if (stopped) return;
    cancelTimer();
    const nowMs = clock.wallMs();
    current = quarantinedAt(kept, nowMs);
    version++;
    for (const listener of listeners) listener();
    const ends = entries().flatMap(({ untilMs }) => (untilMs === null ? [] : [untilMs]));
    cancelTimer = ends.length === 0 ? () => {} : clock.after(Math.min(...ends) - nowMs + 1, enforce);
  }

  /** One look after the other: an earlier one must not overwrite a later. */
  function readAgain(): void {
    reading = reading.then(() =>
      store.read().then(adopt, cause => {
        log.error('the quarantine cannot be read: what was in force stays so', {
          detail: cause instanceof Error ? cause.message : String(cause),
        });
      }),
    );
  }

  function change(edit: Parameters<QuarantineStore['change']>[0]): Promise<void> {
    const changed = reading.then(() => store.change(edit)).then(adopt);
    reading = changed.catch(() => {});
    return changed;
  }

  const entries = () => Object.values(current.byKind).flatMap(ofKind => [...ofKind.values()]);

  return {
    async start() {
      stopWatching = store.watch(readAgain);
      adopt(await store.read());
    },
    version: () => version,
    isEmpty: () => current.size === 0,
    current: () => current,
    isBlocked: (who, server, tool) => findBlock(current, who, server, tool) !== null,
    findBlock: (who, server, tool) => findBlock(current, who, server, tool),
    entries,
    add(entry) {
      return change(entries => {
        const more = withEntry(entries, entry, clock.wallMs());
        if (more === null) throw new Error('the quarantine is full');
        return more;
      });
    },
    async remove(kind, name) {
      let found = false;
      await change(entries => {
        const fewer = withoutEntry(entries, { kind, name });
        found = fewer.length < entries.length;
        return found ? fewer : null;
      });
      return found;
    },
    onChange: listener => void listeners.push(listener),
    async stop() {
      stopped = true;
      cancelTimer();
      await stopWatching();
    },
  };
}
