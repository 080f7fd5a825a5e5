/**
 * Registering and changing servers. What is wrong is said all at once; every address is judged before anything is stored,
 * a credential is sealed only once the rest is accepted, and goes nowhere but to the address it was given for.
 */
import { type Failure, failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { mayUi, mayUiToAll } from '../../domain/policy.ts';
import { type ExpectedRevisions, isExpected, type Lifecycle } from '../../domain/registered.ts';
import type { RegisteredServer, ServerDraft } from '../../domain/registered-server.ts';
import { readRegistryPath } from '../../domain/registry-path.ts';
import { findServerEndpoint } from '../../domain/server-endpoint.ts';
import { findServerMistakes } from '../../domain/server-mistakes.ts';
import { mayChange, maySetLifecycle, ungranted } from './access.ts';
import { deniedServer, done, noSuchServer, type RegistryDesk, type Result, stale } from './desk.ts';
import { findKeptName } from './kept-names.ts';
import { ownedByFile } from './ownership.ts';
import { findSecretsObjection, hasSecrets, NO_SECRETS, type SecretsWish, sealSecrets } from './server-secrets.ts';

/** What whoever registers a server decides; the rest is the registry's. */
export type ServerWish = Pick<
  RegisteredServer,
  | 'name'
  | 'description'
  | 'tags'
  | 'license'
  | 'visibility'
  | 'allowedGroups'
  | 'status'
  | 'proxyUrl'
  | 'mcpEndpoint'
  | 'sseEndpoint'
  | 'transport'
  | 'supportedTransports'
  | 'launch'
  | 'numTools'
  | 'sunsetDate'
  | 'deployment'
  | 'localRuntime'
  | 'metadata'
>;

/** How far along it is: said by whoever may, and otherwise left as it is. */
type Stage = Pick<ServerWish, 'status' | 'sunsetDate'>;
const NEW: Stage = { status: 'active', sunsetDate: null };

/** What nobody said of a server. */
export const UNSAID: Omit<ServerWish, 'name' | 'description' | keyof Stage> = {
  ...{ tags: [], license: null, visibility: 'public', allowedGroups: [], proxyUrl: null },
  ...{ mcpEndpoint: null, sseEndpoint: null, transport: 'auto', supportedTransports: ['streamable-http'] },
  ...{ launch: null, numTools: 0, deployment: 'remote', localRuntime: null, metadata: {} },
};

export interface NewServer extends SecretsWish {
  /** As it was written. */
  path: string;
  /** Null: the first version, or the one there is. */
  version: string | null;
  /** Puts it in the place of a server at the same path. */
  overwrite: boolean;
  wish: Omit<ServerWish, keyof Stage> & Partial<Stage>;
}

/** What is absent stays as it is. */
export interface ServerChange extends SecretsWish {
  wish: Partial<ServerWish>;
}

export interface Registered {
  server: RegisteredServer;
  /** `version`: stored beside the active one, which still is. */
  as: 'new' | 'replaced' | 'version';
}

export interface RegisterServers {
  register(who: Identity, given: NewServer): Promise<Result<Registered>>;
  edit(
    who: Identity,
    path: string,
    change: ServerChange,
    expected: ExpectedRevisions,
  ): Promise<Result<RegisteredServer>>;
}

type Tried = Result<RegisteredServer> | 'overtaken' | 'unjudged';

const FIRST_VERSION = 'v1.0.0';
const VERSION = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,127}$/;
const MAX_VERSIONS = 50;
/** Another process's change in between is read and tried again so often. */
const ATTEMPTS = 3;

export function createRegisterServers(desk: RegistryDesk): RegisterServers {
  const { storage, policy, sealer, clock } = desk;

  /** Whether what a draft asks for may be had at all. `before`, `judged`: what was judged already. */
  async function findObjection(
    who: Identity,
    draft: ServerDraft,
    before: ServerDraft | null,
    judged = new Set<string>(),
  ): Promise<Failure | null> {
    const { launch } = draft;
    if (launch !== null && JSON.stringify(launch) !== JSON.stringify(before?.launch)) {
      const objection = findLaunchObjection(who, launch);
      if (objection !== null) return objection;
    }
    const mistakes = findServerMistakes(draft);
    if (mistakes.length > 0) return failure('INVALID_PARAMS', {}, { say: mistakes.join('; ') });
    for (const url of findUnjudged(draft, before, judged)) {
      const say = await desk.checkUrl(url);
      if (say !== null) return failure('INVALID_PARAMS', {}, { say });
      judged.add(url);
    }
    return null;
  }

  function findLaunchObjection(who: Identity, launch: NonNullable<ServerDraft['launch']>): Failure | null {
    const mayStart = mayUiToAll(policy(), who, 'modify_service') && mayUiToAll(policy(), who, 'register_service');
    if (!mayStart || !desk.allowCommands.includes(launch.command)) {
      const say =
        'The gateway starts no such command: registry.allowCommands says which ones, for administrators alone.';
      return failure('DENIED_BY_POLICY', {}, { say });
    }
    if (launch.args.some(arg => arg.includes('\0'))) {
      return failure('INVALID_PARAMS', {}, { say: 'launch.args: holds a NUL character' });
    }
    const unknown = launch.env.find(name => !desk.allowEnv.includes(name));
    if (unknown === undefined) return null;
    return failure('INVALID_PARAMS', {}, { say: 'launch.env: registry.allowEnv does not name every variable in it' });
  }

  function findLifecycleDenial(who: Identity, path: string, from: Lifecycle | null, to: Lifecycle): Failure | null {
    if (maySetLifecycle(policy(), who, path, { from, to })) return null;
    return deniedServer(ungranted('change_lifecycle_status'));
  }

  /** Without what is to be sealed. */
  function toDraft(who: Identity, path: string, version: string, wish: NewServer['wish']): ServerDraft {
    const nowMs = clock.wallMs();
    return {
      ...{ ...NEW, ...wish },
      ...NO_SECRETS,
      ...{ path, version, isActiveVersion: true, enabled: true, source: { kind: 'live' } },
      ...{ owner: who.subject, registeredBy: who.name ?? who.subject, registeredAtMs: nowMs, updatedAtMs: nowMs },
    };
  }

  /** Whether a server nobody has yet may be had, with its secrets. */
  async function findNewObjection(who: Identity, draft: ServerDraft, given: NewServer): Promise<Failure | null> {
    return (
      findLifecycleDenial(who, draft.path, null, draft.status) ??
      findSecretsObjection(sealer, draft, given, NO_SECRETS) ??
      (await findObjection(who, draft, null))
    );
  }

  async function add(draft: ServerDraft, given: NewServer): Promise<Result<RegisteredServer>> {
    const sealed = sealSecrets(sealer, draft, given, NO_SECRETS);
    if (sealed.kind === 'failure') return sealed;
    const added = await storage.servers.add({ ...draft, ...sealed.value });
    if (added.kind === 'exists') return taken();
    return done(added.value);
  }

  async function registerNew(who: Identity, path: string, given: NewServer): Promise<Result<Registered>> {
    const version = given.version ?? FIRST_VERSION;
    const draft = toDraft(who, path, version, given.wish);
    const objection = await findNewObjection(who, draft, given);
    if (objection !== null) return objection;
    return desk.write(async () => {
      // Another one may have come first: two drafts of one path would be two versions of it.
      if ((await storage.servers.find(path)) !== null) return taken();
      const added = await add(draft, given);
      if (added.kind === 'failure') return added;
      desk.put(added.value);
      desk.tell({ kind: 'server.registered', server: added.value });
      return done({ server: added.value, as: 'new' });
    });
  }

  async function registerVersion(
    who: Identity,
    active: RegisteredServer,
    version: string,
    given: NewServer,
  ): Promise<Result<Registered>> {
    if (!mayChange(policy(), who, 'modify_service', active)) return deniedServer(ungranted('modify_service'));
    const { path, owner, registeredBy, enabled } = active;
    const wished = toDraft(who, path, version, given.wish);
    const draft = { ...wished, owner, registeredBy, enabled, isActiveVersion: false };
    const objection = await findNewObjection(who, draft, given);
    if (objection !== null) return objection;
    return desk.write(async () => {
      const versions = await storage.servers.listVersions(path);
      if (versions.length === 0) return noSuchServer();
      if (versions.length >= MAX_VERSIONS) return tooManyVersions();
      const added = await add(draft, given);
      if (added.kind === 'failure') return added;
      await desk.readInactive(path);
      desk.tell({ kind: 'server.versions', server: desk.current().servers.get(path) ?? active });
      return done({ server: added.value, as: 'version' });
    });
  }

  /**
   * First beside others, as judging an address takes time; whoever was overtaken then, with the others waiting, for whom
   * nothing is judged.
   */
  async function edit(
    who: Identity,
    path: string,
    change: ServerChange,
    expected: ExpectedRevisions,
  ): Promise<Result<RegisteredServer>> {
    const asked = { change, expected, judged: new Set<string>() };
    let isAlone = false;
    for (let attempt = 0; attempt <= ATTEMPTS; attempt++) {
      const tried: Tried = isAlone
        ? await desk.write(() => tryToEdit(who, path, asked, null))
        : await tryToEdit(who, path, asked, desk.write);
      if (tried !== 'overtaken' && tried !== 'unjudged') return tried;
      isAlone = tried === 'overtaken';
    }
    return stale();
  }

  /** `write`: in whose turn it is stored; null: it is its turn already. */
  async function tryToEdit(
    who: Identity,
    path: string,
    { change, expected, judged }: { change: ServerChange; expected: ExpectedRevisions; judged: Set<string> },
    write: RegistryDesk['write'] | null,
  ): Promise<Tried> {
    const before = await storage.servers.find(path);
    if (before === null) return noSuchServer();
    if (!mayChange(policy(), who, 'modify_service', before)) return deniedServer(ungranted('modify_service'));
    const { status = before.status } = change.wish;
    const no = findLifecycleDenial(who, path, before.status, status) ?? ownedByFile(before);
    if (no !== null) return no;
    if (!isExpected(expected, before)) return stale();
    // An address that it had when this began, and lost to whoever came first.
    if (write === null && findUnjudged({ ...before, ...change.wish }, before, judged).length > 0) return 'unjudged';
    const changed = await toChanged(who, before, change, judged);
    if (changed.kind === 'failure') return changed;
    const store = async () => {
      const stored = await storage.servers.update(path, before.revision, changed.value);
      if (stored.kind === 'stored') {
        desk.put(stored.value);
        desk.tell({ kind: 'server.edited', server: stored.value });
      }
      return stored;
    };
    const updated = await (write === null ? store() : write(store));
    if (updated.kind === 'missing') return noSuchServer();
    return updated.kind === 'stored' ? done(updated.value) : 'overtaken';
  }

  async function toChanged(
    who: Identity,
    before: RegisteredServer,
    { wish, auth, headers }: ServerChange,
    judged: Set<string>,
  ): Promise<Result<ServerDraft>> {
    const draft: ServerDraft = { ...before, ...wish, updatedAtMs: clock.wallMs() };
    const secrets = { auth, headers };
    const objection =
      findSecretsObjection(sealer, before, secrets, before) ?? (await findObjection(who, draft, before, judged));
    if (objection !== null) return objection;
    const keepsAuth = auth === undefined && before.sealedCredential !== null;
    const keepsHeaders = headers === undefined && before.sealedHeaders !== null;
    if (hasSecrets(before) && (keepsAuth || keepsHeaders) && originOf(draft) !== originOf(before)) {
      const say = 'The server moves to another address: give its auth_credential and custom_headers anew, or none.';
      return failure('INVALID_PARAMS', {}, { say });
    }
    const sealed = sealSecrets(sealer, before, secrets, before);
    return sealed.kind === 'failure' ? sealed : done({ ...draft, ...sealed.value });
  }

  return {
    edit,
    async register(who, given) {
      const read = readRegistryPath(given.path);
      if (!read.ok) return failure('INVALID_PARAMS', {}, { say: `path: ${read.reason}` });
      const { path } = read;
      if (!mayUi(policy(), who, 'register_service', path)) return deniedServer(ungranted('register_service'));
      if (given.version !== null && !VERSION.test(given.version)) {
        const say = 'version: must be letters, digits, ".", "_", "+" and "-", such as v1.2.0';
        return failure('INVALID_PARAMS', {}, { say });
      }
      const active = await storage.servers.find(path);
      if (active === null) {
        return findKeptName(path) ?? registerNew(who, path, given);
      }
      const owned = ownedByFile(active);
      if (owned !== null) return owned;
      const versions = await storage.servers.listVersions(path);
      const { version } = given;
      if (version !== null && versions.every(known => known.version !== version)) {
        return registerVersion(who, active, version, given);
      }
      if (!given.overwrite || (version !== null && version !== active.version)) return taken();
      const none = { auth: { scheme: 'none', credential: null, headerName: null }, headers: [] } as const;
      const { auth = none.auth, headers = none.headers, wish } = given;
      const edited = await edit(who, path, { wish, auth, headers }, null);
      return edited.kind === 'failure' ? edited : done({ server: edited.value, as: 'replaced' });
    },
  };
}

/** Addresses that are neither those of the server before nor known to be good. */
function findUnjudged(draft: ServerDraft, before: ServerDraft | null, judged: ReadonlySet<string>): string[] {
  const known = new Set([before?.proxyUrl, before?.mcpEndpoint, before?.sseEndpoint]);
  const urls = new Set([draft.proxyUrl, draft.mcpEndpoint, draft.sseEndpoint]);
  return [...urls].flatMap(url => (url === null || known.has(url) || judged.has(url) ? [] : [url]));
}

function originOf(server: ServerDraft): string {
  const endpoint = findServerEndpoint(server);
  return endpoint === null ? '' : new URL(endpoint.url).origin;
}

function taken(): Failure {
  const say = 'There is a server at this path already: change that one, or register with overwrite or another version.';
  return failure('CONFLICT', {}, { say });
}

function tooManyVersions(): Failure {
  return failure('CONFLICT', {}, { say: `There are ${MAX_VERSIONS} versions of this server: remove one first.` });
}
