/**
 * GET of a JSON document from one of a fixed set of origins, the operator's own. Refused here: every other origin (before
 * a socket is opened), redirects, anything but 200, bodies beyond a cap, answers that take too long as a whole. What
 * somebody else wrote is fetched by guarded-fetch.ts.
 */
import { Agent } from 'undici';
import { isJsonObject } from '../../domain/json.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Fetched, FetchJson } from '../../ports/fetch-json.ts';
import { type Exchanged, exchange, MAX_HEAD_BYTES, troubleOf } from './exchange.ts';

const MAX_BYTES = 1024 * 1024;

export interface PinnedFetchOptions {
  /** As `URL.origin` says them. */
  origins: ReadonlySet<string>;
  clock: Clock;
  maxBytes?: number;
}

export function createPinnedFetch({ origins, clock, maxBytes = MAX_BYTES }: PinnedFetchOptions): FetchJson {
  // One document every few minutes: a socket that waits for the next is one that breaks meanwhile.
  const dispatcher = new Agent({ pipelining: 0, maxHeaderSize: MAX_HEAD_BYTES });
  return async (url, timeoutMs) => {
    if (!URL.canParse(url) || !origins.has(new URL(url).origin)) return { ok: false, why: 'not_allowed' };
    const stop = new AbortController();
    const cancel = clock.after(timeoutMs, () => stop.abort());
    const request = { url, method: 'GET', headers: { accept: 'application/json' }, body: null, maxBytes } as const;
    try {
      return toFetched(await exchange(request, dispatcher, stop.signal));
    } catch (cause) {
      // The library's words may hold addresses, and whoever reads the log knows the URL.
      if (stop.signal.aborted) return { ok: false, why: 'timeout' };
      return { ok: false, why: troubleOf(cause) === 'too_large' ? 'too_large' : 'unreachable' };
    } finally {
      cancel();
    }
  };
}

const WHY = { too_large: 'too_large', unreadable: 'not_json', elsewhere: 'status' } as const;

function toFetched(seen: Exchanged): Fetched {
  if (seen.kind !== 'answer') return { ok: false, why: WHY[seen.kind] };
  if (seen.status !== 200) return { ok: false, why: 'status' };
  try {
    const document: unknown = JSON.parse(seen.body.toString('utf8'));
    return isJsonObject(document) ? { ok: true, document } : { ok: false, why: 'not_json' };
  } catch {
    return { ok: false, why: 'not_json' };
  }
}
