/**
 * Meaning from a catalog's own words: latent semantic analysis (S. Deerwester and others, 1990). Words that occur in
 * the same documents point the same way, so a request finds tools that share none of its words. Nothing is downloaded
 * and nothing leaves the process; a model is made of one view and says nothing about any other.
 */
import { FIELD_NAMES, type FieldName } from './document.ts';
import { countOf, fieldOf, type IndexedDocument } from './inverted-index.ts';
import type { Query } from './query.ts';
import { type SparseMatrix, strongestDirections } from './truncated-svd.ts';
import type { View } from './view.ts';

/** What a word counts by where it stands; long lists of parameter texts would only blur the direction. */
const FIELD_WEIGHTS: Readonly<Record<FieldName, number>> = {
  name: 2,
  owner: 0.7,
  description: 1,
  tags: 0.7,
  parts: 0.4,
  partTexts: 0,
  values: 0,
};
const WEIGHTS = FIELD_NAMES.map(name => FIELD_WEIGHTS[name]);
const DIMENSIONS = 128;
/** Strong directions count a little more than weak ones: between all alike (0) and as strong as they are (1). */
const STRENGTH_POWER = 0.25;

/** What a model is made of, as arrays that can go to another thread. */
export interface LatentInput {
  matrix: SparseMatrix;
  /** Term id of each column. */
  termOf: Int32Array;
}

export interface LatentModel {
  dimensions: number;
  /** Row-major by column of the matrix, already scaled by the strength of each direction. */
  terms: Float32Array;
  termOf: Int32Array;
  /** Row-major by row of the matrix: one of length 1 per document. */
  documents: Float32Array;
}

/** The documents of a view as rows, a document a step, so that the work can be cut into slices. */
export function* latentRows(view: View): Generator<void, LatentInput> {
  const { documents, copies } = view;
  const columnByTerm = new Map<number, number>();
  const termOf: number[] = [];
  const starts = new Int32Array(documents.length + 1);
  const columnOf: number[] = [];
  const values: number[] = [];
  for (const [row, document] of documents.entries()) {
    const features = featuresOf(view, document);
    let square = 0;
    for (const value of features.values()) square += value * value;
    // Of copies all together as much as of one.
    const norm = Math.sqrt(square * (copies[row] as number)) || 1;
    for (const [term, value] of features) {
      let column = columnByTerm.get(term);
      if (column === undefined) {
        column = termOf.length;
        columnByTerm.set(term, column);
        termOf.push(term);
      }
      columnOf.push(column);
      values.push(value / norm);
    }
    starts[row + 1] = columnOf.length;
    yield;
  }
  return {
    matrix: {
      rows: documents.length,
      columns: termOf.length,
      starts,
      columnOf: Int32Array.from(columnOf),
      values: Float32Array.from(values),
    },
    termOf: Int32Array.from(termOf),
  };
}

/** Row-major beside the documents of a view. What the model was not made of is placed by the words it shares with it. */
export function directionsOfView(
  view: View,
  model: LatentModel,
  columnByTerm: ReadonlyMap<number, number>,
  rowOf: ReadonlyMap<IndexedDocument, number>,
): Float32Array {
  const { dimensions } = model;
  const out = new Float32Array(view.documents.length * dimensions);
  for (const [place, document] of view.documents.entries()) {
    const row = rowOf.get(document);
    const vector = out.subarray(place * dimensions, (place + 1) * dimensions);
    if (row !== undefined) {
      vector.set(model.documents.subarray(row * dimensions, (row + 1) * dimensions));
      continue;
    }
    for (const [term, value] of featuresOf(view, document)) {
      const column = columnByTerm.get(term);
      if (column === undefined) continue;
      for (let j = 0; j < dimensions; j++)
        vector[j] = (vector[j] as number) + value * (model.terms[column * dimensions + j] as number);
    }
    toLengthOne(vector);
  }
  return out;
}

function featuresOf({ weightOf }: View, { terms, uses }: IndexedDocument): Map<number, number> {
  const found = new Map<number, number>();
  for (let at = 0; at < terms.length; at++) {
    const use = uses[at] as number;
    const weight = (WEIGHTS[fieldOf(use)] as number) * countOf(use);
    if (weight === 0) continue;
    const term = terms[at] as number;
    found.set(term, (found.get(term) ?? 0) + weight);
  }
  for (const [term, weight] of found) found.set(term, Math.log1p(weight) * weightOf(term));
  return found;
}

/** Costs seconds for thousands of documents: meant for a thread of its own. */
export function trainLatent({ matrix, termOf }: LatentInput, wanted = DIMENSIONS): LatentModel {
  const { count, vectors, strengths } = strongestDirections(
    matrix,
    Math.min(wanted, matrix.rows - 1, matrix.columns - 1),
  );
  const mean = strengths.reduce((sum, strength) => sum + strength, 0) / Math.max(count, 1);
  const scales = strengths.map(strength => (strength / mean) ** STRENGTH_POWER);
  for (let at = 0; at < vectors.length; at++) vectors[at] = (vectors[at] as number) * (scales[at % count] as number);

  const documents = new Float32Array(matrix.rows * count);
  for (let row = 0; row < matrix.rows; row++) {
    const vector = documents.subarray(row * count, (row + 1) * count);
    for (let at = matrix.starts[row] as number; at < (matrix.starts[row + 1] as number); at++) {
      const from = (matrix.columnOf[at] as number) * count;
      const value = matrix.values[at] as number;
      for (let j = 0; j < count; j++) vector[j] = (vector[j] as number) + value * (vectors[from + j] as number);
    }
    toLengthOne(vector);
  }
  return { dimensions: count, terms: vectors, termOf, documents };
}

/** The request as a direction, or null where the model knows none of its words. */
export function queryDirection(
  model: LatentModel,
  columnByTerm: ReadonlyMap<number, number>,
  query: Query,
): Float32Array | null {
  const { dimensions, terms } = model;
  const vector = new Float32Array(dimensions);
  for (const { term, weight, count } of query.terms) {
    const column = term === null ? undefined : columnByTerm.get(term);
    if (column === undefined) continue;
    const value = weight * Math.log1p(count);
    const from = column * dimensions;
    for (let j = 0; j < dimensions; j++) vector[j] = (vector[j] as number) + value * (terms[from + j] as number);
  }
  return toLengthOne(vector) ? vector : null;
}

/** The product of one direction with each row: their cosines, where all have length 1. Rows are as long as `query`. */
export function likenessToRows(query: Float32Array, rows: Float32Array, count: number): Float64Array {
  const length = query.length;
  const out = new Float64Array(count);
  for (let row = 0; row < count; row++) {
    const from = row * length;
    let sum = 0;
    for (let j = 0; j < length; j++) sum += (query[j] as number) * (rows[from + j] as number);
    out[row] = sum;
  }
  return out;
}

/** In place; returns whether there was any length. */
export function toLengthOne(vector: Float32Array): boolean {
  let square = 0;
  for (const value of vector) square += value * value;
  if (square < 1e-12) return false;
  const norm = Math.sqrt(square);
  for (let at = 0; at < vector.length; at++) vector[at] = (vector[at] as number) / norm;
  return true;
}
