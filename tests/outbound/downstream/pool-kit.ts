/** What the tests of the downstream pool share: specs, callers' lines that remember, and a pool that is always closed. */
import { setTimeout as sleep } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import type { ClientAnswer, Line, Reply } from '../../../src/domain/call.ts';
import type { LogLevel } from '../../../src/domain/era.ts';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { decide, OPEN_POLICY } from '../../../src/domain/policy.ts';
import { Secret } from '../../../src/domain/secret.ts';
import type { ServerSpec, ServerStatus } from '../../../src/domain/server.ts';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import type { DownstreamLimits } from '../../../src/outbound/downstream/limits.ts';
import { createDownstreams } from '../../../src/outbound/downstream/pool.ts';
import type { SocketGuard } from '../../../src/outbound/fetch/address-guard.ts';
import { type DownstreamEvent, type Downstreams, MAIN_PARTITION } from '../../../src/ports/downstreams.ts';
import type { Log } from '../../../src/ports/log.ts';
import { INSTANCE } from '../../support/staircase.ts';

export function spec(key: string, link: ServerSpec['link'], more: Partial<ServerSpec> = {}): ServerSpec {
  return {
    key,
    description: null,
    enabled: true,
    link,
    era: 'auto',
    sharing: 'shared',
    start: 'lazy',
    connectTimeoutMs: 20_000,
    listTimeoutMs: 20_000,
    callTimeoutMs: 30_000,
    maxInFlight: 64,
    maxQueued: 64,
    ...more,
  };
}

export function http(
  url: string,
  transport: 'auto' | 'streamable-http' | 'sse' = 'auto',
  headers: Record<string, string> = {},
): ServerSpec['link'] {
  const secrets = Object.entries(headers).map(([name, value]) => [name, new Secret(value)] as const);
  return { kind: 'http', url, headers: new Map(secrets), transport };
}

export function stdio({ command, args }: { command: string; args: readonly string[] }): ServerSpec['link'] {
  return { kind: 'stdio', command, args, env: new Map(), cwd: null };
}

/** A stdio server written in place: `body` sees `on(message => ...)` and `say(message)`. */
export function inlineStdio(body: string): ServerSpec['link'] {
  const code = `
    const say = message => process.stdout.write(JSON.stringify(message) + '\\n');
    const hello = (m, more = {}) => say({ jsonrpc: '2.0', id: m.id, result: { protocolVersion: '2025-11-25',
      capabilities: { tools: {}, logging: {} }, serverInfo: { name: 'inline', version: '1' }, ...more } });
    const no = m => say({ jsonrpc: '2.0', id: m.id, error: { code: -32601, message: 'Method not found' } });
    let handler = () => {};
    const on = given => { handler = given; };
    require('node:readline').createInterface({ input: process.stdin })
      .on('line', line => handler(JSON.parse(line))).on('close', () => process.exit(0));
    ${body}`;
  return stdio({ command: process.execPath, args: ['-e', code] });
}

export interface TestLine extends Line {
  cancelled: boolean;
  readonly notices: { method: string; params: JsonObject }[];
  readonly asked: { method: string; params: JsonObject }[];
  cancel(reason?: string): void;
}

export interface LineOptions {
  era?: 'legacy' | 'modern';
  capabilities?: JsonObject;
  logLevel?: LogLevel | null;
  wantsProgress?: boolean;
  answer?: (method: string, params: JsonObject) => ClientAnswer | Promise<ClientAnswer>;
}

export function makeLine(options: LineOptions = {}): TestLine {
  let stop: ((reason: string) => void) | null = null;
  const line: TestLine = {
    revision: options.era === 'modern' ? '2026-07-28' : '2025-11-25',
    era: options.era ?? 'legacy',
    address: null,
    sessionId: null,
    subscriber: null,
    isAsked: false,
    clientCapabilities: options.capabilities ?? {},
    clientInfo: null,
    logLevel: options.logLevel ?? null,
    wantsProgress: options.wantsProgress ?? false,
    cancelled: false,
    notices: [],
    asked: [],
    whenCancelled(given) {
      stop = given;
    },
    notify(method, params) {
      line.notices.push({ method, params });
    },
    async ask(method, params) {
      line.asked.push({ method, params });
      return (
        options.answer?.(method, params) ?? { kind: 'error', error: { code: -32601, message: 'Method not found' } }
      );
    },
    cancel(reason = 'no longer wanted') {
      line.cancelled = true;
      stop?.(reason);
    },
  };
  return line;
}

export interface TestPool {
  pool: Downstreams;
  events: DownstreamEvent[];
  logged: { level: string; message: string; fields: Record<string, unknown> }[];
  call(server: string, name: string, args?: JsonObject, more?: CallOptions): Promise<Reply>;
  send(server: string, method: string, params: JsonObject, more?: CallOptions): Promise<Reply>;
}

export interface CallOptions {
  line?: Line;
  timeoutMs?: number | null;
  partition?: string;
  meta?: JsonObject;
  argumentBytes?: Uint8Array;
}

/** Short waits, so that what takes seconds in production is over in a test. */
export const QUICK: Partial<DownstreamLimits> = {
  backoffBaseMs: 60,
  backoffMaxMs: 500,
  stopGraceMs: 1000,
  listChangedDelayMs: 20,
  // A child that starts slowly is not to be taken for one of the other era.
  probeTimeoutMs: 10_000,
};

export function openPool(
  specs: readonly ServerSpec[],
  limits: Partial<DownstreamLimits> = QUICK,
  guard?: SocketGuard,
): TestPool {
  const logged: TestPool['logged'] = [];
  const record = (level: string) => (message: string, fields?: Record<string, unknown>) => {
    logged.push({ level, message, fields: fields ?? {} });
  };
  const log: Log = {
    debug: record('debug'),
    info: record('info'),
    warn: record('warn'),
    error: record('error'),
    with: () => log,
  };
  const pool = createDownstreams({
    specs,
    clock: createSystemClock(),
    log,
    baseEnv: process.env,
    clientInfo: { name: 'gatehouse-test', version: '0' },
    instance: INSTANCE,
    limits,
    ...(guard === undefined ? {} : { guard }),
  });
  const events: DownstreamEvent[] = [];
  pool.onEvent(event => events.push(event));
  onTestFinished(() => pool.close(200));
  const send: TestPool['send'] = (server, method, params, more = {}) =>
    pool.send(
      { permit: permitFor(server, String(params.name ?? '')), server, partition: more.partition ?? MAIN_PARTITION },
      method,
      more.meta === undefined ? params : { ...params, _meta: more.meta },
      more.line ?? makeLine(),
      { timeoutMs: more.timeoutMs ?? null, argumentBytes: more.argumentBytes ?? null },
    );
  return {
    pool,
    events,
    logged,
    send,
    call: (server, name, args = {}, more = {}) => send(server, 'tools/call', { name, arguments: args }, more),
  };
}

function permitFor(server: string, name: string) {
  const decision = decide(OPEN_POLICY, LOCAL_CALLER, 'call', { kind: 'tool', server, name });
  if (decision.kind !== 'allow') throw new Error('the open policy allows everything');
  return decision.permit;
}

/** The first text of a tool's answer, or what came instead. */
export function textOf(reply: Reply): string {
  if (reply.kind === 'failure') return `failure ${reply.code}`;
  if (reply.kind === 'relayed') return `error ${reply.error.code}`;
  const { content } = reply.result;
  const first = Array.isArray(content) ? (content[0] as JsonObject | undefined) : undefined;
  return typeof first?.text === 'string' ? first.text : JSON.stringify(reply.result);
}

/** Polls: what other processes do is not told in time by anything else. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, withinMs = 15_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(10);
  }
}

export function untilStatus(pool: Downstreams, server: string, status: ServerStatus, withinMs?: number): Promise<void> {
  return until(() => pool.state(server)?.status === status, `${server} is ${status}`, withinMs);
}

export { sleep };
