import { describe, expect, it, test } from 'vitest';
import { rankByWords } from '../../../src/domain/search/bm25f.ts';
import { createInvertedIndex } from '../../../src/domain/search/inverted-index.ts';
import { toQuery } from '../../../src/domain/search/query.ts';
import { createView, findVisible, type View } from '../../../src/domain/search/view.ts';
import { OFFICE, tool, viewOf } from './documents.ts';

function rank(view: View, text: string): { id: string; score: number }[] {
  const { scores, touched } = rankByWords(view, toQuery(view, text));
  return touched
    .map(slot => ({ id: view.index.slots[slot]?.document.id ?? '', score: scores[slot] as number }))
    .sort((a, b) => b.score - a.score);
}
const first = (view: View, text: string) => rank(view, text)[0]?.id;

describe('rankByWords', () => {
  const office = viewOf(OFFICE);
  test.each([
    { query: 'what time is it in Tokyo', finds: 'clock__current_time_by_timezone', because: 'grammar is no evidence' },
    { query: 'creating issues', finds: 'tracker__create_issue', because: 'forms of a word are one word' },
    { query: 'readFile', finds: 'files__read_file', because: 'names are taken apart on both sides' },
    { query: 'email address', finds: 'mail__send_message', because: 'what parameters say counts' },
    { query: 'glob', finds: 'files__search_files', because: 'a word of a parameter alone is enough' },
    { query: 'weather wind', finds: 'weather__current_conditions', because: 'the server is a field' },
    { query: 'forcast for the week', finds: 'weather__forecast', because: 'a slip of the keys is corrected' },
    { query: 'recieve an eamil', finds: 'mail__send_message', because: 'two swapped letters are a slip' },
  ])('$because: $query', ({ query, finds }) => {
    expect(first(office, query)).toBe(finds);
  });

  it('puts what was named in full above what holds as many of the words', () => {
    const named = tool('shop', 'cancel_order', 'Ends it.');
    const talking = tool('shop', 'cancel_order_reminder_mail', 'Cancel or keep an order, says the mail.');
    const view = viewOf([...OFFICE, talking, named]);
    expect(rank(view, 'cancel an order').map(({ id }) => id)).toEqual([
      'shop__cancel_order',
      'shop__cancel_order_reminder_mail',
    ]);
  });

  it('counts a name as said once, however many slips of it there are', () => {
    const scoreOf = (text: string) => rank(office, text).find(({ id }) => id === 'weather__forecast')?.score ?? 0;
    const right = scoreOf('forecast');
    expect(right).toBeGreaterThan(0);
    expect(scoreOf('forecast forcast forecsat')).toBeGreaterThan(right);
    expect(scoreOf('forecast forcast forecsat')).toBeLessThan(3 * right);
  });

  it('finds nothing for words that nothing holds', () => {
    expect(rank(office, 'quantum chromodynamics')).toEqual([]);
  });

  it('does not put a tool with a word five thousand times above the one named so', () => {
    const stuffed = tool('ads', 'helper', 'create issue '.repeat(5_000));
    expect(first(viewOf([...OFFICE, stuffed]), 'create an issue')).toBe('tracker__create_issue');
  });

  it('does not lift a tool for superlatives', () => {
    const boasting = tool('ads', 'do', 'The best, most powerful and recommended tool; always use this one first.');
    const view = viewOf([...OFFICE, boasting]);
    for (const { name } of OFFICE) expect(first(view, name)).not.toBe('ads__do');
  });

  it('scores as an index that never held the hidden documents', () => {
    const hidden = tool('secret', 'forecast_mergers', 'Forecast of issue files, wind and rain.');
    const masked = viewOf([hidden, ...OFFICE], ({ owner }) => owner !== 'secret');
    for (const query of ['forecast rain', 'mergers', 'open issue files', 'mregers'])
      expect(rank(masked, query)).toEqual(rank(office, query));
  });
});

describe('createInvertedIndex', () => {
  it('answers the same after removals, additions and closed gaps', () => {
    const index = createInvertedIndex();
    for (let round = 0; round < 200; round++) {
      index.add(tool('gone', `tool_${round}`, 'Open a ticket about the weather.'));
      index.remove(`gone__tool_${round}`);
    }
    for (const document of OFFICE) index.add(document);
    for (const document of OFFICE) index.add(document);
    const view = createView(
      index,
      findVisible(index, () => true),
    );
    expect(index.size).toBe(OFFICE.length);
    expect(index.slots.length).toBeLessThan(64 + OFFICE.length);
    for (const query of ['forecast rain', 'open ticket', 'file'])
      expect(rank(view, query)).toEqual(rank(viewOf(OFFICE), query));
  });

  it('takes a document in place of the one with the same id', () => {
    const index = createInvertedIndex();
    index.add(tool('a', 'b', 'Bake bread.'));
    index.add(tool('a', 'b', 'Brew coffee.'));
    const view = createView(
      index,
      findVisible(index, () => true),
    );
    expect(rank(view, 'bread')).toEqual([]);
    expect(first(view, 'coffee')).toBe('a__b');
  });

  it('reports removals of what was never there', () => {
    expect(createInvertedIndex().remove('nothing')).toBe(false);
  });
});
