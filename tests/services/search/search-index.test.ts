import { afterEach, describe, expect, it, test } from 'vitest';
import { entityDocument, type SearchDocument } from '../../../src/domain/search/document.ts';
import { SearchClosedError, type SearchIndex } from '../../../src/ports/search-index.ts';
import { builtInWeights } from '../../../src/services/search/built-in-vectors.ts';
import { OFFICE, tool } from '../../domain/search/documents.ts';
import { ask, createEngine, everybody, warmUp } from './engine.ts';

const opened: SearchIndex[] = [];
function open(documents: readonly SearchDocument[], ...more: Parameters<typeof createEngine>): SearchIndex {
  const index = createEngine(...more);
  opened.push(index);
  index.upsert(documents);
  return index;
}
afterEach(async () => {
  await Promise.all(opened.splice(0).map(index => index.close()));
});

const SERVERS = ['tracker', 'weather', 'files'].map(name =>
  entityDocument({
    id: `/${name}`,
    kind: 'server',
    name,
    description: `Everything about ${name}.`,
    tags: name === 'files' ? ['Local', 'Text'] : ['Remote'],
    parts: OFFICE.filter(({ owner }) => owner === name).map(document => ({
      name: document.name,
      description: document.fields.description ?? '',
    })),
  }),
);

describe('search', () => {
  it('knows a file by its name, and is not sure by that alone', async () => {
    const { hits, confidence } = await open(OFFICE).search(ask('get notes.txt', { limit: 3 }));
    expect(hits.map(({ document }) => document.owner)).toEqual(['files', 'files', 'files']);
    expect(hits[0]?.lexicalScore).toBeGreaterThan(0);
    expect(confidence).not.toBe('high');
  });

  test.each([
    { query: 'what time is it in Tokyo', first: 'clock__current_time_by_timezone' },
    { query: 'will I need an umbrella? is there rain coming', first: 'weather__forecast' },
    { query: 'open a bug report', first: 'tracker__create_issue' },
    { query: 'WRITE_FILE', first: 'files__write_file' },
    { query: 'files__search_files', first: 'files__search_files' },
  ])('puts $first first for "$query"', async ({ query, first }) => {
    const { hits } = await open(OFFICE).search(ask(query));
    expect(hits[0]?.document.id).toBe(first);
  });

  it('gives the parts of each score, so that the whole can be checked', async () => {
    const index = open(OFFICE);
    await warmUp(index, everybody);
    for (const weights of [
      { lexical: 0.3, vector: 0.7 },
      { lexical: 0.8, vector: 0.2 },
    ]) {
      const { hits, mode } = await index.search(
        ask('read the content of a text file. then email it to somebody', { weights }),
      );
      expect(mode).toBe('hybrid');
      expect(hits.length).toBeGreaterThan(3);
      for (const { relevanceScore, lexicalScore, vectorScore } of hits) {
        const expected = weights.lexical * lexicalScore + weights.vector * (vectorScore ?? Number.NaN);
        expect(Math.abs(relevanceScore - expected)).toBeLessThan(1e-6);
      }
      const scores = hits.map(({ relevanceScore }) => relevanceScore);
      expect(new Set(scores).size).toBe(scores.length);
      expect(scores).toEqual([...scores].sort((a, b) => b - a));
    }
  });

  it('changes the order with the weights', async () => {
    const index = open(OFFICE);
    await warmUp(index, everybody);
    const order = async (lexical: number) =>
      (
        await index.search(
          ask('send an email about wind and rain to the city', { weights: { lexical, vector: 1 - lexical } }),
        )
      ).hits.map(({ document }) => document.id);
    expect(await order(0)).not.toEqual(await order(1));
  });

  it('keeps to the weights it was given, and says them', async () => {
    const weights = { lexical: 0.3, vector: 0.7 };
    expect((await open(OFFICE, weights).search(ask('file'))).weights).toEqual(weights);
  });

  test.each([
    { visible: 5, lexical: 0.6 },
    { visible: 1_000, lexical: 0.6 },
    { visible: 2_000, lexical: 0.8 },
    { visible: 20_000, lexical: 0.85 },
  ])('lets words count $lexical among $visible documents where nothing is configured', ({ visible, lexical }) => {
    expect(builtInWeights(visible).lexical).toBeCloseTo(lexical, 9);
    expect(builtInWeights(visible).vector).toBeCloseTo(1 - lexical, 9);
  });

  it('puts what is asked by its very name first, whatever stuffs itself with the words', async () => {
    const stuffed = tool('ads', 'create_issue_create_issue', 'create issue '.repeat(5_000), { issue: 'create issue' });
    const { hits } = await open([stuffed, ...OFFICE]).search(ask('create issue'));
    expect(hits[0]?.document.id).toBe('tracker__create_issue');
    expect(hits[0]?.confidence).toBe('high');
  });

  it('finds servers and tools in one answer, or only the kinds asked for', async () => {
    const index = open([...OFFICE, ...SERVERS]);
    const both = await index.search(ask('weather'));
    expect(new Set(both.hits.slice(0, 3).map(({ document }) => document.kind))).toEqual(new Set(['server', 'tool']));
    const servers = await index.search(ask('weather', { kinds: ['server'] }));
    expect(servers.hits.every(({ document }) => document.kind === 'server')).toBe(true);
    expect(servers.hits[0]?.document.id).toBe('/weather');
  });

  it('keeps to documents that have all of the tags', async () => {
    const index = open([...OFFICE, ...SERVERS]);
    const found = async (tags: string[]) =>
      (await index.search(ask('everything', { tags }))).hits.map(({ document }) => document.id).sort();
    expect(await found(['remote'])).toEqual(['/tracker', '/weather']);
    expect(await found(['local', 'text'])).toEqual(['/files']);
    expect(await found(['local', 'remote'])).toEqual([]);
  });

  it('is sure of what fits and not of what does not', async () => {
    const index = open(OFFICE);
    await warmUp(index, everybody);
    const sure = async (query: string) => (await index.search(ask(query))).confidence;
    expect(await sure('create an issue in the repository')).toBe('high');
    expect(await sure('weather forecast with rain and wind')).toBe('high');
    expect(await sure('compose a sonnet about unrequited longing')).toBe('none');
    expect(await sure('zzyzx qwfp')).toBe('none');
  });

  test.each([
    { query: 'works', sure: 'low', because: 'one letter from York is not York' },
    { query: 'york', sure: 'high', because: 'what stands as written is said' },
    { query: 'Yrok', sure: 'low', because: 'a corrected word is a guess' },
    { query: 'Anna', sure: 'low', because: 'letters in common with "annotated" are no word in common' },
    { query: 'curent tmie', sure: 'low', because: 'two guesses are a guess' },
    { query: 'curent time', sure: 'high', because: 'one word as written vouches for the slip beside it' },
  ])('is $sure of "$query": $because', async ({ query, sure }) => {
    const index = open([
      tool('currenttime', 'current_time', 'Tells the current time in a zone, for example America/New_York.'),
      tool('everything', 'get-annotated-message', 'Demonstrates how annotations can be used to provide metadata.'),
      tool('memory', 'read_graph', 'Read the entire knowledge graph.'),
    ]);
    await warmUp(index, everybody);
    expect((await index.search(ask(query))).confidence).toBe(sure);
  });

  it('still gives the nearest when nothing fits', async () => {
    const { hits, confidence } = await open(OFFICE).search(ask('translate poetry into Latin', { limit: 3 }));
    expect(confidence).toBe('none');
    expect(hits.length).toBeLessThanOrEqual(3);
    expect(hits.every(hit => hit.confidence === 'none')).toBe(true);
  });

  it('says why a document was found', async () => {
    const index = open([tool('a', 'b', `${'Filler text. '.repeat(30)}It rotates log files at night. More filler.`)]);
    const { hits } = await index.search(ask('rotate logs'));
    expect(hits[0]?.matchContext).toBe('It rotates log files at night.');
  });

  test.each(['', '   ', '?!', 'a the of', '\u0000\u200B', 'x'.repeat(100_000), '🦜 ‼ ✅'])(
    'answers a request without a word in it: %j',
    async query => {
      const { hits } = await open(OFFICE).search(ask(query.slice(0, 200_000)));
      for (const { relevanceScore } of hits) expect(relevanceScore).toBeGreaterThan(0);
      expect(hits.every(({ confidence }) => confidence === 'none')).toBe(true);
    },
  );
});

describe('what is in the index', () => {
  it('is found by the next search after it came, changed and went', async () => {
    const index = open(OFFICE);
    const first = async () =>
      (await index.search(ask('brew coffee'))).hits.find(h => h.lexicalScore > 0)?.document.name;
    index.upsert([tool('kitchen', 'brew', 'Brew coffee.')]);
    expect(await first()).toBe('brew');
    index.upsert([tool('kitchen', 'brew', 'Brew tea.'), tool('kitchen', 'grind', 'Grind coffee beans.')]);
    expect(await first()).toBe('brew');
    index.remove('tool', ['kitchen__brew']);
    expect(await first()).toBe('grind');
    index.replace('tool', OFFICE);
    expect(await first()).toBeUndefined();
    expect(index.status().documents).toEqual({ server: 0, tool: OFFICE.length, agent: 0, skill: 0 });
  });

  it('keeps the kinds apart on replace', async () => {
    const index = open([...OFFICE, ...SERVERS]);
    index.replace('tool', []);
    await index.settled();
    expect(index.status().documents).toEqual({ server: 3, tool: 0, agent: 0, skill: 0 });
  });

  it('takes in thousands without keeping the event loop', async () => {
    const many = Array.from({ length: 3_000 }, (_, at) =>
      tool(
        `server${at % 40}`,
        `tool_${at}`,
        `Does thing number ${at} with records, tickets and files of project ${at % 97}.`,
      ),
    );
    const index = open([]);
    let turns = 0;
    const count = () => {
      turns += 1;
      if (index.status().pending > 0) setImmediate(count);
    };
    index.upsert(many);
    setImmediate(count);
    await index.search(ask('records'));
    expect(index.status().documents.tool).toBe(3_000);
    // One turn would mean that all was done in one go.
    expect(turns).toBeGreaterThan(5);
  });

  it('refuses every search once closed', async () => {
    const index = open(OFFICE);
    await index.close();
    await expect(index.search(ask('file'))).rejects.toThrow(SearchClosedError);
  });
});

test('a request is the name of nothing of another kind, however the words of each kind are numbered', async () => {
  const index = createEngine();
  const entity = (kind: 'agent' | 'skill', id: string, name: string) =>
    entityDocument({ id, kind, name, description: '' });
  // Each is the first word of its kind.
  index.upsert([entity('agent', '/courier', 'Courier'), entity('skill', '/courier#work', 'Work')]);
  const { hits } = await index.search(ask('work', { weights: { lexical: 1, vector: 0 } }));
  expect(hits[0]?.document.id).toBe('/courier#work');
  expect(hits.find(({ document }) => document.kind === 'agent')?.lexicalScore ?? 0).toBe(0);
  await index.close();
});
