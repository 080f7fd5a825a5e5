/** What the fault fixture has seen, for tests to ask about: plain counts, and a ledger on disk that survives a dying process. */
import { appendFileSync } from 'node:fs';
import type { JsonObject } from '../../../../src/domain/json.ts';

const MOST_KEYS = 100_000;

export interface Stats {
  count(group: 'requests' | 'notifications' | 'calls' | 'faults' | 'effects', key: string): void;
  add(counter: Counter, by?: number): void;
  noteHeaders(headers: JsonObject): void;
  noteParams(method: string, params: JsonObject): void;
  read(): JsonObject;
}

export type Counter =
  | 'cancelled' // requests stopped by their caller
  | 'gone' // responses nobody was left to read
  | 'pauses' // times a writer waited for its reader
  | 'written' // bytes written by floods
  | 'inFlight'
  | 'connections' // open now
  | 'opened' // connections, sessions or streams ever opened
  | 'sessions' // legacy sessions open now
  | 'listens' // subscriptions open now
  | 'refused'; // requests whose headers or envelope were wrong

export function createStats(ledger: string | null): Stats {
  const groups: Record<string, Record<string, number>> = {
    requests: {},
    notifications: {},
    calls: {},
    faults: {},
    effects: {},
  };
  const counters: Record<string, number> = {};
  let headers: JsonObject = {};
  const params: JsonObject = {};
  return {
    count(group, key) {
      const counts = groups[group] ?? {};
      if (counts[key] === undefined && Object.keys(counts).length >= MOST_KEYS) return;
      counts[key] = (counts[key] ?? 0) + 1;
      if (group === 'effects' && ledger !== null) appendFileSync(ledger, `${key}\n`);
    },
    add(counter, by = 1) {
      counters[counter] = (counters[counter] ?? 0) + by;
    },
    noteHeaders(seen) {
      headers = seen;
    },
    noteParams(method, seen) {
      params[method] = seen;
    },
    read: () => ({ ...groups, ...counters, pid: process.pid, lastHeaders: headers, lastParams: params }),
  };
}
