/**
 * Meaning of words from many public tool catalogs: a small table of directions, one per word and one per group of
 * letters, so that words it never saw still point somewhere. It knows nothing of the catalog at hand: whoever asks gets
 * the same direction for the same text, so nothing hidden can be read from it. Made by scripts/train-word-vectors.ts.
 */
import { toLengthOne } from './latent.ts';
import { toWords } from './words.ts';

export interface WordVectors {
  dimensions: number;
  /** Row of each known word. Groups of letters follow after the last. */
  rowOf: ReadonlyMap<string, number>;
  /** Texts of the training that held the word, by row. */
  holders: Uint16Array;
  /** Number of texts in the training. */
  texts: number;
  buckets: number;
  /** Signed numbers of four bits, two to a byte, row by row. */
  packed: Uint8Array;
  /** By row: what one step is worth. */
  scales: Float32Array;
}

/** A text and how much it counts. */
export type Part = readonly [text: string, weight: number];

const GROUP = 4;

/** Rows of the table with their weights, for texts. */
export function rowsOf(
  { rowOf, holders, texts, buckets }: Pick<WordVectors, 'rowOf' | 'holders' | 'texts' | 'buckets'>,
  parts: readonly Part[],
): Map<number, number> {
  const found = new Map<number, number>();
  const add = (row: number, weight: number) => found.set(row, (found.get(row) ?? 0) + weight);
  for (const [text, weight] of parts) {
    for (const word of toWords(text)) {
      const row = rowOf.get(word);
      const telling = weight * Math.log(1 + texts / ((row === undefined ? 2 : (holders[row] as number)) + 1));
      if (row !== undefined) add(row, telling);
      if (word.length < GROUP) {
        if (row === undefined) add(rowOf.size + (hash(word) % buckets), telling);
        continue;
      }
      const fenced = `<${word}>`;
      const groups = fenced.length - GROUP + 1;
      const share = ((row === undefined ? 0.7 : 0.35) * telling) / Math.sqrt(groups);
      for (let at = 0; at < groups; at++) add(rowOf.size + (hash(fenced.slice(at, at + GROUP)) % buckets), share);
    }
  }
  return found;
}

/** A direction of length 1; all zero for a text without a word. */
export function directionOf(table: WordVectors, parts: readonly Part[]): Float32Array {
  const { dimensions, packed, scales } = table;
  const vector = new Float32Array(dimensions);
  for (const [row, weight] of rowsOf(table, parts)) {
    const scale = Math.log1p(weight) * (scales[row] as number);
    const from = (row * dimensions) >> 1;
    for (let at = 0; at < dimensions; at += 2) {
      const pair = packed[from + (at >> 1)] as number;
      vector[at] = (vector[at] as number) + scale * ((pair & 15) - 8);
      vector[at + 1] = (vector[at + 1] as number) + scale * ((pair >> 4) - 8);
    }
  }
  toLengthOne(vector);
  return vector;
}

/** FNV-1a with a final mix: spreads short texts evenly over the buckets. */
function hash(text: string): number {
  let mixed = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) mixed = Math.imul(mixed ^ text.charCodeAt(at), 0x01000193);
  mixed ^= mixed >>> 16;
  mixed = Math.imul(mixed, 0x85ebca6b);
  return (mixed ^ (mixed >>> 13)) >>> 0;
}

const HEADER = 5 * 4;
const MAGIC = 0x31565747;

/**
 * The file: five 32-bit numbers (magic, dimensions, words, buckets, texts), holders per word (16 bit), scales per row
 * (32-bit floats), the packed rows, then the words in UTF-8, one a line. Little-endian.
 */
export function readWordVectors(bytes: Uint8Array): WordVectors {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.byteLength < HEADER || view.getUint32(0, true) !== MAGIC) throw new Error('not a file of word vectors');
  const [dimensions, words, buckets, texts] = [4, 8, 12, 16].map(at => view.getUint32(at, true)) as [
    number,
    number,
    number,
    number,
  ];
  const rows = words + buckets;
  let at = HEADER;
  /** Copied, for numbers of several bytes must begin where the machine wants them to. */
  const take = (length: number) => {
    at += length;
    return new Uint8Array(bytes.subarray(at - length, at));
  };
  const holders = new Uint16Array(take(words * 2).buffer);
  const scales = new Float32Array(take(rows * 4).buffer);
  const packed = take((rows * dimensions) / 2);
  const names = new TextDecoder().decode(bytes.subarray(at)).split('\n');
  if (packed.length !== (rows * dimensions) / 2 || names.length !== words)
    throw new Error('the file of word vectors is cut short');
  return { dimensions, rowOf: new Map(names.map((name, row) => [name, row])), holders, texts, buckets, packed, scales };
}

export function writeWordVectors(table: WordVectors): Uint8Array {
  const { dimensions, rowOf, holders, texts, buckets, packed, scales } = table;
  const words = new TextEncoder().encode([...rowOf.keys()].join('\n'));
  const header = new DataView(new ArrayBuffer(HEADER));
  for (const [place, value] of [MAGIC, dimensions, rowOf.size, buckets, texts].entries())
    header.setUint32(place * 4, value, true);
  const parts = [header, holders, scales, packed, words];
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(new Uint8Array(part.buffer, part.byteOffset, part.byteLength), at);
    at += part.byteLength;
  }
  return bytes;
}

/** Rounds rows to four bits; of the steps tried, the one with the least error is taken. */
export function packRows(rows: Float32Array, dimensions: number): { packed: Uint8Array; scales: Float32Array } {
  const count = rows.length / dimensions;
  const packed = new Uint8Array(rows.length / 2);
  const scales = new Float32Array(count);
  for (let row = 0; row < count; row++) {
    const values = rows.subarray(row * dimensions, (row + 1) * dimensions);
    const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1;
    let best = { error: Number.POSITIVE_INFINITY, step: 1 };
    for (let share = 0.5; share <= 1; share += 0.05) {
      const step = (largest * share) / 7;
      const error = values.reduce((sum, value) => sum + (value - step * toFourBits(value / step)) ** 2, 0);
      if (error < best.error) best = { error, step };
    }
    scales[row] = best.step;
    for (const [at, value] of values.entries()) {
      const nibble = toFourBits(value / best.step) + 8;
      const place = (row * dimensions + at) >> 1;
      packed[place] = (packed[place] as number) | (at % 2 === 0 ? nibble : nibble << 4);
    }
  }
  return { packed, scales };
}

function toFourBits(value: number): number {
  return Math.max(-8, Math.min(7, Math.round(value)));
}
