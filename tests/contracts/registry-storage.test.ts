/** What every backend of the registry promises, whatever it is made of. */
import { describe, expect, it } from 'vitest';
import type { ApprovedTool } from '../../src/domain/approved-tool.ts';
import type { RegisteredServer } from '../../src/domain/registered-server.ts';
import type { RegistryStorage } from '../../src/ports/registry-storage.ts';
import type { Added, Updated } from '../../src/ports/repository.ts';
import {
  approvedTool,
  draftAgent,
  draftGroup,
  draftServer,
  driftedTool,
  healthOf,
  stars,
} from '../support/registry-drafts.ts';
import { BACKENDS } from './registry-backends.ts';

function stored<T>(result: Added<T> | Updated<T>): T {
  if (result.kind !== 'stored') throw new Error(`not stored: ${result.kind}`);
  return result.value;
}

const paths = (servers: readonly { path: string }[]) => servers.map(({ path }) => path);
const PAGE = { offset: 0, limit: 100 };
/** What definitions of `/a` and `/a/b` are kept by. */
const [A, AB] = ['a@v1.0.0', 'a/b@v1.0.0'];

describe.each(BACKENDS)('$name', ({ open }) => {
  async function openWith(...servers: string[]): Promise<RegistryStorage> {
    const storage = open();
    for (const path of servers) await storage.servers.add(draftServer(path));
    return storage;
  }

  describe('servers', () => {
    it('are found again exactly as they were added, fields nobody searches included', async () => {
      const { servers } = open();
      const draft = draftServer('/team/github', {
        name: 'GitHub \u{1f600} \ud800',
        description: 'Ä\0"\'\\\n',
        tags: ['Code', 'review'],
        visibility: 'group-restricted',
        allowedGroups: ['a'],
        status: 'deprecated',
        sunsetDate: '2027-01-01',
        sealedCredential: 'opaque',
        launch: { command: 'node', args: ['-e', ''], env: ['TOKEN'] },
        metadata: { deep: [{ __proto__x: null }, 1.5, 'ü'] },
        source: { kind: 'federated', from: 'peer', externalId: 'x/1' },
      });
      const value = stored(await servers.add(draft));
      expect(value).toEqual({ ...draft, revision: expect.any(Number) });
      expect(await servers.find('/team/github')).toEqual(value);
      expect(await servers.findVersion('/team/github', 'v1.0.0')).toEqual(value);
      expect(await servers.listVersions('/team/github')).toEqual([value]);
      expect(await servers.find('/team')).toBeNull();
    });

    it('are added once per path and version', async () => {
      const { servers } = open();
      const first = stored(await servers.add(draftServer('/a')));
      expect(await servers.add(draftServer('/a', { description: 'another' }))).toEqual({ kind: 'exists' });
      expect(await servers.find('/a')).toEqual(first);
    });

    it('change only for whoever has seen the latest revision', async () => {
      const { servers } = open();
      const first = stored(await servers.add(draftServer('/a')));
      const second = stored(await servers.update('/a', first.revision, { ...first, description: 'second' }));
      expect(second.revision).toBeGreaterThan(first.revision);
      const late = await servers.update('/a', first.revision, { ...first, description: 'late' });
      expect(late).toEqual({ kind: 'conflict', revision: second.revision });
      const forced = stored(await servers.update('/a', null, { ...first, description: 'forced' }));
      expect(await servers.find('/a')).toEqual(forced);
      expect(forced.description).toBe('forced');
      expect(await servers.update('/b', null, draftServer('/b'))).toEqual({ kind: 'missing' });
      expect(await servers.update('/a', null, draftServer('/a', { version: 'v9' }))).toEqual({ kind: 'missing' });
      await expect(servers.update('/a', null, draftServer('/b'))).rejects.toThrow('a record keeps its key');
    });

    it('never get a revision back, not even after they were removed', async () => {
      const { servers, revision } = open();
      const first = stored(await servers.add(draftServer('/a')));
      expect(await servers.remove('/a')).toBe(true);
      const removedAt = await revision();
      expect(removedAt).toBeGreaterThan(first.revision);
      const again = stored(await servers.add(draftServer('/a')));
      expect(again.revision).toBeGreaterThan(removedAt);
      expect(await revision()).toBe(again.revision);
    });

    it('have one active version: the first, until another one is chosen', async () => {
      const { servers } = open();
      await servers.add(draftServer('/a', { version: '1', isActiveVersion: false }));
      await servers.add(draftServer('/a', { version: '2', isActiveVersion: false }));
      expect((await servers.find('/a'))?.version).toBe('1');
      await servers.add(draftServer('/a', { version: '10', isActiveVersion: true, updatedAtMs: 5_000 }));
      expect((await servers.find('/a'))?.version).toBe('10');
      expect((await servers.activate('/a', '2', 6_000))?.updatedAtMs).toBe(6_000);
      const versions = await servers.listVersions('/a');
      expect(versions.map(({ version, isActiveVersion }) => [version, isActiveVersion])).toEqual([
        ['1', false],
        ['2', true],
        ['10', false],
      ]);
      expect((await servers.list({}, PAGE)).items.map(({ version }) => version)).toEqual(['2']);
      expect(await servers.activate('/a', '3', 7_000)).toBeNull();
      expect(await servers.activate('/b', '1', 7_000)).toBeNull();
      const active = await servers.find('/a');
      expect(await servers.activate('/a', '2', 8_000)).toEqual(active);
    });

    it('keep their place and activity among versions when they change', async () => {
      const { servers } = open();
      await servers.add(draftServer('/a', { version: '1' }));
      await servers.add(draftServer('/a', { version: '2', isActiveVersion: false }));
      await servers.update('/a', null, draftServer('/a', { version: '1', isActiveVersion: false, numTools: 4 }));
      await servers.update('/a', null, draftServer('/a', { version: '2', isActiveVersion: true, numTools: 5 }));
      const versions = await servers.listVersions('/a');
      expect(versions.map(({ version, isActiveVersion, numTools }) => [version, isActiveVersion, numTools])).toEqual([
        ['1', true, 4],
        ['2', false, 5],
      ]);
    });

    it('lose a version, but not the active one', async () => {
      const { servers } = open();
      await servers.add(draftServer('/a', { version: '1' }));
      await servers.add(draftServer('/a', { version: '2', isActiveVersion: false }));
      expect(await servers.removeVersion('/a', '1')).toBe('active');
      expect(await servers.removeVersion('/a', '3')).toBe('missing');
      expect(await servers.removeVersion('/a', '2')).toBe('removed');
      expect((await servers.listVersions('/a')).map(({ version }) => version)).toEqual(['1']);
    });

    it("list the versions that are not active, each path's in the order they came", async () => {
      const { servers } = open();
      for (const path of ['/b', '/a'])
        for (const version of ['1', '10', '2'])
          await servers.add(draftServer(path, { version, isActiveVersion: false }));
      await servers.activate('/a', '10', 6_000);
      expect((await servers.listInactive()).map(({ path, version }) => `${path} ${version}`)).toEqual([
        ...['/a 1', '/a 2', '/b 10', '/b 2'],
      ]);
    });

    it('take with a version what was approved of it, and of no other', async () => {
      const { servers, definitions } = open();
      for (const version of ['1', '2']) await servers.add(draftServer('/a', { version, isActiveVersion: false }));
      await definitions.put([approvedTool('a@1', 'search'), approvedTool('a@2', 'search')]);
      expect(await servers.removeVersion('/a', '2')).toBe('removed');
      expect(await definitions.list('a@2')).toBeNull();
      expect(await definitions.list('a@1')).toHaveLength(1);
      expect(await servers.remove('/a')).toBe(true);
      expect(await definitions.list('a@1')).toBeNull();
      // Named anew, it begins anew.
      await servers.add(draftServer('/a', { version: '1' }));
      expect(await definitions.list('a@1')).toEqual([]);
    });

    it('go with everything about them, and with nothing about others', async () => {
      const storage = open();
      const { servers, agents, ratings, health, definitions } = storage;
      for (const path of ['/a', '/a/b', '/ab']) {
        await servers.add(draftServer(path));
        await servers.add(draftServer(path, { version: '2' }));
        await agents.add(draftAgent(path));
        await ratings.put({ kind: 'server', path }, stars('ada', 5));
        await ratings.put({ kind: 'agent', path }, stars('ada', 4));
        await health.put([healthOf(path)]);
        const origin = `${path.slice(1)}@2`;
        expect(await definitions.put([approvedTool(origin, 'search'), driftedTool(origin, 'write')])).toBe('done');
      }
      expect(await servers.remove('/a')).toBe(true);
      expect(await servers.remove('/a')).toBe(false);
      expect(await servers.listVersions('/a')).toEqual([]);
      expect(await ratings.list({ kind: 'server', path: '/a' })).toEqual([]);
      expect(await ratings.list({ kind: 'agent', path: '/a' })).toHaveLength(1);
      expect(await definitions.list('a@2')).toBeNull();
      expect(paths(await health.list())).toEqual(['/a/b', '/ab']);
      expect(await servers.listVersions('/a/b')).toHaveLength(2);
      expect(await ratings.list({ kind: 'server', path: '/a/b' })).toHaveLength(1);
      expect((await definitions.listPending()).map(({ server }) => server)).toEqual(['a/b@2', 'ab@2']);
      expect(await agents.remove('/a')).toBe(true);
      expect(await ratings.list({ kind: 'agent', path: '/a' })).toEqual([]);
      expect(await ratings.list({ kind: 'agent', path: '/ab' })).toHaveLength(1);
    });

    it('are refused where they could not be read again', async () => {
      const { servers, revision } = open();
      const odd = [
        draftServer('/a', { path: 'a' }),
        draftServer('/mcp'),
        draftServer('/a', { numTools: -1 }),
        { ...draftServer('/a'), surprise: 1 },
        draftServer('/a', { owner: '' }),
      ];
      for (const draft of odd) await expect(servers.add(draft)).rejects.toThrow();
      expect(await servers.list({}, PAGE)).toEqual({ items: [], total: 0 });
      expect(await revision()).toBe(0);
    });
  });

  describe('lists of servers', () => {
    async function filled(storage: RegistryStorage): Promise<RegisteredServer[]> {
      const drafts = [
        draftServer('/b', { name: 'Bravo', tags: ['Data Base', 'SQL'], status: 'draft' }),
        draftServer('/A', { name: 'alpha', description: 'Speaks to ÄTNA, 100%', tags: ['sql'], enabled: false }),
        draftServer('/a/b', { name: 'Nested', description: 'bravo_2', tags: ['data'] }),
        draftServer('/a', { name: 'Alpha two', status: 'beta' }),
        draftServer('/a-b', { name: 'Dash' }),
      ];
      const all: RegisteredServer[] = [];
      for (const draft of drafts) all.push(stored(await storage.servers.add(draft)));
      return all;
    }

    it.each([
      { filter: {}, found: ['/A', '/a', '/a-b', '/a/b', '/b'], because: 'the order is that of code units' },
      { filter: { query: 'ALPHA' }, found: ['/A', '/a'], because: 'case does not count' },
      { filter: { query: 'ätna' }, found: ['/A'], because: 'case does not count beyond ASCII either' },
      { filter: { query: 'a\u0308tna' }, found: ['/A'], because: 'an accent may be written apart' },
      { filter: { query: 'two alpha' }, found: ['/a'], because: 'every word must be somewhere' },
      { filter: { query: '%' }, found: ['/A'], because: 'it is a character and not a pattern' },
      { filter: { query: 'o_2' }, found: ['/a/b'], because: 'it is a character and not a pattern' },
      { filter: { query: "'; drop table server" }, found: [], because: 'it is text' },
      { filter: { query: '   ' }, found: ['/A', '/a', '/a-b', '/a/b', '/b'], because: 'no word is asked for' },
      { filter: { query: '/a/b' }, found: ['/a/b'], because: 'paths are looked through' },
      { filter: { query: 'base' }, found: ['/b'], because: 'tags are looked through' },
      { filter: { tags: ['SQL'] }, found: ['/A', '/b'], because: 'case of a tag does not count' },
      { filter: { tags: ['sql', 'data base'] }, found: ['/b'], because: 'all of the tags are asked for' },
      { filter: { tags: ['data'] }, found: ['/a/b'], because: 'a tag is meant whole' },
      { filter: { tags: ['sql\ndata'] }, found: [], because: 'no tag holds two' },
      { filter: { status: 'draft' as const }, found: ['/b'], because: 'it is the draft' },
      { filter: { enabled: false }, found: ['/A'], because: 'it is off' },
      { filter: { enabled: true, query: 'a', status: 'beta' as const }, found: ['/a'], because: 'filters add up' },
    ])('find $found for $filter, because $because', async ({ filter, found }) => {
      const storage = open();
      await filled(storage);
      expect(await storage.servers.list(filter, PAGE)).toMatchObject({ total: found.length });
      expect(paths((await storage.servers.list(filter, PAGE)).items)).toEqual(found);
    });

    it('are cut into pages that together are the list', async () => {
      const storage = open();
      await filled(storage);
      const { servers } = storage;
      const pages: string[][] = [];
      for (let offset = 0; offset < 6; offset += 2) {
        const { items, total } = await servers.list({}, { offset, limit: 2 });
        expect(total).toBe(5);
        pages.push(paths(items));
      }
      expect(pages).toEqual([['/A', '/a'], ['/a-b', '/a/b'], ['/b']]);
      expect(await servers.list({}, { offset: 9, limit: 2 })).toEqual({ items: [], total: 5 });
      expect(await servers.list({}, { offset: 0, limit: 0 })).toEqual({ items: [], total: 5 });
    });

    it('lose nothing to a cursor while others are added and removed', async () => {
      const storage = open();
      await filled(storage);
      const { servers } = storage;
      const first = await servers.list({}, { after: null, limit: 2 });
      await servers.remove('/A');
      await servers.add(draftServer('/0'));
      const second = await servers.list({}, { after: first.items.at(-1)?.path ?? '', limit: 9 });
      expect([paths(first.items), paths(second.items)]).toEqual([
        ['/A', '/a'],
        ['/a-b', '/a/b', '/b'],
      ]);
      expect(second.total).toBe(5);
    });

    it('say what changed since a revision', async () => {
      const storage = open();
      const [bravo] = await filled(storage);
      const since = await storage.revision();
      await storage.servers.update('/b', null, { ...(bravo as RegisteredServer), numTools: 9 });
      await storage.servers.add(draftServer('/c'));
      expect(paths((await storage.servers.list({ changedSince: since }, PAGE)).items)).toEqual(['/b', '/c']);
      expect((await storage.servers.list({ changedSince: await storage.revision() }, PAGE)).total).toBe(0);
    });
  });

  describe('agents', () => {
    it('are added, changed and removed like servers, and are not servers', async () => {
      const { agents, servers } = open();
      await servers.add(draftServer('/a'));
      const first = stored(await agents.add(draftAgent('/a', { card: { 'x-vendor': [1, { b: null }] } })));
      expect(await agents.find('/a')).toEqual(first);
      expect(await agents.add(draftAgent('/a'))).toEqual({ kind: 'exists' });
      const second = stored(await agents.update('/a', first.revision, { ...first, enabled: false }));
      expect(await agents.update('/a', first.revision, first)).toEqual({ kind: 'conflict', revision: second.revision });
      await expect(agents.update('/a', null, draftAgent('/b'))).rejects.toThrow('a record keeps its key');
      expect(await agents.remove('/a')).toBe(true);
      expect(await agents.remove('/a')).toBe(false);
      expect(await agents.update('/a', null, first)).toEqual({ kind: 'missing' });
      expect(await servers.find('/a')).not.toBeNull();
      expect(stored(await agents.add(draftAgent('/a'))).revision).toBeGreaterThan(second.revision);
    });

    it('are listed by words, visibility and what is switched on', async () => {
      const { agents } = open();
      const skill = { id: 'x', name: 'Summarise', description: 'secret sauce', tags: [] };
      await agents.add(draftAgent('/one', { skills: [skill], visibility: 'private' }));
      await agents.add(draftAgent('/two', { enabled: false, tags: ['x y'] }));
      await agents.add(draftAgent('/three', { description: 'Two of them' }));
      const found = async (filter: Parameters<typeof agents.list>[0]) => paths((await agents.list(filter, PAGE)).items);
      expect(await found({ query: 'summar' })).toEqual(['/one']);
      expect(await found({ query: 'two' })).toEqual(['/three', '/two']);
      expect(await found({ visibility: 'private' })).toEqual(['/one']);
      expect(await found({ enabled: true })).toEqual(['/one', '/three']);
      expect(await found({ tags: ['X  Y'] })).toEqual(['/two']);
      expect(paths((await agents.list({}, { after: '/one', limit: 1 })).items)).toEqual(['/three']);
    });
  });

  describe('ratings', () => {
    it('hold one per caller, and the latest hundred callers', async () => {
      const { ratings, transaction } = open();
      const rated = { kind: 'server', path: '/a' } as const;
      await transaction(async inside => {
        for (let caller = 0; caller <= 100; caller++) await inside.ratings.put(rated, stars(`caller ${caller}`, 1));
      });
      const all = await ratings.put(rated, stars('caller 50', 5));
      expect(all).toHaveLength(100);
      expect(all[0]?.subject).toBe('caller 1');
      expect(all.filter(({ subject }) => subject === 'caller 50').map(rating => rating.stars)).toEqual([5]);
      expect(await ratings.list(rated)).toEqual(all);
      expect(await ratings.list({ kind: 'agent', path: '/a' })).toEqual([]);
      await expect(ratings.put(rated, stars('caller 51', 6))).rejects.toThrow();
      expect(await ratings.list(rated)).toEqual(all);
    });

    it('lose none of many that come at once', async () => {
      const { ratings } = open();
      const rated = { kind: 'agent', path: '/a' } as const;
      await Promise.all(Array.from({ length: 50 }, (_, i) => ratings.put(rated, stars(`caller ${i}`, 1 + (i % 5)))));
      expect(await ratings.list(rated)).toHaveLength(50);
    });
  });

  it('groups are kept by name, and all of them are listed in order', async () => {
    const { groups } = open();
    const names = ['zeta', 'Zeta', 'a/b read', '__proto__', '\u{1f600}', '\uffee'];
    for (const name of names) await groups.add(draftGroup(name));
    expect((await groups.list()).map(({ scopeName }) => scopeName)).toEqual([...names].sort());
    const found = await groups.find('__proto__');
    expect(found).toEqual({ ...draftGroup('__proto__'), revision: expect.any(Number) });
    expect(await groups.add(draftGroup('zeta'))).toEqual({ kind: 'exists' });
    const changed = await groups.update('zeta', null, draftGroup('zeta', { groupMappings: [] }));
    expect(stored(changed).groupMappings).toEqual([]);
    expect(await groups.update('zeta', found?.revision ?? 0, draftGroup('zeta'))).toMatchObject({ kind: 'conflict' });
    expect(await groups.remove('zeta')).toBe(true);
    expect(await groups.remove('zeta')).toBe(false);
    expect(await groups.find('zeta')).toBeNull();
    expect(await groups.find('Zeta')).not.toBeNull();
  });

  it('definitions are kept per server and tool, whatever the tool is called', async () => {
    const { definitions } = await openWith('/a', '/a/b');
    const names = ['search', 'Search', '', '\ud800', '\ufffd', 'a\0b', 'a'].filter(name => name !== '');
    await definitions.put(names.map(name => approvedTool(AB, name)));
    await definitions.put([driftedTool(A, 'search'), driftedTool(AB, 'search')]);
    expect((await definitions.list(AB))?.map(({ tool }) => tool)).toEqual([...names].sort());
    expect(await definitions.find(AB, '\ud800')).toEqual(approvedTool(AB, '\ud800'));
    expect((await definitions.listPending()).map(({ server, tool }) => [server, tool])).toEqual([
      [AB, 'search'],
      [A, 'search'],
    ]);
    await definitions.put([approvedTool(A, 'search')]);
    expect((await definitions.listPending()).map(({ server }) => server)).toEqual([AB]);
    expect(await definitions.remove(A, 'search')).toBe(true);
    expect(await definitions.remove(A, 'search')).toBe(false);
    expect(await definitions.list(A)).toEqual([]);
  });

  it('definitions are kept of servers that are there, and of what a file names and the registry does not show', async () => {
    const storage = await openWith('/a');
    const { definitions } = storage;
    const follow = (...names: string[]) =>
      storage.follow(new Map([['/gw/mcp.json', new Set(names)]]), async ({ servers }) => {
        const source = { kind: 'file', file: '/gw/mcp.json' } as const;
        if (names.includes('b')) await servers.add(draftServer('/b', { source }));
      });
    await follow('b', 'tools', 'without-record');
    const put = async (...servers: string[]) => definitions.put(servers.map(server => approvedTool(server, 'x')));
    for (const there of [A, 'b', 'tools']) expect([there, await put(there)]).toEqual([there, 'done']);
    for (const gone of ['a', 'a@v9', 'b@v1.0.0', 'without-record', 'nobody', 'nobody@v1']) {
      expect([gone, await put(gone), await put(A, gone)]).toEqual([gone, 'gone', 'gone']);
      expect(await definitions.list(gone)).toBeNull();
    }
    expect(await definitions.list(A)).toEqual([approvedTool(A, 'x')]);
    await follow();
    for (const server of ['b', 'tools'])
      expect([await put(server), await definitions.list(server)]).toEqual(['gone', null]);
    expect(await put(A)).toBe('done');
  });

  it('who has looked at the warnings of a definition is kept with it', async () => {
    const { definitions } = await openWith('/a', '/a/b');
    const acknowledged: ApprovedTool['acknowledged'] = [
      { kind: 'look-alike', other: { server: 'mail', tool: '\ud800' }, by: 'ada', atMs: 3_000 },
      { kind: 'foreign-prefix', other: { server: 'mail', tool: null }, by: 'bo', atMs: 4_000 },
    ];
    await definitions.put([approvedTool(A, 'send', { acknowledged }), approvedTool(AB, 'send')]);
    expect((await definitions.find(A, 'send'))?.acknowledged).toEqual(acknowledged);
    expect((await definitions.list(AB))?.map(entry => entry.acknowledged)).toEqual([[]]);
    const odd = [{ ...acknowledged[0], kind: 'hearsay' }] as unknown as ApprovedTool['acknowledged'];
    await expect(definitions.put([approvedTool(A, 'send', { acknowledged: odd })])).rejects.toThrow();
    expect((await definitions.find(A, 'send'))?.acknowledged).toEqual(acknowledged);
  });

  it('definitions are put in the place of what was read, or not at all', async () => {
    const { definitions, revision } = await openWith('/a');
    const first = approvedTool(A, 'send');
    expect(await definitions.put([first], [null])).toBe('done');
    const acknowledged: ApprovedTool['acknowledged'] = [
      { kind: 'look-alike', other: { server: 'mail', tool: null }, by: 'ada', atMs: 3_000 },
    ];
    const others: Partial<ApprovedTool>[] = [
      { hash: 'f'.repeat(64) },
      { approvedBy: 'bo' },
      { approvedAtMs: 7 },
      { pending: driftedTool(A, 'send').pending },
      { acknowledged },
    ];
    const before = await revision();
    for (const other of [null, ...others.map(more => ({ ...first, ...more }))]) {
      const both = [approvedTool(A, 'new'), driftedTool(A, 'send')];
      expect(await definitions.put(both, [null, other])).toBe('stale');
    }
    expect(await definitions.put([driftedTool(A, 'new')], [approvedTool(A, 'new')])).toBe('stale');
    expect([await definitions.list(A), await revision()]).toEqual([[first], before]);
    const read = await definitions.find(A, 'send');
    expect(await definitions.put([approvedTool(A, 'new'), driftedTool(A, 'send')], [null, read])).toBe('done');
    expect(await definitions.list(A)).toEqual([approvedTool(A, 'new'), driftedTool(A, 'send')]);
  });

  it('definitions are put all or none', async () => {
    const { definitions, revision } = await openWith('/a');
    const before = await revision();
    const bad = approvedTool(A, 'third', { hash: 'no hash' });
    await expect(definitions.put([approvedTool(A, 'first'), approvedTool(A, 'second'), bad])).rejects.toThrow();
    expect(await definitions.list(A)).toEqual([]);
    expect(await revision()).toBe(before);
  });

  it('health is what was found last', async () => {
    const { health } = open();
    await health.put([healthOf('/b'), healthOf('/a', { status: 'unknown', checkedAtMs: null })]);
    await health.put([healthOf('/b', { status: 'unhealthy: timeout', checkedAtMs: 2_000 })]);
    expect(await health.find('/b')).toEqual(healthOf('/b', { status: 'unhealthy: timeout', checkedAtMs: 2_000 }));
    expect(paths(await health.list())).toEqual(['/a', '/b']);
    expect(await health.find('/c')).toBeNull();
  });

  it('hands out values: nobody changes what is kept by changing what was handed in or out', async () => {
    const { servers } = open();
    const draft = draftServer('/a', { tags: ['x'], metadata: { list: [1] } });
    await servers.add(draft);
    draft.tags.push('y');
    const found = (await servers.find('/a')) as RegisteredServer;
    found.tags.push('z');
    (found.metadata.list as number[]).push(2);
    expect((await servers.find('/a'))?.tags).toEqual(['x']);
    expect((await servers.find('/a'))?.metadata).toEqual({ list: [1] });
  });

  describe('files of servers', () => {
    const file = '/etc/more.json';
    const naming = (...servers: string[]) => new Map([[file, new Set(servers)]]);
    const ofFile = draftServer('/a', { source: { kind: 'file', file }, description: 'of the file' });

    it('stand before what is registered while they name it, and leave it as it was', async () => {
      const storage = open();
      await storage.servers.add(draftServer('/a', { description: 'registered' }));
      await storage.ratings.put({ kind: 'server', path: '/a' }, stars('ada', 2));
      const followed = await storage.follow(naming('a'), async ({ servers }, { gone, behind }) => {
        expect(await servers.find('/a')).toBeNull();
        await servers.add(ofFile);
        return { gone, behind };
      });
      expect(followed).toEqual({ gone: [], behind: ['/a'] });
      expect((await storage.servers.find('/a'))?.description).toBe('of the file');
      expect(await storage.ratings.list({ kind: 'server', path: '/a' })).toEqual([]);
      const dropped = await storage.follow(naming(), async (_, { gone, behind }) => ({ gone, behind }));
      expect(dropped).toEqual({ gone: ['/a'], behind: [] });
      expect((await storage.servers.find('/a'))?.description).toBe('registered');
      expect(await storage.ratings.list({ kind: 'server', path: '/a' })).toEqual([stars('ada', 2)]);
    });

    it('leave nothing behind where it was undone what came with them', async () => {
      const storage = open();
      const slip = storage.follow(naming('a'), async ({ servers }) => {
        await servers.add(ofFile);
        throw new Error('slip');
      });
      await expect(slip).rejects.toThrow('slip');
      expect(stored(await storage.servers.add(draftServer('/a'))).source).toEqual({ kind: 'live' });
      expect(await storage.follow(naming('a'), ({ servers }) => servers.find('/a'))).toBeNull();
    });
  });

  describe('a transaction', () => {
    it('does all of it, and sees what it did', async () => {
      const storage = open();
      const seen = await storage.transaction(async ({ servers, groups }) => {
        await servers.add(draftServer('/a'));
        await groups.add(draftGroup('readers'));
        return (await servers.list({}, PAGE)).total;
      });
      expect(seen).toBe(1);
      expect(await storage.groups.find('readers')).not.toBeNull();
    });

    it('does nothing of it when it throws, and throws the same', async () => {
      const storage = open();
      await storage.servers.add(draftServer('/kept'));
      const before = await storage.revision();
      const slip = new Error('slip');
      const work = storage.transaction(async repositories => {
        await repositories.servers.remove('/kept');
        await repositories.agents.add(draftAgent('/a'));
        await repositories.health.put([healthOf('/a')]);
        throw slip;
      });
      await expect(work).rejects.toBe(slip);
      expect(await storage.servers.find('/kept')).not.toBeNull();
      expect(await storage.agents.find('/a')).toBeNull();
      expect(await storage.health.list()).toEqual([]);
      expect(await storage.revision()).toBe(before);
    });

    it('goes on after a part that failed, without that part', async () => {
      const storage = await openWith('/a');
      await storage.transaction(async ({ definitions }) => {
        const bad = approvedTool(A, 'bad', { hash: '' });
        await expect(definitions.put([approvedTool(A, 'undone'), bad])).rejects.toThrow();
        await definitions.put([approvedTool(A, 'kept')]);
      });
      expect((await storage.definitions.list(A))?.map(({ tool }) => tool)).toEqual(['kept']);
    });

    it('is seen by nobody until it is over, and nobody writes meanwhile', async () => {
      const storage = open();
      const order: string[] = [];
      const { promise: midway, resolve } = Promise.withResolvers<void>();
      const long = storage.transaction(async ({ servers }) => {
        await servers.add(draftServer('/a'));
        resolve();
        await new Promise(later => setImmediate(later));
        await servers.remove('/a');
        order.push('transaction');
      });
      await midway;
      const reader = storage.servers.find('/a').then(found => order.push(`read ${found}`));
      const writer = storage.servers.add(draftServer('/a')).then(({ kind }) => order.push(`write ${kind}`));
      await Promise.all([long, reader, writer]);
      expect(order[0]).toBe('transaction');
      expect(order.slice(1).sort()).toEqual(['read null', 'write stored']);
    });

    it('comes one after the other, and reads before it writes without losing a change', async () => {
      const storage = open();
      await storage.servers.add(draftServer('/a'));
      const countUp = () =>
        storage.transaction(async ({ servers }) => {
          const server = (await servers.find('/a')) as RegisteredServer;
          await new Promise(later => setImmediate(later));
          await servers.update('/a', server.revision, { ...server, numTools: server.numTools + 1 });
        });
      await Promise.all(Array.from({ length: 20 }, countUp));
      expect((await storage.servers.find('/a'))?.numTools).toBe(20);
    });

    it('says so when the storage itself is used inside, instead of waiting for ever', async () => {
      const storage = open();
      const work = storage.transaction(async () => void (await storage.servers.add(draftServer('/a'))));
      await expect(work).rejects.toThrow('inside a transaction');
      expect(await storage.servers.find('/a')).toBeNull();
      const nested = storage.transaction(() => storage.transaction(async () => {}));
      await expect(nested).rejects.toThrow('inside a transaction');
    });

    it('leaves repositories that are of no use afterwards', async () => {
      const storage = open();
      const leaked = await storage.transaction(async repositories => repositories);
      await expect(leaked.servers.add(draftServer('/a'))).rejects.toThrow('is over');
      expect(await storage.servers.find('/a')).toBeNull();
    });
  });

  it('finishes what is under way when it is closed, and refuses what comes later', async () => {
    const storage = open();
    let isDone = false;
    const work = storage.transaction(async ({ servers }) => {
      await servers.add(draftServer('/a'));
      await new Promise(later => setImmediate(later));
      await servers.add(draftServer('/b'));
      isDone = true;
    });
    await new Promise(later => setImmediate(later));
    await storage.close();
    expect(isDone).toBe(true);
    await work;
    await expect(storage.servers.find('/a')).rejects.toThrow('closed');
    await expect(storage.servers.add(draftServer('/c'))).rejects.toThrow('closed');
    await expect(storage.transaction(async () => {})).rejects.toThrow('closed');
    await storage.close();
  });
});
