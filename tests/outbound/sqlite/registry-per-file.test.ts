/** Gateways with files of their own on one registry: what each keeps of the servers in its files, the others leave alone. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { RegisteredServer } from '../../../src/domain/registered-server.ts';
import { createMemoryRows } from '../../../src/outbound/memory/registry-rows.ts';
import { openRegistryDatabase } from '../../../src/outbound/sqlite/database.ts';
import { MIGRATIONS } from '../../../src/outbound/sqlite/migrations.ts';
import { openSqliteRegistry } from '../../../src/outbound/sqlite/registry-storage.ts';
import { withRowsPerFile } from '../../../src/outbound/storage/per-file.ts';
import type { RegistryRows } from '../../../src/outbound/storage/rows.ts';
import type { RegistryStorage } from '../../../src/ports/registry-storage.ts';
import { approvedTool, draftServer, driftedTool, healthOf, stars } from '../../support/registry-drafts.ts';
import { makeFolder } from './registry-desk.ts';

const A = '/a/mcp.json';
const B = '/b/mcp.json';
const PAGE = { offset: 0, limit: 100 };
const makePath = () => join(makeFolder(), 'registry.db');

/** `named`: which file names a server, as the configuration says at the moment of asking. */
function openFor(path: string, named: Record<string, string>, all: readonly string[] = Object.values(named)) {
  const files = {
    all: () => [...new Set(all)],
    named: () => Object.keys(named),
    fileOf: (server: string) => named[server] ?? null,
    isNamedIn: (file: string, server: string) => named[server] === file,
  };
  const storage = openSqliteRegistry({ path, namespace: 'default', files });
  onTestFinished(() => storage.close());
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
    definitions: (await storage.definitions.list('dict')).map(({ tool, pending }) => [tool, pending !== null]),
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
    const [a, b] = [openFor(path, { dict: A }), openFor(path, { dict: B })];
    await putDict(a, A);
    expect(await describeDict(b)).toEqual(NOTHING);
    await b.servers.add(ofFile('/dict', B));
    await b.ratings.put(rated('/dict'), stars('bo', 1));
    await b.definitions.put([approvedTool('dict', 'write')]);
    expect(await describeDict(a)).toEqual(PUT);
    expect(await b.servers.remove('/dict')).toBe(true);
    expect(await describeDict(a)).toEqual(PUT);
    expect(await describeDict(b)).toEqual(NOTHING);
  });

  it('share what is registered', async () => {
    const path = makePath();
    const [a, b] = [openFor(path, { dict: A }), openFor(path, { other: B })];
    await putDict(a, A);
    await b.servers.add(draftServer('/team/mail'));
    expect([await pathsOf(a), await pathsOf(b)]).toEqual([['/dict', '/team/mail'], ['/team/mail']]);
    expect(await b.servers.remove('/dict')).toBe(false);
  });

  it('are not disturbed by what somebody registers under that name, who cannot know of it', async () => {
    const path = makePath();
    const named: Record<string, string> = { dict: A };
    const [a, b] = [openFor(path, named, [A]), openFor(path, { other: B })];
    await putDict(a, A);
    await b.servers.add(draftServer('/dict'));
    await b.servers.add(draftServer('/dict', { version: 'v2' }));
    await b.definitions.put([approvedTool('dict@v1.0.0', 'registered')]);
    expect(await describeDict(a)).toEqual(PUT);
    expect((await a.servers.list({}, PAGE)).total).toBe(1);
    expect(await a.servers.listInactive()).toEqual([]);
    delete named.dict;
    await a.servers.remove('/dict');
    expect((await a.servers.find('/dict'))?.source).toEqual({ kind: 'live' });
    expect(await a.servers.listInactive()).toHaveLength(1);
    expect(await b.definitions.list('dict@v1.0.0')).toHaveLength(1);
  });
});

it('a file’s server is its own also where somebody registered one of its name before', async () => {
  const path = makePath();
  const [a, b] = [openFor(path, { dict: A }), openFor(path, { other: B })];
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
  await expect(a.servers.add(draftServer('/dict', { version: 'v9' }))).rejects.toThrow('a file names /dict');
});

it('a server that moves to another file of its gateway takes along what was said and approved of it', async () => {
  const path = makePath();
  const named: Record<string, string> = { dict: A };
  const storage = openFor(path, named, [A, B]);
  await putDict(storage, A);
  named.dict = B;
  // Before its record has moved: nothing is trusted anew in between.
  expect((await storage.definitions.list('dict')).map(({ tool }) => tool)).toEqual(['look', 'write']);
  await storage.servers.update('/dict', null, ofFile('/dict', B, { enabled: false }));
  expect((await storage.servers.find('/dict'))?.source).toEqual({ kind: 'file', file: B });
  expect(await describeDict(storage)).toEqual(PUT);
  await storage.definitions.put([approvedTool('dict', 'new')]);
  expect((await storage.definitions.list('dict')).map(({ tool }) => tool)).toEqual(['look', 'new', 'write']);
});

it('a file that another one of its gateway overrides keeps all, for those that read it alone', async () => {
  const path = makePath();
  const a = openFor(path, { dict: A });
  await putDict(a, A);
  const files = { all: () => [B, A], named: () => ['dict'], fileOf: () => B, isNamedIn: () => true };
  const both = openSqliteRegistry({ path, namespace: 'default', files });
  onTestFinished(() => both.close());
  // Before its record is there, and after.
  await both.definitions.put([approvedTool('dict', 'write')]);
  expect(await describeDict(a)).toEqual(PUT);
  await both.servers.update('/dict', null, ofFile('/dict', B, { enabled: true }));
  await both.ratings.put(rated('/dict'), stars('ada', 1));
  expect(await describeDict(both)).toMatchObject({ enabled: true, stars: [1], pending: [] });
  expect(await describeDict(a)).toEqual(PUT);
});

it('a server that moves to another file and back is what it was last', async () => {
  const path = makePath();
  const named: Record<string, string> = { dict: A };
  const storage = openFor(path, named, [A, B]);
  await putDict(storage, A);
  named.dict = B;
  await storage.servers.update('/dict', null, ofFile('/dict', B, { enabled: true }));
  await storage.ratings.put(rated('/dict'), stars('ada', 1));
  await storage.definitions.put([approvedTool('dict', 'write'), approvedTool('dict', 'look')]);
  const there = await describeDict(storage);
  named.dict = A;
  await storage.servers.update('/dict', null, ofFile('/dict', A, { enabled: true }));
  expect(await describeDict(storage)).toEqual(there);
  expect(there).toMatchObject({ enabled: true, stars: [1], pending: [] });
});

it('asks whether there are definitions of a server and does not read them, however many are put', async () => {
  const memory = [createMemoryRows(), createMemoryRows(), createMemoryRows()].map(({ rows }) => rows);
  let read = 0;
  const [shared, own, earlier] = memory.map(rows => ({
    ...rows,
    definitions: {
      ...rows.definitions,
      ofServer(server: string) {
        read++;
        return rows.definitions.ofServer(server);
      },
    },
  })) as [RegistryRows, RegistryRows, RegistryRows];
  const fileOf = (server: string) => (server === 'dict' ? A : null);
  const rows = withRowsPerFile(
    { shared, rowsOf: () => own, earlier },
    { all: () => [A], isNamedIn: () => false, named: () => ['dict'], fileOf },
  );
  for (const server of ['dict', 'registered']) {
    for (let i = 0; i < 200; i++) rows.definitions.put(driftedTool(server, `tool-${i}`), i);
    for (let i = 0; i < 200; i++) expect(rows.definitions.find(server, `tool-${i}`)?.tool).toBe(`tool-${i}`);
  }
  expect([rows.definitions.pending().length, own.definitions.pending().length]).toEqual([400, 200]);
  expect(read).toBeLessThanOrEqual(2);
});

it('a file that is not read for a while finds all of its own again', async () => {
  const path = makePath();
  let all = [A];
  const files = {
    all: () => all,
    isNamedIn: () => false,
    named: () => (all.length === 0 ? [] : ['dict']),
    fileOf: (server: string) => (server === 'dict' ? (all[0] ?? null) : null),
  };
  const storage = openSqliteRegistry({ path, namespace: 'default', files });
  onTestFinished(() => storage.close());
  await putDict(storage, A);
  all = [];
  expect(await describeDict(storage)).toEqual(NOTHING);
  all = [A];
  expect(await describeDict(storage)).toEqual(PUT);
});

it('lists files’ and registered servers as one, on pages of any size, by number and by cursor', async () => {
  const letters = fc.uniqueArray(fc.constantFrom(...'abcdefghijkl'), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(letters, letters, letters, fc.integer({ min: 1, max: 6 }), async (inA, inB, registered, limit) => {
      const path = makePath();
      const fileOf = {
        ...Object.fromEntries(inB.map(key => [key, B])),
        ...Object.fromEntries(inA.map(key => [key, A])),
      };
      const inFile = Object.keys(fileOf);
      const storage = openFor(path, fileOf, [A, B]);
      const stranger = openFor(path, {}, []);
      for (const key of inA) await storage.servers.add(ofFile(`/${key}`, A));
      // Some of them were in the other file before.
      const earlier = openFor(path, Object.fromEntries(inB.map(key => [key, B])), [B]);
      for (const key of inB) await earlier.servers.add(ofFile(`/${key}`, B));
      // Of some names both: whoever registers does not know of the file.
      for (const key of registered) await stranger.servers.add(draftServer(`/${key}`));
      const expected = [...new Set([...inFile, ...registered])]
        .sort()
        .map(key => `/${key} ${inFile.includes(key) ? fileOf[key] : 'live'}`);
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
      await Promise.all([storage.close(), stranger.close(), earlier.close()]);
    }),
    { numRuns: 60 },
  );
});

describe('a registry of an earlier version, which did not tell files apart', () => {
  /** As layout 1 was: everything in one namespace. */
  async function makeOld(): Promise<string> {
    const path = makePath();
    const old = openSqliteRegistry({ path, namespace: 'default' });
    await putDict(old, A);
    await old.servers.add(draftServer('/team/mail'));
    await old.ratings.put(rated('/team/mail'), stars('bo', 4));
    // A name that is no path of the registry has approvals and no record.
    await old.definitions.put([approvedTool('tools', 'first'), approvedTool('tools', 'second')]);
    await old.close();
    const database = new Database(path);
    database.pragma('user_version = 1');
    database.close();
    return path;
  }

  it('keeps all of it for every file that names the server, and trusts nothing anew', async () => {
    const path = await makeOld();
    const [a, b, stranger] = [openFor(path, { dict: A }), openFor(path, { dict: B }), openFor(path, { other: B })];
    expect([await describeDict(a), await describeDict(b), await describeDict(stranger)]).toEqual([PUT, PUT, NOTHING]);
    expect([await pathsOf(a), await pathsOf(stranger)]).toEqual([['/dict', '/team/mail'], ['/team/mail']]);
    expect((await a.ratings.list(rated('/team/mail'))).map(rating => rating.stars)).toEqual([4]);
    // From then on each has its own.
    await b.ratings.put(rated('/dict'), stars('ada', 1));
    const late = openFor(path, { dict: '/c/mcp.json' });
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
    expect(await describeDict(openFor(path, { dict: A }))).toEqual(PUT);
  });

  it('trusts nothing anew of a server that had approvals and no record', async () => {
    const path = await makeOld();
    const [a, b] = [openFor(path, { tools: A }), openFor(path, { tools: B })];
    await a.definitions.put([approvedTool('tools', 'third')]);
    const toolsOf = async (storage: RegistryStorage) =>
      (await storage.definitions.list('tools')).map(({ tool }) => tool);
    expect(await toolsOf(a)).toEqual(['first', 'second', 'third']);
    expect(await toolsOf(b)).toEqual(['first', 'second']);
    expect(await a.definitions.remove('tools', 'first')).toBe(true);
    expect(await toolsOf(a)).toEqual(['second', 'third']);
    expect(await toolsOf(b)).toEqual(['first', 'second']);
  });

  it('is as it was when the step is broken off', async () => {
    const path = await makeOld();
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
    const path = await makeOld();
    const database = new Database(path);
    database.exec("update definition set document = replace(document, 'look', 'loot') where server = 'dict'");
    database.close();
    for (let attempt = 0; attempt < 2; attempt++)
      expect(() => openFor(path, { dict: A })).toThrow(/holds a damaged record: definition dict/);
    const after = new Database(path, { readonly: true });
    expect(after.pragma('user_version', { simple: true })).toBe(1);
    after.close();
  });
});

const SHARED_NAMES = ['dict', 'mail', 'team/wiki'];
const deed = fc.record({
  what: fc.constantFrom(
    'add',
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
  owns: boolean,
): Promise<unknown> {
  const path = `/${name}`;
  // A gateway registers nothing under a name of its own files.
  const draft: typeof draftServer = (of, more) => (owns ? ofFile(of, B, more) : draftServer(of, more));
  switch (what) {
    case 'add':
      return storage.servers.add(ofFile(path, B, { description: 'theirs' }));
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
      return storage.definitions.put([driftedTool(name, 'look'), approvedTool(name, 'other')]);
    default:
      return storage.definitions.remove(name, 'look');
  }
}

it('whatever other gateways do, what is kept of a file’s server is the same for those that read the file', async () => {
  const theirs = fc.record({ owns: fc.boolean(), deeds: fc.array(deed, { maxLength: 8 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(theirs, { minLength: 1, maxLength: 3 }), async visits => {
      const path = makePath();
      const ours = Object.fromEntries(SHARED_NAMES.map(name => [name, A]));
      const a = openFor(path, ours);
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
      for (const { owns, deeds } of visits) {
        const names = owns ? Object.fromEntries(SHARED_NAMES.map(name => [name, B])) : {};
        const other = openFor(path, names, [B]);
        for (const each of deeds) await doIt(other, each, owns);
        await other.close();
        expect(await seen()).toEqual(before);
      }
      await a.close();
    }),
    { numRuns: 60 },
  );
});
