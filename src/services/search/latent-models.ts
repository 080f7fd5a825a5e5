/**
 * Models of the catalog's own words, one per view, made in the background once a view is asked. Until then, and for
 * whom there is none, search does without. A model is used for another view only where every document it was made of
 * is visible there: so none says anything about a document that the caller may not see.
 */

import type { IndexedDocument } from '../../domain/search/inverted-index.ts';
import { directionsOfView, type LatentInput, type LatentModel, latentRows } from '../../domain/search/latent.ts';
import type { View } from '../../domain/search/view.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LatentTrainer } from '../../ports/latent-trainer.ts';
import type { Log } from '../../ports/log.ts';
import { createSlices } from './slices.ts';

export interface ViewModel {
  model: LatentModel;
  columnByTerm: ReadonlyMap<number, number>;
  /** Beside the slots of the view: a row of length 1 each. */
  documents: Float32Array;
}

export interface LatentModels {
  /** The model for a view, or null; one that is missing is asked for. */
  find(view: View): ViewModel | null;
  /** Models being made. */
  readonly pending: number;
  settled(): Promise<void>;
}

interface Trained {
  model: LatentModel;
  columnByTerm: ReadonlyMap<number, number>;
  rowOf: ReadonlyMap<IndexedDocument, number>;
}

/** Changes come in bursts: servers connect one after the other. */
const REST_MS = 250;
const LEAST_DOCUMENTS = 3;
/** About 20 MB each for 10,000 tools. */
const MAX_MODELS = 8;
/** Below this share of the view in the model a new one is worth waiting for without. */
const LEAST_SHARE = 0.8;

export function createLatentModels(deps: { trainer: LatentTrainer; clock: Clock; log: Log }): LatentModels {
  const { trainer, clock, log } = deps;
  const byView = new WeakMap<View, ViewModel>();
  const waiting = new Map<View, Promise<void>>();
  let trained: Trained[] = [];

  function findUsable(view: View): Trained | null {
    for (const candidate of trained) {
      let held = 0;
      for (const document of view.documents) if (candidate.rowOf.has(document)) held += 1;
      if (held === candidate.rowOf.size && held >= view.documents.length * LEAST_SHARE) return candidate;
    }
    return null;
  }

  function attach(view: View, { model, columnByTerm, rowOf }: Trained): ViewModel {
    const documents = directionsOfView(view, model, columnByTerm, rowOf);
    const attached = { model, columnByTerm, documents };
    byView.set(view, attached);
    return attached;
  }

  async function train(view: View): Promise<void> {
    await new Promise<void>(resolve => void clock.after(REST_MS, resolve));
    if (view.version !== view.index.version) return;
    const input = await sliced(view);
    if (input === null) return;
    const model = await trainer.train(input);
    const made: Trained = {
      model,
      columnByTerm: new Map(Array.from(model.termOf, (term, column) => [term, column])),
      rowOf: new Map(view.documents.map((document, row) => [document, row])),
    };
    trained = [made, ...trained].slice(0, MAX_MODELS);
    if (view.version === view.index.version) attach(view, made);
  }

  /** null: the documents changed under it. */
  async function sliced(view: View): Promise<LatentInput | null> {
    const pause = createSlices(clock);
    const rows = latentRows(view);
    for (;;) {
      const step = rows.next();
      if (step.done === true) return step.value;
      const others = pause();
      if (others !== null) await others;
      if (view.version !== view.index.version) return null;
    }
  }

  return {
    find(view) {
      const attached = byView.get(view);
      if (attached !== undefined) return attached;
      if (view.documents.length < LEAST_DOCUMENTS) return null;
      const usable = findUsable(view);
      const isWhole = usable !== null && usable.rowOf.size === view.documents.length;
      if (!isWhole && !waiting.has(view)) {
        const work = train(view)
          .catch(cause => {
            log.warn('search model could not be made', {
              detail: cause instanceof Error ? cause.message : String(cause),
            });
          })
          .finally(() => waiting.delete(view));
        waiting.set(view, work);
      }
      return usable === null ? null : attach(view, usable);
    },
    get pending() {
      return waiting.size;
    },
    async settled() {
      while (waiting.size > 0) await Promise.all(waiting.values());
    },
  };
}
