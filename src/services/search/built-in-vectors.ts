/**
 * Vectors without a download and without a network: the directions of the catalog's own words (one model per view) and
 * those of a small table of words. The first knows this catalog, the second the language of tools; the table alone is
 * there from the start.
 */
import type { IndexedDocument } from '../../domain/search/inverted-index.ts';
import { queryDirection } from '../../domain/search/latent.ts';
import type { Scored } from '../../domain/search/ranking.ts';
import { directionOf, type Part, type WordVectors } from '../../domain/search/word-vectors.ts';
import type { LatentModels } from './latent-models.ts';
import type { Asked, Vectors } from './vectors.ts';

/** Measured on twelve public sets of requests; flat around it. */
const LATENT_SHARE = 0.4;
const MAX_DESCRIPTION = 1_200;
const NOTHING: ReadonlySet<IndexedDocument> = new Set();

export function createBuiltInVectors(deps: {
  models: LatentModels;
  table: WordVectors;
  close: () => Promise<void>;
}): Vectors {
  const { models, table, close } = deps;
  const directions = new WeakMap<IndexedDocument, Float32Array>();

  const directionFor = (indexed: IndexedDocument): Float32Array => {
    let direction = directions.get(indexed);
    if (direction === undefined) {
      direction = directionOf(table, partsOf(indexed));
      directions.set(indexed, direction);
    }
    return direction;
  };

  function byTable(text: string, asked: readonly Asked[]): Scored<IndexedDocument>[] {
    const query = directionOf(table, [[text, 1]]);
    return asked.flatMap(({ view }) =>
      view.documents.map(document => ({ document, score: dot(query, directionFor(document), 0) })),
    );
  }

  function byModel(asked: readonly Asked[]): Scored<IndexedDocument>[] {
    return asked.flatMap(({ view, query }) => {
      const model = models.find(view);
      const direction = model === null ? null : queryDirection(model.model, model.columnByTerm, query);
      if (model === null || direction === null) return [];
      return view.documents.map((document, row) => ({
        document,
        score: dot(direction, model.documents, row * direction.length),
      }));
    });
  }

  return {
    model: 'builtin',
    add: indexed => void directionFor(indexed),
    forget: indexed => void directions.delete(indexed),
    async rank(texts) {
      const whole = directionOf(table, [[texts[0]?.text ?? '', 1]]);
      return {
        without: NOTHING,
        // The table alone: its measure is the same for every catalog.
        likeness: document => dot(whole, directionFor(document), 0),
        lists: texts.map(({ text, asked }) => {
          const latent = byModel(asked);
          const words = { found: byTable(text, asked), weight: 1 - LATENT_SHARE };
          return latent.length === 0 ? [words] : [{ found: latent, weight: LATENT_SHARE }, words];
        }),
      };
    },
    pending: () => models.pending,
    problem: () => null,
    isReady: () => true,
    settled: () => models.settled(),
    close,
  };
}

function partsOf({ document: { fields } }: IndexedDocument): Part[] {
  return [
    [fields.name ?? '', 2],
    [fields.owner ?? '', 1],
    [(fields.description ?? '').slice(0, MAX_DESCRIPTION), 1],
    [fields.tags ?? '', 1],
    [fields.parts ?? '', 1],
  ];
}

function dot(query: Float32Array, rows: Float32Array, from: number): number {
  let sum = 0;
  for (let j = 0; j < query.length; j++) sum += (query[j] as number) * (rows[from + j] as number);
  return sum;
}
