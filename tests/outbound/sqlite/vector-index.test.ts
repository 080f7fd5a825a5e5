/** One promise, two ways of keeping it: with the extension and without. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openVectorIndex } from '../../../src/outbound/sqlite/vector-index.ts';
import type { VectorStore } from '../../../src/ports/vector-store.ts';

const SPACE = { model: 'letters', dimensions: 3, recipe: '1' };
const at = (x: number, y: number, z: number) => Float32Array.of(x, y, z);

let folder = '';
const opened: VectorStore[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-vectors-'));
});
afterEach(() => {
  for (const store of opened.splice(0)) store.close();
  rmSync(folder, { recursive: true, force: true });
});

describe.each([{ plain: false }, { plain: true }])('openVectorIndex, plain: $plain', ({ plain }) => {
  const open = (space = SPACE) => {
    const store = openVectorIndex(join(folder, 'deep', 'vectors.db'), space, { plain });
    opened.push(store);
    return store;
  };
  const filled = () => {
    const store = open();
    store.put([
      { key: 'east', vector: at(1, 0, 0) },
      { key: 'north', vector: at(0, 1, 0) },
      { key: 'north-east', vector: at(1, 1, 0) },
      { key: 'west', vector: at(-1, 0, 0) },
    ]);
    return store;
  };
  const all = ['east', 'north', 'north-east', 'west'];

  it('finds the most alike, with their cosines, best first', () => {
    const found = filled().nearest(at(2, 0.1, 0), all, 3);
    expect(found.map(({ key }) => key)).toEqual(['east', 'north-east', 'north']);
    expect(found[0]?.likeness).toBeCloseTo(0.99875, 4);
    expect(found[1]?.likeness).toBeCloseTo(0.7416, 3);
  });

  it('ranks only those it is asked about, so that the others take no place', () => {
    const store = filled();
    const near = Array.from({ length: 300 }, (_, place) => ({
      key: `hidden ${place}`,
      vector: at(1, 0.001 * place, 0),
    }));
    store.put(near);
    expect(store.nearest(at(1, 0, 0), ['west', 'north', 'unknown'], 2).map(({ key }) => key)).toEqual([
      'north',
      'west',
    ]);
    expect(store.nearest(at(1, 0, 0), [], 2)).toEqual([]);
  });

  it('keeps them between runs', () => {
    filled().close();
    opened.splice(0);
    const again = open();
    expect(again.formerly).toBe('same');
    expect(again.known(['east', 'nowhere'])).toEqual(new Set(['east']));
    expect(again.nearest(at(0, 1, 0), all, 1)[0]?.key).toBe('north');
  });

  it('puts a vector in place of the one with the same key', () => {
    const store = filled();
    store.put([{ key: 'east', vector: at(0, 0, 1) }]);
    expect(store.nearest(at(0, 0, 1), all, 1)[0]).toMatchObject({ key: 'east' });
    expect(store.nearest(at(1, 0, 0), all, 1)[0]?.key).toBe('north-east');
  });

  it('forgets all but those it is told to keep', () => {
    const store = filled();
    store.keepOnly(new Set(['east', 'nowhere']));
    expect(store.known(all)).toEqual(new Set(['east']));
    expect(store.nearest(at(-1, 0, 0), all, 9).map(({ key }) => key)).toEqual(['east']);
  });

  it('takes all rows or none', () => {
    const store = filled();
    const rows = [
      { key: 'new', vector: at(1, 2, 3) },
      { key: 'odd', vector: Float32Array.of(1) },
    ];
    expect(() => store.put(rows)).toThrow('a vector of 1 values in a space of 3');
    expect(store.known(['new', 'odd'])).toEqual(new Set());
  });

  it.each([
    { space: { ...SPACE, dimensions: 2 }, because: 'another size' },
    { space: { ...SPACE, model: 'digits' }, because: 'another model' },
    { space: { ...SPACE, recipe: '2' }, because: 'another recipe' },
  ])('begins with nothing for $because, says what was there, and works', ({ space }) => {
    const first = filled();
    expect(first.formerly).toBe('nothing');
    first.close();
    opened.splice(0);
    const store = open(space);
    expect(store.formerly).toEqual(SPACE);
    expect(store.known(all)).toEqual(new Set());
    const vector = new Float32Array(space.dimensions).fill(1);
    store.put([{ key: 'east', vector }]);
    expect(store.nearest(vector, all, 5)).toMatchObject([{ key: 'east' }]);
  });

  it('takes over a file that was kept the other way', () => {
    const path = join(folder, 'deep', 'vectors.db');
    const other = openVectorIndex(path, SPACE, { plain: !plain });
    other.put([{ key: 'east', vector: at(1, 0, 0) }]);
    other.close();
    const store = open();
    expect(store.known(['east'])).toEqual(new Set());
    store.put([{ key: 'east', vector: at(1, 0, 0) }]);
    expect(store.nearest(at(1, 0, 0), all, 5)).toMatchObject([{ key: 'east' }]);
  });
});
