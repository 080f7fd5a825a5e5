/**
 * The pairs before and after approval are kept beside the repository (`../shared/corpus/security`); without them that
 * part has nothing to run.
 */
import { existsSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isJsonObject, type Json, type JsonObject } from '../../src/domain/json.ts';
import {
  canonicalDefinition,
  diffDefinitions,
  effectOfChanges,
  hashDefinition,
  MAX_CHANGES,
} from '../../src/domain/tool-definition.ts';

const SEARCH: JsonObject = {
  name: 'search_notes',
  title: 'Search notes',
  description: 'Finds notes by words in them. Answers with at most 20.',
  inputSchema: {
    type: 'object',
    properties: {
      query: {
        type: 'string',
        description: 'Words to look for',
        minLength: 1,
        examples: ['milk', { required: ['b', 'a'] }],
      },
      folder: { type: ['string', 'null'], enum: ['inbox', 'archive', null], default: null },
      range: {
        type: 'object',
        properties: { from: { type: 'string', format: 'date' }, to: { type: 'string', format: 'date' } },
        required: ['from', 'to'],
        additionalProperties: false,
      },
      limit: { type: 'integer', minimum: 1, maximum: 20, default: 20 },
    },
    required: ['query', 'limit'],
  },
  outputSchema: { type: 'object', properties: { notes: { type: 'array', items: { type: 'string' } } } },
  annotations: { readOnlyHint: true, destructiveHint: false, openWorldHint: false },
  _meta: { 'example.test/cost': 1 },
  icons: [{ src: 'https://example.test/icon.png', sizes: ['48x48'] }],
};

const clone = (value: JsonObject): JsonObject => structuredClone(value);

/** Every place in a document, the document itself first. */
function placesOf(value: Json, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const below = Array.isArray(value) ? value.entries() : Object.entries(value);
  return [path, ...[...below].flatMap(([key, item]) => placesOf(item, [...path, key]))];
}

function at(root: Json, path: readonly (string | number)[]): Json {
  return path.reduce<Json>((value, key) => (value as { [key: string | number]: Json })[key] as Json, root);
}

/** Puts `value` at `path`; undefined takes the place away. */
function put(root: JsonObject, path: readonly (string | number)[], value: Json | undefined): JsonObject {
  const parent = at(root, path.slice(0, -1)) as { [key: string | number]: Json };
  const key = path.at(-1) as string | number;
  if (value !== undefined) parent[key] = value;
  else if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
  return root;
}

const HIDDEN = ['\u200b', '\u00a0', '\u202e', '\u{e0041}', '\u0301', '\ufe0f', 'e\u0301', '\u00e9', '\ud800'];
const PLACES = placesOf(SEARCH);
const isRequiredList = (path: readonly (string | number)[]) => path.at(-1) === 'required' && !path.includes('examples');

type Mutation = (path: readonly (string | number)[], n: number, m: number) => JsonObject | null;
const MUTATIONS: readonly Mutation[] = [
  // Another value of any type.
  (path, n, m) =>
    path.length === 0 ? null : put(clone(SEARCH), path, [n, `v${n}`, null, true, [n], { n }, -n / 7][m % 7] ?? null),
  (path, n) => (path.length === 0 ? null : put(clone(SEARCH), path, `text ${n}`)),
  // A place taken away.
  path => (path.length === 0 ? null : put(clone(SEARCH), path, undefined)),
  // A field that nobody knows, anywhere.
  (path, n, m) => {
    const copy = clone(SEARCH);
    const here = at(copy, path);
    if (!isJsonObject(here)) return null;
    here[['x-mcp-header', '__proto__x', 'Description', `x${n}`][m % 4] as string] = n;
    return copy;
  },
  // One character more, seen or not.
  (path, n, m) => {
    const text = at(SEARCH, path);
    if (typeof text !== 'string') return null;
    const place = n % (text.length + 1);
    return put(clone(SEARCH), path, text.slice(0, place) + (HIDDEN[m % HIDDEN.length] ?? '') + text.slice(place));
  },
  // Another order in a list whose order counts.
  (path, n) => {
    const list = at(SEARCH, path);
    if (!Array.isArray(list) || list.length < 2 || isRequiredList(path)) return null;
    const turned = (n % (list.length - 1)) + 1;
    return put(clone(SEARCH), path, [...list.slice(turned), ...list.slice(0, turned)]);
  },
];

describe('the hash of a definition', () => {
  it('is another one for each of 10,000 changes of a single field', () => {
    const texts = new Set([JSON.stringify(SEARCH)]);
    const hashes = new Set([hashDefinition(SEARCH)]);
    const choice = fc.tuple(fc.nat(PLACES.length - 1), fc.nat(MUTATIONS.length - 1), fc.nat(1_000_000), fc.nat(1_000));
    for (let seed = 1; texts.size <= 10_000; seed++) {
      for (const [place, kind, n, m] of fc.sample(choice, { numRuns: 2_000, seed })) {
        if (texts.size > 10_000) break;
        const changed = MUTATIONS[kind]?.(PLACES[place] ?? [], n, m) ?? null;
        if (changed === null) continue;
        const text = JSON.stringify(changed);
        if (texts.has(text)) continue;
        texts.add(text);
        hashes.add(hashDefinition(changed));
      }
    }
    expect(texts.size).toBe(10_001);
    expect(hashes.size).toBe(10_001);
  });

  it('is one for 1,000 orders of members and of required names', () => {
    const texts = new Set<string>();
    const hashes = new Set<string>();
    for (const keys of fc.sample(fc.infiniteStream(fc.nat()), { numRuns: 1_000, seed: 7 })) {
      const shuffled = shuffle(SEARCH, () => keys.next().value ?? 0, false);
      texts.add(JSON.stringify(shuffled));
      hashes.add(hashDefinition(shuffled as JsonObject));
      expect(diffDefinitions(SEARCH, shuffled as JsonObject)).toEqual([]);
    }
    expect(texts.size).toBeGreaterThan(990);
    expect([...hashes]).toEqual([hashDefinition(SEARCH)]);
  });

  it('is that of the text, so that anybody can check it', () => {
    expect(canonicalDefinition({ b: [2, 1], a: { d: null, c: 'é\u0000' } })).toBe(
      '{"a":{"c":"é\\u0000","d":null},"b":[2,1]}',
    );
    expect(hashDefinition({})).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
  });

  it('keeps the order of a list that is called required where it is a value, or no list of names', () => {
    const withDefault = (required: Json): JsonObject => ({ inputSchema: { default: { required } } });
    expect(hashDefinition(withDefault(['a', 'b']))).not.toBe(hashDefinition(withDefault(['b', 'a'])));
    const outside = (required: Json): JsonObject => ({ _meta: { required } });
    expect(hashDefinition(outside(['a', 'b']))).not.toBe(hashDefinition(outside(['b', 'a'])));
    const odd = (required: Json): JsonObject => ({ inputSchema: { required } });
    expect(hashDefinition(odd([{ a: 1 }, 'b']))).not.toBe(hashDefinition(odd(['b', { a: 1 }])));
    expect(hashDefinition(odd(['a', 'b']))).toBe(hashDefinition(odd(['b', 'a'])));
    expect(hashDefinition(odd(['a', 'a']))).not.toBe(hashDefinition(odd(['a'])));
  });

  it('tells a member called __proto__ from none', () => {
    const named = JSON.parse('{"inputSchema":{"__proto__":{"type":"string"}}}') as JsonObject;
    expect(hashDefinition(named)).not.toBe(hashDefinition({ inputSchema: {} }));
    expect(diffDefinitions({ inputSchema: {} }, named)).toEqual([
      { pointer: '/inputSchema/__proto__', kind: 'added', effect: 'block' },
    ]);
  });

  it('is found however deep the definition is', () => {
    const deep = (inner: string) => JSON.parse(`{"inputSchema":${'['.repeat(100_000)}${inner}${']'.repeat(100_000)}}`);
    expect(hashDefinition(deep('1'))).not.toBe(hashDefinition(deep('2')));
    expect(diffDefinitions(deep('1'), deep('2'))).toEqual([
      { pointer: '/inputSchema', kind: 'changed', effect: 'block' },
    ]);
  });
});

function shuffle(value: Json, next: () => number, isRequired: boolean): Json {
  const mix = <T>(items: readonly T[]): T[] =>
    items
      .map(item => ({ item, rank: next() }))
      .sort((a, b) => a.rank - b.rank)
      .map(({ item }) => item);
  if (Array.isArray(value))
    return isRequired
      ? mix(value)
      : value.map(item => (isJsonObject(item) && 'required' in item ? item : shuffle(item, next, false)));
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    mix(Object.entries(value)).map(([key, item]) => [key, shuffle(item, next, key === 'required')]),
  );
}

describe('what changed', () => {
  it.each([
    {
      field: ['description'],
      value: 'Finds notes.',
      effect: 'quarantine',
      because: 'an operator reads it before models do',
    },
    { field: ['description'], value: undefined, effect: 'quarantine', because: 'nothing is said any more' },
    { field: ['description'], value: { text: 'x' }, effect: 'block', because: 'it is no text any more' },
    {
      field: ['description'],
      value: `${SEARCH.description}\u200b`,
      effect: 'block',
      because: 'nobody can see the difference',
    },
    {
      field: ['description'],
      value: `${SEARCH.description}\u{e0041}`,
      effect: 'block',
      because: 'tags carry hidden text',
    },
    {
      field: ['description'],
      value: 'Ｆinds notes by words in them. Answers with at most 20.',
      effect: 'block',
      because: 'a wide letter looks like the plain one',
    },
    { field: ['name'], value: 'search', effect: 'block', because: 'it is another tool' },
    { field: ['title'], value: 'Search', effect: 'block', because: 'it is a name for people' },
    {
      field: ['inputSchema', 'properties', 'query', 'description'],
      value: 'x',
      effect: 'block',
      because: 'it steers arguments',
    },
    { field: ['inputSchema', 'properties', 'bcc'], value: {}, effect: 'block', because: 'it asks for more' },
    { field: ['inputSchema', 'required'], value: ['query'], effect: 'block', because: 'it asks for less' },
    { field: ['outputSchema'], value: undefined, effect: 'block', because: 'answers mean something else' },
    { field: ['annotations', 'destructiveHint'], value: true, effect: 'block', because: 'clients ask people by it' },
    { field: ['_meta', 'example.test/cost'], value: 2, effect: 'block', because: 'nobody knows what it steers' },
    { field: ['surprise'], value: 1, effect: 'block', because: 'nobody knows what it steers' },
  ])('$effect for $field, because $because', ({ field, value, effect }) => {
    const before = at(SEARCH, field.slice(0, -1)) as JsonObject;
    const kind = value === undefined ? 'removed' : Object.hasOwn(before, field.at(-1) ?? '') ? 'changed' : 'added';
    const changes = diffDefinitions(SEARCH, put(clone(SEARCH), field, value));
    const pointer = field.map(part => `/${part.replaceAll('/', '~1')}`).join('');
    expect(changes).toEqual([{ pointer, kind, effect }]);
    expect(effectOfChanges(changes)).toBe(effect);
  });

  it('takes the gravest of several', () => {
    const changes = diffDefinitions(SEARCH, { ...SEARCH, description: 'Other words.', annotations: {} });
    expect(changes.map(({ pointer }) => pointer)).toEqual([
      '/annotations/destructiveHint',
      '/annotations/openWorldHint',
      '/annotations/readOnlyHint',
      '/description',
    ]);
    expect(effectOfChanges(changes)).toBe('block');
    expect(effectOfChanges([])).toBeNull();
  });

  it('is nothing exactly where the hashes are equal, for any two definitions', () => {
    const objects = fc.dictionary(fc.string({ maxLength: 3 }), fc.jsonValue({ maxDepth: 3 }), { maxKeys: 4 });
    fc.assert(
      fc.property(objects, objects, (a, b) => {
        const [before, after] = [a as JsonObject, b as JsonObject];
        return (diffDefinitions(before, after).length === 0) === (hashDefinition(before) === hashDefinition(after));
      }),
      { numRuns: 1_000 },
    );
  });

  it('says at most a hundred, and still the gravest', () => {
    const many = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`p${i}`, {}]));
    const changes = diffDefinitions(SEARCH, { ...SEARCH, inputSchema: { type: 'object', properties: many } });
    expect(changes).toHaveLength(MAX_CHANGES);
    expect(effectOfChanges(changes)).toBe('block');
  });
});

interface Pair {
  id: string;
  kind: 'malicious' | 'benign';
  category: string;
  before: JsonObject;
  after: JsonObject;
}

const FILE = new URL('../../../shared/corpus/security/drift-pairs.jsonl', import.meta.url);
const pairs: Pair[] = existsSync(FILE)
  ? readFileSync(FILE, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Pair)
  : [];

/** A new description alone is withheld until somebody has read it, whether it was meant well or not. */
const WITHHELD: ReadonlySet<string> = new Set([
  'legitimate-upgrade',
  'description_only_cosmetic',
  'mcpoison-cve-2025-54136-equivalent',
]);

describe.skipIf(pairs.length === 0)('pairs before and after approval', () => {
  it('has all eleven', () =>
    expect(pairs.map(({ kind }) => kind).sort()).toEqual([...Array(3).fill('benign'), ...Array(8).fill('malicious')]));

  it.each(pairs)('$id: $category', ({ kind, category, before, after }) => {
    const effect = effectOfChanges(diffDefinitions(before, after));
    if (category === 'key_order_only') expect(effect).toBeNull();
    else expect(effect).toBe(WITHHELD.has(category) ? 'quarantine' : 'block');
    if (kind === 'malicious') expect(hashDefinition(after)).not.toBe(hashDefinition(before));
  });
});
