/** The thread of the latent trainer: takes a catalog as numbers, gives back a model. */
import { parentPort } from 'node:worker_threads';
import { type LatentInput, trainLatent } from '../../domain/search/latent.ts';
import type { Trained } from './latent-thread.ts';

parentPort?.on('message', (input: LatentInput) => {
  const answer = train(input);
  const moved = answer.ok ? [answer.model.terms.buffer, answer.model.termOf.buffer, answer.model.documents.buffer] : [];
  parentPort?.postMessage(answer, moved as ArrayBuffer[]);
});

function train(input: LatentInput): Trained {
  try {
    return { ok: true, model: trainLatent(input) };
  } catch (cause) {
    return { ok: false, message: cause instanceof Error ? cause.message : String(cause) };
  }
}
