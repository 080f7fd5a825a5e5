/**
 * The load generator, a process of its own: a closed loop with one session and one connection per virtual user.
 * Every answer is checked (status, id, the caller's own nonce, size, number of tools); a wrong one counts as an error and
 * not as a call. Takes its order as one JSON argument and reports over the IPC channel. Every loop is bounded.
 */
import type { Era } from '../../src/domain/era.ts';
import type { ClientOptions } from './wire/client.ts';
import { BenchClient } from './wire/client.ts';
import type { Request } from './wire/messages.ts';
import { toEcho, toList } from './wire/messages.ts';

export interface Order extends ClientOptions {
  /** `hold`: open the sessions with one call each, keep them for `durationMs`, then end them if `ends`. */
  kind: 'call' | 'list' | 'hold';
  sessions: number;
  bytes: number;
  /** Public names of echo tools, called in turn. */
  tools: readonly string[];
  /** How many tools a list must have. */
  listed: number;
  warmUpMs: number;
  durationMs: number;
  /** The window ends early when this many calls were made in it. */
  maxCalls: number;
  ends: boolean;
}

export interface Outcome {
  calls: number;
  wallMs: number;
  p50Ms: number | null;
  p95Ms: number | null;
  p99Ms: number | null;
  maxMs: number | null;
  errors: number;
  /** The first kinds of error with their numbers. */
  errorKinds: Record<string, number>;
  reconnects: number;
}

export type Report = { at: 'begun' } | { at: 'ended' } | { at: 'held' } | { at: 'done'; outcome: Outcome };

const MAX_ERRORS = 2_000;
const MAX_ERROR_KINDS = 5;
const FULL_CHECK_EVERY = 256;
const OPENING_AT_ONCE = 16;
const OVERTIME_MS = 60_000;

const order = JSON.parse(process.argv[2] ?? '{}') as Order;
const pad = 'the quick brown fox jumps over the lazy dog; '.repeat(Math.ceil(order.bytes / 45)).slice(0, order.bytes);
const errors = new Map<string, number>();
let errorCount = 0;

function report(message: Report): void {
  process.send?.(message);
}

function countError(what: string): void {
  errorCount += 1;
  const kind = what.slice(0, 160);
  if (errors.has(kind) || errors.size < MAX_ERROR_KINDS) errors.set(kind, (errors.get(kind) ?? 0) + 1);
}

const percentile = (sorted: Float64Array, share: number): number | null => {
  const value = sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)];
  return value === undefined ? null : Math.round(value * 1000) / 1000;
};

function finish(latencies: readonly number[], wallMs: number, reconnects: number): void {
  const sorted = Float64Array.from(latencies).sort();
  const outcome: Outcome = {
    calls: sorted.length,
    wallMs,
    p50Ms: percentile(sorted, 0.5),
    p95Ms: percentile(sorted, 0.95),
    p99Ms: percentile(sorted, 0.99),
    maxMs: percentile(sorted, 1),
    errors: errorCount,
    errorKinds: Object.fromEntries(errors),
    reconnects,
  };
  process.send?.({ at: 'done', outcome } satisfies Report, () => process.exit(0));
}

async function openAll(): Promise<BenchClient[]> {
  const clients = Array.from({ length: order.sessions }, () => new BenchClient(order));
  for (let first = 0; first < clients.length; first += OPENING_AT_ONCE) {
    await Promise.all(clients.slice(first, first + OPENING_AT_ONCE).map(client => client.open()));
  }
  return clients;
}

const COMMA = 0x2c;
const CLOSE_BRACE = 0x7d;

function hasId(json: Buffer, id: number): boolean {
  const text = `"id":${id}`;
  const at = json.indexOf(text, 0, 'latin1');
  const after = json[at + text.length];
  return at >= 0 && (after === COMMA || after === CLOSE_BRACE);
}

interface Parsed {
  id?: unknown;
  result?: { resultType?: unknown; isError?: unknown; content?: { text?: unknown }[]; tools?: unknown[] };
}

/** The whole message read as a client would; '' when it is right. */
function checkFully(era: Era, json: Buffer, request: Request, sent: string): string {
  const { id, result } = JSON.parse(json.toString()) as Parsed;
  if (id !== request.id || result === undefined) return `no result: ${json.toString('latin1', 0, 120)}`;
  if (era === 'modern' && result.resultType !== 'complete') return 'a modern result without resultType';
  if (request.method === 'tools/list') {
    const found = result.tools?.length ?? 0;
    return found >= order.listed ? '' : `${found} of ${order.listed} tools`;
  }
  if (result.isError === true) return `a tool error: ${json.toString('latin1', 0, 120)}`;
  return result.content?.[0]?.text === sent ? '' : `another text: ${json.toString('latin1', 0, 120)}`;
}

let checked = 0;
let listBytes = 0;

/** '' when the answer is right. Cheap for most; every so often, and at first, read in full. */
function check(status: number, json: Buffer, request: Request, nonce: string): string {
  if (status !== 200) return `HTTP ${status} ${json.toString('latin1', 0, 120)}`;
  if (!hasId(json, request.id)) return `another id: ${json.toString('latin1', 0, 120)}`;
  checked += 1;
  const isFirst = request.method === 'tools/list' ? listBytes === 0 : checked === 1;
  if (isFirst || checked % FULL_CHECK_EVERY === 0) {
    const wrong = checkFully(order.era, json, request, `${nonce}${pad}${nonce}`);
    if (wrong !== '') return wrong;
    if (request.method === 'tools/list') listBytes = json.length;
    return '';
  }
  if (request.method === 'tools/list') {
    // Only the id may differ in length.
    return Math.abs(json.length - listBytes) <= 16 ? '' : `a list of ${json.length} bytes, not ${listBytes}`;
  }
  if (json.length < 4096 && json.includes('"isError":true', 0, 'latin1'))
    return `a tool error: ${json.toString('latin1', 0, 120)}`;
  const head = json.indexOf(nonce, 0, 'latin1');
  const tail = json.indexOf(nonce, head + nonce.length + pad.length, 'latin1');
  return head >= 0 && tail === head + nonce.length + pad.length ? '' : `no echo: ${json.toString('latin1', 0, 120)}`;
}

async function runWindow(): Promise<void> {
  const clients = await openAll();
  let phase: 'warm-up' | 'window' | 'over' = 'warm-up';
  let latencies: number[] = [];
  let running = clients.length;
  let stopAll = (): void => {};
  const allStopped = new Promise<void>(resolve => {
    stopAll = resolve;
  });
  let endWindow = (): void => {};
  const windowFull = new Promise<void>(resolve => {
    endWindow = resolve;
  });

  const callOnce = (client: BenchClient, user: number): void => {
    if (phase === 'over') {
      running -= 1;
      if (running === 0) stopAll();
      return;
    }
    const id = client.nextId();
    const nonce = `u${user}n${id}.`;
    const tool = order.tools[id % order.tools.length] ?? '';
    const request =
      order.kind === 'list' ? toList(order.era, id) : toEcho(order.era, id, tool, `${nonce}${pad}${nonce}`);
    const startedAt = performance.now();
    client.send(request, (cause, status, json) => {
      const tookMs = performance.now() - startedAt;
      const wrong = cause === null ? check(status, json, request, nonce) : cause.message;
      if (wrong !== '') countError(wrong);
      else if (phase === 'window') latencies.push(tookMs);
      if (latencies.length >= order.maxCalls) endWindow();
      if (errorCount >= MAX_ERRORS) {
        phase = 'over';
        endWindow();
      }
      callOnce(client, user);
    });
  };

  clients.forEach(callOnce);
  await wait(order.warmUpMs);
  latencies = [];
  report({ at: 'begun' });
  const beganAt = performance.now();
  if (errorCount < MAX_ERRORS) phase = 'window';
  await Promise.race([wait(order.durationMs), windowFull]);
  const wallMs = performance.now() - beganAt;
  phase = 'over';
  report({ at: 'ended' });
  await Promise.race([allStopped, wait(3000)]);
  await endAll(clients);
  finish(
    latencies,
    wallMs,
    clients.reduce((sum, client) => sum + client.reconnects, 0),
  );
}

async function runHold(): Promise<void> {
  report({ at: 'begun' });
  const beganAt = performance.now();
  const clients = await openAll();
  for (const client of clients) await client.ask(toEcho(order.era, client.nextId(), order.tools[0] ?? '', 'hold'));
  const wallMs = performance.now() - beganAt;
  await wait(order.durationMs);
  report({ at: 'held' });
  await wait(200);
  if (order.ends) await endAll(clients);
  finish(new Array<number>(clients.length).fill(wallMs / clients.length), wallMs, 0);
}

async function endAll(clients: readonly BenchClient[]): Promise<void> {
  for (let first = 0; first < clients.length; first += OPENING_AT_ONCE) {
    await Promise.all(clients.slice(first, first + OPENING_AT_ONCE).map(client => client.end()));
  }
}

const wait = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms));

const giveUp = (cause: unknown): void => {
  countError(cause instanceof Error ? cause.message : String(cause));
  finish([], 0, 0);
};
setTimeout(
  () => giveUp(new Error('the load took too long as a whole')),
  order.warmUpMs + order.durationMs + OVERTIME_MS,
).unref();
process.on('disconnect', () => process.exit(1));
(order.kind === 'hold' ? runHold() : runWindow()).catch(giveUp);
