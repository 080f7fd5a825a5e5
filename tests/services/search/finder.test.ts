/** The finder over a real index: what it says when that is closed, and servers beside the tools they are lifted by. */
import { afterAll, describe, expect, test } from 'vitest';
import { EMPTY_CATALOG } from '../../../src/domain/catalog.ts';
import { serverDocument } from '../../../src/domain/search/entity-documents.ts';
import { NO_FILES } from '../../../src/domain/server-files.ts';
import { createMemoryRegistry } from '../../../src/outbound/memory/registry-storage.ts';
import { createAgents } from '../../../src/services/registry/agents.ts';
import { createRegistry } from '../../../src/services/registry/registry.ts';
import { createEntities } from '../../../src/services/search/entities.ts';
import { createFinder, PLAIN } from '../../../src/services/search/finder.ts';
import { liftServers, type Ranked } from '../../../src/services/search/server-lift.ts';
import { tool } from '../../domain/search/documents.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { callerWith, policyOf } from '../../support/policies.ts';
import { draftServer } from '../../support/registry-drafts.ts';
import { createKeptLog } from '../../support/staircase.ts';
import { createEngine } from './engine.ts';

const index = createEngine();
afterAll(() => index.close());

test('says that search is not available once its index is closed', async () => {
  const storage = createMemoryRegistry();
  const policy = () => policyOf({ isOpenDoor: true });
  const clock = createFrozenClock();
  const registry = createRegistry({
    ...{ storage, policy, policyWith: policy, scopesOfFile: () => null, sealer: null, clock, log: createKeptLog() },
    ...{ checkUrl: async () => null, allowCommands: [], allowEnv: [] },
    live: {
      tools: () => null,
      health: (_who, { path }) => ({ path, status: 'unknown', checkedAtMs: null, numTools: 0 }),
      refresh: async () => {},
      mayUse: () => true,
    },
  });
  await storage.servers.add(draftServer('/weather', { description: 'Rain and wind' }));
  await registry.start(NO_FILES, []);
  const agents = createAgents({ storage, policy, clock });
  const entities = createEntities({ index, registry, agents, stored: storage.agents });
  await entities.start();
  const finder = createFinder({ index, registry, agents, entities, policy, tools: () => EMPTY_CATALOG.tools });
  const find = () =>
    finder.find(callerWith({}), { text: 'rain', kinds: ['server'], tags: [], limit: 10, include: PLAIN });
  expect(await find()).toMatchObject({ servers: [{ view: { card: { path: '/weather' } } }], tools: [] });
  await index.close();
  expect(await find()).toMatchObject({ kind: 'failure', code: 'SERVER_UNAVAILABLE' });
});

describe('a server beside its tools', () => {
  const WEIGHTS = { lexical: 0.3, vector: 0.7 };
  const server = (path: string) => serverDocument({ ...draftServer(path), revision: 1 });
  const ranked = (document: Ranked['document'], lexicalScore: number, vectorScore: number | null): Ranked => ({
    ...{ document, lexicalScore, vectorScore, confidence: 'low', matchContext: document.name },
    relevance: vectorScore === null ? lexicalScore : 0.3 * lexicalScore + 0.7 * vectorScore,
  });
  const forecast = tool('weather', 'forecast', 'Rain for the coming days.');
  const weather = server('/weather');
  const lift = (found: readonly Ranked[], tools: readonly Ranked[], isThere = true) =>
    liftServers(found, tools, ({ owner }) => (isThere ? server(`/${owner}`) : null), WEIGHTS)
      .filter(({ document }) => document.kind === 'server')
      .map(({ document, lexicalScore, vectorScore, relevance }) => ({
        ...{ id: document.id, lexicalScore, vectorScore, relevance },
      }));

  test.each([
    {
      ...{ own: [0.1, 0.2], of: [1, 0.5], counts: [0.9, 0.45] },
      because: 'what its tool counts, less a tenth, where that is more',
    },
    { own: [0.95, 0.2], of: [1, 0.5], counts: [0.95, 0.45], because: 'words and meaning each by itself' },
    { own: [1, 1], of: [1, 0.5], counts: [1, 1], because: 'its own texts where these are more' },
    { own: null, of: [1, null], counts: [0.9, null], because: 'words alone where there is no meaning' },
  ] as {
    own: [number, number] | null;
    of: [number, number | null];
    counts: [number, number | null];
    because: string;
  }[])('counts $because', ({ own, of, counts: [lexicalScore, vectorScore] }) => {
    const found = own === null ? [] : [ranked(weather, ...own)];
    const relevance = ranked(weather, lexicalScore, vectorScore).relevance;
    expect(lift(found, [ranked(forecast, ...of)])).toEqual([
      { id: '/weather', lexicalScore, vectorScore, relevance: expect.closeTo(relevance, 6) },
    ]);
  });

  test('is not found by a tool where it is not to be found at all', () => {
    expect(lift([], [ranked(forecast, 1, 1)], false)).toEqual([]);
  });
});
