/**
 * Groups of the registry: scopes with what they grant, each counting like one of the scopes file from the moment it is
 * stored. Only whoever may change every server may change them, and nobody in such a way that this right is lost.
 */
import { type Failure, failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { mayUiToAll } from '../../domain/policy.ts';
import type { GroupDraft, RegisteredGroup } from '../../domain/registered-group.ts';
import { mayChange, ungranted } from './access.ts';
import { deniedServer, done, NO_KEEPER, noSuchServer, type RegistryDesk, type Result } from './desk.ts';
import { withoutServer, withServer } from './group-access.ts';
import { nameOf } from './ownership.ts';

export type GroupWish = Pick<
  RegisteredGroup,
  'scopeName' | 'scopeType' | 'description' | 'serverAccess' | 'groupMappings' | 'uiPermissions'
>;

/** A new group that grants nothing yet; members of a group of an identity provider by the same name are in it. */
export function emptyGroup(name: string): GroupWish {
  return {
    ...{ scopeName: name, scopeType: 'server_scope', description: '', serverAccess: [] },
    ...{ groupMappings: [name], uiPermissions: {} },
  };
}

export interface RegistryGroups {
  list(who: Identity): Result<readonly RegisteredGroup[]>;
  find(who: Identity, scopeName: string): Result<RegisteredGroup>;
  create(who: Identity, wish: GroupWish): Promise<Result<RegisteredGroup>>;
  /** Puts it in the place of one of the same name. */
  import(who: Identity, wish: GroupWish): Promise<Result<RegisteredGroup>>;
  remove(who: Identity, scopeName: string): Promise<Result<string>>;
  addServer(who: Identity, path: string, scopeNames: readonly string[]): Promise<Result<readonly string[]>>;
  removeServer(who: Identity, path: string, scopeNames: readonly string[]): Promise<Result<readonly string[]>>;
}

export function createRegistryGroups(desk: RegistryDesk): RegistryGroups {
  const { storage, policy, clock } = desk;
  const isKeeper = (who: Identity) => mayUiToAll(policy(), who, 'modify_service');
  const find = (scopeName: string) => desk.current().groups.find(group => group.scopeName === scopeName) ?? null;

  function findOwnedByFile(scopeName: string): Failure | null {
    const file = desk.scopesOfFile();
    if (file === null || !file.names.has(scopeName)) return null;
    const say = `The scope ${scopeName} is written in ${nameOf(file.file)}, and is changed there.`;
    return failure('CONFLICT', {}, { say });
  }

  /** Whoever may undo a change can still do so after it. */
  function findLockOut(who: Identity, next: readonly RegisteredGroup[]): Failure | null {
    if (!isKeeper(who) || mayUiToAll(desk.policyWith(next), who, 'modify_service')) return null;
    const say =
      'With this change you could not undo it: nothing would grant you modify_service for all. Grant it first, by a scope of yours in the scopes file or in a group.';
    return failure('CONFLICT', {}, { say });
  }

  /** `change` makes the groups to store of those there are; what it leaves out is removed. */
  async function change<T>(
    who: Identity,
    work: () => { next: readonly (RegisteredGroup | GroupDraft)[]; value: T } | Failure,
  ): Promise<Result<T>> {
    return desk.write(async () => {
      const worked = work();
      if ('kind' in worked) return worked;
      const before = desk.current().groups;
      const lockedOut = findLockOut(
        who,
        worked.next.map(group => ({ revision: 1, ...group })),
      );
      if (lockedOut !== null) return lockedOut;
      const stored = await storage.transaction(async ({ groups }) => {
        for (const group of before) {
          if (!worked.next.some(({ scopeName }) => scopeName === group.scopeName)) await groups.remove(group.scopeName);
        }
        for (const group of worked.next) {
          const known = before.find(({ scopeName }) => scopeName === group.scopeName);
          if (known === group) continue;
          const draft = { ...group, updatedAtMs: clock.wallMs() };
          if (known === undefined) await groups.add(draft);
          else await groups.update(group.scopeName, null, draft);
        }
        return groups.list();
      });
      desk.putGroups(stored);
      desk.tell({ kind: 'groups.changed' });
      return done(worked.value);
    });
  }

  async function put(who: Identity, wish: GroupWish, mayReplace: boolean): Promise<Result<RegisteredGroup>> {
    if (!isKeeper(who)) return deniedServer(NO_KEEPER);
    const owned = findOwnedByFile(wish.scopeName);
    if (owned !== null) return owned;
    const changed = await change(who, () => {
      const known = find(wish.scopeName);
      if (known !== null && !mayReplace) {
        return failure('CONFLICT', {}, { say: 'There is a group of that name already.' });
      }
      const nowMs = clock.wallMs();
      const draft = { ...wish, createdAtMs: known?.createdAtMs ?? nowMs, updatedAtMs: nowMs };
      const others = desk.current().groups.filter(group => group !== known);
      return { next: [...others, draft], value: null };
    });
    return changed.kind === 'failure' ? changed : findDone(wish.scopeName);
  }

  function findDone(scopeName: string): Result<RegisteredGroup> {
    const group = find(scopeName);
    return group === null ? noSuchGroup() : done(group);
  }

  async function changeMembers(
    who: Identity,
    path: string,
    scopeNames: readonly string[],
    alter: (group: RegisteredGroup, path: string) => RegisteredGroup,
  ): Promise<Result<readonly string[]>> {
    if (!isKeeper(who)) return deniedServer(NO_KEEPER);
    const server = await storage.servers.find(path);
    if (server === null) return noSuchServer();
    if (!mayChange(policy(), who, 'modify_service', server)) return deniedServer(ungranted('modify_service'));
    return change(who, () => {
      const wanted = new Set(scopeNames);
      for (const name of wanted) {
        const owned = findOwnedByFile(name);
        if (owned !== null) return owned;
        if (find(name) === null) return noSuchGroup();
      }
      const next = desk.current().groups.map(group => (wanted.has(group.scopeName) ? alter(group, path) : group));
      return { next, value: [...wanted] };
    });
  }

  return {
    list: who => (isKeeper(who) ? done(desk.current().groups) : deniedServer(NO_KEEPER)),
    find: (who, scopeName) => (isKeeper(who) ? findDone(scopeName) : deniedServer(NO_KEEPER)),
    create: (who, wish) => put(who, wish, false),
    import: (who, wish) => put(who, wish, true),
    async remove(who, scopeName) {
      if (!isKeeper(who)) return deniedServer(NO_KEEPER);
      const owned = findOwnedByFile(scopeName);
      if (owned !== null) return owned;
      return change(who, () => {
        const known = find(scopeName);
        if (known === null) return noSuchGroup();
        return { next: desk.current().groups.filter(group => group !== known), value: scopeName };
      });
    },
    addServer: (who, path, names) => changeMembers(who, path, names, withServer),
    removeServer: (who, path, names) => changeMembers(who, path, names, withoutServer),
  };
}

function noSuchGroup(): Failure {
  return failure('NOT_FOUND', {}, { say: 'There is no group of that name in the registry.' });
}
