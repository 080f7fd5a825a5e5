/** Vectors of two spaces cannot be compared. */
export interface VectorSpace {
  /** As its embedder names itself. */
  model: string;
  dimensions: number;
  /** Names how texts are made of documents. */
  recipe: string;
}

/** Vectors kept between runs and searched by likeness. One store holds one space. */
export interface VectorStore {
  /** What it was opened with: vectors of its own space, nothing at all, or another space, whose vectors it dropped. */
  formerly: 'same' | 'nothing' | VectorSpace;
  /** Which of these keys have a vector. */
  known(keys: readonly string[]): ReadonlySet<string>;
  /** Adds or replaces, all or nothing. */
  put(rows: readonly { key: string; vector: Float32Array }[]): void;
  /** Forgets all keys but these. */
  keepOnly(keys: ReadonlySet<string>): void;
  /** The most alike of `among`, by cosine, best first; keys without a vector are left out. */
  nearest(vector: Float32Array, among: readonly string[], limit: number): { key: string; likeness: number }[];
  close(): void;
}
