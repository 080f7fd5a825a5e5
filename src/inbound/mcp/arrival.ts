/** What a message brought along besides itself: the same for every transport, so that the codecs know none of them. */
import type { IncomingMessage } from 'node:http';
import type { Identity } from '../../domain/identity.ts';
import type { McpDeps } from './deps.ts';
import { collectForwarded } from './forwarded-headers.ts';

export interface Arrival {
  /** Of the client; null: over the pipe. */
  readonly address: string | null;
  /** Headers for the servers behind us, names and values in turn. */
  readonly forwarded: readonly string[] | null;
}

export const OVER_THE_PIPE: Arrival = { address: null, forwarded: null };

export function arrivalOf(
  deps: Pick<McpDeps, 'addressOf' | 'forwardable'>,
  req: IncomingMessage,
  who: Identity,
): Arrival {
  return { address: deps.addressOf(req), forwarded: collectForwarded(req.headers, deps.forwardable(), who) };
}
