import type { LatentInput, LatentModel } from '../domain/search/latent.ts';

/** Trains models of a catalog's own words away from the event loop. One at a time, in the order asked. */
export interface LatentTrainer {
  /** `input` is handed over and must not be used afterwards. Rejects when closed. */
  train(input: LatentInput): Promise<LatentModel>;
  close(): Promise<void>;
}
