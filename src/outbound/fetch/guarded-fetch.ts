/**
 * The one way to every URL that somebody else wrote. Each hop is judged before its socket, each socket goes to an address
 * that was judged, and everything is bounded: time, head, body, hops. Refused here: another origin than the one asked for
 * (so that no credential, cookie or body ever reaches one), headers of the connection, and proxies of the environment.
 */
import { Agent } from 'undici';
import { isHeaderName, isHeaderValue, isOfTheHop } from '../../domain/header-names.ts';
import type { Json } from '../../domain/json.ts';
import type { OutboundRules } from '../../domain/outbound-rules.ts';
import type { Clock } from '../../ports/clock.ts';
import type { GuardedFetch, GuardedReply, GuardedRequest } from '../../ports/guarded-fetch.ts';
import type { Log } from '../../ports/log.ts';
import { AddressRefused, findWrittenMistake, type SocketGuard } from './address-guard.ts';
import { type ExchangeRequest, exchange, MAX_HEAD_BYTES, troubleOf } from './exchange.ts';
import { createGuardedConnect } from './guarded-connect.ts';

export interface GuardedFetchDeps {
  guard: SocketGuard;
  rules: () => OutboundRules;
  clock: Clock;
  log: Log;
  connectTimeoutMs?: number;
}

const CONNECT_MS = 5000;
const TOTAL_MS = 10_000;
const MAX_BYTES = 1024 * 1024;
const MAX_REDIRECTS = 3;
const MAX_ORIGIN_SOCKETS = 16;
const KEEP_ALIVE_MS = 4000;

export interface ClosableFetch extends GuardedFetch {
  close(): Promise<void>;
}

export function createGuardedFetch(deps: GuardedFetchDeps): ClosableFetch {
  const { guard, rules, clock, log, connectTimeoutMs = CONNECT_MS } = deps;
  const dispatcher = new Agent({
    allowH2: false,
    pipelining: 1,
    connections: MAX_ORIGIN_SOCKETS,
    connect: createGuardedConnect(guard, connectTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEAD_BYTES,
    // The time for all of it is kept here.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  async function send(asked: GuardedRequest): Promise<GuardedReply> {
    const { method = 'GET' } = asked;
    const hops = method === 'GET' || method === 'HEAD' ? Math.min(asked.redirects ?? 0, MAX_REDIRECTS) : 0;
    const request: Omit<ExchangeRequest, 'url'> = {
      method,
      headers: checkedHeaders(asked.headers ?? {}),
      body: asked.body ?? null,
      maxBytes: asked.maxBytes ?? MAX_BYTES,
    };
    const startMs = clock.monotonicMs();
    const late = new AbortController();
    const cancel = clock.after(asked.timeoutMs ?? TOTAL_MS, () => late.abort());
    const signal = asked.signal === undefined ? late.signal : AbortSignal.any([late.signal, asked.signal]);
    let url = asked.url;
    try {
      for (let hop = 0; ; hop++) {
        const mistake = findWrittenMistake(url, rules());
        if (mistake !== null) throw mistake;
        const seen = await exchange({ ...request, url }, dispatcher, signal);
        if (seen.kind === 'answer') {
          const { status, headers, body } = seen;
          return { ok: true, status, headers, body, url };
        }
        if (seen.kind !== 'elsewhere') return { ok: false, why: seen.kind };
        const next = hop < hops ? findNext(url, seen.location) : null;
        if (next === null) return { ok: false, why: 'redirect' };
        url = next;
      }
    } catch (cause) {
      if (cause instanceof AddressRefused) {
        await guard.refused(url, asked.purpose, cause, startMs);
        return { ok: false, why: 'refused' };
      }
      if (asked.signal?.aborted === true) return { ok: false, why: 'cancelled' };
      if (late.signal.aborted) return { ok: false, why: 'timeout' };
      const why = troubleOf(cause);
      // The library's words may hold addresses: for the log they are what is looked for.
      const detail = cause instanceof Error ? cause.message : String(cause);
      log.debug('a request to an address of others failed', { purpose: asked.purpose, why, detail });
      return { ok: false, why };
    } finally {
      cancel();
    }
  }

  return {
    send,
    async json(asked) {
      const headers = { accept: 'application/json', ...asked.headers };
      const reply = await send({ ...asked, headers });
      if (!reply.ok) return reply;
      const { body, ...rest } = reply;
      try {
        return { ...rest, document: JSON.parse(Buffer.from(body).toString('utf8')) as Json };
      } catch {
        return { ok: false, why: 'not_json' };
      }
    },
    close: () => dispatcher.destroy(),
  };
}

/** Within the origin; null: it is not followed. */
function findNext(from: string, location: string | null): string | null {
  const next = location === null ? null : URL.parse(location, from);
  if (next === null || next.origin !== new URL(from).origin) return null;
  // A place in the document is the reader's affair (RFC 9110, 10.2.2).
  next.hash = '';
  return next.href;
}

/** What is wrong here is a mistake of ours, not of whoever wrote the URL: thrown. The value may be a secret. */
function checkedHeaders(given: Readonly<Record<string, string>>): Record<string, string> {
  const checked: Record<string, string> = {};
  for (const [written, value] of Object.entries(given)) {
    const name = written.toLowerCase();
    if (!isHeaderName(name) || isOfTheHop(name) || !isHeaderValue(value)) {
      throw new TypeError(`the header ${JSON.stringify(written.slice(0, 64))} cannot be sent`);
    }
    checked[name] = value;
  }
  return checked;
}
