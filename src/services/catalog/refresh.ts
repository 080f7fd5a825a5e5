/**
 * Keeps the catalog true: reads a server's lists when it connects or says they changed, and keeps the last known ones
 * while it is away. Each server has its own deadline, so none can empty or delay everybody's list.
 * Caps: an endless or looping list marks its server degraded instead of filling memory.
 */

import type { Relayed } from '../../domain/call.ts';
import type { Collision, ServerView } from '../../domain/catalog.ts';
import { ERRORS, type Failure } from '../../domain/error.ts';
import { LEADS_BACK, readPath } from '../../domain/gateway-path.ts';
import { isDeeperThan, isJsonObject, type JsonObject } from '../../domain/json.ts';
import {
  EMPTY_LISTING,
  LISTING_FACTS,
  LISTING_KINDS,
  type Listing,
  type ListingKind,
  type ServerFacts,
} from '../../domain/listing.ts';
import { originOf, type ServerKey, type ServerSpec } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Downstreams } from '../../ports/downstreams.ts';
import type { Log } from '../../ports/log.ts';
import type { CatalogBook } from './catalog-book.ts';
import type { Pins } from './pins.ts';

const MAX_PAGES = 200;
const MAX_ITEMS = 20_000;
/** What is nested deeper is no definition, and nothing here could compare or search it. */
const MAX_DEPTH = 100;
/** A server that is up and does not answer a list is asked for it again, at doubling distances. */
const FIRST_WAIT_MS = 5000;
const LONGEST_WAIT_MS = 60_000;
/** A catalog that takes longer to make than this is made at most a fifth of the time, however many servers have news. */
const AT_ONCE_MS = 1;
const REST = 4;
const NONE: ReadonlySet<ServerKey> = new Set();

export interface CatalogRefresh {
  /**
   * Follows a new set of servers; views of removed ones, and of versions that others took the place of, disappear at once.
   * `anew`: of what is behind these nothing is known, whatever was read of them.
   */
  follow(specs: readonly ServerSpec[], anew?: ReadonlySet<ServerKey>): void;
  /**
   * Resolves when every server has shown its lists or failed to, and at the latest `maxMs` after the first time it was
   * asked for (lazy servers start then). Clients that never list twice get a full first list this way.
   */
  settled(maxMs: number): Promise<void>;
  /**
   * The same for one server: also one that a reload added long after the first list, and one that was away when it was to be
   * read, which is tried once more.
   */
  settledOne(server: ServerKey, maxMs: number): Promise<void>;
  /** Reads one server's lists again now; one of its versions' by `versionKey`. */
  refresh(server: ServerKey): Promise<void>;
  stop(): void;
}

interface Entry {
  spec: ServerSpec;
  facts: ServerFacts | null;
  listing: Listing | null;
  /** True once lists were read or the first attempt failed. */
  settled: boolean;
  /** When somebody first waited for it alone. */
  askedAtMs: number | null;
  reading: Promise<void> | null;
  again: Set<ListingKind>;
  /** Kinds that could not be read the last time, and why: a sentence fit for clients. */
  troubles: Map<ListingKind, string>;
  /** Wait before these are tried once more. */
  waitMs: number;
  stopTimer: () => void;
}

interface Found {
  items: readonly JsonObject[];
  /** Where they come from, if they come through gateways. */
  gateways: readonly string[];
}

export function createCatalogRefresh(deps: {
  downstreams: Downstreams;
  book: CatalogBook;
  /** What of a server's tools is shown. */
  pins: Pick<Pins, 'screen'>;
  clock: Clock;
  log: Log;
}): CatalogRefresh {
  const { downstreams, book, pins, clock, log } = deps;
  let askedAtMs: number | null = null;
  const waiters = new Set<{ isOver(): boolean; wake(): void }>();
  let entries = new Map<ServerKey, Entry>();

  const isActive = ({ spec }: Entry) => spec.versionOf === undefined;
  const isRefused = ({ spec }: Entry) => downstreams.condition(spec.key)?.reason === LEADS_BACK;

  const views = (of: readonly Entry[]): ServerView[] =>
    of.map(({ spec, facts, listing, troubles }) => {
      const condition = downstreams.condition(spec.key);
      return {
        key: spec.versionOf ?? spec.key,
        connection: spec.key,
        ...(spec.version === undefined ? {} : { version: spec.version }),
        description: spec.description,
        sharing: spec.sharing,
        status: condition?.status ?? 'idle',
        reason: condition?.reason ?? (troubles.values().next().value || null),
        facts,
        // What is switched off is not offered.
        listing: spec.enabled ? listing : null,
      };
    });

  let costMs = 0;
  let stopPublishing: (() => void) | null = null;

  const publish = () => {
    stopPublishing?.();
    stopPublishing = null;
    const startedMs = clock.monotonicMs();
    const all = [...entries.values()];
    book.rebuild(views(all.filter(isActive)));
    book.rebuildVersions(views(all.filter(entry => !isActive(entry))));
    costMs = clock.monotonicMs() - startedMs;
    wakeWaiters();
  };
  const wakeWaiters = () => {
    for (const waiter of [...waiters]) if (waiter.isOver()) waiter.wake();
  };
  const publishSoon = () => {
    if (costMs < AT_ONCE_MS) publish();
    else stopPublishing ??= clock.after(costMs * REST, publish);
  };
  /** Before somebody looks who was told that all is read. */
  const publishNow = () => {
    if (stopPublishing !== null) publish();
  };
  // Nobody waits for a version that nobody asked for.
  const allSettled = () =>
    [...entries.values()].every(entry => entry.settled || !entry.spec.enabled || !isActive(entry));

  /** Nobody else starts a lazy server for its lists. */
  function wantOne({ spec, settled }: Entry): void {
    if (!settled && spec.enabled && spec.start === 'lazy') void downstreams.query(spec.key, 'ping', {});
  }

  async function waitUntil(isOver: () => boolean, deadlineMs: number): Promise<void> {
    const leftMs = deadlineMs - clock.monotonicMs();
    if (leftMs <= 0) return;
    await new Promise<void>(resolve => {
      const wake = () => {
        waiters.delete(waiter);
        stopTimer();
        resolve();
      };
      const waiter = { isOver, wake };
      const stopTimer = clock.after(leftMs, wake);
      waiters.add(waiter);
    });
  }

  /** Of a server that could not be reached when its lists were to be read first: nobody else starts it once more. */
  async function readAnew(entry: Entry, maxMs: number): Promise<void> {
    const { key } = entry.spec;
    let isRefused = false;
    void downstreams.query(key, 'ping', {}).then(({ kind }) => {
      isRefused = kind === 'failure';
      if (isRefused) wakeWaiters();
    });
    const isOver = () => isRefused || entry.listing !== null || entries.get(key) !== entry;
    await waitUntil(isOver, clock.monotonicMs() + maxMs);
  }

  /** One reading at a time per server; what changes meanwhile is read right after. */
  function read(entry: Entry, kinds: Iterable<ListingKind>): Promise<void> {
    for (const kind of kinds) entry.again.add(kind);
    entry.reading ??= (async () => {
      while (entry.again.size > 0) {
        const wanted = [...entry.again];
        entry.again.clear();
        const listing: Record<ListingKind, readonly JsonObject[]> = { ...(entry.listing ?? EMPTY_LISTING) };
        let gateways = entry.facts?.gateways ?? [];
        await Promise.all(
          wanted.map(async kind => {
            const found = await readAll(entry, kind);
            // Read of the version that took its place meanwhile: nothing of this one.
            if (found === null || entries.get(entry.spec.key) !== entry) return;
            const shown = kind === 'tools' ? await screen(entry, found.items) : found.items;
            if (shown === null) return;
            listing[kind] = shown;
            entry.troubles.delete(kind);
            if (kind !== 'tools') return;
            gateways = found.gateways;
            // Whoever calls a tool does not wait for other lists.
            if (entry.listing === null) show(entry, { ...EMPTY_LISTING, tools: shown }, gateways);
          }),
        );
        // Each time: its lists may change faster than they can be read.
        entry.settled = true;
        show(entry, listing, gateways);
      }
    })().finally(() => {
      entry.reading = null;
      entry.settled = true;
      if (entries.get(entry.spec.key) !== entry) return;
      publishSoon();
      tryAgainLater(entry);
      // Announced after the last look and before this: nobody else would read it.
      if (entry.again.size > 0) void read(entry, []);
    });
    return entry.reading;
  }

  /** With the tools come the gateways, so that whoever is shown them is shown where they come from. */
  function show(entry: Entry, listing: Listing, gateways: readonly string[]): void {
    entry.listing = isRefused(entry) ? null : listing;
    if (entry.facts !== null) entry.facts = { ...entry.facts, gateways };
    if (entries.get(entry.spec.key) === entry) publishSoon();
  }

  /** Null: what was approved is not known, so the last list stays. */
  async function screen(entry: Entry, tools: readonly JsonObject[]): Promise<readonly JsonObject[] | null> {
    const { spec, troubles } = entry;
    try {
      return await pins.screen(originOf(spec), tools, spec.versionOf === undefined ? spec.key : null);
    } catch (cause) {
      // It went while its list was read: nobody waits for that.
      if (entries.get(spec.key) !== entry) return null;
      log.error('definitions of tools cannot be compared with what was approved', {
        server: spec.key,
        detail: cause instanceof Error ? cause.message : String(cause),
      });
      troubles.set('tools', 'its tools cannot be compared with what was approved');
      return null;
    }
  }

  /** What cannot be read because the server is away is read when it is back. */
  function tryAgainLater(entry: Entry): void {
    entry.stopTimer();
    if (entry.troubles.size === 0) {
      entry.waitMs = FIRST_WAIT_MS;
    } else if (downstreams.condition(entry.spec.key)?.status === 'ready') {
      entry.stopTimer = clock.after(entry.waitMs, () => void read(entry, entry.troubles.keys()));
      entry.waitMs = Math.min(entry.waitMs * 2, LONGEST_WAIT_MS);
    }
  }

  /** Shape: all pages in order; null when the server did not answer, so that the last known list stays. */
  async function readAll(entry: Entry, kind: ListingKind): Promise<Found | null> {
    const { method, member, capability } = LISTING_FACTS[kind];
    const items: JsonObject[] = [];
    const found: Found = { items, gateways: entry.facts?.gateways ?? [] };
    if (entry.facts === null || !isJsonObject(entry.facts.capabilities[capability])) return found;
    const seen = new Set<string>();
    let cursor: string | null = null;
    for (let page = 0; page < MAX_PAGES; page++) {
      const reply = await downstreams.query(entry.spec.key, method, cursor === null ? {} : { cursor });
      if (reply.kind !== 'answer') {
        // Servers that declare a capability and lack one of its lists are common (templates above all).
        if (reply.kind === 'relayed' && reply.error.code === -32601) return found;
        // That was said, and its lists are gone with it.
        if (isRefused(entry)) return null;
        log.warn('reading a list failed', {
          server: entry.spec.key,
          method,
          detail: reply.kind === 'failure' ? (reply.detail ?? reply.code) : reply.error.message,
        });
        entry.troubles.set(kind, `its ${kind} cannot be listed: ${troubleOf(reply)}`);
        return null;
      }
      const more = reply.result[member];
      if (!Array.isArray(more)) {
        log.warn('a list is not a list', { server: entry.spec.key, method, member });
        entry.troubles.set(kind, `its list of ${kind} is not a list`);
        return null;
      }
      if (page === 0) found.gateways = readPath(reply.result);
      const usable = more.filter(item => isJsonObject(item) && !isDeeperThan(item, MAX_DEPTH));
      if (usable.length < more.length)
        log.warn('parts of a list were left out', {
          server: entry.spec.key,
          method,
          items: more.length - usable.length,
        });
      items.push(...(usable as JsonObject[]));
      if (items.length > MAX_ITEMS) {
        log.warn('a list was cut', { server: entry.spec.key, method, items: MAX_ITEMS });
        items.length = MAX_ITEMS;
        return found;
      }
      const next = reply.result.nextCursor;
      if (typeof next !== 'string') return found;
      if (seen.has(next)) {
        log.warn('a list repeats a cursor', { server: entry.spec.key, method });
        return found;
      }
      seen.add(next);
      cursor = next;
    }
    log.warn('a list has too many pages', { server: entry.spec.key, method, pages: MAX_PAGES });
    return found;
  }

  const stopListening = downstreams.onEvent(event => {
    const entry = entries.get(event.server);
    if (entry === undefined) return;
    if (event.kind === 'connected') {
      entry.facts = event.facts;
      void read(entry, LISTING_KINDS);
    } else if (event.kind === 'list-changed') {
      void read(entry, event.what === 'resources' ? ['resources', 'templates'] : [event.what]);
    } else if (event.kind === 'state') {
      if (event.status === 'down' || event.status === 'failed' || event.status === 'disabled') entry.settled = true;
      // Not kept as of one that is away: they are our own, under longer names.
      if (event.reason === LEADS_BACK) Object.assign(entry, { facts: null, listing: null });
      publishSoon();
    }
  });

  return {
    follow(specs, anew = NONE) {
      const next = new Map<ServerKey, Entry>();
      for (const spec of specs) {
        const known = entries.get(spec.key);
        const isSame = known !== undefined && known.spec.version === spec.version && !anew.has(spec.key);
        next.set(spec.key, isSame ? Object.assign(known, { spec }) : createEntry(spec));
      }
      for (const [key, entry] of entries) if (next.get(key) !== entry) entry.stopTimer();
      entries = next;
      publish();
    },
    async settled(maxMs) {
      if (allSettled()) return publishNow();
      askedAtMs ??= clock.monotonicMs();
      for (const entry of entries.values()) if (isActive(entry)) wantOne(entry);
      await waitUntil(allSettled, askedAtMs + maxMs);
      publishNow();
    },
    async settledOne(server, maxMs) {
      const entry = entries.get(server);
      if (entry === undefined || !entry.spec.enabled) return publishNow();
      if (!entry.settled) {
        entry.askedAtMs ??= clock.monotonicMs();
        wantOne(entry);
        const isOver = () => entry.settled || entry.listing !== null || entries.get(server) !== entry;
        await waitUntil(isOver, entry.askedAtMs + maxMs);
      } else if (entry.listing === null) await readAnew(entry, maxMs);
      publishNow();
    },
    async refresh(server) {
      const entry = entries.get(server) ?? [...entries.values()].find(({ spec }) => originOf(spec) === server);
      if (entry === undefined) return;
      const ping = await downstreams.query(entry.spec.key, 'ping', {});
      if (ping.kind !== 'failure') await read(entry, LISTING_KINDS);
      else {
        // Where it is away, it is read once it is back.
        entry.troubles.set('tools', `its tools cannot be listed: ${troubleOf(ping)}`);
        publishSoon();
        tryAgainLater(entry);
      }
      publishNow();
    },
    stop() {
      stopListening();
      stopPublishing?.();
      for (const entry of entries.values()) entry.stopTimer();
    },
  };
}

function createEntry(spec: ServerSpec): Entry {
  return {
    spec,
    facts: null,
    listing: null,
    settled: false,
    askedAtMs: null,
    reading: null,
    again: new Set(),
    troubles: new Map(),
    waitMs: FIRST_WAIT_MS,
    stopTimer: () => {},
  };
}

function troubleOf(reply: Failure | Relayed): string {
  if (reply.kind === 'relayed') return 'it answers with an error';
  if (reply.code === 'TIMEOUT') return 'it does not answer in time';
  const { reason } = reply.data;
  return typeof reason === 'string' ? reason : (reply.say ?? ERRORS[reply.code].say);
}

export function describeCollision(collision: Collision): string {
  return `${collision.kind} "${collision.name}" belongs to ${collision.keeps}; the one of ${collision.renamed.server} is shown as "${collision.renamed.to}"`;
}
