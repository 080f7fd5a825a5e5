/**
 * A place among the open streams, for as long as the response lasts: each costs memory and a connection although nothing is
 * called on it. Too many of one caller is its own affair (429), too many of all together ours (503).
 */
import type { Era } from '../../domain/era.ts';
import type { RpcId } from '../../domain/rpc.ts';
import type { McpDeps } from './deps.ts';
import type { Exchange } from './exchange.ts';
import { refuseStreams } from './http-refusals.ts';

/** False: there is none, and that was answered; or nobody is there any more. Before a response begins to stream. */
export function holdStream(places: McpDeps['limiter'], at: Exchange, asked: { era: Era; id: RpcId | null }): boolean {
  const { res, who } = at;
  // Its `close` was told already: nothing would give the place back.
  if (res.destroyed) return false;
  const held = places.hold('stream', who);
  if (held.kind === 'limited') {
    refuseStreams(at, asked.era, asked.id, held);
    return false;
  }
  const { slot } = held;
  res.once('close', () => places.release(slot));
  return true;
}
