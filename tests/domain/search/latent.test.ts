import { describe, expect, it, test } from 'vitest';
import {
  type LatentModel,
  latentRows,
  likenessToRows,
  queryDirection,
  trainLatent,
} from '../../../src/domain/search/latent.ts';
import { toQuery } from '../../../src/domain/search/query.ts';
import { symmetricEigen } from '../../../src/domain/search/symmetric-eigen.ts';
import { type SparseMatrix, strongestDirections } from '../../../src/domain/search/truncated-svd.ts';
import { packRows, readWordVectors, writeWordVectors } from '../../../src/domain/search/word-vectors.ts';
import { OFFICE, tool, viewOf } from './documents.ts';

/** Repeatable numbers in -1..1. */
function numbers(count: number, seed = 1): number[] {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (state * 16_807) % 2_147_483_647;
    return (state / 2_147_483_647) * 2 - 1;
  });
}

describe('symmetricEigen', () => {
  test.each([1, 2, 3, 8, 40])('finds all of a matrix of %i rows: A v = λ v, vectors of length 1 at right angles', n => {
    const given = numbers(n * n);
    const matrix = Float64Array.from({ length: n * n }, (_, at) => {
      const [i, j] = [Math.floor(at / n), at % n];
      return (given[i * n + j] ?? 0) + (given[j * n + i] ?? 0);
    });
    const { values, vectors } = symmetricEigen(matrix, n);
    const entry = (row: number, column: number) => vectors[row * n + column] ?? Number.NaN;
    for (let v = 0; v < n; v++) {
      for (let i = 0; i < n; i++) {
        let product = 0;
        for (let j = 0; j < n; j++) product += (matrix[i * n + j] ?? 0) * entry(j, v);
        expect(product).toBeCloseTo((values[v] ?? Number.NaN) * entry(i, v), 8);
      }
      for (let w = 0; w <= v; w++) {
        let dot = 0;
        for (let i = 0; i < n; i++) dot += entry(i, v) * entry(i, w);
        expect(dot).toBeCloseTo(v === w ? 1 : 0, 8);
      }
    }
  });

  it('takes a matrix that is diagonal already, and one of nothing', () => {
    expect([...symmetricEigen(Float64Array.of(3, 0, 0, -1), 2).values].sort()).toEqual([-1, 3]);
    expect([...symmetricEigen(new Float64Array(9), 3).values]).toEqual([0, 0, 0]);
  });
});

function sparse(dense: readonly (readonly number[])[]): SparseMatrix {
  const starts = [0];
  const columnOf: number[] = [];
  const values: number[] = [];
  for (const row of dense) {
    for (const [column, value] of row.entries()) {
      if (value === 0) continue;
      columnOf.push(column);
      values.push(value);
    }
    starts.push(values.length);
  }
  return {
    rows: dense.length,
    columns: dense[0]?.length ?? 0,
    starts: Int32Array.from(starts),
    columnOf: Int32Array.from(columnOf),
    values: Float32Array.from(values),
  };
}

describe('strongestDirections', () => {
  it('finds the strengths a matrix was built with', () => {
    // Rows along the axes: the singular values are their lengths.
    const dense = [5, 3, 2, 1].map((length, at) =>
      Array.from({ length: 6 }, (_, column) => (column === at ? length : 0)),
    );
    const { count, strengths, vectors } = strongestDirections(sparse(dense), 3);
    expect(count).toBe(3);
    for (const [at, expected] of [5, 3, 2].entries()) {
      expect(strengths[at]).toBeCloseTo(expected, 4);
      expect(Math.abs(vectors[at * 3 + at] ?? 0)).toBeCloseTo(1, 4);
    }
  });

  it('finds no more directions than there are', () => {
    const twins = [1, 2, 3].map(scale => [scale, 2 * scale, 0]);
    expect(strongestDirections(sparse(twins), 3).count).toBe(1);
    expect(strongestDirections(sparse([]), 3).count).toBe(0);
  });

  it('gives the same answer every time', () => {
    const given = numbers(200);
    const dense = Array.from({ length: 20 }, (_, row) => given.slice(row * 10, row * 10 + 10));
    expect(strongestDirections(sparse(dense), 5)).toEqual(strongestDirections(sparse(dense), 5));
  });
});

describe('trainLatent', () => {
  function train(documents = OFFICE): { model: LatentModel; rank: (text: string) => string[] } {
    const view = viewOf(documents);
    const rows = latentRows(view);
    let step = rows.next();
    while (step.done !== true) step = rows.next();
    const model = trainLatent(step.value, 4);
    const columns = new Map(Array.from(model.termOf, (term, column) => [term, column]));
    const rank = (text: string) => {
      const direction = queryDirection(model, columns, toQuery(view, text));
      if (direction === null) return [];
      const likeness = likenessToRows(direction, model.documents, view.documents.length);
      return view.documents
        .map(({ document }, at) => ({ id: document.id, likeness: likeness[at] ?? 0 }))
        .sort((a, b) => b.likeness - a.likeness)
        .map(({ id }) => id);
    };
    return { model, rank };
  }

  it('finds what shares no word with the request, through what occurs with both', () => {
    // `gale` and `rain` never stand in one text; `wind` stands with each.
    const { rank } = train([
      ...OFFICE.filter(({ owner }) => owner !== 'weather'),
      tool('sky', 'first', 'Gale and wind.'),
      tool('sky', 'second', 'Wind and rain.'),
      tool('sky', 'third', 'Rain.'),
    ]);
    expect(new Set(rank('gale').slice(0, 3))).toEqual(new Set(['sky__first', 'sky__second', 'sky__third']));
  });

  it('has nothing to say about words it does not know', () => {
    expect(train().rank('zygomorphic')).toEqual([]);
  });

  it('gives every document a direction of length 1', () => {
    const { model } = train();
    for (let row = 0; row < OFFICE.length; row++) {
      const vector = model.documents.subarray(row * model.dimensions, (row + 1) * model.dimensions);
      expect(vector.reduce((sum, value) => sum + value * value, 0)).toBeCloseTo(1, 4);
    }
  });
});

describe('the table of words', () => {
  const rows = Float32Array.from(numbers(6 * 8));
  const table = {
    ...{ dimensions: 8, buckets: 3, texts: 77 },
    rowOf: new Map([
      ['search', 0],
      ['über', 1],
      ['文件', 2],
    ]),
    holders: Uint16Array.of(5, 300, 65_535),
    ...packRows(rows, 8),
  };

  it('is read as it was written, also out of the middle of a larger buffer', () => {
    const written = writeWordVectors(table);
    const within = Buffer.concat([Buffer.alloc(3), written, Buffer.alloc(5)]).subarray(3, 3 + written.length);
    expect(readWordVectors(written)).toEqual(table);
    expect(readWordVectors(within)).toEqual(table);
  });

  it('keeps rows in four bits with a small error', () => {
    const { packed, scales } = table;
    const errors = Array.from(rows, (value, at) => {
      const pair = packed[at >> 1] ?? 0;
      return Math.abs(value - ((at % 2 === 0 ? pair & 15 : pair >> 4) - 8) * (scales[Math.floor(at / 8)] ?? 0));
    });
    expect(Math.max(...errors)).toBeLessThan(0.35);
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(0.06);
  });

  test.each([
    { bytes: Buffer.from('something else entirely, and long enough'), says: 'not a file of word vectors' },
    { bytes: Buffer.alloc(0), says: 'not a file of word vectors' },
    { bytes: Buffer.from(writeWordVectors(table)).subarray(0, -9), says: 'cut short' },
  ])('refuses a file that is $says', ({ bytes, says }) => {
    expect(() => readWordVectors(bytes)).toThrow(says);
  });
});
