import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { fuse } from '../../../src/domain/search/fusion.ts';
import type { IndexedDocument } from '../../../src/domain/search/inverted-index.ts';
import { toQuery } from '../../../src/domain/search/query.ts';
import { spreadOverWishes } from '../../../src/domain/search/several-wishes.ts';
import { tool, viewOf } from './documents.ts';

const WEIGHTS = { lexical: 0.6, vector: 0.4 };
const TOOLS = [
  tool('docs', 'create_report', 'Write a report as a document with headings and pictures.'),
  tool('docs', 'export_report', 'Write a report as a document in another format.'),
  tool('docs', 'share_report', 'Send a report as a document to others.'),
  tool('weather', 'forecast', 'Rain, wind and temperature for the coming days.'),
];
const view = viewOf(TOOLS);
const byName = new Map(view.documents.map(document => [document.document.name, document]));

function spreadOf(text: string, scores: Record<string, number>, limit = 10) {
  const query = toQuery(view, text);
  const list = Object.entries(scores).map(([name, score]) => ({
    document: byName.get(name) as IndexedDocument,
    score,
  }));
  return spreadOverWishes(fuse(list, list, WEIGHTS), () => query, limit);
}
const names = (found: ReturnType<typeof spreadOf>) => found.map(({ document }) => document.document.name);

const SCORES = { create_report: 1, export_report: 0.9, share_report: 0.85, forecast: 0.82 };
const TWO_WISHES = 'write a report as document with headings, rain and temperature of the coming days';

describe('spreadOverWishes', () => {
  it('brings the tool of the second wish before the second tool of the first', () => {
    expect(names(spreadOf(TWO_WISHES, SCORES))).toEqual(['create_report', 'forecast', 'export_report', 'share_report']);
  });

  test.each([
    { text: 'write report', because: 'a short request has one wish' },
    {
      text: 'how many unrelated things could somebody possibly imagine without finding anything',
      because: 'no word repeats',
    },
  ])('leaves the order as it was: $because', ({ text }) => {
    const found = spreadOf(text, SCORES);
    expect(names(found)).toEqual(Object.keys(SCORES));
    expect(found.map(({ relevance }) => relevance)).toEqual(
      [1, 0.9, 0.85, 0.82].map(score => expect.closeTo(score, 6)),
    );
  });

  it('does not put what hardly fits above what fits well', () => {
    expect(names(spreadOf(TWO_WISHES, { ...SCORES, forecast: 0.3 })).at(-1)).toBe('forecast');
  });

  it('keeps relevance the weighted sum, falling from place to place', () => {
    const found = spreadOf(TWO_WISHES, SCORES);
    for (const { relevance, lexical, vector } of found)
      expect(relevance).toBeCloseTo(WEIGHTS.lexical * lexical + WEIGHTS.vector * (vector as number), 6);
    const scores = found.map(({ relevance }) => relevance);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(new Set(scores).size).toBe(scores.length);
  });

  it('gives the first of the whole list where few are asked for', () => {
    const whole = names(spreadOf(TWO_WISHES, SCORES));
    for (const limit of [0, 1, 2, 3]) expect(names(spreadOf(TWO_WISHES, SCORES, limit))).toEqual(whole.slice(0, limit));
  });

  it('chooses at each place what counts most there', () => {
    const words = Array.from('abcdefghijklmnopqrstuvwx', letter => `${letter}word`);
    const text = fc.subarray(words, { minLength: 4 }).map(some => some.join(' '));
    const described = fc.record({ text, score: fc.double({ min: 0.01, max: 1, noNaN: true }) });
    fc.assert(
      fc.property(fc.array(described, { minLength: 2, maxLength: 25 }), text, (tools, wish) => {
        const many = viewOf(tools.map((one, at) => tool('s', `t${at}`, one.text)));
        const query = toQuery(many, wish);
        const scoreOf = ({ document }: IndexedDocument) => tools[Number(document.name.slice(1))]?.score as number;
        const list = many.documents.map(document => ({ document, score: scoreOf(document) }));
        const fused = fuse(list, null, WEIGHTS);
        const found = spreadOverWishes(fused, () => query, 10);
        expect(found).toHaveLength(Math.min(10, fused.length));
        const documents = (hits: typeof fused) => hits.map(({ document }) => document);
        if (query.terms.length < 8) expect(documents(found)).toEqual(documents(fused.slice(0, 10)));
        // Scores may differ by less than the order of a sum does.
        else for (const below of shortfalls(found, fused, query)) expect(below).toBeLessThan(1e-9);
      }),
    );
  });
});

/** By looking at everybody at each place: how far what stands there is below what counts most there. */
function shortfalls(
  found: ReturnType<typeof fuse<IndexedDocument>>,
  fused: ReturnType<typeof fuse<IndexedDocument>>,
  query: ReturnType<typeof toQuery>,
): number[] {
  const holders = new Map<number, number>();
  const left = new Map(fused.map(hit => [hit.document, hit]));
  const heldBy = (document: IndexedDocument) =>
    query.terms.filter(({ term }) => term !== null && document.terms.includes(term));
  const count = ({ document, relevance }: (typeof fused)[number]) => {
    const held = heldBy(document);
    const all = held.reduce((sum, { weight }) => sum + weight, 0);
    const old = held.reduce(
      (sum, { term, weight }) => sum + weight * (1 - 0.5 ** (holders.get(term as number) ?? 0)),
      0,
    );
    return relevance * (all > 0 ? 1 - (0.2 * old) / all : 1);
  };
  return found.map(({ document }) => {
    const hit = left.get(document);
    // Not of the list, or for the second time.
    if (hit === undefined) return Number.POSITIVE_INFINITY;
    const below = Math.max(...[...left.values()].map(count)) - count(hit);
    left.delete(document);
    // Two words of a request may be taken for one of the list.
    for (const term of new Set(heldBy(document).map(each => each.term as number)))
      holders.set(term, (holders.get(term) ?? 0) + 1);
    return below;
  });
}
