/**
 * The script language of the fault fixture: rules that say which request goes wrong, and how. The first rule that
 * matches wins; `nth` counts the requests that a rule has matched since the script was set, from 1. A rule that
 * cannot be understood is refused: a test with a typo must not pass because nothing went wrong.
 */
import { isJsonObject, type Json, type JsonObject } from '../../../../src/domain/json.ts';

export const FAULTS = [
  'delay', // waits `ms`, then answers
  'drip', // answers `bytes` at a time (1), every `ms` (20)
  'hang', // never answers
  'hold', // answers once another script is set: the test says when
  'flood', // `bytes` of `what`: notifications (default) | result | line; `endless` goes on until the caller leaves
  'garbage', // writes `text` (not JSON) instead of the answer; `then` may add something
  'half', // half of the answer, then the connection closes (stdio: a line end)
  'die', // the process ends with `exitCode` (in-process server: every socket is cut and it listens no more)
  'flip', // tools/list: other descriptions and schemas from here on; elsewhere: an error every second time
  'wrong-id', // answers under an id nobody asked with, and never properly
  'duplicate', // answers twice
  'error', // a JSON-RPC error: `code`, `message`, `data`
  'close', // closes the connection without an answer (stdio: ends stdout)
  'http-status', // HTTP `status` with `headers` and `body`
  'wrong-type', // HTTP: `contentType` (text/html); stdio: a result that is no object
  'private-list', // a list that differs per caller and says `cacheScope: private`
  'trailers', // HTTP: 103 before, trailers after the right answer
  'result', // answers `result` whatever was asked
] as const;
export type Fault = (typeof FAULTS)[number];

export interface Rule {
  /** Method (`tools/call`), `GET` or `DELETE` of the transport, `start` (stdio), or `*`. */
  on: string;
  /** Tool or prompt name, or URI. */
  name?: string;
  /** Which matches count; default every. */
  nth?: number | number[] | 'every';
  /** Every match from this one on. */
  from?: number;
  do: Fault;
  /** With close, die and hang: let the request have its effect first, then lose the answer. */
  ran?: boolean;
  ms?: number;
  bytes?: number;
  what?: 'notifications' | 'result' | 'line';
  endless?: boolean;
  /** After garbage: the right answer, nothing (default), or the end of the connection or process. */
  then?: 'answer' | 'hang' | 'close' | 'die';
  /** HTTP: how the answer is framed while it is mistreated. */
  as?: 'json' | 'sse';
  text?: string;
  code?: number;
  message?: string;
  data?: Json;
  status?: number;
  headers?: Record<string, string>;
  body?: string;
  contentType?: string;
  exitCode?: number;
  result?: JsonObject;
}

export interface Script {
  /** The rule for this request, or null; counts the match. */
  match(on: string, name: string | null): Rule | null;
  /** Once another script is set. */
  replaced(): Promise<void>;
  replace(rules: readonly Rule[]): void;
}

export function createScript(rules: readonly Rule[]): Script {
  let current = rules.map(rule => ({ rule, seen: 0 }));
  let change = Promise.withResolvers<void>();
  return {
    replaced: () => change.promise,
    match(on, name) {
      let found: Rule | null = null;
      for (const entry of current) {
        const { rule } = entry;
        if (rule.on !== '*' && rule.on !== on) continue;
        if (rule.name !== undefined && rule.name !== name) continue;
        entry.seen += 1;
        if (found === null && isTurn(rule, entry.seen)) found = rule;
      }
      return found;
    },
    replace(next) {
      current = next.map(rule => ({ rule, seen: 0 }));
      change.resolve();
      change = Promise.withResolvers();
    },
  };
}

function isTurn({ nth, from }: Rule, seen: number): boolean {
  if (from !== undefined) return seen >= from;
  if (nth === undefined || nth === 'every') return true;
  return Array.isArray(nth) ? nth.includes(seen) : nth === seen;
}

export function parseRules(text: string): Rule[] {
  const value: unknown = JSON.parse(text);
  if (!Array.isArray(value)) throw new Error('a script is a list of rules');
  return value.map((item: unknown, i) => {
    if (!isJsonObject(item)) throw new Error(`rule ${i}: not an object`);
    if (typeof item.on !== 'string') throw new Error(`rule ${i}: "on" is missing`);
    if (!(FAULTS as readonly unknown[]).includes(item.do)) {
      throw new Error(`rule ${i}: "do" must be one of ${FAULTS.join(', ')}`);
    }
    return item as unknown as Rule;
  });
}
