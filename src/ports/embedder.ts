/** Texts as directions: texts that mean the same point the same way. */
export interface Embedder {
  /** Names the model and whatever else changes its directions; vectors of two names are never compared. */
  model: string;
  /** Numbers in each vector. */
  dimensions: number;
  /** Shape: one per text, in order, of length 1. Throws `EmbedderError`. */
  embed(texts: readonly string[], signal: AbortSignal): Promise<Float32Array[]>;
}

/** Why there are no vectors, in words an operator can act on; never a key or a text. */
export class EmbedderError extends Error {
  override readonly name = 'EmbedderError';
  /** Whether the same request may succeed later. */
  readonly passing: boolean;

  constructor(message: string, options: { passing: boolean; cause?: unknown }) {
    super(message, { cause: options.cause });
    this.passing = options.passing;
  }
}
