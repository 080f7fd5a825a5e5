import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Catalog,
  type Claims,
  EMPTY_CATALOG,
  findTemplate,
  findUniqueOwnTool,
  matchesTemplate,
  mergeCatalog,
  type ServerView,
} from '../../src/domain/catalog.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { EMPTY_LISTING, LISTING_KINDS, type Listing } from '../../src/domain/listing.ts';
import { hashedName } from '../../src/domain/names.ts';
import { tool } from '../support/fake-downstreams.ts';

const viewOf = (key: string, listing: Partial<Listing> | null): ServerView => ({
  key,
  description: null,
  sharing: 'shared',
  status: 'ready',
  reason: null,
  facts: null,
  listing: listing === null ? null : { ...EMPTY_LISTING, ...listing },
});
const resource = (uri: string): JsonObject => ({ uri, name: uri });
const namesOf = (catalog: Catalog) => [...catalog.tools.keys()];

describe('merging listings', () => {
  test('keeps the configured order of servers and the order of each server, for prompt caches', () => {
    const servers = [viewOf('b', { tools: [tool('z'), tool('a')] }), viewOf('a', { tools: [tool('m')] })];
    expect(namesOf(mergeCatalog(servers, 'server', new Map()))).toEqual(['b__z', 'b__a', 'a__m']);
  });

  test('changes nothing of an item but its name, and keeps the own name as a title where there was none', () => {
    const odd = tool('go', {
      'x-vendor': { deep: [1] },
      _meta: { ui: { resourceUri: 'ui://x' } },
      icons: [{ src: 'a' }],
    });
    const entry = mergeCatalog([viewOf('s', { tools: [odd] })], 'server', new Map()).tools.get('s__go');
    expect(entry?.item).toEqual({ ...odd, name: 's__go', title: 'go' });
    expect(entry?.ownItem).toBe(odd);
  });

  test.each([
    { item: tool('go', { title: 'Go!' }), because: 'a title of its own stands' },
    { item: tool('go', { annotations: { title: 'Go!' } }), because: 'an annotated title must not be overruled' },
  ])('adds no title: $because', ({ item }) => {
    const merged = mergeCatalog([viewOf('s', { tools: [item] })], 'server', new Map()).tools.get('s__go');
    expect(merged?.item).toEqual({ ...item, name: 's__go' });
  });

  test('leaves out what has no name, and the second of two that a server lists under one name', () => {
    const tools = [tool('x', { description: 'first' }), { description: 'nameless' }, { name: 7 }, tool('x')];
    const { tools: merged, collisions } = mergeCatalog([viewOf('s', { tools })], 'server', new Map());
    expect([...merged.values()].map(({ item }) => item.description)).toEqual(['first']);
    expect(collisions).toEqual([]);
  });

  test('takes names like __proto__ as names', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const merged = mergeCatalog([viewOf('s', { tools: names.map(name => tool(name)) })], 'none', new Map());
    expect(namesOf(merged)).toEqual(names);
    expect(({} as { description?: string }).description).toBeUndefined();
  });

  test('gives the later of two colliding tools a hash tail and reports it; both can be called', () => {
    const servers = [viewOf('a', { tools: [tool('x')] }), viewOf('b', { tools: [tool('x')] })];
    const merged = mergeCatalog(servers, 'none', new Map());
    const other = hashedName('none', 'b', 'x');
    expect([...merged.tools].map(([name, { server, own }]) => [name, server, own])).toEqual([
      ['x', 'a', 'x'],
      [other, 'b', 'x'],
    ]);
    expect(merged.collisions).toEqual([{ kind: 'tools', name: 'x', keeps: 'a', renamed: { server: 'b', to: other } }]);
  });

  test('puts the server before the later of two equal URIs and says so in renamedUris', () => {
    const servers = [
      viewOf('a', { resources: [resource('file:///x')] }),
      viewOf('b', { resources: [resource('file:///x')] }),
    ];
    const merged = mergeCatalog(servers, 'server', new Map());
    expect([...merged.resources.keys()]).toEqual(['file:///x', 'b+file:///x']);
    expect([...(merged.renamedUris.get('b') ?? [])]).toEqual([['file:///x', 'b+file:///x']]);
    expect(merged.renamedUris.has('a')).toBe(false);
  });

  test('resolves an own tool name only while one server has it', () => {
    const one = mergeCatalog([viewOf('a', { tools: [tool('x')] }), viewOf('b', null)], 'server', new Map());
    expect(one.uniqueOwnTools.get('x')?.name).toBe('a__x');
    const two = mergeCatalog(
      [viewOf('a', { tools: [tool('x')] }), viewOf('b', { tools: [tool('x')] })],
      'server',
      new Map(),
    );
    expect(two.uniqueOwnTools.get('x')).toBeNull();
  });

  test.each([
    { mail: viewOf('mail', { tools: [tool('other')] }), because: 'which does not list it' },
    { mail: viewOf('mail', null), because: 'which is away' },
  ])('does not resolve an own name that reads like a public name of another server, $because', ({ mail }) => {
    const servers = [viewOf('thief', { tools: [tool('mail__send'), tool('ghost__send')] }), mail];
    const merged = mergeCatalog(servers, 'server', new Map());
    expect(findUniqueOwnTool(merged, 'mail__send')).toBeNull();
    expect(merged.tools.has('mail__send')).toBe(false);
    expect(merged.tools.get('thief__mail__send')?.server).toBe('thief');
    expect(findUniqueOwnTool(merged, 'ghost__send')?.server).toBe('thief');
  });

  test.each([
    { order: ['a', 'thief', 'b'], because: 'the thief is there first' },
    { order: ['a', 'b', 'thief'], because: 'the thief comes later' },
  ])('loses no tool to a server that names one of its own like the hash tail of another: $because', ({ order }) => {
    const stolen = hashedName('none', 'b', 'x');
    const listings: Record<string, JsonObject[]> = { a: [tool('x')], b: [tool('x')], thief: [tool(stolen)] };
    const merged = mergeCatalog(
      order.map(key => viewOf(key, { tools: listings[key] ?? [] })),
      'none',
      new Map(),
    );
    expect([...merged.tools.values()].map(({ server }) => server)).toEqual(order);
    expect(merged.collisions).toContainEqual(expect.objectContaining({ name: 'x', keeps: 'a' }));
  });

  test('loses no tool of a server that lists a name like the hash tail of its own other tool', () => {
    const tail = hashedName('server', 's', 'read/file').slice('s__'.length);
    const merged = mergeCatalog([viewOf('s', { tools: [tool('read/file'), tool(tail)] })], 'server', new Map());
    expect([...merged.tools.values()].map(({ own }) => own)).toEqual(['read/file', tail]);
  });
});

describe('a name once given', () => {
  const keys = ['a', 'b', 'c'];
  const owns = ['x', 'y', hashedName('none', 'b', 'x'), hashedName('none', 'c', 'x'), 'b+y', 'a+b+y'];
  const listing = fc.uniqueArray(fc.constantFrom(...owns), { maxLength: 6 });
  const step = fc.record({
    order: fc.shuffledSubarray(keys, { minLength: 3 }),
    lists: fc.record(Object.fromEntries(keys.map(key => [key, fc.option(listing)]))),
  });

  test.each(['none', 'server'] as const)('never moves to another tool when servers come and go, prefix %s', style => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 8 }), steps => {
        const claims: Claims = new Map();
        const owner = new Map<string, string>();
        const nameOf = new Map<string, string>();
        const views = new Map<string, ServerView>();
        let before = EMPTY_CATALOG;
        for (const { order, lists } of steps) {
          // As it is: a server whose lists stay brings the same ones, not equal ones.
          const servers = order.map(key => {
            const names = lists[key] ?? null;
            const items = { tools: (names ?? []).map(name => tool(name)), resources: (names ?? []).map(resource) };
            const id = `${key} ${JSON.stringify(names)}`;
            const view = views.get(id) ?? viewOf(key, names === null ? null : items);
            views.set(id, view);
            return view;
          });
          const anew = mergeCatalog(servers, style, new Map(claims));
          const merged = mergeCatalog(servers, style, claims, before);
          expect({ ...merged, version: 0 }).toEqual({ ...anew, version: 0 });
          before = merged;
          for (const kind of LISTING_KINDS) {
            for (const { name, server, own } of merged[kind].values()) {
              const whose = `${server} ${own}`;
              expect(owner.get(`${kind} ${name}`) ?? whose).toBe(whose);
              expect(nameOf.get(`${kind} ${whose}`) ?? name).toBe(name);
              owner.set(`${kind} ${name}`, whose);
              nameOf.set(`${kind} ${whose}`, name);
            }
          }
          for (const key of keys) {
            const shown = [...merged.tools.values()].filter(({ server }) => server === key);
            expect(shown.map(({ own }) => own)).toEqual(lists[key] ?? []);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

test('claims do not grow with a server that renames its tools at every turn, and shown names stay claimed', () => {
  const claims: Claims = new Map();
  const kept = viewOf('a', { tools: [tool('kept')] });
  let merged = EMPTY_CATALOG;
  const turn = (n: number) => {
    const tools = Array.from({ length: 20_000 }, (_, i) => tool(`t${n}-${i}`));
    merged = mergeCatalog([kept, viewOf('wild', { tools })], 'none', claims, merged);
  };
  for (let n = 0; n < 12; n++) turn(n);
  expect(claims.size).toBeLessThanOrEqual(120_000);
  const thief = mergeCatalog(
    [viewOf('wild', { tools: [tool('kept')] }), viewOf('a', { tools: [tool('kept')] })],
    'none',
    claims,
    merged,
  );
  expect(thief.tools.get('kept')?.server).toBe('a');
});

describe('a URI template', () => {
  test.each([
    { template: 'file:///{path}', uri: 'file:///a/b', matches: true, because: 'an expression takes anything' },
    { template: 'file:///{path}', uri: 'file:///', matches: true, because: 'an expression may be empty' },
    { template: 'file:///{path}', uri: 'http://x/', matches: false, because: 'the first literal must lead' },
    { template: 'db://{t}/row', uri: 'db://users/row', matches: true, because: 'the last literal closes' },
    { template: 'db://{t}/row', uri: 'db://users/col', matches: false, because: 'the last literal is another' },
    { template: 'a{x}a', uri: 'a', matches: false, because: 'the two literals may not share a character' },
    { template: 'a{x}/b/{y}c', uri: 'a1/b/2c', matches: true, because: 'literals come in order' },
    { template: 'a{x}/b/{y}c', uri: 'a1/c/2c', matches: false, because: 'a middle literal is missing' },
    { template: '{x}', uri: 'anything', matches: true, because: 'only an expression' },
    { template: 'plain://x', uri: 'plain://x', matches: true, because: 'no expression: the text itself' },
    { template: 'plain://x', uri: 'plain://xy', matches: false, because: 'no expression: nothing else' },
  ])('$template and $uri: $because', ({ template, uri, matches }) =>
    expect(matchesTemplate(template, uri)).toBe(matches),
  );

  test('matches whatever it expands to', () => {
    const part = fc.stringMatching(/^[a-z:/.]{0,6}$/);
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 5 }),
        fc.array(part, { minLength: 4, maxLength: 4 }),
        (literals, values) => {
          const template = literals.join('{v}');
          const uri = literals.map((literal, i) => (i === 0 ? literal : `${values[i - 1]}${literal}`)).join('');
          expect(matchesTemplate(template, uri)).toBe(true);
        },
      ),
    );
  });

  test('is found by a concrete URI, the first configured server before the others', () => {
    const template = { uriTemplate: 'note://{id}', name: 'note' };
    const merged = mergeCatalog(
      [viewOf('a', { templates: [template] }), viewOf('b', { templates: [template] })],
      'server',
      new Map(),
    );
    expect(findTemplate(merged, 'note://7')?.server).toBe('a');
    expect(findTemplate(merged, 'b+note://7')?.server).toBe('b');
    expect(findTemplate(merged, 'memo://7')).toBeNull();
  });
});
