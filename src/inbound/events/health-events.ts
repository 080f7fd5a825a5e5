/**
 * How the servers are, as a stream: all that its reader may know of at first, then what changes, as one map of paths per
 * moment. A reader's rights are asked anew for every event; of what it may not list it hears nothing, not even that something
 * has changed.
 */
import type { Identity } from '../../domain/identity.ts';
import type { ServerHealth } from '../../domain/server-health.ts';
import type { Clock } from '../../ports/clock.ts';
import type { HealthWatch } from '../../services/registry/health.ts';
import type { EventSocket, EventStream } from './web-sockets.ts';

export interface HealthEntry {
  status: string;
  last_checked_iso: string | null;
  num_tools: number;
}

export interface HealthEvents extends EventStream {
  /** What one caller may know. */
  snapshot(who: Identity): Record<string, HealthEntry>;
  stop(): void;
}

/** What changes together is told together. */
const GATHER_MS = 100;

export function createHealthEvents(deps: {
  health: Pick<HealthWatch, 'snapshot' | 'onChange'>;
  mayList(who: Identity, path: string): boolean;
  /** Of a server's tools those that a caller may know of. */
  countTools(who: Identity, path: string): number;
  clock: Clock;
}): HealthEvents {
  const { health, mayList, countTools, clock } = deps;
  /** With what each was told last, by path. */
  const sockets = new Map<EventSocket, Map<string, string>>();
  const changed = new Set<string>();
  let cancel = () => {};

  function select(who: Identity, paths: Iterable<string>): Record<string, HealthEntry> {
    const known = health.snapshot();
    const entries: Record<string, HealthEntry> = Object.create(null);
    for (const path of paths) {
      const found = known.get(path);
      if (found !== undefined && mayList(who, path)) entries[path] = describe(found, countTools(who, path));
    }
    return entries;
  }

  function tell(): void {
    const paths = [...changed];
    changed.clear();
    for (const [socket, told] of sockets) {
      const entries = news(select(socket.who, paths), told);
      if (Object.keys(entries).length > 0) socket.send(entries);
    }
  }

  /** A tool that the reader may not know of came or went: to it nothing has happened. */
  function news(entries: Record<string, HealthEntry>, told: Map<string, string>): Record<string, HealthEntry> {
    for (const [path, { status, num_tools: tools }] of Object.entries(entries)) {
      const now = `${status} ${tools}`;
      if (told.get(path) === now) delete entries[path];
      told.set(path, now);
    }
    return entries;
  }

  health.onChange(({ path }) => {
    if (sockets.size === 0) return;
    if (changed.size === 0) cancel = clock.after(GATHER_MS, tell);
    changed.add(path);
  });

  const snapshot = (who: Identity) => select(who, health.snapshot().keys());
  return {
    snapshot,
    opened(socket) {
      const told = new Map<string, string>();
      socket.send(news(snapshot(socket.who), told));
      sockets.set(socket, told);
    },
    closed: socket => void sockets.delete(socket),
    stop: () => cancel(),
  };
}

function describe({ status, checkedAtMs }: ServerHealth, numTools: number): HealthEntry {
  return {
    status,
    last_checked_iso: checkedAtMs === null ? null : new Date(checkedAtMs).toISOString(),
    num_tools: numTools,
  };
}
