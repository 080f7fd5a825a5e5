/** The real services over fake downstreams and a frozen clock, put together as app.ts does. */

import { createNewsParts } from '../../src/app/news.ts';
import type { Call, CallRecord, Door, Handled, Line } from '../../src/domain/call.ts';
import type { Era } from '../../src/domain/era.ts';
import type { Exposure } from '../../src/domain/exposure.ts';
import { type Identity, LOCAL_CALLER } from '../../src/domain/identity.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import type { PrefixStyle } from '../../src/domain/names.ts';
import type { ServerKey } from '../../src/domain/server.ts';
import { createSeal } from '../../src/outbound/vault/seal.ts';
import type { Clock } from '../../src/ports/clock.ts';
import type { Log } from '../../src/ports/log.ts';
import type { Recorder } from '../../src/ports/recorder.ts';
import type { ToolSearch } from '../../src/ports/tool-search.ts';
import { createCatalogBook } from '../../src/services/catalog/catalog-book.ts';
import { createCatalogRefresh } from '../../src/services/catalog/refresh.ts';
import { createGateway } from '../../src/services/gateway/gateway.ts';
import { gatewayToolItems } from '../../src/services/gateway/gateway-tools/definitions.ts';
import { createGatewayTools } from '../../src/services/gateway/gateway-tools/gateway-tools.ts';
import { createParkedCalls } from '../../src/services/gateway/parked-calls.ts';
import { createTurnedAway } from '../../src/services/gateway/turned-away.ts';
import { createVisible, type ExposureRules } from '../../src/services/gateway/visible.ts';
import { createPolicyBook } from '../../src/services/policy/policy-book.ts';
import { createFakeDownstreams, type FakeServer } from './fake-downstreams.ts';
import { createFakeLine } from './fake-line.ts';
import { createFrozenClock, type FrozenClock } from './frozen-clock.ts';
import { createEmptyQuarantine, createFreeLimiter, createKeptBook, createOpenPins } from './quiet-house.ts';
import { createSmallRegistry, listedFor } from './small-registry.ts';

/** What the gateway is known by to others. */
export const INSTANCE = '0b7c2f7e-5f0f-4a53-9d0e-6a3f1f6c2d11';

export interface LogLine {
  level: 'debug' | 'info' | 'warn' | 'error';
  message: string;
  fields: object;
}

export function createKeptLog(): Log & { lines: LogLine[] } {
  const lines: LogLine[] = [];
  const at =
    (level: LogLine['level']) =>
    (message: string, fields: object = {}) =>
      void lines.push({ level, message, fields });
  const log = { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error'), with: () => log };
  return log;
}

/** Ranks by how many words of the query stand in the name; enough to see what was asked and offered. */
export const wordSearch: ToolSearch = {
  async search(_catalog, entries, query, limit) {
    const words = query.toLowerCase().split(/\s+/);
    const hits = entries
      .map(entry => ({
        entry,
        score: words.filter(word => entry.own.toLowerCase().includes(word)).length / words.length,
      }))
      .filter(({ score }) => score > 0)
      .sort((a, b) => b.score - a.score)
      .slice(0, limit);
    return { hits, confidence: hits.length > 0 ? 'high' : 'none' };
  },
};

export const EVERYTHING: Door = { server: null, exposure: null };
export const doorOf = (server: ServerKey): Door => ({ server, exposure: null });

export interface StaircaseOptions {
  prefix?: PrefixStyle;
  exposure?: Exposure;
  autoThreshold?: number;
  pinned?: readonly string[];
  maxInFlight?: number;
  parkedTtlMs?: number;
  firstListWaitMs?: number;
  debug?: boolean;
  /** Leaves the servers unconnected. */
  cold?: boolean;
  clock?: Clock;
  /** News waits for its own clock: what is gathered while a slow machine starts must not fall into a test. */
  newsClock?: Clock;
}

export async function createStaircase(servers: Record<ServerKey, FakeServer>, options: StaircaseOptions = {}) {
  const frozen: FrozenClock = createFrozenClock();
  const clock = options.clock ?? frozen;
  const log = createKeptLog();
  const records: CallRecord[] = [];
  const reloadChecks = { count: 0 };
  const downstreams = createFakeDownstreams(servers);
  const policy = createPolicyBook();
  const collisions: string[] = [];
  const catalog = createCatalogBook(options.prefix ?? 'server', ({ name }) => void collisions.push(name));
  const refresh = createCatalogRefresh({ downstreams, book: catalog, pins: createOpenPins(), clock, log });
  const settled = () => refresh.settled(options.firstListWaitMs ?? 1_000);
  let rules: ExposureRules = {
    default: options.exposure ?? 'direct',
    autoThreshold: options.autoThreshold ?? 40,
    pinned: options.pinned ?? [],
  };
  const quarantine = createEmptyQuarantine();
  const { news, subscriptions, rightsChanged, stopRelay } = createNewsParts({
    ...{ catalog, policy, quarantine, downstreams, exposure: () => rules, defaultAgent: null },
    clock: options.newsClock ?? clock,
  });
  const debug = options.debug ?? false;
  const visible = createVisible({
    catalog,
    policy,
    quarantine,
    rules: () => rules,
    gatewayTools: gatewayToolItems(debug),
    registryTools: listedFor(policy),
    listed: news.listGiven,
  });
  const parked = createParkedCalls(clock, options.parkedTtlMs ?? 60_000);
  const seal = createSeal(clock);
  const audit = createKeptBook();
  const desk = createSmallRegistry({ catalog, visible, policy, search: wordSearch, settled, audit, clock, log });
  const gatewayTools = createGatewayTools({
    catalog,
    visible,
    downstreams,
    finder: desk.finder,
    isOwnUrl: url => new URL(url).host === 'gateway.test',
    settledOne: server => refresh.settledOne(server, options.firstListWaitMs ?? 1_000),
    reloadIfChanged: async () => void reloadChecks.count++,
    status: () => ({ message: 'all is well' }),
  });
  const recorder: Recorder = { record: record => void records.push(record) };
  const limiter = createFreeLimiter();
  const gateway = createGateway({
    catalog,
    policy,
    downstreams,
    visible,
    gatewayTools,
    registryTools: desk.registryTools,
    parked,
    seal,
    stateTtlMs: options.parkedTtlMs ?? 60_000,
    instance: INSTANCE,
    subscriptions,
    recorder,
    clock,
    audit,
    limiter,
    quarantine,
    pins: createOpenPins(),
    defaultAgent: null,
    maxInFlight: options.maxInFlight ?? 100,
    settled,
    settledOne: server => refresh.settledOne(server, options.firstListWaitMs ?? 1_000),
    debug,
  });
  refresh.follow(downstreams.states().map(({ spec }) => spec));
  if (options.cold !== true) {
    downstreams.start();
    await settle();
  }
  let calls = 0;

  return {
    clock: frozen,
    log,
    records,
    reloadChecks,
    downstreams,
    policy,
    quarantine,
    catalog,
    collisions,
    refresh,
    subscriptions,
    news,
    rightsChanged,
    visible,
    rules: () => rules,
    expose(next: ExposureRules) {
      rules = next;
    },
    parked,
    seal,
    gateway,
    audit,
    turnedAway: createTurnedAway({ clock, recorder, audit, limiter }),
    registry: desk.registry,
    finder: desk.finder,
    stop: () => {
      stopRelay();
      refresh.stop();
      news.stop();
    },
    /** One request through the staircase. */
    handle(
      method: string,
      params: JsonObject = {},
      more: { who?: Identity; door?: Door; line?: Line; era?: Era } = {},
    ): Promise<Handled> {
      const line = more.line ?? createFakeLine(more.era === undefined ? {} : { era: more.era });
      const call: Call = {
        id: `call-${++calls}`,
        method,
        params,
        argumentBytes: null,
        door: more.door ?? EVERYTHING,
        era: line.era,
        receivedAtMs: clock.monotonicMs(),
      };
      return gateway.handle(more.who ?? LOCAL_CALLER, call, line);
    },
  };
}

export type Staircase = Awaited<ReturnType<typeof createStaircase>>;

/** Lets everything run that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise<void>(resolve => setImmediate(resolve));
}

/** The JSON object of an answer; throws with what came instead. */
export function resultOf(handled: Handled): JsonObject {
  if (handled.kind !== 'answer') throw new Error(`no answer but ${JSON.stringify(handled)}`);
  return handled.result;
}

/** The text of a tool result, parsed. */
export function contentOf(handled: Handled): unknown {
  const { content } = resultOf(handled);
  const first = Array.isArray(content) ? content[0] : undefined;
  if (typeof first !== 'object' || first === null || Array.isArray(first)) throw new Error('no content');
  return JSON.parse(String(first.text));
}
