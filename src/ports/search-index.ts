/**
 * Finding servers, tools, agents and skills in plain words. What a caller may not see is not there: nothing of it is in
 * hits, scores, counts, confidence or corrections. Whoever asks says what is visible, with each search.
 */
import type { Confidence } from '../domain/search/confidence.ts';
import type { DocumentKind, SearchDocument } from '../domain/search/document.ts';
import type { FusionWeights } from '../domain/search/fusion.ts';
import type { MatchContext } from '../domain/search/match-context.ts';

export interface SearchRequest {
  query: string;
  /** Absent: all. */
  kinds?: readonly DocumentKind[];
  /** All of them must be on a document; lower case. */
  tags?: readonly string[];
  /** Further wishes: what is left out by them is no secret, unlike what is not visible. Absent: none. */
  accepts?: (document: SearchDocument) => boolean;
  limit: number;
  isVisible: (document: SearchDocument) => boolean;
  /** Absent: as configured. */
  weights?: FusionWeights;
}

export interface SearchHit {
  document: SearchDocument;
  /** 0..1, distinct and falling within one answer: weights.lexical x lexicalScore + weights.vector x vectorScore. */
  relevanceScore: number;
  lexicalScore: number;
  /** null where the answer is lexical only. */
  vectorScore: number | null;
  confidence: Confidence;
  matchContext: MatchContext;
}

export type SearchMode = 'hybrid' | 'lexical-only';

export interface SearchResult {
  /** Best first, at most `limit`. */
  hits: readonly SearchHit[];
  /** Of the best hit; `none` where there is no hit. */
  confidence: Confidence;
  mode: SearchMode;
  weights: FusionWeights;
}

export interface SearchStatus {
  documents: Readonly<Record<DocumentKind, number>>;
  /** The model behind the vectors. */
  model: string;
  mode: SearchMode;
  /** Documents that are still to be taken in or to get their vector. */
  pending: number;
  /** Texts of documents that have their vector, and that wait for it; null: none is asked of a model. */
  texts: { embedded: number; waiting: number } | null;
  /** What keeps the vectors away, in words for an operator; null: nothing. */
  problem: string | null;
}

export interface SearchIndex {
  /** Adds documents, in place of those of the same kind and id. Found by the next search. */
  upsert(documents: readonly SearchDocument[]): void;
  remove(kind: DocumentKind, ids: readonly string[]): void;
  /** Makes these all there is of a kind; what is already there unchanged costs nothing. */
  replace(kind: DocumentKind, documents: readonly SearchDocument[]): void;
  /** Waits for what was written before it. Throws `SearchClosedError` once closed. */
  search(request: SearchRequest): Promise<SearchResult>;
  status(): SearchStatus;
  /** Resolves when nothing is pending in the background. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

export class SearchClosedError extends Error {
  override readonly name = 'SearchClosedError';
  constructor() {
    super('the search index is closed');
  }
}
