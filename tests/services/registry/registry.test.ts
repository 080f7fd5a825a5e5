import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import type { PolicySet } from '../../../src/domain/policy.ts';
import type { RegisteredGroup } from '../../../src/domain/registered-group.ts';
import { Secret } from '../../../src/domain/secret.ts';
import { toRestrictions } from '../../../src/domain/visibility.ts';
import { createMemoryRegistry } from '../../../src/outbound/memory/registry-storage.ts';
import { createSealer } from '../../../src/outbound/vault/sealer.ts';
import type { LogFields } from '../../../src/ports/log.ts';
import type { RegistryDeps } from '../../../src/services/registry/desk.ts';
import type { NewServer } from '../../../src/services/registry/register.ts';
import { createRegistry, type Registry } from '../../../src/services/registry/registry.ts';
import { openRequestHeaders } from '../../../src/services/registry/server-secrets.ts';
import { createToSpecs } from '../../../src/services/registry/to-spec.ts';
import { specOf } from '../../support/fake-downstreams.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { callerWith, policyOf } from '../../support/policies.ts';
import { draftGroup, draftServer } from '../../support/registry-drafts.ts';
import { createKeptLog } from '../../support/staircase.ts';

const SCOPES = {
  'UI-Scopes': {
    keepers: { list_service: ['all'], register_service: ['all'], modify_service: ['all'], toggle_service: ['all'] },
    makers: { list_service: ['all'], register_service: ['all'] },
  },
  group_mappings: { keepers: ['keepers'], makers: ['makers'] },
};
const KEEPER_AND_REMOVER = { ...SCOPES['UI-Scopes'].keepers, delete_service: ['all'] };
const keeper = callerWith({ subject: 'https://idp|keeper', groups: ['keepers'] });
const maker = callerWith({ subject: 'https://idp|maker', groups: ['makers'] });
const other = callerWith({ subject: 'https://idp|other', groups: ['makers'] });

/** One file that names these, as it is followed. */
function inFile(...keys: string[]): Parameters<Registry['followFiles']> {
  return [new Map([['/etc/gatehouse/gateway.config.yaml', new Set(keys)]]), keys.map(key => specOf(key))];
}
const sourcesOf = (registry: Registry) =>
  [...registry.current().servers.values()].map(({ path, source }) => [path, source.kind]);
const grantsOn = (...servers: string[]) =>
  servers.map(server => ({ server, methods: 'all' as const, tools: 'all' as const }));

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function openSealer() {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-registry-'));
  folders.push(folder);
  return createSealer({ path: join(folder, 'v.json'), keyPath: join(folder, 'v.key'), keys: null, mayMakeKey: true });
}

/** The registry over a storage in memory; the policy follows it as it does in the gateway. */
function open(given: Partial<RegistryDeps> & { scopes?: unknown } = {}) {
  const { scopes = SCOPES, ...more } = given;
  const policyWith = (groups: readonly RegisteredGroup[]): PolicySet =>
    policyOf({ scopes, groups, restricted: toRestrictions(registry.current().servers.values()) });
  const log = createKeptLog();
  const registry: Registry = createRegistry({
    storage: createMemoryRegistry(),
    policy: () => policyWith(registry.current().groups),
    policyWith,
    scopesOfFile: () => null,
    sealer: null,
    live: {
      tools: () => null,
      health: (_who, { path }) => ({ path, status: 'unknown', checkedAtMs: null, numTools: 0 }),
      refresh: async () => {},
      mayUse: () => true,
    },
    checkUrl: async () => null,
    ...{ allowCommands: [], allowEnv: [], clock: createFrozenClock(), log },
    ...more,
  });
  const told: string[] = [];
  registry.onChange(changes => void told.push(...changes.map(({ kind }) => kind)));
  return { registry, told, log };
}

const newServer = (path: string, more: Partial<NewServer> = {}, wish: Partial<NewServer['wish']> = {}): NewServer => ({
  ...{ path, version: null, overwrite: false },
  wish: {
    ...{ name: path, description: '', tags: [], license: null, visibility: 'public', allowedGroups: [] },
    ...{ status: 'active', proxyUrl: 'https://mcp.example.test', mcpEndpoint: null, sseEndpoint: null },
    ...{ transport: 'auto', supportedTransports: [], launch: null, numTools: 0, sunsetDate: null },
    ...{ deployment: 'remote', localRuntime: null, metadata: {}, ...wish },
  },
  ...more,
});

const AUTH = { scheme: 'bearer', credential: new Secret('canary'), headerName: null } as const;

describe('registering', () => {
  test('of twenty at once at one path is one server, and nobody’s is a version of another’s', async () => {
    const { registry, told } = open();
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        registry.register(i % 2 === 0 ? maker : other, newServer('/one', { version: `v${i}` })),
      ),
    );
    expect(results.filter(({ kind }) => kind === 'done')).toHaveLength(1);
    expect(told).toEqual(['server.registered']);
  });

  test('in the place of another’s server is for whoever may change that one', async () => {
    const { registry } = open();
    await registry.register(maker, newServer('/mine'));
    const overwrite = newServer('/mine', { overwrite: true }, { description: 'taken over' });
    expect(await registry.register(other, overwrite)).toMatchObject({ code: 'DENIED_BY_POLICY' });
    expect(await registry.register(maker, overwrite)).toMatchObject({ value: { as: 'replaced' } });
    // Whoever writes over it does not become its owner.
    expect(await registry.register(keeper, overwrite)).toMatchObject({
      value: { server: { owner: 'https://idp|maker' } },
    });
  });

  const settled = () => new Promise(resolve => setImmediate(resolve));

  /** Whose addresses wait to be judged from now on. */
  async function openSlow() {
    const judging: (() => void)[] = [];
    let isSlow = false;
    const { registry } = open({
      checkUrl: () => {
        const { promise, resolve } = Promise.withResolvers<null>();
        if (isSlow) judging.push(() => resolve(null));
        else resolve(null);
        return promise;
      },
    });
    await registry.register(maker, newServer('/mine'));
    await registry.register(keeper, newServer('/else'));
    isSlow = true;
    return { registry, judging };
  }

  test('of addresses that take long to judge holds up nobody else, and each is judged once', async () => {
    const { registry, judging } = await openSlow();
    const edits = Array.from({ length: 6 }, (_, i) =>
      registry.edit(maker, '/mine', { wish: { proxyUrl: `https://mcp.example.test/${i}` } }, null),
    );
    await settled();
    expect(judging).toHaveLength(6);
    for (const isJudged of judging.splice(0)) isJudged();
    expect((await Promise.all(edits)).map(({ kind }) => kind)).toEqual(edits.map(() => 'done'));
    expect(judging).toEqual([]);
    expect(await registry.toggle(keeper, '/else', false, null)).toMatchObject({ value: { enabled: false } });
  });

  test('of an address that somebody else took away in between holds up nobody else either', async () => {
    let judgedAnew = 0;
    for (let turns = 0; turns < 30; turns++) {
      const { registry, judging } = await openSlow();
      const moved = registry.edit(maker, '/mine', { wish: { proxyUrl: 'https://mcp.example.test/moved' } }, null);
      await settled();
      for (const isJudged of judging.splice(0)) isJudged();
      for (let turn = 0; turn < turns; turn++) await null;
      const { proxyUrl, name } = newServer('/mine').wish;
      const stays = registry.edit(maker, '/mine', { wish: { proxyUrl, name } }, null);
      await settled();
      // Whatever is still to be judged: this is done meanwhile.
      expect(await registry.toggle(keeper, '/else', false, null)).toMatchObject({ value: { enabled: false } });
      judgedAnew += judging.length;
      for (const isJudged of judging.splice(0)) isJudged();
      expect([(await moved).kind, await stays]).toMatchObject(['done', { kind: 'done', value: { proxyUrl } }]);
    }
    expect(judgedAnew).toBeGreaterThan(1);
  });

  test('stores nothing where an address is refused, and asks about each once', async () => {
    const asked: string[] = [];
    const checkUrl = async (url: string) => {
      asked.push(url);
      return url.includes('bad') ? 'No.' : null;
    };
    const { registry, told } = open({ checkUrl });
    const refused = await registry.register(maker, newServer('/x', {}, { sseEndpoint: 'https://bad.test/sse' }));
    expect(refused).toMatchObject({ code: 'INVALID_PARAMS', say: 'No.' });
    expect([asked, told, registry.current().servers.size]).toEqual([
      ['https://mcp.example.test', 'https://bad.test/sse'],
      [],
      0,
    ]);
  });

  test.each([
    {
      given: newServer('/x', { auth: AUTH }, { proxyUrl: 'https://bad.test' }),
      code: 'INVALID_PARAMS',
      because: 'its address may not be called',
    },
    {
      given: newServer('/x', { auth: AUTH }, { proxyUrl: null }),
      code: 'INVALID_PARAMS',
      because: 'it has no address',
    },
    { given: newServer('/mcpgw', { auth: AUTH }), code: 'INVALID_PARAMS', because: 'its path is kept' },
    { given: newServer('/mine', { auth: AUTH }), code: 'CONFLICT', because: 'its path is taken' },
    {
      given: newServer('/mine', { auth: AUTH, version: 'v2' }, { proxyUrl: 'https://bad.test' }),
      code: 'INVALID_PARAMS',
      because: 'the address of the version may not be called',
    },
    {
      given: newServer('/mine', { auth: AUTH, overwrite: true }, { proxyUrl: 'https://bad.test' }),
      code: 'INVALID_PARAMS',
      because: 'the address in the place of another may not be called',
    },
  ])('lays no vault for a server that is refused because $because', async ({ given, code }) => {
    const sealer = openSealer();
    const checkUrl = async (url: string) => (url.includes('bad') ? 'No.' : null);
    const { registry } = open({ sealer, checkUrl });
    await registry.register(maker, newServer('/mine'));
    expect(await registry.register(maker, given)).toMatchObject({ code });
    expect(folders.flatMap(folder => readdirSync(folder))).toEqual([]);
    // With the same credential, what is accepted is kept.
    expect(await registry.register(maker, newServer('/good', { auth: AUTH }))).toMatchObject({ kind: 'done' });
    expect(folders.flatMap(folder => readdirSync(folder))).toContain('v.json');
  });

  test('of one version too many seals nothing either', async () => {
    const sealer = openSealer();
    const { registry } = open({ sealer });
    for (let i = 0; i < 50; i++) await registry.register(maker, newServer('/full', { version: `v${i}` }));
    const late = newServer('/full', { version: 'v50', auth: AUTH });
    expect(await registry.register(maker, late)).toMatchObject({ code: 'CONFLICT' });
    expect(folders.flatMap(folder => readdirSync(folder))).toEqual([]);
  });

  test('with a credential needs a vault, and keeps nothing in clear without one', async () => {
    const auth = { scheme: 'bearer', credential: new Secret('canary'), headerName: null } as const;
    const { registry } = open();
    const refused = await registry.register(maker, newServer('/x', { auth }));
    expect(refused).toMatchObject({ code: 'SERVER_UNAVAILABLE', say: expect.stringContaining('vault') });
    expect(JSON.stringify(refused)).not.toContain('canary');
  });
});

describe('at the start', () => {
  test('whoever stands in a door of the registry from before is told of, with what to do; a file that says so is not', async () => {
    const storage = createMemoryRegistry();
    await storage.servers.add(draftServer('/mcpgw'));
    await storage.servers.add(draftServer('/AIRegistry-Tools'));
    await storage.servers.add(draftServer('/team/mcpgw'));
    const { registry, log } = open({ storage });
    await registry.start(...inFile('airegistry-tools'));
    const warned = log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields as LogFields);
    expect(warned.map(({ server }) => server).sort()).toEqual(['/AIRegistry-Tools', '/mcpgw']);
    for (const { hint } of warned) expect(hint).toMatch(/another path.*\/mcp\/registry/);
    // It is said, and served all the same.
    expect(registry.current().servers.get('/mcpgw')).toMatchObject({ enabled: true });
  });
});

describe('what is sealed', () => {
  test('is connected with, and is not offered at all where it cannot be read', async () => {
    const sealer = openSealer();
    const credential = new Secret(randomBytes(16).toString('hex'));
    const { registry, log } = open({ sealer });
    await registry.register(maker, newServer('/x', { auth: { scheme: 'bearer', credential, headerName: null } }));
    const specs = (with_: RegistryDeps['sealer']) =>
      createToSpecs({ sealer: with_, findVariable: () => null, allowCommands: [], allowEnv: [], log }).active(
        [],
        registry.current(),
      );
    const [spec] = specs(sealer);
    const sent = spec?.link.kind === 'http' ? spec.link.headers.get('authorization')?.reveal() : undefined;
    expect(sent).toBe(`Bearer ${credential.reveal()}`);
    expect(specs(openSealer())).toEqual([]);
    expect(specs(null)).toEqual([]);
  });

  test('of one version opens in the place of no other', async () => {
    const sealer = openSealer();
    const { registry } = open({ sealer });
    const auth = { scheme: 'api_key', credential: new Secret('canary'), headerName: null } as const;
    await registry.register(maker, newServer('/x', { version: 'v1' }));
    await registry.register(maker, newServer('/x', { version: 'v2', auth }));
    const listed = await registry.versions.list(maker, '/x');
    const [first, second] = listed.kind === 'done' ? listed.value : [];
    if (first === undefined || second === undefined) throw new Error('two versions were registered');
    expect(openRequestHeaders(sealer, second)?.get('x-api-key')?.reveal()).toBe('canary');
    expect(openRequestHeaders(sealer, { ...second, version: first.version })).toBeNull();
    expect(openRequestHeaders(sealer, { ...second, path: '/y' })).toBeNull();
  });
});

test('a switch is thrown also where another process changed the server at that moment', async () => {
  const memory = createMemoryRegistry();
  let others = 0;
  const servers = {
    ...memory.servers,
    async update(...given: Parameters<typeof memory.servers.update>) {
      const [path, revision, draft] = given;
      if (others-- > 0)
        await memory.servers.update(path, revision, { ...draft, enabled: !draft.enabled, description: 'theirs' });
      return memory.servers.update(...given);
    },
  };
  const { registry, told } = open({ storage: { ...memory, servers } });
  await registry.register(keeper, newServer('/x'));
  others = 1;
  const thrown = await registry.toggle(keeper, '/x', false, null);
  expect(thrown).toMatchObject({ kind: 'done', value: { enabled: false, description: 'theirs' } });
  expect(registry.current().servers.get('/x')).toMatchObject({ enabled: false, description: 'theirs' });
  expect(told).toEqual(['server.registered', 'server.toggled']);
  others = 100;
  expect(await registry.toggle(keeper, '/x', true, null)).toMatchObject({ kind: 'failure', code: 'STALE' });
});

describe('a version', () => {
  test('that becomes active does not switch on what was switched off', async () => {
    const { registry } = open();
    await registry.register(keeper, newServer('/x', { version: 'v1' }));
    await registry.register(keeper, newServer('/x', { version: 'v2' }));
    await registry.toggle(keeper, '/x', false, null);
    expect(await registry.versions.activate(keeper, '/x', 'v2', null)).toMatchObject({ value: { enabled: false } });
    expect(registry.current().servers.get('/x')).toMatchObject({ version: 'v2', enabled: false });
  });
});

describe('how far along a server is', () => {
  const scopes = {
    'UI-Scopes': {
      keepers: { register_service: ['all'], modify_service: ['/one'] },
      promoters: { modify_service: ['/one'], change_lifecycle_status: ['/one'] },
      makers: { register_service: ['all'], change_lifecycle_status: ['/else'] },
      admins: { register_service: ['all'], modify_service: ['all'] },
    },
    group_mappings: { keepers: ['keepers'], promoters: ['promoters'], makers: ['makers'], admins: ['admins'] },
  };
  const admin = callerWith({ groups: ['admins'] });
  const promoter = callerWith({ groups: ['promoters'] });
  const NO = {
    ...{ code: 'DENIED_BY_POLICY', data: { rule: 'ui: no grant of change_lifecycle_status there' } },
    say: expect.stringContaining('change_lifecycle_status'),
  };
  const draft = (version: string | null = null) => newServer('/one', { version }, { status: 'draft' });
  const openDraft = async (more: Parameters<typeof open>[0] = { scopes }) => {
    const { registry } = open(more);
    await registry.register(maker, draft());
    return { registry, card: () => registry.current().servers.get('/one') };
  };

  test.each([
    { who: maker, may: false, because: 'its owner may change the rest of it' },
    { who: keeper, may: false, because: 'the right to change it is another one' },
    { who: promoter, may: true, because: 'it was granted there' },
    { who: admin, may: true, because: 'it may change every server' },
  ])('is changed by whoever was granted it: $because', async ({ who, may }) => {
    const { registry, card } = await openDraft();
    const wish = { status: 'active', description: 'anew' } as const;
    const changed = await registry.edit(who, '/one', { wish }, null);
    if (!may) expect(changed).toMatchObject(NO);
    expect(card()).toMatchObject(may ? wish : { status: 'draft', description: '' });
    // The rest of it, and what it is already, are anybody's who may change it.
    const again = { status: card()?.status ?? 'draft', license: 'MIT' };
    expect(await registry.edit(who, '/one', { wish: again }, null)).toMatchObject({ value: again });
  });

  test('is not changed by writing over it, nor by another version that is further along', async () => {
    const { registry, card } = await openDraft();
    const over = newServer('/one', { overwrite: true }, { description: 'anew' });
    expect(await registry.register(maker, over)).toMatchObject(NO);
    expect(await registry.register(keeper, over)).toMatchObject(NO);
    expect(await registry.register(maker, newServer('/one', { version: 'v2' }))).toMatchObject({ kind: 'done' });
    expect(await registry.register(maker, draft('v3'))).toMatchObject({ kind: 'done' });
    expect(await registry.versions.activate(maker, '/one', 'v2', null)).toMatchObject(NO);
    expect(card()).toMatchObject({ status: 'draft', version: 'v1.0.0', description: '' });
    expect(await registry.versions.activate(maker, '/one', 'v3', null)).toMatchObject({ kind: 'done' });
    expect(await registry.versions.activate(promoter, '/one', 'v2', null)).toMatchObject({
      value: { status: 'active' },
    });
    expect(await registry.versions.activate(maker, '/one', 'v4', null)).toMatchObject({ code: 'NOT_FOUND' });
  });

  test('is draft or active where a server is new, and further along only with the right', async () => {
    const { registry } = open({ scopes });
    const late = { status: 'deprecated', sunsetDate: '2027-06-30' } as const;
    const register = (path: string, wish: Partial<NewServer['wish']>) =>
      registry.register(maker, newServer(path, {}, wish));
    expect(await register('/draft', { status: 'draft' })).toMatchObject({ kind: 'done' });
    expect(await register('/active', {})).toMatchObject({ kind: 'done' });
    expect(await register('/beta', { status: 'beta' })).toMatchObject(NO);
    expect(await register('/late', late)).toMatchObject(NO);
    expect(await register('/else', late)).toMatchObject({ value: { server: late } });
  });

  test('is anybody’s to change where the gateway stands open', async () => {
    const { registry } = await openDraft({ policy: () => policyOf({ isOpenDoor: true }) });
    const wish = { status: 'active' } as const;
    expect(await registry.edit(other, '/one', { wish }, null)).toMatchObject({ value: wish });
  });
});

describe('groups', () => {
  const wish = {
    ...{ scopeName: 'stored', scopeType: 'server_scope', description: '', serverAccess: [], groupMappings: ['g'] },
    uiPermissions: {},
  };

  test('are for whoever may change every server, not for whoever may register', async () => {
    const { registry } = open();
    expect(await registry.groups.create(maker, wish)).toMatchObject({ code: 'DENIED_BY_POLICY' });
    expect(registry.groups.list(maker)).toMatchObject({ code: 'DENIED_BY_POLICY' });
  });

  test('cannot be changed so that whoever did it could not undo it', async () => {
    const grant = { list_service: 'all', modify_service: 'all' } as const;
    const own = { ...wish, scopeName: 'own', groupMappings: ['keepers'], uiPermissions: grant };
    // Only a group of the registry makes this caller a keeper.
    const { registry } = open({ scopes: { 'UI-Scopes': { first: { modify_service: ['all'] } } } });
    const first = callerWith({ subject: 'https://idp|keeper', groups: ['keepers'], scopes: ['first'] });
    expect(await registry.groups.create(first, own)).toMatchObject({ kind: 'done' });
    expect(await registry.groups.remove(keeper, 'own')).toMatchObject({
      ...{ code: 'CONFLICT', say: expect.stringContaining('could not undo') },
    });
    expect(await registry.groups.remove(first, 'own')).toMatchObject({ kind: 'done' });
  });

  test('are told once they are stored', async () => {
    const { registry, told } = open();
    await registry.groups.create(keeper, wish);
    expect(await registry.groups.create(keeper, wish)).toMatchObject({ code: 'CONFLICT' });
    await registry.groups.import(keeper, { ...wish, description: 'again' });
    expect(told).toEqual(['groups.changed', 'groups.changed']);
    expect(registry.current().groups).toMatchObject([{ scopeName: 'stored', description: 'again' }]);
  });
});

test('what another process did is told as if it had been done here', async () => {
  const storage = createMemoryRegistry();
  const [{ registry: one }, { registry: other, told }] = [open({ storage }), open({ storage })];
  await one.register(keeper, newServer('/git'));
  await one.groups.create(keeper, draftGroup('readers'));
  await other.catchUp();
  await one.toggle(keeper, '/git', false, null);
  await other.catchUp();
  await other.catchUp();
  expect(told).toEqual(['server.registered', 'groups.changed', 'server.edited']);
});

test('a server that is removed takes along what groups grant on it, and nothing else', async () => {
  const { registry } = open({ scopes: { ...SCOPES, 'UI-Scopes': { keepers: KEEPER_AND_REMOVER } } });
  await registry.register(keeper, newServer('/git'));
  await registry.groups.create(keeper, { ...draftGroup('readers'), serverAccess: grantsOn('git', 'dict') });
  expect(await registry.remove(keeper, '/git', null)).toMatchObject({ kind: 'done' });
  expect(registry.current().groups.flatMap(group => group.serverAccess.map(({ server }) => server))).toEqual(['dict']);
});

describe('servers of files', () => {
  test('whose name is no path of the registry are left out with a word in the log', async () => {
    const { registry, log } = open();
    await registry.followFiles(...inFile('docs', 'git'));
    expect([...registry.current().servers.keys()]).toEqual(['/git']);
    expect(JSON.stringify(log)).toContain('docs');
  });

  test('take the place of what is registered while a file names them, with a word in the log, and no grant of it', async () => {
    const { registry, log } = open();
    await registry.register(keeper, newServer('/git'));
    await registry.groups.create(keeper, { ...draftGroup('readers'), serverAccess: grantsOn('git', 'dict') });
    await registry.followFiles(...inFile('git', 'dict'));
    expect(sourcesOf(registry)).toEqual([
      ['/dict', 'file'],
      ['/git', 'file'],
    ]);
    const warned = log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => (fields as LogFields).server);
    expect(warned).toEqual(['/git']);
    await registry.followFiles(...inFile());
    expect(sourcesOf(registry)).toEqual([['/git', 'live']]);
    expect(registry.current().groups.flatMap(group => group.serverAccess.map(({ server }) => server))).toEqual(['git']);
  });

  test('that go while nobody runs take their grants along, too', async () => {
    const storage = createMemoryRegistry();
    const { registry } = open({ storage });
    await registry.start(...inFile('git', 'dict'));
    await registry.groups.create(keeper, { ...draftGroup('readers'), serverAccess: grantsOn('git', 'dict') });
    const { registry: later } = open({ storage });
    await later.start(...inFile('dict'));
    expect(later.current().groups.flatMap(group => group.serverAccess.map(({ server }) => server))).toEqual(['dict']);
  });

  test('are connected where the registry has them: another gateway may have found them gone', async () => {
    const { registry, log } = open();
    const { active } = createToSpecs({ sealer: null, findVariable: () => null, allowCommands: [], allowEnv: [], log });
    const keysOf = (...keys: string[]) =>
      active(
        keys.map(key => specOf(key)),
        registry.current(),
      ).map(({ key }) => key);
    await registry.start(...inFile('git', 'docs'));
    // One cannot be in it, since its name is an address of the gateway.
    expect(keysOf('git', 'docs', 'gone')).toEqual(['git', 'docs']);
    await registry.toggle(keeper, '/git', false, null);
    expect(keysOf('git', 'docs')).toEqual(['docs']);
  });

  test('take a registered server’s name from the moment they say so, and are connected once they are taken in', async () => {
    const { registry, log } = open();
    const { active } = createToSpecs({ sealer: null, findVariable: () => null, allowCommands: [], allowEnv: [], log });
    await registry.start(...inFile());
    await registry.register(keeper, newServer('/git'));
    const keys = () => active([specOf('git')], registry.current(), () => false).map(({ key }) => key);
    expect(keys()).toEqual([]);
    expect(active([], registry.current(), () => false).map(({ key }) => key)).toEqual(['git']);
  });

  test('stay off, and are not gone, from the moment their file switches them on until they are taken in', async () => {
    const { registry, log } = open();
    const { active } = createToSpecs({ sealer: null, findVariable: () => null, allowCommands: [], allowEnv: [], log });
    const [files] = inFile('git');
    await registry.start(files, [{ ...specOf('git'), enabled: false }]);
    const states = () => active([specOf('git')], registry.current()).map(({ key, enabled }) => [key, enabled]);
    expect(states()).toEqual([['git', false]]);
    await registry.followFiles(files, [specOf('git')]);
    expect(states()).toEqual([['git', true]]);
  });

  test('that did not change are no news, and many changes at once are one', async () => {
    const { registry, told } = open();
    let batches = 0;
    registry.onChange(() => void batches++);
    for (let i = 0; i < 3; i++) await registry.followFiles(...inFile('git', 'dict'));
    await registry.followFiles(...inFile());
    expect(told).toEqual(['server.registered', 'server.registered', 'server.removed', 'server.removed']);
    expect(batches).toBe(2);
  });

  test('are not there, nor is any file in force, where they cannot be stored', async () => {
    const memory = createMemoryRegistry();
    const fails = { is: true };
    const follow: typeof memory.follow = (files, work) =>
      memory.follow(files, async (repositories, followed) => {
        const done = await work(repositories, followed);
        if (fails.is) throw new Error('the disk is full');
        return done;
      });
    const { registry } = open({ storage: { ...memory, follow } });
    await registry.register(keeper, newServer('/git'));
    await expect(registry.followFiles(...inFile('git'))).rejects.toThrow('the disk is full');
    expect(await registry.toggle(keeper, '/git', false, null)).toMatchObject({ kind: 'done' });
    expect(sourcesOf(registry)).toEqual([['/git', 'live']]);
    fails.is = false;
    await registry.followFiles(...inFile('git'));
    expect(sourcesOf(registry)).toEqual([['/git', 'file']]);
  });
});
