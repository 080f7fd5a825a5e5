/**
 * GET of a JSON document from one of a fixed set of origins, the operator's own. Refused here: every other origin (before
 * a socket is opened), redirects, anything but 200, bodies beyond a cap, answers that take too long as a whole.
 */
import { Agent, type Dispatcher, request } from 'undici';
import { isJsonObject } from '../../domain/json.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Fetched, FetchJson } from '../../ports/fetch-json.ts';

const MAX_BYTES = 1024 * 1024;

export interface PinnedFetchOptions {
  /** As `URL.origin` says them. */
  origins: ReadonlySet<string>;
  clock: Clock;
  maxBytes?: number;
}

export function createPinnedFetch({ origins, clock, maxBytes = MAX_BYTES }: PinnedFetchOptions): FetchJson {
  // One document every few minutes: a socket that waits for the next is one that breaks meanwhile.
  const dispatcher = new Agent({ pipelining: 0 });
  return async (url, timeoutMs) => {
    if (!URL.canParse(url) || !origins.has(new URL(url).origin)) return { ok: false, why: 'not_allowed' };
    const stop = new AbortController();
    const cancel = clock.after(timeoutMs, () => stop.abort());
    try {
      return await read(url, dispatcher, stop.signal, maxBytes);
    } catch {
      // The library's words may hold addresses, and whoever reads the log knows the URL.
      return { ok: false, why: stop.signal.aborted ? 'timeout' : 'unreachable' };
    } finally {
      cancel();
    }
  };
}

async function read(url: string, dispatcher: Dispatcher, signal: AbortSignal, maxBytes: number): Promise<Fetched> {
  // undici follows no redirect unless told to.
  const { statusCode, body } = await request(url, { dispatcher, signal, headers: { accept: 'application/json' } });
  // A body that is thrown away before its end says so as an error, which nobody else would take.
  body.on('error', () => {});
  if (statusCode !== 200) {
    body.destroy();
    return { ok: false, why: 'status' };
  }
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > maxBytes) {
      body.destroy();
      return { ok: false, why: 'too_large' };
    }
    chunks.push(bytes);
  }
  return toDocument(Buffer.concat(chunks).toString('utf8'));
}

function toDocument(text: string): Fetched {
  try {
    const document: unknown = JSON.parse(text);
    return isJsonObject(document) ? { ok: true, document } : { ok: false, why: 'not_json' };
  } catch {
    return { ok: false, why: 'not_json' };
  }
}
