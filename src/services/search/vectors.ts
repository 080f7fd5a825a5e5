/** Ranking by meaning, whatever it is made of: what search asks of it, and what it is told. */
import type { DocumentKind } from '../../domain/search/document.ts';
import type { IndexedDocument } from '../../domain/search/inverted-index.ts';
import type { Query } from '../../domain/search/query.ts';
import type { Scored } from '../../domain/search/ranking.ts';
import type { View } from '../../domain/search/view.ts';
import type { SearchStatus } from '../../ports/search-index.ts';

/** One text against one kind of documents. */
export interface Asked {
  kind: DocumentKind;
  view: View;
  query: Query;
}

/** What a request keeps to beyond what is visible. */
export type Accepts = (document: IndexedDocument) => boolean;

export interface Text {
  text: string;
  asked: readonly Asked[];
}

export interface Vectors {
  /** Names what is behind it. */
  model: string;
  /** Reads sentences, and so may be near a request that shares no word with a document. */
  isReader: boolean;
  /** A document came; `forget`: it went, or another came in its place. */
  add(indexed: IndexedDocument): void;
  forget(indexed: IndexedDocument): void;
  /** Ranks the visible documents that are accepted, for each text; null while there is nothing to rank by. */
  rank(texts: readonly Text[], accepts: Accepts): Promise<VectorRankings | null>;
  /** Documents without a vector yet. */
  pending(): number;
  /** Texts that a model is asked about; documents that say the same are one. Null: no model is. */
  texts(): SearchStatus['texts'];
  problem(): string | null;
  /** False while `rank` would be null. */
  isReady(): boolean;
  settled(): Promise<void>;
  close(): Promise<void>;
}

export interface VectorRankings {
  /** Per text: the best by each kind of vector, best first, to be spread and added by their weights. */
  lists: readonly (readonly { found: readonly Scored<IndexedDocument>[]; weight: number }[])[];
  /** Visible documents that have no vector yet: their words speak for them. */
  without: ReadonlySet<IndexedDocument>;
  /** How near a document is to the first text, about 0 for any two and 1 for the same; null: unknown. */
  likeness: (document: IndexedDocument) => number | null;
}
