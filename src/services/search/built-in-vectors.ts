/**
 * Vectors without a download and without a network: the directions of the catalog's own words (one model per view) and
 * those of a small table of words. The first knows this catalog, the second the language of tools; the table alone is
 * there from the start.
 */
import type { FusionWeights } from '../../domain/search/fusion.ts';
import type { IndexedDocument } from '../../domain/search/inverted-index.ts';
import { likenessToRows, queryDirection } from '../../domain/search/latent.ts';
import { best, bestOf, type Scored } from '../../domain/search/ranking.ts';
import type { View } from '../../domain/search/view.ts';
import { directionOf, type Part, type WordVectors } from '../../domain/search/word-vectors.ts';
import type { LatentModels } from './latent-models.ts';
import type { Accepts, Asked, Vectors } from './vectors.ts';

/** Measured on twelve public sets of requests; flat around it. */
const LATENT_SHARE = 0.3;
const MAX_DESCRIPTION = 1_200;
const NOTHING: ReadonlySet<IndexedDocument> = new Set();

const SMALL = 1_000;

/**
 * How much words count beside these vectors. All vectors lose more than words do as a catalog grows: among thousands of
 * tools many mean nearly the same, and the words are what is left to tell them apart.
 */
export function builtInWeights(visible: number): FusionWeights {
  const doublings = Math.max(0, Math.log2(Math.max(visible, 1) / SMALL));
  const lexical = Math.min(0.6 + 0.2 * doublings, 0.85);
  return { lexical, vector: 1 - lexical };
}

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

  /** Row by row beside the documents of a view: a walk over one array is several times as fast as one over many. */
  const rows = new WeakMap<View, Float32Array>();
  function rowsFor(view: View): Float32Array {
    let found = rows.get(view);
    if (found === undefined) {
      found = new Float32Array(view.documents.length * table.dimensions);
      for (const [row, document] of view.documents.entries()) found.set(directionFor(document), row * table.dimensions);
      rows.set(view, found);
    }
    return found;
  }

  function byTable(text: string, asked: readonly Asked[], accepts: Accepts): Scored<IndexedDocument>[] {
    const query = directionOf(table, [[text, 1]]);
    return best(asked.flatMap(({ view }) => nearest(view, query, rowsFor(view), accepts)));
  }

  function byModel(asked: readonly Asked[], accepts: Accepts): Scored<IndexedDocument>[] {
    return best(
      asked.flatMap(({ view, query }) => {
        const model = models.find(view);
        const direction = model === null ? null : queryDirection(model.model, model.columnByTerm, query);
        return model === null || direction === null ? [] : nearest(view, direction, model.documents, accepts);
      }),
    );
  }

  return {
    model: 'builtin',
    isReader: false,
    add: indexed => void directionFor(indexed),
    forget: indexed => void directions.delete(indexed),
    async rank(texts, accepts) {
      const whole = directionOf(table, [[texts[0]?.text ?? '', 1]]);
      return {
        without: NOTHING,
        // The table alone: its measure is the same for every catalog.
        likeness: document => likenessToRows(whole, directionFor(document), 1)[0] ?? 0,
        lists: texts.map(({ text, asked }) => {
          const latent = byModel(asked, accepts);
          const words = { found: byTable(text, asked, accepts), weight: 1 - LATENT_SHARE };
          return latent.length === 0 ? [words] : [{ found: latent, weight: LATENT_SHARE }, words];
        }),
      };
    },
    pending: () => models.pending,
    texts: () => null,
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

function nearest(view: View, query: Float32Array, rows: Float32Array, accepts: Accepts): Scored<IndexedDocument>[] {
  const { documents } = view;
  const scores = likenessToRows(query, rows, documents.length);
  for (const [row, document] of documents.entries()) if (!accepts(document)) scores[row] = Number.NEGATIVE_INFINITY;
  return bestOf(documents, scores).filter(({ score }) => score !== Number.NEGATIVE_INFINITY);
}
