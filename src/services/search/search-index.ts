/**
 * The search index: documents in, ranked answers out. Words and vectors rank by themselves over what the caller sees,
 * each sentence of a long request too, and are fused into one score. Writing goes on in short slices; a search waits for
 * what was written before it.
 */
import { rankByWords } from '../../domain/search/bm25f.ts';
import { type Confidence, confidenceIn, confidenceOf, coverageOf, isSaidIn } from '../../domain/search/confidence.ts';
import { DOCUMENT_KINDS, type DocumentKind } from '../../domain/search/document.ts';
import { type Fused, type FusionWeights, fuse } from '../../domain/search/fusion.ts';
import type { IndexedDocument } from '../../domain/search/inverted-index.ts';
import { matchContext } from '../../domain/search/match-context.ts';
import { type Query, toQuery } from '../../domain/search/query.ts';
import { addUp, best, bestOf, type Scored, spread, withOwnerVote, withSentences } from '../../domain/search/ranking.ts';
import { splitSentences } from '../../domain/search/sentences.ts';
import { spreadOverWishes } from '../../domain/search/several-wishes.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { SearchClosedError, type SearchHit, type SearchIndex, type SearchRequest } from '../../ports/search-index.ts';
import { createShelf, type Shelf } from './shelf.ts';
import type { Accepts, Asked, Text, VectorRankings, Vectors } from './vectors.ts';
import { createWrites } from './writes.ts';

/** A request is a wish in words, not a document. */
const MAX_QUERY = 4_000;
const OWNER_VOTE = 0.3;
/** Sentences times documents: beyond it the whole request alone is ranked. */
const MAX_WORK = 200_000;
/** What stands below somebody whose very name was asked. */
const BELOW_NAMED = 0.99;

export function createSearchIndex(deps: {
  vectors: Vectors;
  /** For as many documents as the caller sees. */
  weights: (visible: number) => FusionWeights;
  clock: Clock;
  log: Log;
}): SearchIndex {
  const { vectors, clock, log } = deps;
  const shelves = new Map<DocumentKind, Shelf>(DOCUMENT_KINDS.map(kind => [kind, createShelf(kind)]));
  const writes = createWrites({ shelves, vectors, clock, log });
  let isClosed = false;

  async function search(request: SearchRequest) {
    if (isClosed) throw new SearchClosedError();
    await writes.done();
    const query = request.query.slice(0, MAX_QUERY);
    const views = DOCUMENT_KINDS.filter(kind => request.kinds?.includes(kind) ?? true).map(kind => ({
      kind,
      view: (shelves.get(kind) as Shelf).view(request.isVisible),
    }));
    const accepts = toAccepts(request);
    const ask = (text: string): Text => ({
      text,
      asked: views.map(({ kind, view }) => ({ kind, view, query: toQuery(view, text) })),
    });

    const visible = views.reduce((sum, { view }) => sum + view.documents.length, 0);
    const sentences = splitSentences(query).slice(0, Math.floor(MAX_WORK / Math.max(visible, 1)));
    const texts = [query, ...sentences].map(ask);
    const whole = texts[0] as Text;
    // Words first: the vectors may have to wait for a model elsewhere, and the index may change meanwhile.
    const lexical = channel(texts.map(({ asked }) => rankWords(asked, accepts)));
    const rankings = await vectors.rank(texts, accepts);
    const vector = rankings === null ? null : vectorChannel(rankings, lexical);
    const named = findNamed(whole.asked, query, lexical);
    const weights = request.weights ?? deps.weights(visible);
    const fused = fuse(lift(lexical, named), vector === null ? null : lift(vector, named), weights);
    const queryOf = ({ document }: IndexedDocument) => queryFor(whole, document.kind);
    const found = named.size > 0 ? fused.slice(0, request.limit) : spreadOverWishes(fused, queryOf, request.limit);
    const hits = found.map(hit => toHit(hit, whole, rankings, named, query, vectors.isReader));
    return {
      hits,
      confidence: confidenceIn(hits),
      mode: vector === null ? ('lexical-only' as const) : ('hybrid' as const),
      weights,
    };
  }

  return {
    upsert: documents => writes.upsert(documents),
    remove: (kind, ids) => writes.remove(kind, ids),
    replace: (kind, documents) => writes.replace(kind, documents),
    search,
    status: () => ({
      documents: Object.fromEntries(DOCUMENT_KINDS.map(kind => [kind, shelves.get(kind)?.index.size ?? 0])) as Record<
        DocumentKind,
        number
      >,
      model: vectors.model,
      mode: vectors.isReady() ? 'hybrid' : 'lexical-only',
      pending: writes.pending() + vectors.pending(),
      texts: vectors.texts(),
      problem: vectors.problem(),
    }),
    async settled() {
      await writes.done();
      await vectors.settled();
    },
    async close() {
      isClosed = true;
      writes.close();
      await vectors.close();
    },
  };
}

function toAccepts({ tags = [], accepts = () => true }: SearchRequest): Accepts {
  return ({ document }) => tags.every(tag => document.tags.includes(tag)) && accepts(document);
}

/** Kinds are counted apart, so each list is measured by what a document with every word of the request would score. */
function rankWords(asked: readonly Asked[], accepts: Accepts): Scored<IndexedDocument>[] {
  return best(
    asked.flatMap(({ view, query }) => {
      const { scores, touched } = rankByWords(view, query);
      const most = query.terms.reduce((sum, { weight, count }) => sum + weight * (1 + Math.log(count)), 0) || 1;
      const slots = touched.filter(slot => accepts(view.index.slots[slot] as IndexedDocument));
      const found = bestOf(
        slots,
        Float64Array.from(slots, slot => (scores[slot] as number) / most),
      );
      return found.map(({ document: slot, score }) => ({ document: view.index.slots[slot] as IndexedDocument, score }));
    }),
  );
}

function joined(lists: VectorRankings['lists'][number]): Scored<IndexedDocument>[] {
  const [only] = lists;
  if (lists.length === 1 && only !== undefined) return [...only.found];
  return addUp(lists.map(({ found, weight }) => ({ found: spread(found), weight })));
}

/** One ranking of the whole request and its sentences, spread to 0..1. */
function channel(lists: readonly (readonly Scored<IndexedDocument>[])[]): Scored<IndexedDocument>[] {
  const [whole = [], ...sentences] = lists;
  return spread(withOwnerVote(withSentences(whole, sentences), ({ document }) => document.owner, OWNER_VOTE));
}

/** A document without a vector yet counts by meaning what it counts by words, so that a new tool is found at once. */
function vectorChannel(
  { lists, without }: VectorRankings,
  lexical: readonly Scored<IndexedDocument>[],
): Scored<IndexedDocument>[] {
  const found = channel(lists.map(joined));
  return without.size === 0 ? found : [...found, ...lexical.filter(({ document }) => without.has(document))];
}

/** Documents whose very name, own or public, is the request. */
function findNamed(asked: readonly Asked[], text: string, lexical: readonly Scored<IndexedDocument>[]) {
  const written = text.trim().toLowerCase();
  // Ids of words are a kind's own: the same number is another word among documents of another kind.
  const orders = new Map(asked.map(({ kind, query }) => [kind, query.order]));
  return new Set(
    lexical
      .map(({ document }) => document)
      .filter(({ document, nameTerms }) => {
        if (document.id.toLowerCase() === written || document.name.toLowerCase() === written) return true;
        return isSameName(orders.get(document.kind) ?? [], nameTerms);
      }),
  );
}

function isSameName(order: readonly (number | null)[], name: readonly number[]): boolean {
  return name.length > 0 && order.length === name.length && order.every((term, at) => term === name[at]);
}

/** A request in the words of a kind that was asked. */
function queryFor({ asked }: Text, kind: DocumentKind): Query {
  const found = asked.find(other => other.kind === kind);
  if (found === undefined) throw new Error(`a ${kind} was found though none was asked for`);
  return found.query;
}

/** What was asked by name is the best by words and by meaning, and first. */
function lift(found: readonly Scored<IndexedDocument>[], named: ReadonlySet<IndexedDocument>) {
  if (named.size === 0) return found;
  const rest = found.filter(({ document }) => !named.has(document));
  return [
    ...Array.from(named, document => ({ document, score: 1 })),
    ...rest.map(({ document, score }) => ({ document, score: score * BELOW_NAMED })),
  ];
}

function toHit(
  { document: indexed, relevance, lexical, vector }: Fused<IndexedDocument>,
  whole: Text,
  rankings: VectorRankings | null,
  named: ReadonlySet<IndexedDocument>,
  query: string,
  isReader: boolean,
): SearchHit {
  const asked = queryFor(whole, indexed.document.kind);
  const coverage = coverageOf(asked, indexed);
  const likeness = rankings === null ? null : rankings.likeness(indexed);
  const confidence: Confidence = named.has(indexed)
    ? 'high'
    : confidenceOf({ coverage, likeness, isSaid: isSaidIn(asked, indexed), isRead: isReader });
  return {
    document: indexed.document,
    relevanceScore: relevance,
    lexicalScore: lexical,
    vectorScore: vector,
    confidence,
    matchContext: matchContext(indexed.document, query),
  };
}
