/**
 * What is asked for by an address (resources, references of completions): read, completed, watched. An address tells no
 * server, so whoever may not know what stands behind it gets the answer for one that nobody has; the book says DENY.
 */
import type { Door, Handled, Subscriber } from '../../domain/call.ts';
import { failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { isJsonObject } from '../../domain/json.ts';
import { type Action, decide, isInSight } from '../../domain/policy.ts';
import { sanitiseForClient } from '../../domain/sanitise.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { CatalogBook } from '../catalog/catalog-book.ts';
import type { Quarantine } from '../limits/quarantine.ts';
import type { PolicyBook } from '../policy/policy-book.ts';
import { asActing } from './acting-caller.ts';
import { type Found, findReference, findResource, type MayKnow } from './find-route.ts';
import { mayWatch } from './may-list.ts';
import { missing, type Send } from './send.ts';
import type { Subscriptions } from './subscriptions.ts';
import type { Turn } from './turn.ts';

export interface Addressed {
  read(turn: Turn, uri: string): Promise<Handled>;
  complete(turn: Turn): Promise<Handled>;
  /** `resources/unsubscribe` too. */
  subscribe(turn: Turn): Promise<Handled>;
  /** As `Gateway.watch` has it. */
  watch(
    who: Identity,
    door: Door,
    uris: readonly string[],
    subscriber: Subscriber,
  ): Promise<ReadonlyMap<string, ServerKey>>;
}

export interface AddressedDeps extends Pick<Send, 'permitFor' | 'deniedByName' | 'send'> {
  catalog: CatalogBook;
  policy: PolicyBook;
  quarantine: Pick<Quarantine, 'current'>;
  subscriptions: Subscriptions;
  defaultAgent: string | null;
  settled: (door: Door) => Promise<void>;
  /** Looks a second time once starting servers are there. */
  look<F extends Found>(door: Door, find: () => F | null): F | Promise<F | null>;
}

const anything: MayKnow = () => true;

export function createAddressed(deps: AddressedDeps): Addressed {
  const { catalog, policy, quarantine, subscriptions, look, permitFor, deniedByName, send } = deps;

  const may = (who: Identity, action: Action) => (target: Found['target']) =>
    decide(policy.current(), who, action, target).kind === 'allow';

  /** Also what may be used without being listed. */
  const mayKnow = (who: Identity, action: Action): MayKnow => {
    const [mayList, mayUse] = [may(who, 'list'), may(who, action)];
    return target => mayList(target) || mayUse(target);
  };

  /** For the book alone: the caller hears what it would of something that is not there. */
  function denyUnseen(turn: Turn, action: Action, found: Found | null): void {
    const no = found === null ? null : permitFor(turn, action, found.target);
    if (no !== null && 'kind' in no) turn.record.code = no.code;
  }

  async function findKnown(turn: Turn, action: Action, uri: string): Promise<Found | null> {
    const { door } = turn.call;
    const found = await look(door, () => findResource(catalog.at(door), door, uri, mayKnow(turn.who, action)));
    if (found === null) denyUnseen(turn, action, findResource(catalog.at(door), door, uri, anything));
    return found;
  }

  return {
    async read(turn, uri) {
      const found = await findKnown(turn, 'read', uri);
      if (found === null) return failure('RESOURCE_NOT_FOUND', { uri });
      const reply = await send(turn, found.target, { ...turn.call.params, uri: found.target.name }, null);
      // The two eras spell "no such resource" differently; the code is theirs, the URI is the client's.
      const absent =
        reply.kind === 'relayed' &&
        (reply.error.code === -32002 ||
          (reply.error.code === -32602 && isJsonObject(reply.error.data) && 'uri' in reply.error.data));
      return absent && reply.kind === 'relayed'
        ? failure('RESOURCE_NOT_FOUND', { uri }, { say: sanitiseForClient(reply.error.message) })
        : reply;
    },

    async complete(turn) {
      const { params, door } = turn.call;
      const { ref } = params;
      if (!isJsonObject(ref)) return missing('ref');
      const found = await look(door, () => findReference(catalog.at(door), door, ref, mayKnow(turn.who, 'complete')));
      if (found !== null && isInSight(policy.current(), turn.who, found.target.server))
        return send(turn, found.target, { ...params, ref: found.ownRef }, null);
      const no = typeof ref.name === 'string' ? deniedByName(turn, 'prompt', ref.name) : null;
      if (no !== null) return no;
      denyUnseen(turn, 'complete', findReference(catalog.at(door), door, ref, anything));
      return failure('INVALID_PARAMS', {}, { say: 'Nothing is known under this reference.' });
    },

    async subscribe(turn) {
      const { call, line } = turn;
      const { uri } = call.params;
      if (typeof uri !== 'string') return missing('uri');
      if (line.subscriber === null) return failure('METHOD_NOT_FOUND');
      if (call.method === 'resources/unsubscribe') {
        await subscriptions.remove(line.subscriber, uri);
      } else {
        const found = await findKnown(turn, 'subscribe', uri);
        if (found === null) return failure('RESOURCE_NOT_FOUND', { uri });
        const permit = permitFor(turn, 'subscribe', found.target);
        if ('kind' in permit) return permit;
        const server = catalog.connectionOf(call.door, found.target.server);
        await subscriptions.add(line.subscriber, { server, own: found.target.name, uri });
      }
      return { kind: 'answer', era: call.era, result: {}, bytes: null };
    },

    async watch(who, door, uris, subscriber) {
      const honoured = new Map<string, ServerKey>();
      // Of a server that is still starting nothing is known yet.
      if (uris.length > 0) await deps.settled(door);
      const acting = asActing(policy.current(), who, deps.defaultAgent);
      const inForce = { policy: policy.current(), quarantined: quarantine.current() };
      for (const uri of uris) {
        const found = findResource(catalog.at(door), door, uri, may(acting, 'subscribe'));
        if (found === null || !mayWatch(inForce, acting, found.target.server, found.target.name)) continue;
        const server = catalog.connectionOf(door, found.target.server);
        honoured.set(uri, server);
        void subscriptions.add(subscriber, { server, own: found.target.name, uri });
      }
      return honoured;
    },
  };
}
