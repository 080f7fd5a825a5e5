/**
 * From a permit to a reply: which connection set serves the caller, and what stands between two eras. Where both sides
 * speak the same one nothing is added; else questions of a server are turned into the form the client has for them.
 */
import { type Call, type Door, type Line, type Reply, withArguments } from '../../domain/call.ts';
import { failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Permit } from '../../domain/policy.ts';
import type { ServerKey } from '../../domain/server.ts';
import { type Downstreams, MAIN_PARTITION } from '../../ports/downstreams.ts';
import type { Seal } from '../../ports/seal.ts';
import type { CatalogBook } from '../catalog/catalog-book.ts';
import { answerRounds, needsInput } from './input-rounds.ts';
import type { ParkedCalls } from './parked-calls.ts';
import { renameUris } from './rename-uris.ts';
import { openState, type StateOwner, sealState } from './request-state.ts';
import { namesTask, withPublicTaskId } from './task-ids.ts';

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

export interface BridgeDeps {
  catalog: CatalogBook;
  downstreams: Downstreams;
  parked: ParkedCalls;
  seal: Seal;
  /** How long the state of a request that waits for input is good for. */
  stateTtlMs: number;
}

export function createBridge(deps: BridgeDeps): Bridge {
  const { catalog, downstreams, parked, seal, stateTtlMs } = deps;

  /**
   * URIs that had to be renamed, ids of tasks and states of requests, in the words the client knows. Nothing to do for
   * most servers. `ours`: a state in the reply is the gateway's own.
   */
  function finish(
    reply: Promise<Reply>,
    request: StateOwner,
    target: ServerKey,
    call: Call,
    ours: boolean,
  ): Promise<Reply> {
    const { who, server, params } = request;
    // Behind its own door a server's URIs are its own.
    const renamed = call.door.server === null ? catalog.current().renamedUris.get(target) : undefined;
    const modern = catalog.at(call.door).servers.get(target)?.facts?.era === 'modern';
    if (renamed === undefined && !modern) return reply;
    return reply.then(settled => {
      if (settled.kind !== 'answer') return settled;
      let { result } = settled;
      if (renamed !== undefined) result = renameUris(result, renamed);
      if (modern && namesTask(result)) {
        const { taskId } = call.params;
        const shown = typeof taskId === 'string' ? { id: taskId, own: params.taskId } : null;
        result = withPublicTaskId(seal, who.subject, server, result, shown);
      }
      const said = result === settled.result ? settled : { ...settled, result, bytes: null };
      return modern && !ours ? sealState(seal, request, said, stateTtlMs) : said;
    });
  }

  /** The local caller and the holder of the one key are the gateway's own principal. */
  function partitionOf(door: Door, server: ServerKey, who: Identity, line: Line): string {
    const sharing = catalog.at(door).servers.get(server)?.sharing ?? 'shared';
    if (sharing === 'per-session' && line.sessionId !== null) return `session ${line.sessionId}`;
    if (sharing === 'shared' || who.method === 'local' || who.method === 'api-key') return MAIN_PARTITION;
    return `subject ${who.subject}`;
  }

  return {
    send(permit, who, call, line, params, timeoutMs) {
      const { method, argumentBytes, door } = call;
      const target = permit.target.server;
      const connection = catalog.connectionOf(door, target);
      const route = { permit, server: connection, partition: partitionOf(door, target, who, line), who };
      // States, tasks and parked calls of one version mean nothing to another.
      const server = catalog.originOf(door, target);
      const request: StateOwner = { who, server, method, params, argumentBytes };
      const send = (given: JsonObject, on: Line) =>
        downstreams.send(route, method, given, on, { timeoutMs, argumentBytes });
      const serverEra = catalog.at(door).servers.get(target)?.facts?.era;
      if (line.era === 'modern') {
        if (serverEra === 'modern') {
          const given = params.requestState === undefined ? params : openState(seal, request);
          if (given === null) return Promise.resolve(failure('STATE_INVALID'));
          return finish(send(given, line), request, target, call, false);
        }
        // A parked call is known by its parameters, so they must all be there.
        const whole = withArguments(params, argumentBytes);
        const sendWhole = (given: JsonObject, on: Line) => {
          const reply = downstreams.send(route, method, given, on, { timeoutMs, argumentBytes: null });
          // Not connected yet, it may turn out to be modern: its state then comes back when that is known.
          return serverEra === 'legacy' ? reply : reply.then(settled => sealState(seal, request, settled, stateTtlMs));
        };
        return finish(parked.run(who, server, method, whole, line, sendWhole), request, target, call, true);
      }
      const reply = send(params, line);
      if (serverEra === 'legacy') return finish(reply, request, target, call, true);
      const answered = reply.then(first =>
        needsInput(first) ? answerRounds(first, params, line, again => send(again, line)) : first,
      );
      return finish(answered, request, target, call, true);
    },
  };
}
