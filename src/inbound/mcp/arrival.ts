/** What a message brought along besides itself: the same for every transport, so that the codecs know none of them. */
import type { IncomingHttpHeaders } from 'node:http';

import type { McpDeps } from './deps.ts';
import type { Exchange } from './exchange.ts';
import { collectForwarded } from './forwarded-headers.ts';

export interface Arrival {
  /** Ours, in the book and in the answer. */
  readonly id: string;
  /** Of the client; null: over the pipe. */
  readonly address: string | null;
  /** As they came; null: over the pipe. Secrets. */
  readonly headers: IncomingHttpHeaders | null;
  /** Those for the servers behind us, names and values in turn. */
  readonly forwarded: readonly string[] | null;
}

export function arrivalOf(deps: McpDeps, { id, address, req, who }: Exchange): Arrival {
  return { id, address, headers: req.headers, forwarded: collectForwarded(req.headers, deps.forwardable(), who) };
}

/** The n-th element of a batch, from 1: each is a call of its own. */
export function arrivalInBatch(arrival: Arrival, n: number): Arrival {
  return { ...arrival, id: `${arrival.id}.${n}` };
}

export function overThePipe(id: string): Arrival {
  return { id, address: null, headers: null, forwarded: null };
}
