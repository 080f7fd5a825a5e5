/**
 * From a permit to a reply: which connection set serves the caller, and what stands between two eras. Where both sides
 * speak the same one nothing is added; else questions of a server are turned into the form the client has for them.
 */
import { type Call, type Door, type Line, type Reply, withArguments } from '../../domain/call.ts';
import type { Identity } from '../../domain/identity.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Permit } from '../../domain/policy.ts';
import type { ServerKey } from '../../domain/server.ts';
import { type Downstreams, MAIN_PARTITION } from '../../ports/downstreams.ts';
import type { CatalogBook } from '../catalog/catalog-book.ts';
import { answerRounds, needsInput } from './input-rounds.ts';
import type { ParkedCalls } from './parked-calls.ts';
import { renameUris } from './rename-uris.ts';
import { withPublicTaskId } from './task-ids.ts';

export interface Bridge {
  /** `params` name things as their server knows them. `timeoutMs` null: the server's own limit. */
  send(
    permit: Permit,
    who: Identity,
    call: Call,
    line: Line,
    params: JsonObject,
    timeoutMs: number | null,
  ): Promise<Reply>;
}

export function createBridge(deps: { catalog: CatalogBook; downstreams: Downstreams; parked: ParkedCalls }): Bridge {
  const { catalog, downstreams, parked } = deps;

  /** URIs that had to be renamed, and ids of tasks, in the words the client knows. Nothing to do for most servers. */
  function finish(reply: Promise<Reply>, server: ServerKey, door: Door): Promise<Reply> {
    // Behind its own door a server's URIs are its own.
    const renamed = door.server === null ? catalog.current().renamedUris.get(server) : undefined;
    const modern = catalog.current().servers.get(server)?.facts?.era === 'modern';
    if (renamed === undefined && !modern) return reply;
    return reply.then(settled => {
      if (settled.kind !== 'answer') return settled;
      let { result } = settled;
      if (renamed !== undefined) result = renameUris(result, renamed);
      if (modern) result = withPublicTaskId(server, result);
      return result === settled.result ? settled : { ...settled, result, bytes: null };
    });
  }

  /** The local caller and the holder of the one key are the gateway's own principal. */
  function partitionOf(server: ServerKey, who: Identity, line: Line): string {
    const sharing = catalog.current().servers.get(server)?.sharing ?? 'shared';
    if (sharing === 'per-session' && line.sessionId !== null) return `session ${line.sessionId}`;
    if (sharing === 'shared' || who.method === 'local' || who.method === 'api-key') return MAIN_PARTITION;
    return `subject ${who.subject}`;
  }

  return {
    send(permit, who, call, line, params, timeoutMs) {
      const { method, door, argumentBytes } = call;
      const { server } = permit.target;
      const route = { permit, server, partition: partitionOf(server, who, line) };
      const send = (given: JsonObject, on: Line) =>
        downstreams.send(route, method, given, on, { timeoutMs, argumentBytes });
      const serverEra = catalog.current().servers.get(server)?.facts?.era;
      if (line.era === 'modern') {
        if (serverEra === 'modern') return finish(send(params, line), server, door);
        // A parked call is known by its parameters, so they must all be there.
        const whole = withArguments(params, argumentBytes);
        const sendWhole = (given: JsonObject, on: Line) =>
          downstreams.send(route, method, given, on, { timeoutMs, argumentBytes: null });
        return finish(parked.run(who, server, method, whole, line, sendWhole), server, door);
      }
      const reply = send(params, line);
      if (serverEra === 'legacy') return finish(reply, server, door);
      const answered = reply.then(first =>
        needsInput(first) ? answerRounds(first, params, line, again => send(again, line)) : first,
      );
      return finish(answered, server, door);
    },
  };
}
