/** What a caller may not see is not there: to the last digit, the answer is that of an index without it. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { SearchDocument } from '../../../src/domain/search/document.ts';
import type { SearchIndex, SearchResult } from '../../../src/ports/search-index.ts';
import { OFFICE, tool } from '../../domain/search/documents.ts';
import { ask, createEngine, warmUp } from './engine.ts';

const SECRET: readonly SearchDocument[] = [
  tool('vault', 'acquire_northwind', 'Prepare the takeover of Northwind: ticket, file and weather of the deal.'),
  tool('vault', 'fire_staff', 'Send an email message to the dismissed and close the issue.'),
  tool('vault', 'zygomorphic_ledger', 'Keep the zygomorphic ledger of rain payments.', {
    tz_name: 'Zygote of the payer',
  }),
  tool('tracker', 'delete_repository', 'Delete a repository with all of its tickets.'),
];
const SECRETS = new Set(SECRET.map(({ id }) => id));
const WORDS = [
  ...['northwind', 'takeover', 'zygomorphic', 'ledger', 'acquire', 'dismissed', 'delete', 'repository', 'norhtwind'],
  ...['ticket', 'file', 'rain', 'time', 'email', 'zone', 'qwertz', 'blorp', 'forcast', 'the', 'payments', 'vault'],
];

const publicOnly = (document: SearchDocument) => !SECRETS.has(document.id);
const opened: SearchIndex[] = [];
afterAll(async () => {
  await Promise.all(opened.map(index => index.close()));
});

async function openBoth(isWarm: boolean): Promise<{ masked: SearchIndex; innocent: SearchIndex }> {
  const masked = createEngine();
  const innocent = createEngine();
  opened.push(masked, innocent);
  masked.upsert([...SECRET.slice(0, 2), ...OFFICE, ...SECRET.slice(2)]);
  innocent.upsert(OFFICE);
  if (isWarm) {
    // Somebody who sees everything has a model of everything: it must not serve anybody else.
    await warmUp(masked, () => true);
    await warmUp(masked, publicOnly);
    await warmUp(innocent, () => true);
  }
  return { masked, innocent };
}

const told = ({ hits, confidence, mode }: SearchResult) => ({
  confidence,
  mode,
  hits: hits.map(({ document, ...scores }) => ({ id: document.id, ...scores })),
});

describe.each([
  { isWarm: true, what: 'with models made' },
  { isWarm: false, what: 'before any model is made' },
])('$what', ({ isWarm }) => {
  it('answers any request as if the hidden documents did not exist', async () => {
    const { masked, innocent } = await openBoth(isWarm);
    // Short wishes, and long ones of several.
    const some = (maxLength: number) => fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength });
    const query = fc.oneof(some(6), some(24)).map(words => words.join(' '));
    await fc.assert(
      fc.asyncProperty(query, async text => {
        const seen = await masked.search(ask(text, { isVisible: publicOnly, limit: 50 }));
        const plain = await innocent.search(ask(text, { limit: 50 }));
        expect(told(seen)).toEqual(told(plain));
      }),
      { numRuns: isWarm ? 300 : 20 },
    );
  });

  it('answers the names of hidden tools as it answers words nobody ever wrote', async () => {
    const { masked } = await openBoth(isWarm);
    const answer = async (text: string) => told(await masked.search(ask(text, { isVisible: publicOnly })));
    // The table of words may know one and not the other, so words it cannot know stand for both.
    const strip = ({ confidence, hits }: ReturnType<typeof told>) => ({
      confidence,
      lexical: hits.map(({ lexicalScore }) => lexicalScore).filter(score => score > 0),
    });
    for (const hidden of ['zygomorphic', 'acquire_northwind', 'zygomorphic ledger'])
      expect(strip(await answer(hidden))).toEqual({ confidence: 'none', lexical: [] });
    expect(strip(await answer('blorp'))).toEqual({ confidence: 'none', lexical: [] });
  });
});

it('does not correct a word into one that only a hidden document holds', async () => {
  const { masked } = await openBoth(false);
  const { hits } = await masked.search(ask('northwynd', { isVisible: publicOnly }));
  expect(hits.every(({ lexicalScore }) => lexicalScore === 0)).toBe(true);
  const seen = await masked.search(ask('northwynd'));
  expect(seen.hits[0]?.document.id).toBe('vault__acquire_northwind');
});
