/** What the registry in a file promises beyond what every backend does. */
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createMemoryRegistry } from '../../../src/outbound/memory/registry-storage.ts';
import { openRegistryDatabase } from '../../../src/outbound/sqlite/database.ts';
import { MIGRATIONS, migrate } from '../../../src/outbound/sqlite/migrations.ts';
import { openSqliteRegistry } from '../../../src/outbound/sqlite/registry-storage.ts';
import type { RegistryStorage } from '../../../src/ports/registry-storage.ts';
import { approvedTool, draftAgent, draftGroup, draftServer, healthOf, stars } from '../../support/registry-drafts.ts';
import { fill, makeFolder, openAt, readEverything } from './registry-desk.ts';

const PAGE = { offset: 0, limit: 100 };

it('is there again after an orderly end, whole', async () => {
  const path = join(makeFolder(), 'registry.db');
  const first = openAt(path);
  await first.transaction(inside => fill(inside, 0, 5));
  const before = await readEverything(first);
  await first.close();
  expect(fs.existsSync(`${path}-wal`)).toBe(false);
  expect(await readEverything(openAt(path))).toEqual(before);
});

it('is for its owner alone, log and mark too, in a folder of its own', async () => {
  const path = join(makeFolder(), 'new', 'state', 'registry.db');
  const storage = openAt(path);
  await storage.servers.add(draftServer('/a'));
  const modes = fs.readdirSync(dirname(path)).map(name => [name, fs.statSync(join(dirname(path), name)).mode & 0o777]);
  expect(Object.fromEntries(modes)).toEqual({
    'registry.db': 0o600,
    'registry.db-acknowledged': 0o600,
    'registry.db-shm': 0o600,
    'registry.db-wal': 0o600,
  });
  expect(fs.statSync(dirname(path)).mode & 0o777).toBe(0o700);
});

it('is written so that an acknowledged change survives the loss of power', () => {
  const { database, close } = openRegistryDatabase(join(makeFolder(), 'registry.db'));
  const pragma = (name: string) => database.pragma(name, { simple: true });
  expect([pragma('journal_mode'), pragma('synchronous'), pragma('foreign_keys'), pragma('trusted_schema')]).toEqual([
    'wal',
    2,
    1,
    0,
  ]);
  close();
});

describe('two namespaces in one file', () => {
  it('see nothing of each other, whatever they do', async () => {
    const path = join(makeFolder(), 'registry.db');
    const ours = openAt(path, 'ours');
    const theirs = openAt(path, 'theirs');
    await ours.transaction(inside => fill(inside, 0, 3));
    const { servers, agents, groups, definitions, health, ratings } = theirs;
    expect((await servers.list({}, PAGE)).total + (await agents.list({}, PAGE)).total).toBe(0);
    expect([...(await groups.list()), ...(await definitions.listPending()), ...(await health.list())]).toEqual([]);
    expect(await servers.find('/server-0')).toBeNull();
    expect(await servers.listVersions('/server-0')).toEqual([]);
    expect(await ratings.list({ kind: 'server', path: '/server-0' })).toEqual([]);
    expect(await servers.remove('/server-0')).toBe(false);
    expect(await servers.update('/server-0', null, draftServer('/server-0'))).toEqual({ kind: 'missing' });

    await servers.add(draftServer('/server-0', { description: 'theirs' }));
    await definitions.put([approvedTool('server-0@v1.0.0', 'search', { approvedBy: 'them' })]);
    expect((await ours.servers.find('/server-0'))?.description).toContain('Number 0');
    expect((await ours.definitions.find('server-0@v1.0.0', 'search'))?.approvedBy).toBe('first-seen');
    await ours.servers.remove('/server-0');
    expect((await servers.find('/server-0'))?.description).toBe('theirs');
    expect(await definitions.list('server-0@v1.0.0')).toHaveLength(1);
  });

  it.each(['', ' ', 'a b', '../x', '-a', 'a'.repeat(65), "a'b"])('are not called %j', namespace => {
    const path = join(makeFolder(), 'registry.db');
    expect(() => openSqliteRegistry({ path, namespace })).toThrow('a namespace is');
    expect(fs.existsSync(path)).toBe(false);
  });
});

describe('two holders of one file', () => {
  it('see what the other one did at once, and neither overwrites what it has not seen', async () => {
    const path = join(makeFolder(), 'registry.db');
    const [first, second] = [openAt(path), openAt(path)];
    const added = await first.servers.add(draftServer('/a'));
    if (added.kind !== 'stored') throw new Error(added.kind);
    const seen = await second.servers.find('/a');
    expect(seen).toEqual(added.value);
    await second.servers.update('/a', added.value.revision, draftServer('/a', { numTools: 7 }));
    const late = await first.servers.update('/a', added.value.revision, draftServer('/a', { numTools: 8 }));
    expect(late.kind).toBe('conflict');
    expect((await first.servers.find('/a'))?.numTools).toBe(7);
  });

  it('wait for each other without keeping the process from anything else, and not for ever', async () => {
    const path = join(makeFolder(), 'registry.db');
    const storage = openAt(path);
    await storage.servers.add(draftServer('/a'));
    const other = new Database(path);
    other.exec('begin immediate');
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 10);
    await expect(storage.servers.add(draftServer('/b'))).rejects.toThrow('kept busy by another process');
    clearInterval(timer);
    expect(turns).toBeGreaterThan(20);
    expect((await storage.servers.find('/a'))?.path).toBe('/a');
    other.exec('rollback');
    other.close();
    expect((await storage.servers.add(draftServer('/b'))).kind).toBe('stored');
  });
});

describe('the layout', () => {
  const NEXT = 'create table extra (name text) strict';

  it('goes forward in one step, with everything that was kept', async () => {
    const path = join(makeFolder(), 'registry.db');
    const storage = openAt(path);
    await storage.transaction(inside => fill(inside, 0, 2));
    const before = await readEverything(storage);
    await storage.close();
    const upgraded = openRegistryDatabase(path, [...MIGRATIONS, NEXT]);
    expect(upgraded.database.pragma('user_version', { simple: true })).toBe(MIGRATIONS.length + 1);
    expect(upgraded.database.prepare('select count(*) from server').pluck().get()).toBe(2);
    upgraded.close();
    expect(() => openAt(path)).toThrow(/written by a newer version.*start the version that wrote it/);
    const again = openRegistryDatabase(path, [...MIGRATIONS, NEXT]);
    again.database.exec('drop table extra');
    again.database.pragma(`user_version = ${MIGRATIONS.length}`);
    again.close();
    expect(await readEverything(openAt(path))).toEqual(before);
  });

  it.each([
    { steps: [...MIGRATIONS, 'create table half (a text) strict; create table half (a text) strict'] },
    { steps: [...MIGRATIONS, NEXT, 'create table half (a text) strict; select nonsense'] },
  ])('is as it was when a step fails', async ({ steps }) => {
    const path = join(makeFolder(), 'registry.db');
    await openAt(path).close();
    expect(() => openRegistryDatabase(path, steps)).toThrow(/cannot be used/);
    const database = new Database(path, { readonly: true });
    expect(database.pragma('user_version', { simple: true })).toBe(MIGRATIONS.length);
    expect(database.prepare("select count(*) from sqlite_schema where name in ('half', 'extra')").pluck().get()).toBe(
      0,
    );
    database.close();
    expect((await openAt(path).servers.add(draftServer('/a'))).kind).toBe('stored');
  });

  it('refuses a second active version of a path by itself', () => {
    const model = new Database(':memory:');
    migrate(model);
    const insert = model.prepare("insert into server values ('n', '/a', ?, 0, 1, 1, 'active', '', '', 1, '{}', '')");
    insert.run('1');
    expect(() => insert.run('2')).toThrow(/UNIQUE/);
    model.close();
  });
});

it('a definition that was kept before warnings were acknowledged is read, and nothing of it is', async () => {
  const path = join(makeFolder(), 'registry.db');
  const storage = openAt(path);
  const kept = approvedTool('mail@v1.0.0', 'send');
  await storage.servers.add(draftServer('/mail'));
  await storage.definitions.put([kept]);
  await storage.close();
  const hand = new Database(path);
  const { digest: _, ...row } = hand.prepare('select * from definition').get() as Record<string, unknown>;
  const { acknowledged: __, ...before } = JSON.parse(String(row.document));
  const old = { ...row, document: JSON.stringify(before) };
  const digest = createHash('sha256')
    .update(JSON.stringify(Object.values(old)))
    .digest('hex');
  hand.prepare('update definition set document = ?, digest = ?').run(old.document, digest);
  hand.close();
  expect(await openAt(path).definitions.list('mail@v1.0.0')).toEqual([kept]);
});

describe('a database that was changed by hand', () => {
  it.each([
    "update server set enabled = 0 where path = '/server-1'",
    `update server set document = replace(document, '"enabled":true', '"enabled":false')`,
    "update definition set namespace = 'elsewhere'",
    "update agent set path = '/other' where path = '/agent-0'",
    'update sequence set revision = 1',
    'create trigger sneak after insert on server begin delete from definition; end',
    'drop index server_active',
  ])('is not believed: %s', async statement => {
    const path = join(makeFolder(), 'registry.db');
    const storage = openAt(path);
    await storage.transaction(inside => fill(inside, 0, 2));
    await storage.close();
    const hand = new Database(path);
    hand.exec(statement);
    hand.close();
    expect(() => openAt(path)).toThrow(/restore a (?:later )?backup/);
  });

  it('does not hand out a record that fell over while it was open', async () => {
    const path = join(makeFolder(), 'registry.db');
    const storage = openAt(path);
    await storage.transaction(inside => fill(inside, 0, 2));
    const hand = new Database(path);
    hand.exec(`update server set document = replace(document, 'Number 1', 'Number 9') where path = '/server-1'`);
    hand.close();
    await expect(storage.servers.find('/server-1')).rejects.toThrow('damaged record: server /server-1');
    expect((await storage.servers.find('/server-0'))?.path).toBe('/server-0');
  });
});

it('answers as the registry in memory does, whatever is asked of both', async () => {
  const word = fc.constantFrom('a', 'B', 'a/b', 'ab', 'c');
  const path = word.map(name => `/${name}`);
  const version = fc.constantFrom('1', '2', '3');
  const small = fc.nat(5);
  type Ask = (storage: RegistryStorage) => Promise<unknown>;
  const outcome = (ask: Ask) => async (storage: RegistryStorage) => {
    try {
      return await ask(storage);
    } catch (error) {
      return (error as Error).message;
    }
  };
  const asks: fc.Arbitrary<Ask>[] = [
    fc.tuple(path, version, fc.boolean(), small).map(
      ([at, v, isActiveVersion, n]): Ask =>
        ({ servers }) =>
          servers.add(draftServer(at, { version: v, isActiveVersion, tags: [`t${n}`], updatedAtMs: n })),
    ),
    fc.tuple(path, version, fc.option(small), small).map(
      ([at, v, expected, n]): Ask =>
        ({ servers }) =>
          servers.update(at, expected, draftServer(at, { version: v, numTools: n, enabled: n > 2 })),
    ),
    fc.tuple(path, version).map(
      ([at, v]): Ask =>
        ({ servers }) =>
          servers.activate(at, v, 9),
    ),
    fc.tuple(path, version).map(
      ([at, v]): Ask =>
        ({ servers }) =>
          servers.removeVersion(at, v),
    ),
    path.map(
      (at): Ask =>
        ({ servers }) =>
          servers.remove(at),
    ),
    path.map(
      (at): Ask =>
        ({ servers }) =>
          servers.listVersions(at),
    ),
    fc.tuple(word, small, small).map(
      ([query, offset, limit]): Ask =>
        ({ servers }) =>
          servers.list({ query, changedSince: offset }, { offset: offset % 2, limit }),
    ),
    fc.tuple(path, small).map(
      ([after, limit]): Ask =>
        ({ servers }) =>
          servers.list({ tags: ['T1'] }, { after, limit }),
    ),
    fc.tuple(path, small).map(
      ([at, n]): Ask =>
        ({ agents }) =>
          agents.add(draftAgent(at, { enabled: n > 2 })),
    ),
    fc.tuple(path, small).map(
      ([at, n]): Ask =>
        ({ agents }) =>
          agents.update(at, n, draftAgent(at)),
    ),
    path.map(
      (at): Ask =>
        ({ agents }) =>
          agents.remove(at),
    ),
    fc.tuple(path, small).map(
      ([at, n]): Ask =>
        ({ ratings }) =>
          ratings.put({ kind: 'server', path: at }, stars(`s${n}`, n)),
    ),
    path.map(
      (at): Ask =>
        ({ ratings }) =>
          ratings.list({ kind: 'server', path: at }),
    ),
    fc.tuple(word, small).map(
      ([name, n]): Ask =>
        ({ groups }) =>
          groups.update(name, n, draftGroup(name)),
    ),
    word.map(
      (name): Ask =>
        ({ groups }) =>
          groups.add(draftGroup(name)),
    ),
    word.map(
      (name): Ask =>
        ({ groups }) =>
          groups.remove(name),
    ),
    fc.tuple(word, word).map(
      ([server, tool]): Ask =>
        ({ definitions }) =>
          definitions.put([approvedTool(server, tool)]),
    ),
    fc.tuple(word, word).map(
      ([server, tool]): Ask =>
        ({ definitions }) =>
          definitions.remove(server, tool),
    ),
    word.map(
      (server): Ask =>
        ({ definitions }) =>
          definitions.list(server),
    ),
    path.map(
      (at): Ask =>
        ({ health }) =>
          health.put([healthOf(at)]),
    ),
    fc.constant((({ health }) => health.list()) as Ask),
    fc.tuple(path, fc.boolean()).map(
      ([at, fails]): Ask =>
        storage =>
          storage.transaction(async ({ servers, health }) => {
            await servers.add(draftServer(at));
            await health.put([healthOf(at)]);
            if (fails) throw new Error('slip');
            return servers.find(at);
          }),
    ),
    fc.constant((storage => storage.revision()) as Ask),
  ];
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(...asks), { maxLength: 25 }), async sequence => {
      const folder = makeFolder();
      const sqlite = openSqliteRegistry({ path: join(folder, 'registry.db'), namespace: 'default' });
      const memory = createMemoryRegistry();
      try {
        for (const ask of sequence) expect(await outcome(ask)(sqlite)).toEqual(await outcome(ask)(memory));
        expect(await readEverything(sqlite)).toEqual(await readEverything(memory));
      } finally {
        await sqlite.close();
      }
    }),
    { numRuns: 40 },
  );
}, 120_000);
