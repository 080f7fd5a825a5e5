/**
 * Two rankings made one: relevance = lexical weight x lexical score + vector weight x vector score, each spread to
 * 0..1, so that relevance is in 0..1 too and two hits of one answer can be compared. Scores are distinct: of two alike
 * the later one is moved down by less than anybody can see.
 */
import type { Scored } from './ranking.ts';

export interface FusionWeights {
  /** Both in 0..1; they add up to 1. */
  lexical: number;
  vector: number;
}

export interface Fused<T> {
  document: T;
  relevance: number;
  lexical: number;
  /** null: there was no vector ranking. */
  vector: number | null;
}

/** Between two that would be equal; a full list of equals stays within a millionth of what was computed. */
export const APART = 1e-9;

/** `vector`: null where there is none; then relevance is the lexical score. Shape: best first. */
export function fuse<T>(
  lexical: readonly Scored<T>[],
  vector: readonly Scored<T>[] | null,
  weights: FusionWeights,
): Fused<T>[] {
  const byDocument = new Map<T, Fused<T>>();
  const entry = (document: T): Fused<T> => {
    let fused = byDocument.get(document);
    if (fused === undefined) {
      fused = { document, relevance: 0, lexical: 0, vector: vector === null ? null : 0 };
      byDocument.set(document, fused);
    }
    return fused;
  };
  for (const { document, score } of lexical) entry(document).lexical = score;
  for (const { document, score } of vector ?? []) entry(document).vector = score;
  const fused = [...byDocument.values()];
  for (const hit of fused) {
    hit.relevance = hit.vector === null ? hit.lexical : weights.lexical * hit.lexical + weights.vector * hit.vector;
  }
  return keepApart(fused.sort((a, b) => b.relevance - a.relevance));
}

/** `sorted`: best first. */
export function keepApart<T extends { relevance: number }>(sorted: T[]): T[] {
  let above = 1 + APART;
  for (const [place, hit] of sorted.entries()) {
    // The floor keeps the last of a list of nothings above zero.
    const floor = (sorted.length - place) * APART;
    hit.relevance = Math.min(Math.max(hit.relevance, floor), above - APART);
    above = hit.relevance;
  }
  return sorted;
}
