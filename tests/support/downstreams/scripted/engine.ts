/**
 * The fault fixture without its transports: takes a client's messages, asks the script whether this one goes wrong,
 * and answers in the era it is told to speak. Written against the wire, without an SDK, so that it can also lie.
 */
import { META, type Revision } from '../../../../src/domain/era.ts';
import { isJsonObject, type JsonObject, objectOrEmpty, stringOrNull } from '../../../../src/domain/json.ts';
import { RPC } from '../../../../src/domain/rpc.ts';
import { createAnswers, Refusal } from './answers.ts';
import { deliver } from './faults.ts';
import { createScript, type Rule } from './script.ts';
import { createStats, type Stats } from './stats.ts';
import type { Peer, Wire } from './wire.ts';

export type ScriptedEra = 'legacy' | 'modern' | 'dual';

export interface ScriptedOptions {
  era: ScriptedEra;
  rules: readonly Rule[];
  /** Instead of the default tools: so many generic ones, or these (the default tools stay callable). */
  tools: number | readonly JsonObject[] | null;
  /** Items per page of a list; null: everything at once. */
  pageSize: number | null;
  /** The newest legacy revision offered. */
  revision: Revision;
  /** A file that gets one line per effect; survives the process. */
  ledger: string | null;
  name: string;
}

export const DEFAULT_OPTIONS: ScriptedOptions = {
  era: 'legacy',
  rules: [],
  tools: null,
  pageSize: null,
  revision: '2025-11-25',
  ledger: null,
  name: 'scripted',
};

export interface Engine {
  readonly options: ScriptedOptions;
  readonly stats: Stats;
  openPeer(id: string, push: (message: JsonObject) => void): Peer;
  closePeer(peer: Peer): void;
  /** Handles one message; `wire` is called only for a request. */
  receive(peer: Peer, message: JsonObject, wire: Wire): Promise<void>;
  match(on: string): Rule | null;
  setScript(rules: readonly Rule[]): void;
}

export function createEngine(given: Partial<ScriptedOptions>, die: (exitCode: number) => void): Engine {
  const options: ScriptedOptions = { ...DEFAULT_OPTIONS, ...given };
  const script = createScript(options.rules);
  const stats = createStats(options.ledger);
  const peers = new Set<Peer>();
  const answers = createAnswers(options, stats, peers);

  const handle = async (peer: Peer, request: JsonObject, wire: Wire): Promise<void> => {
    const id = request.id ?? null;
    const method = String(request.method);
    const params = objectOrEmpty(request.params);
    const modern = options.era !== 'legacy' && objectOrEmpty(params._meta)[META.protocolVersion] !== undefined;
    const name = stringOrNull(params.name) ?? stringOrNull(params.uri);
    const key = JSON.stringify(id);
    const abort = new AbortController();
    let answered = false;
    stats.count('requests', method);
    if (method === 'tools/call') stats.count('calls', name ?? '');
    stats.noteParams(method, params);
    if (wire.headers !== null) stats.noteHeaders(Object.fromEntries(headerPairs(wire.headers)));
    stats.add('inFlight');
    peer.running.set(key, abort);
    wire.onGone(() => {
      if (answered) return;
      stats.add('gone');
      // Leaving is how a modern client cancels over HTTP; a legacy one may come back for the answer.
      if (modern) abort.abort();
    });
    const compute = async (): Promise<JsonObject> => {
      try {
        return { jsonrpc: '2.0', id, result: await answers.answer({ peer, wire, method, params, modern, abort, id }) };
      } catch (error) {
        if (error instanceof Refusal) return { jsonrpc: '2.0', id, error: error.toError() };
        if (abort.signal.aborted)
          return { jsonrpc: '2.0', id, error: { code: RPC.internalError, message: 'cancelled' } };
        const message = error instanceof Error ? error.message : String(error);
        return { jsonrpc: '2.0', id, error: { code: RPC.internalError, message } };
      }
    };
    abort.signal.addEventListener('abort', () => stats.add('cancelled'), { once: true });
    const rule = script.match(method, name);
    if (rule !== null) stats.count('faults', rule.do);
    try {
      const { signal } = abort;
      await deliver({ rule, wire, id, method, modern, compute, signal, stats, die, peer, replaced: script.replaced });
    } finally {
      answered = true;
      peer.running.delete(key);
      stats.add('inFlight', -1);
    }
  };

  return {
    options,
    stats,
    match: on => script.match(on, null),
    setScript: rules => script.replace(rules),
    openPeer(id, push) {
      const peer: Peer = {
        id,
        push,
        revision: options.revision,
        clientInfo: {},
        clientCapabilities: {},
        logLevel: 'debug',
        count: 0,
        watched: new Set(),
        waiting: new Map(),
        running: new Map(),
      };
      peers.add(peer);
      return peer;
    },
    closePeer(peer) {
      peers.delete(peer);
      answers.forget(peer);
      for (const reply of peer.waiting.values())
        reply({ error: { code: RPC.internalError, message: 'the client left' } });
      peer.waiting.clear();
    },
    async receive(peer, message, wire) {
      if (typeof message.method === 'string' && message.id !== undefined) return handle(peer, message, wire);
      if (typeof message.method === 'string') {
        stats.count('notifications', message.method);
        if (message.method === 'notifications/cancelled') cancel(peer, objectOrEmpty(message.params).requestId);
        return;
      }
      const reply = peer.waiting.get(String(message.id));
      peer.waiting.delete(String(message.id));
      reply?.(message);
    },
  };

  function cancel(peer: Peer, id: unknown): void {
    peer.running.get(JSON.stringify(id))?.abort();
    answers.cancelListen(peer, id);
  }
}

function headerPairs(headers: NonNullable<Wire['headers']>): [string, string][] {
  return Object.entries(headers).map(([name, value]) => [name, String(value)]);
}

export function isMessage(value: unknown): value is JsonObject {
  return isJsonObject(value);
}
