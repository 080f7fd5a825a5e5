/**
 * The way to every URL that somebody else wrote: registered servers, metadata, agent cards, webhooks, peers, embedders. What
 * goes wrong is a word, never a throw; why a URL was refused is in the log alone, so that a no is no map of the network.
 */
import type { Json } from '../domain/json.ts';

export interface GuardedRequest {
  url: string;
  /** What it is for, in the log: `agent-card`, `webhook`. */
  purpose: string;
  /** Default: GET. */
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Sent to the origin of the URL and nowhere else. Those of the connection are not the caller's to set. */
  headers?: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  /** GET and HEAD only, within the origin; at most 3. Default: 0. */
  redirects?: number;
  /** For all of it, redirects included. Default: 10 s. */
  timeoutMs?: number;
  /** Of the body, decoded. Default: 1 MiB. */
  maxBytes?: number;
  /** Aborting it ends the request as `cancelled`. */
  signal?: AbortSignal;
}

export type FetchTrouble =
  /** No socket was opened: the URL, or an address of its name, is not allowed, or the name has none. */
  | 'refused'
  | 'unreachable'
  | 'timeout'
  /** Body or head. */
  | 'too_large'
  /** It points elsewhere, and is not followed. */
  | 'redirect'
  /** Not HTTP, or encoded in a way that was not asked for. */
  | 'unreadable'
  | 'cancelled';

export type GuardedReply =
  | {
      ok: true;
      /** Any but a redirect: whether 404 is trouble is for the caller to say. */
      status: number;
      /** Names lower-case; several values joined by a comma. Without cookies. */
      headers: Readonly<Record<string, string>>;
      body: Uint8Array;
      /** Where it was found in the end. */
      url: string;
    }
  | { ok: false; why: FetchTrouble };

export type GuardedJson =
  | { ok: true; status: number; headers: Readonly<Record<string, string>>; document: Json; url: string }
  | { ok: false; why: FetchTrouble | 'not_json' };

export interface GuardedFetch {
  send(request: GuardedRequest): Promise<GuardedReply>;
  /** The same, read as JSON whatever the status. */
  json(request: GuardedRequest): Promise<GuardedJson>;
}

export interface AddressGuard {
  /**
   * Whether a URL may be fetched, its name resolved now. Opens no socket to it. False is all there is to say: to clients
   * as `URL_REFUSED`. What is stored after a yes is judged again whenever it is used.
   */
  mayReach(url: string, purpose: string): Promise<boolean>;
}
