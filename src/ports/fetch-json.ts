/** Documents of issuers, read over HTTP. Never throws: what goes wrong is a word. */
import type { JsonObject } from '../domain/json.ts';

export type Fetched =
  | { ok: true; document: JsonObject }
  /** `not_allowed`: no socket was opened. */
  | { ok: false; why: 'not_allowed' | 'unreachable' | 'timeout' | 'status' | 'too_large' | 'not_json' };

export type FetchJson = (url: string, timeoutMs: number) => Promise<Fetched>;
