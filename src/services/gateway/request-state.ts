/**
 * The `requestState` of a modern server (MCP 2026-07-28) on its way through a modern client and back. It is sealed for
 * the caller and the very request it belongs to, because its server cannot know for whom we asked: what another caller,
 * another request or a later time brings is refused here and never reaches the server, which gets its own bytes back.
 */
import { type Reply, withArguments } from '../../domain/call.ts';
import type { Identity } from '../../domain/identity.ts';
import type { Json, JsonObject } from '../../domain/json.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { Seal } from '../../ports/seal.ts';
import { digestCall } from './call-digest.ts';

/** The request a state belongs to, in its server's words. */
export interface StateOwner {
  who: Identity;
  server: ServerKey;
  method: string;
  /** As they are sent, but for arguments kept as bytes. */
  params: JsonObject;
  argumentBytes: Uint8Array | null;
}

export function sealState(seal: Seal, owner: StateOwner, reply: Reply, ttlMs: number): Reply {
  if (reply.kind !== 'answer' || reply.result.requestState === undefined) return reply;
  // As JSON, which keeps whatever a text may hold.
  const own = JSON.stringify(reply.result.requestState);
  const requestState = seal.seal(purposeOf(owner), owner.who.subject, own, ttlMs);
  return { ...reply, result: { ...reply.result, requestState }, bytes: null };
}

/** The owner's parameters with the server's own state in place of ours; null when that is not valid here. */
export function openState(seal: Seal, owner: StateOwner): JsonObject | null {
  const { requestState } = owner.params;
  if (typeof requestState !== 'string') return null;
  const own = seal.open(purposeOf(owner), owner.who.subject, requestState);
  return own === null ? null : { ...owner.params, requestState: JSON.parse(own) as Json };
}

function purposeOf({ who, server, method, params, argumentBytes }: StateOwner): string {
  const { requestState, inputResponses, ...rest } = withArguments(params, argumentBytes);
  return `state ${digestCall(who.subject, server, method, rest)}`;
}
