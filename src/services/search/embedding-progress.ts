/**
 * What operators are told while texts get their vectors: when it begins and why, now and then how far it is, and how it
 * ended. One run lasts from the first text without a vector to the last, whatever fails in between.
 */
import type { Clock } from '../../ports/clock.ts';
import type { Embedder } from '../../ports/embedder.ts';
import type { Log } from '../../ports/log.ts';
import type { VectorSpace, VectorStore } from '../../ports/vector-store.ts';

export interface EmbeddingProgress {
  /** So many texts wait; nothing is new where a run is under way. */
  begin(waiting: number): void;
  made(count: number, waiting: number): void;
  failed(): void;
  /** None waits any more. */
  end(): void;
}

/** Between two lines of one run. */
const LINE_MS = 5_000;

export function createEmbeddingProgress(deps: {
  space: Pick<Embedder, 'model' | 'dimensions'>;
  formerly: VectorStore['formerly'];
  clock: Clock;
  log: Log;
}): EmbeddingProgress {
  const { space, clock, log } = deps;
  const { model, dimensions } = space;
  let formerly = deps.formerly;
  let run: { beganMs: number; toldMs: number; made: number; failures: number } | null = null;

  const seconds = (sinceMs: number) => Math.round((clock.monotonicMs() - sinceMs) / 100) / 10;

  return {
    begin(waiting) {
      if (run !== null) return;
      const nowMs = clock.monotonicMs();
      run = { beganMs: nowMs, toldMs: nowMs, made: 0, failures: 0 };
      const before = typeof formerly === 'string' ? {} : { before: `${formerly.model}, ${formerly.dimensions}` };
      log.info('search vectors are being made', {
        ...{ texts: waiting, why: reasonOf(formerly, space), model, dimensions },
        ...before,
      });
      // What comes later came later: it is nothing that the store lost.
      formerly = 'same';
    },
    made(count, waiting) {
      if (run === null) return;
      run.made += count;
      if (waiting === 0 || clock.monotonicMs() - run.toldMs < LINE_MS) return;
      run.toldMs = clock.monotonicMs();
      log.info('search vectors are still being made', { made: run.made, waiting, seconds: seconds(run.beganMs) });
    },
    failed() {
      if (run !== null) run.failures += 1;
    },
    end() {
      if (run === null) return;
      const { made, failures, beganMs } = run;
      run = null;
      log.info('search vectors are made', { made, failures, seconds: seconds(beganMs), model });
    },
  };
}

function reasonOf(formerly: VectorStore['formerly'], space: Pick<VectorSpace, 'model' | 'dimensions'>): string {
  if (formerly === 'nothing') return 'there were none';
  if (formerly === 'same') return 'texts without one';
  if (providerOf(formerly) !== providerOf(space)) return 'another provider';
  if (formerly.model !== space.model) return 'another model';
  if (formerly.dimensions !== space.dimensions) return 'another number of dimensions';
  return 'another way to make or keep them';
}

/** An embedder's name begins with whom it asks. */
const providerOf = ({ model }: Pick<VectorSpace, 'model'>): string => model.split(':', 1)[0] ?? '';
