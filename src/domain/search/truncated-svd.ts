/**
 * The strongest directions of a large sparse matrix, by a random start and a few rounds of power iteration. Source:
 * N. Halko, P. Martinsson, J. Tropp, "Finding structure with randomness", SIAM Review 53 (2011). The start is drawn from
 * a fixed seed: the same matrix has the same answer on every machine.
 */
import { symmetricEigen } from './symmetric-eigen.ts';

/** Compressed rows. */
export interface SparseMatrix {
  rows: number;
  columns: number;
  /** Where each row begins; one longer than `rows`. */
  starts: Int32Array;
  columnOf: Int32Array;
  values: Float32Array;
}

export interface Directions {
  /** Fewer than asked for where the matrix has no more. */
  count: number;
  /** Row-major, one row per column of the matrix, one column per direction, the strongest first. */
  vectors: Float32Array;
  /** Singular values, descending. */
  strengths: Float64Array;
}

const EXTRA = 10;
const ROUNDS = 2;
const SEED = 7;
/** A direction this weak against the strongest is rounding. */
const NOISE = 1e-4;

export function strongestDirections(matrix: SparseMatrix, wanted: number): Directions {
  const { rows, columns } = matrix;
  const width = Math.min(wanted + EXTRA, rows, columns);
  if (width === 0) return { count: 0, vectors: new Float32Array(0), strengths: new Float64Array(0) };

  let left = orthonormal(times(matrix, randomBlock(columns, width), width), rows, width);
  for (let round = 0; round < ROUNDS; round++) {
    const right = orthonormal(timesTransposed(matrix, left, width), columns, width);
    left = orthonormal(times(matrix, right, width), rows, width);
  }
  // In the space found, B = Aᵀ Q is small in one direction: its Gram matrix has the squared strengths as eigenvalues.
  const inSpace = timesTransposed(matrix, left, width);
  const { values, vectors } = symmetricEigen(gram(inSpace, columns, width), width);
  const strongest = Math.sqrt(Math.max(0, ...values));
  const order = [...values.keys()]
    .map(at => ({ at, strength: Math.sqrt(Math.max(values[at] as number, 0)) }))
    .filter(({ strength }) => strength > strongest * NOISE)
    .sort((a, b) => b.strength - a.strength)
    .slice(0, wanted);

  const count = order.length;
  const found = new Float32Array(columns * count);
  for (let row = 0; row < columns; row++) {
    for (const [place, { at, strength }] of order.entries()) {
      let sum = 0;
      for (let j = 0; j < width; j++) sum += (inSpace[row * width + j] as number) * (vectors[j * width + at] as number);
      found[row * count + place] = sum / strength;
    }
  }
  return { count, vectors: found, strengths: Float64Array.from(order, ({ strength }) => strength) };
}

function times({ rows, starts, columnOf, values }: SparseMatrix, block: Float32Array, width: number): Float32Array {
  const out = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    const to = row * width;
    for (let at = starts[row] as number; at < (starts[row + 1] as number); at++) {
      const value = values[at] as number;
      const from = (columnOf[at] as number) * width;
      for (let j = 0; j < width; j++) out[to + j] = (out[to + j] as number) + value * (block[from + j] as number);
    }
  }
  return out;
}

function timesTransposed(
  { rows, columns, starts, columnOf, values }: SparseMatrix,
  block: Float32Array,
  width: number,
): Float32Array {
  const out = new Float32Array(columns * width);
  for (let row = 0; row < rows; row++) {
    const from = row * width;
    for (let at = starts[row] as number; at < (starts[row + 1] as number); at++) {
      const value = values[at] as number;
      const to = (columnOf[at] as number) * width;
      for (let j = 0; j < width; j++) out[to + j] = (out[to + j] as number) + value * (block[from + j] as number);
    }
  }
  return out;
}

/** Modified Gram-Schmidt, twice: once is not enough where columns are nearly the same. */
function orthonormal(block: Float32Array, rows: number, width: number): Float32Array {
  const columns = Array.from({ length: width }, (_, j) =>
    Float32Array.from({ length: rows }, (__, i) => block[i * width + j] as number),
  );
  for (const [j, column] of columns.entries()) {
    for (let pass = 0; pass < 2; pass++) {
      for (let before = 0; before < j; before++) {
        const other = columns[before] as Float32Array;
        const dot = product(column, other, rows);
        for (let i = 0; i < rows; i++) column[i] = (column[i] as number) - dot * (other[i] as number);
      }
    }
    const norm = Math.sqrt(product(column, column, rows));
    // Nothing of its own is left of this column: it is dropped rather than blown up.
    const scale = norm > 1e-7 ? 1 / norm : 0;
    for (let i = 0; i < rows; i++) column[i] = (column[i] as number) * scale;
  }
  const out = new Float32Array(rows * width);
  for (const [j, column] of columns.entries()) for (let i = 0; i < rows; i++) out[i * width + j] = column[i] as number;
  return out;
}

function product(a: Float32Array, b: Float32Array, length: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (a[i] as number) * (b[i] as number);
  return sum;
}

function gram(block: Float32Array, rows: number, width: number): Float64Array {
  const out = new Float64Array(width * width);
  for (let row = 0; row < rows; row++) {
    for (let a = 0; a < width; a++) {
      const value = block[row * width + a] as number;
      if (value === 0) continue;
      for (let b = a; b < width; b++)
        out[a * width + b] = (out[a * width + b] as number) + value * (block[row * width + b] as number);
    }
  }
  for (let a = 0; a < width; a++) for (let b = 0; b < a; b++) out[a * width + b] = out[b * width + a] as number;
  return out;
}

function randomBlock(rows: number, width: number): Float32Array {
  const next = randomNumbers(SEED);
  return Float32Array.from({ length: rows * width }, () => {
    // Box and Muller: two even numbers make one normal one.
    return Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  });
}

/** Mulberry32: repeatable and even enough for a start; nothing secret hangs on it. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
