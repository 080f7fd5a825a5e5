/** Vectors kept between runs and searched by likeness. One store holds one space: a model, a size, a recipe of texts. */
export interface VectorStore {
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
