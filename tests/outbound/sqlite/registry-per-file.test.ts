/** Gateways with files of their own on one registry: what each keeps of the servers in its files, the others leave alone. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RegisteredServer } from '../../../src/domain/registered-server.ts';
import { createRecordSet } from '../../../src/outbound/memory/records.ts';
import { createMemoryRows } from '../../../src/outbound/memory/registry-rows.ts';
import { openRegistryDatabase } from '../../../src/outbound/sqlite/database.ts';
import { MIGRATIONS } from '../../../src/outbound/sqlite/migrations.ts';
import { prepareRows } from '../../../src/outbound/sqlite/registry-rows.ts';
import { openSqliteRegistry } from '../../../src/outbound/sqlite/registry-storage.ts';
import { withRowsPerFile } from '../../../src/outbound/storage/per-file.ts';
import type { RegistryStorage } from '../../../src/ports/registry-storage.ts';
import { approvedTool, draftServer, driftedTool, healthOf, stars } from '../../support/registry-drafts.ts';
import { makeFolder } from './registry-desk.ts';

const A = '/a/mcp.json';
const B = '/b/mcp.json';
const C = '/c/mcp.json';
const PAGE = { offset: 0, limit: 100 };
const makePath = () => join(makeFolder(), 'registry.db');

/** What each file names; where two name one server, the first counts. */
type Named = Readonly<Record<string, readonly string[]>>;

const follow = (storage: RegistryStorage, named: Named) =>
  storage.follow(
    new Map(Object.entries(named).map(([file, servers]) => [file, new Set(servers)])),
    async (_, followed) => followed,
  );

async function openFor(path: string, named: Named): Promise<RegistryStorage> {
  const storage = openSqliteRegistry({ path, namespace: 'default' });
  onTestFinished(() => storage.close());
  await follow(storage, named);
  return storage;
}
const ofFile = (path: string, file: string, more: Parameters<typeof draftServer>[1] = {}) =>
  draftServer(path, { source: { kind: 'file', file }, ...more });
const pathsOf = async (storage: RegistryStorage) =>
  (await storage.servers.list({}, PAGE)).items.map(({ path }) => path);
const rated = (path: string) => ({ kind: 'server', path }) as const;

async function describeDict(storage: RegistryStorage) {
  return {
    enabled: (await storage.servers.find('/dict'))?.enabled,
    stars: (await storage.ratings.list(rated('/dict'))).map(rating => rating.stars),
    health: (await storage.health.find('/dict'))?.status,
    definitions: ((await storage.definitions.list('dict')) ?? []).map(({ tool, pending }) => [tool, pending !== null]),
    pending: (await storage.definitions.listPending()).map(({ server }) => server),
  };
}
async function putDict(storage: RegistryStorage, file: string): Promise<void> {
  await storage.servers.add(ofFile('/dict', file, { enabled: false }));
  await storage.ratings.put(rated('/dict'), stars('ada', 5));
  await storage.health.put([healthOf('/dict', { status: 'healthy' })]);
  await storage.definitions.put([approvedTool('dict', 'look'), driftedTool('dict', 'write')]);
}
const PUT = {
  ...{ enabled: false, stars: [5], health: 'healthy', pending: ['dict'] },
  definitions: [
    ['look', false],
    ['write', true],
  ],
};
const NOTHING = { enabled: undefined, stars: [], health: undefined, definitions: [], pending: [] };

describe('two files that name one server', () => {
  it('keep its switch, ratings, health and definitions each for itself', async () => {
    const path = makePath();
    const [a, b] = [await openFor(path, { [A]: ['dict'] }), await openFor(path, { [B]: ['dict'] })];
    await putDict(a, A);
    expect(await describeDict(b)).toEqual(NOTHING);
    await b.servers.add(ofFile('/dict', B));
    await b.ratings.put(rated('/dict'), stars('bo', 1));
    await b.definitions.put([approvedTool('dict', 'write')]);
    expect(await describeDict(a)).toEqual(PUT);
    expect(await follow(b, { [B]: [] })).toMatchObject({ gone: ['/dict'] });
    expect(await describeDict(a)).toEqual(PUT);
    expect(await describeDict(b)).toEqual(NOTHING);
  });

  it('share what is registered', async () => {
    const path = makePath();
    const [a, b] = [await openFor(path, { [A]: ['dict'] }), await openFor(path, { [B]: ['other'] })];
    await putDict(a, A);
    await b.servers.add(draftServer('/team/mail'));
    expect([await pathsOf(a), await pathsOf(b)]).toEqual([['/dict', '/team/mail'], ['/team/mail']]);
    expect(await b.servers.remove('/dict')).toBe(false);
  });

  it('are not disturbed by what somebody registers under that name, who cannot know of it', async () => {
    const path = makePath();
    const [a, b] = [await openFor(path, { [A]: ['dict'] }), await openFor(path, { [B]: ['other'] })];
    await putDict(a, A);
    await b.servers.add(draftServer('/dict'));
    await b.servers.add(draftServer('/dict', { version: 'v2' }));
    await b.definitions.put([driftedTool('dict@v1.0.0', 'registered')]);
    expect(await describeDict(a)).toEqual(PUT);
    expect((await a.servers.list({}, PAGE)).total).toBe(1);
    expect(await a.servers.listInactive()).toEqual([]);
    expect(await follow(a, { [A]: ['dict'] })).toMatchObject({ gone: [], behind: ['/dict'] });
    expect(await follow(a, { [A]: [] })).toMatchObject({ gone: ['/dict'], behind: [] });
    expect((await a.servers.find('/dict'))?.source).toEqual({ kind: 'live' });
    expect(await a.servers.listInactive()).toHaveLength(1);
    expect((await a.definitions.listPending()).map(({ server }) => server)).toEqual(['dict@v1.0.0']);
  });
});

it('a file’s server is its own also where somebody registered one of its name before', async () => {
  const path = makePath();
  const [a, b] = [await openFor(path, { [A]: ['dict'] }), await openFor(path, { [B]: ['other'] })];
  await b.servers.add(draftServer('/dict'));
  await b.ratings.put(rated('/dict'), stars('bo', 3));
  expect([await a.servers.find('/dict'), await pathsOf(a)]).toEqual([null, []]);
  await putDict(a, A);
  await a.servers.update('/dict', null, ofFile('/dict', A, { enabled: false, description: 'ours' }));
  expect([(await b.servers.find('/dict'))?.enabled, await b.ratings.list(rated('/dict'))]).toMatchObject([
    true,
    [{ stars: 3 }],
  ]);
  await b.servers.remove('/dict');
  expect(await describeDict(a)).toEqual(PUT);
});

it.each([
  { what: 'registered where a file names it', draft: draftServer('/dict', { version: 'v9' }) },
  { what: 'of another file', draft: ofFile('/dict', B, { version: 'v9' }) },
  { what: 'of a file that does not name it', draft: ofFile('/mail', A) },
])('a record is kept where it will be found, or not at all: $what', async ({ draft }) => {
  const storage = await openFor(makePath(), { [A]: ['dict'], [B]: [] });
  await putDict(storage, A);
  expect(await storage.servers.add(draft)).toEqual({ kind: 'exists' });
  expect(await describeDict(storage)).toEqual(PUT);
  expect(await pathsOf(storage)).toEqual(['/dict']);
});

describe('files that change', () => {
  it('a server that moves to another file of its gateway takes along what was said and approved of it', async () => {
    const storage = await openFor(makePath(), { [A]: ['dict'], [B]: [] });
    await putDict(storage, A);
    expect(await follow(storage, { [A]: [], [B]: ['dict'] })).toMatchObject({ gone: [] });
    expect(await describeDict(storage)).toEqual(PUT);
    await storage.servers.update('/dict', null, ofFile('/dict', B, { enabled: true }));
    await storage.ratings.put(rated('/dict'), stars('ada', 1));
    await storage.definitions.put([approvedTool('dict', 'write'), approvedTool('dict', 'look')]);
    const there = await describeDict(storage);
    expect(there).toMatchObject({ enabled: true, stars: [1], pending: [] });
    // And back, as it was last.
    await follow(storage, { [A]: ['dict'], [B]: [] });
    expect(await describeDict(storage)).toEqual(there);
  });

  it('one that another one of its gateway overrides keeps all, for those that read it alone', async () => {
    const path = makePath();
    const a = await openFor(path, { [A]: ['dict'] });
    await putDict(a, A);
    const both = await openFor(path, { [B]: ['dict'], [A]: ['dict'] });
    expect(await describeDict(both)).toEqual(PUT);
    await both.definitions.put([approvedTool('dict', 'write')]);
    await both.servers.update('/dict', null, ofFile('/dict', B, { enabled: true }));
    await both.ratings.put(rated('/dict'), stars('ada', 1));
    expect(await describeDict(both)).toMatchObject({ enabled: true, stars: [1], pending: [] });
    expect(await describeDict(a)).toEqual(PUT);
    // What the overriding file said is not true again when it names the server once more.
    await follow(both, { [B]: [], [A]: ['dict'] });
    expect(await describeDict(both)).toEqual(PUT);
    await follow(both, { [B]: ['dict'], [A]: ['dict'] });
    expect(await describeDict(both)).toEqual(PUT);
    expect(await describeDict(a)).toEqual(PUT);
  });

  it('one that names a server which another one says what it is has nothing of that one', async () => {
    const path = makePath();
    const storage = await openFor(path, { [A]: ['dict'], [B]: [] });
    await putDict(storage, A);
    await follow(storage, { [A]: ['dict'], [B]: ['dict'] });
    expect(await describeDict(storage)).toEqual(PUT);
    expect(await describeDict(await openFor(path, { [B]: ['dict'] }))).toEqual(NOTHING);
  });

  it('one keeps nothing of versions, which are registered', async () => {
    const path = makePath();
    const storage = await openFor(path, { [A]: ['dict'] });
    await (await openFor(path, {})).servers.add(draftServer('/dict', { version: 'v2' }));
    await storage.definitions.put([approvedTool('dict@v2', 'late')]);
    expect(await follow(storage, { [A]: [] })).toMatchObject({ gone: [] });
    expect(await storage.definitions.list('dict@v2')).toHaveLength(1);
  });

  it('one that drops a server and names it again begins anew', async () => {
    const storage = await openFor(makePath(), { [A]: ['dict', 'tools'] });
    await putDict(storage, A);
    // Not everything has a record, or more than one thing.
    await storage.definitions.put([approvedTool('tools', 'send')]);
    const before = await storage.revision();
    expect(await follow(storage, { [A]: [] })).toMatchObject({ gone: ['/dict', '/tools'] });
    // Whoever kept a list by its revision has to look again.
    expect(await storage.revision()).toBeGreaterThan(before);
    expect(await follow(storage, { [A]: ['dict', 'tools'] })).toMatchObject({ gone: [] });
    expect(await describeDict(storage)).toEqual(NOTHING);
    expect(await storage.definitions.list('tools')).toEqual([]);
  });

  it('one that is not read for a while finds all of its own again', async () => {
    const storage = await openFor(makePath(), { [A]: ['dict'] });
    await putDict(storage, A);
    expect(await follow(storage, {})).toMatchObject({ gone: [] });
    expect(await describeDict(storage)).toEqual(NOTHING);
    await follow(storage, { [A]: ['dict'] });
    expect(await describeDict(storage)).toEqual(PUT);
  });

  it('are not in force where they cannot be settled', () => {
    const set = createRecordSet();
    const [shared, ofFiles] = [createMemoryRows(set, { revision: 0 }), createMemoryRows(set, { revision: 0 })];
    let fails = false;
    const rowsOf = () => ({
      ...ofFiles,
      knownServers() {
        if (fails) throw new Error('damaged');
        return ofFiles.knownServers();
      },
    });
    const rows = withRowsPerFile({ shared, rowsOf, claimEarlier: () => null });
    rows.follow(new Map([[A, new Set(['dict'])]]));
    rows.servers.put({ ...ofFile('/dict', A), revision: 1 });
    fails = true;
    expect(() => rows.follow(new Map([[A, new Set()]]))).toThrow('damaged');
    expect(rows.servers.findActive('/dict')).not.toBeNull();
  });

  it('are in force with what is done at once, or not at all', async () => {
    const path = makePath();
    const storage = await openFor(path, { [A]: ['dict'], [B]: ['mail'] });
    await putDict(storage, A);
    const before = await storage.revision();
    const slip = storage.follow(new Map([[B, new Set(['other'])]]), async ({ servers }) => {
      expect(await servers.find('/dict')).toBeNull();
      expect((await servers.add(ofFile('/other', B))).kind).toBe('stored');
      throw new Error('slip');
    });
    // Asked meanwhile, answered afterwards.
    const meanwhile = describeDict(storage);
    await expect(slip).rejects.toThrow('slip');
    expect(await meanwhile).toEqual(PUT);
    expect([await describeDict(storage), await pathsOf(storage), await storage.revision()]).toEqual([
      PUT,
      ['/dict'],
      before,
    ]);
    await storage.servers.add(ofFile('/mail', B));
    expect(await pathsOf(await openFor(path, { [A]: ['dict'], [B]: ['mail'] }))).toEqual(['/dict', '/mail']);
  });
});

it('lists files’ and registered servers as one, on pages of any size, by number and by cursor', async () => {
  const letters = fc.uniqueArray(fc.constantFrom(...'abcdefghijkl'), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(letters, letters, letters, fc.integer({ min: 1, max: 6 }), async (inA, inB, registered, limit) => {
      const path = makePath();
      const storage = await openFor(path, { [A]: inA, [B]: inB });
      const stranger = await openFor(path, {});
      for (const key of inA) await storage.servers.add(ofFile(`/${key}`, A));
      // Also what the other file overrides is kept, for gateways that read this one alone.
      const alone = await openFor(path, { [B]: inB });
      for (const key of inB)
        if ((await alone.servers.find(`/${key}`)) === null) await alone.servers.add(ofFile(`/${key}`, B));
      // Of some names both: whoever registers does not know of the file.
      for (const key of registered) await stranger.servers.add(draftServer(`/${key}`));
      const expected = [...new Set([...inA, ...inB, ...registered])]
        .sort()
        .map(key => `/${key} ${inA.includes(key) ? A : inB.includes(key) ? B : 'live'}`);
      const told = ({ path: at, source }: RegisteredServer) => `${at} ${source.kind === 'file' ? source.file : 'live'}`;
      const found: Record<'byNumber' | 'byCursor', string[]> = { byNumber: [], byCursor: [] };
      for (let offset = 0; offset < expected.length; offset += limit) {
        const { items, total } = await storage.servers.list({}, { offset, limit });
        expect(total).toBe(expected.length);
        found.byNumber.push(...items.map(told));
      }
      for (let after: string | null = null; ; ) {
        const { items } = await storage.servers.list({}, { after, limit });
        found.byCursor.push(...items.map(told));
        after = items.at(-1)?.path ?? null;
        if (items.length < limit) break;
      }
      expect(found).toEqual({ byNumber: expected, byCursor: expected });
      const { items, total } = await storage.servers.list({ query: 'c' }, { offset: 0, limit });
      expect([items.map(told), total]).toEqual([expected.filter(each => each.startsWith('/c ')), items.length]);
      await Promise.all([storage.close(), stranger.close(), alone.close()]);
    }),
    { numRuns: 60 },
  );
});

describe('a registry of an earlier version, which did not tell files apart', () => {
  /** As layout 1 was: everything in one namespace. */
  function makeOld(): string {
    const path = makePath();
    const { database, close } = openRegistryDatabase(path);
    const draw = database.prepare<[], number>('update sequence set revision = revision + 1 returning revision').pluck();
    const nextRevision = () => draw.get() as number;
    const old = prepareRows({ database, namespace: 'default', nextRevision });
    old.servers.put({ ...ofFile('/dict', A, { enabled: false }), revision: nextRevision() });
    old.servers.put({ ...draftServer('/team/mail'), revision: nextRevision() });
    old.ratings.put(rated('/dict'), [stars('ada', 5)], nextRevision());
    old.ratings.put(rated('/team/mail'), [stars('bo', 4)], nextRevision());
    old.health.put(healthOf('/dict', { status: 'healthy' }), nextRevision());
    // A name that is no path of the registry has approvals and no record.
    const tools = [approvedTool('dict', 'look'), driftedTool('dict', 'write')];
    for (const tool of [...tools, approvedTool('tools', 'first'), approvedTool('tools', 'second')])
      old.definitions.put(tool, nextRevision());
    database.exec('drop table known_file; drop index definition_revision');
    database.pragma('user_version = 1');
    close();
    return path;
  }

  it('keeps all of it for every file that names the server, and trusts nothing anew', async () => {
    const path = makeOld();
    const [a, b] = [await openFor(path, { [A]: ['dict'] }), await openFor(path, { [B]: ['dict'] })];
    const stranger = await openFor(path, { '/d/mcp.json': ['other'] });
    expect([await describeDict(a), await describeDict(b), await describeDict(stranger)]).toEqual([PUT, PUT, NOTHING]);
    expect([await pathsOf(a), await pathsOf(stranger)]).toEqual([['/dict', '/team/mail'], ['/team/mail']]);
    expect((await a.ratings.list(rated('/team/mail'))).map(rating => rating.stars)).toEqual([4]);
    // From then on each has its own.
    await b.ratings.put(rated('/dict'), stars('ada', 1));
    const late = await openFor(path, { [C]: ['dict'] });
    expect([await describeDict(a), await describeDict(late)]).toEqual([PUT, PUT]);
    await late.close();
    await b.servers.update('/dict', null, ofFile('/dict', B, { enabled: true }));
    await b.definitions.put([approvedTool('dict', 'write')]);
    expect(await describeDict(a)).toEqual(PUT);
    const theirs = { ...PUT, enabled: true, stars: [1], pending: [] };
    expect(await describeDict(b)).toMatchObject({
      ...theirs,
      definitions: PUT.definitions.map(([tool]) => [tool, false]),
    });
    await Promise.all([a.close(), b.close(), stranger.close()]);
    // Every row is as it was written: the look through all of them at the opening finds nothing.
    expect(await describeDict(await openFor(path, { [A]: ['dict'] }))).toEqual(PUT);
  });

  it('is taken over once: what a file drops afterwards and names again begins anew, also after a restart', async () => {
    const path = makeOld();
    const first = await openFor(path, { [A]: ['dict'] });
    expect(await describeDict(first)).toEqual(PUT);
    await follow(first, { [A]: [] });
    await first.close();
    const again = await openFor(path, { [A]: ['dict', 'tools'] });
    expect(await describeDict(again)).toEqual(NOTHING);
    expect(await again.definitions.list('tools')).toEqual([]);
    expect(await describeDict(await openFor(path, { [B]: ['dict'] }))).toEqual(PUT);
  });

  it('is older than what a file of the same gateway has since', async () => {
    const storage = await openFor(makeOld(), { [A]: ['dict'] });
    await storage.ratings.put(rated('/dict'), stars('ada', 1));
    await follow(storage, { [B]: ['dict'], [A]: [] });
    expect(await describeDict(storage)).toEqual({ ...PUT, stars: [1] });
  });

  it('fills in what layout 2 had not brought yet', async () => {
    const path = makeOld();
    await (await openFor(path, { [A]: ['dict'] })).close();
    const database = new Database(path);
    database.exec('delete from known_file');
    for (const table of ['server', 'rating', 'health'])
      database.prepare(`delete from ${table} where namespace like ?`).run(`% ${A}`);
    database.close();
    expect(await describeDict(await openFor(path, { [A]: ['dict'] }))).toEqual(PUT);
  });

  it('does not take the place of what a file has of its own already, as layout 2 could leave it', async () => {
    const path = makeOld();
    const first = await openFor(path, { [A]: ['dict'] });
    await first.ratings.put(rated('/dict'), stars('ada', 1));
    await first.close();
    const database = new Database(path);
    database.exec('delete from known_file');
    database.close();
    expect(await describeDict(await openFor(path, { [A]: ['dict'] }))).toEqual({ ...PUT, stars: [1] });
  });

  it('trusts nothing anew of a server that had approvals and no record', async () => {
    const path = makeOld();
    const [a, b] = [await openFor(path, { [A]: ['tools'] }), await openFor(path, { [B]: ['tools'] })];
    await a.definitions.put([approvedTool('tools', 'third')]);
    const toolsOf = async (storage: RegistryStorage) =>
      (await storage.definitions.list('tools'))?.map(({ tool }) => tool);
    expect(await toolsOf(a)).toEqual(['first', 'second', 'third']);
    expect(await toolsOf(b)).toEqual(['first', 'second']);
    expect(await a.definitions.remove('tools', 'first')).toBe(true);
    expect(await toolsOf(a)).toEqual(['second', 'third']);
    expect(await toolsOf(b)).toEqual(['first', 'second']);
  });

  it('is as it was when the step is broken off', async () => {
    const path = makeOld();
    const fail = () => {
      throw new Error('the power is gone');
    };
    expect(() => openRegistryDatabase(path, [...MIGRATIONS, fail])).toThrow('the power is gone');
    const database = new Database(path, { readonly: true });
    const spaces = database.prepare('select distinct namespace from server').pluck().all();
    expect([database.pragma('user_version', { simple: true }), spaces]).toEqual([1, ['default']]);
    database.close();
  });

  it('does not take a damaged record for a whole one', async () => {
    const path = makeOld();
    const database = new Database(path);
    database.exec("update definition set document = replace(document, 'look', 'loot') where server = 'dict'");
    database.close();
    for (let attempt = 0; attempt < 2; attempt++)
      await expect(openFor(path, { [A]: ['dict'] })).rejects.toThrow(/holds a damaged record: definition dict/);
    const after = new Database(path, { readonly: true });
    expect(after.pragma('user_version', { simple: true })).toBe(1);
    after.close();
  });
});

const SHARED_NAMES = ['dict', 'mail', 'team/wiki'];
const deed = fc.record({
  what: fc.constantFrom(
    'drop',
    'register',
    'update',
    'remove',
    'rate',
    'watch',
    'define',
    'undefine',
    'version',
    'activate',
  ),
  name: fc.constantFrom(...SHARED_NAMES),
});

/** By a gateway whose own file names all of them, or that registers them. */
async function doIt(
  storage: RegistryStorage,
  { what, name }: { what: string; name: string },
  named: Named,
): Promise<unknown> {
  const path = `/${name}`;
  const owns = named[B]?.includes(name) ?? false;
  // A gateway registers nothing under a name of its own files.
  const origin = owns ? name : `${name}@v1.0.0`;
  const draft: typeof draftServer = (of, more) => (owns ? ofFile(of, B, more) : draftServer(of, more));
  switch (what) {
    case 'drop':
      await follow(storage, { ...named, [B]: (named[B] ?? []).filter(each => each !== name) });
      return follow(storage, named);
    case 'register':
      return storage.servers.add(draft(path));
    case 'version':
      return storage.servers.add(draft(path, { version: 'v2.0.0', isActiveVersion: false }));
    case 'activate':
      return storage.servers.activate(path, 'v2.0.0', 1);
    case 'update':
      return storage.servers.update(path, null, draft(path, { enabled: false }));
    case 'remove':
      return storage.servers.remove(path);
    case 'rate':
      return storage.ratings.put(rated(path), stars('bob', 1));
    case 'watch':
      return storage.health.put([healthOf(path, { status: 'disabled' })]);
    case 'define':
      return storage.definitions.put([driftedTool(origin, 'look'), approvedTool(origin, 'other')]);
    default:
      return storage.definitions.remove(origin, 'look');
  }
}

it('whatever other gateways do, what is kept of a file’s server is the same for those that read the file', async () => {
  const theirs = fc.record({
    owned: fc.subarray(SHARED_NAMES),
    // Some read our file, too, and in it what their own does not override is ours and theirs.
    reads: fc.boolean(),
    deeds: fc.array(deed, { maxLength: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(theirs, { minLength: 1, maxLength: 3 }), async visits => {
      const path = makePath();
      const a = await openFor(path, { [A]: SHARED_NAMES });
      for (const name of SHARED_NAMES) {
        await a.servers.add(ofFile(`/${name}`, A, { enabled: name !== 'mail' }));
        await a.ratings.put(rated(`/${name}`), stars('ada', 4));
        await a.health.put([healthOf(`/${name}`, { status: 'healthy' })]);
        await a.definitions.put([approvedTool(name, 'look'), driftedTool(name, 'write')]);
      }
      const seen = async () => ({
        servers: await a.servers.list({}, PAGE),
        versions: await Promise.all(SHARED_NAMES.map(name => a.servers.listVersions(`/${name}`))),
        inactive: await a.servers.listInactive(),
        ratings: await Promise.all(SHARED_NAMES.map(name => a.ratings.list(rated(`/${name}`)))),
        health: await a.health.list(),
        definitions: await Promise.all(SHARED_NAMES.map(name => a.definitions.list(name))),
        pending: await a.definitions.listPending(),
      });
      const before = await seen();
      for (const { owned, reads, deeds } of visits) {
        const named = reads ? { [B]: SHARED_NAMES, [A]: SHARED_NAMES } : { [B]: owned };
        const other = await openFor(path, named);
        for (const each of deeds) if (!reads || each.what !== 'drop') await doIt(other, each, named);
        await other.close();
        expect(await seen()).toEqual(before);
      }
      await a.close();
    }),
    { numRuns: 60 },
  );
});
