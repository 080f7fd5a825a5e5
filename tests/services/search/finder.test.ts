/** The finder over a real index: what it says when that is closed, and servers beside the tools they are lifted by. */
import { afterAll, describe, expect, test } from 'vitest';
import { EMPTY_CATALOG } from '../../../src/domain/catalog.ts';
import type { Failure } from '../../../src/domain/error.ts';
import type { PolicySet } from '../../../src/domain/policy.ts';
import type { AgentDraft } from '../../../src/domain/registered-agent.ts';
import type { ServerDraft } from '../../../src/domain/registered-server.ts';
import { serverDocument } from '../../../src/domain/search/entity-documents.ts';
import { PLAIN } from '../../../src/domain/search/offered.ts';
import { NO_FILES } from '../../../src/domain/server-files.ts';
import { createMemoryRegistry } from '../../../src/outbound/memory/registry-storage.ts';
import { createAgents } from '../../../src/services/registry/agents.ts';
import { createRegistry } from '../../../src/services/registry/registry.ts';
import { createEntities } from '../../../src/services/search/entities.ts';
import { createFinder, type Found } from '../../../src/services/search/finder.ts';
import { liftServers, type Ranked } from '../../../src/services/search/server-lift.ts';
import { tool } from '../../domain/search/documents.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { callerWith, policyOf } from '../../support/policies.ts';
import { draftAgent, draftServer } from '../../support/registry-drafts.ts';
import { createKeptLog } from '../../support/staircase.ts';
import { createEngine } from './engine.ts';

const engines: ReturnType<typeof createEngine>[] = [];
afterAll(() => Promise.all(engines.map(engine => engine.close())));

/** Over servers and agents as they are stored. */
async function openFinder(
  policy: () => PolicySet,
  { servers, agents: cards = [] }: { servers: ServerDraft[]; agents?: AgentDraft[] },
) {
  const index = createEngine();
  engines.push(index);
  const storage = createMemoryRegistry();
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
  for (const server of servers) await storage.servers.add(server);
  for (const card of cards) await storage.agents.add(card);
  await registry.start(NO_FILES, []);
  const agents = createAgents({ storage, policy, clock });
  const entities = createEntities({ index, registry, agents, stored: storage.agents });
  await entities.start();
  return createFinder({ index, registry, agents, entities, policy, tools: () => EMPTY_CATALOG.tools });
}

test('says that search is not available once its index is closed', async () => {
  const servers = [draftServer('/weather', { description: 'Rain and wind' })];
  const finder = await openFinder(() => policyOf({ isOpenDoor: true }), { servers });
  const find = () =>
    finder.find(callerWith({}), { text: 'rain', kinds: ['server'], tags: [], limit: 10, include: PLAIN });
  expect(await find()).toMatchObject({ servers: [{ view: { card: { path: '/weather' } } }], tools: [] });
  await engines[0]?.close();
  expect(await find()).toMatchObject({ kind: 'failure', code: 'SERVER_UNAVAILABLE' });
});

describe('a receipt', () => {
  const rain = (path: string, more: Partial<ServerDraft> = {}) =>
    draftServer(path, { name: path.slice(1), description: 'Rain and wind of the coming days', ...more });
  const servers = [
    ...[rain('/one'), rain('/two'), rain('/three'), draftServer('/cakes', { description: 'Bakes' })],
    ...[rain('/draft', { status: 'draft' }), rain('/off', { enabled: false })],
    rain('/old', { status: 'deprecated', sunsetDate: '2027-06-30' }),
    ...[rain('/theirs', { status: 'draft' }), rain('/theirs-too'), rain('/theirs-off', { enabled: false })],
  ];
  const agents = [
    draftAgent('/forecaster', { description: 'Tells of rain', enabled: false }),
    draftAgent('/spy', { description: 'Tells of rain', enabled: false, visibility: 'private', owner: 'somebody' }),
  ];
  const mine = ['one', 'two', 'three', 'cakes', 'draft', 'off', 'old'];
  const scopes = {
    'UI-Scopes': { few: { list_service: mine, list_agents: ['all'] }, all: { list_service: ['all'] } },
    group_mappings: { few: ['few'], all: ['all'] },
  };
  const open = (given = servers) => openFinder(() => policyOf({ scopes }), { servers: given, agents });
  const wish = { text: 'rain and wind', kinds: ['server', 'agent'], tags: [], limit: 2, include: PLAIN } as const;
  const tell = (found: Found | Failure) =>
    'code' in found ? found.code : found.withheld.map(({ document, why }) => `${document.id} ${why}`).sort();

  test('names what fits and was left out, and why, and of it only what the caller may see', async () => {
    const finder = await open();
    const found = await finder.find(callerWith({ groups: ['few'] }), { ...wish, receipt: true });
    if ('code' in found) throw new Error(found.code);
    const shown = found.servers.map(({ view }) => view.card.path);
    expect(shown).toHaveLength(2);
    const worse = ['/one', '/two', '/three'].filter(path => !shown.includes(path)).map(path => `${path} max_results`);
    expect(tell(found)).toEqual(
      [...worse, '/draft draft', '/off disabled', '/old deprecated', '/forecaster disabled'].sort(),
    );
    const whole = await finder.find(callerWith({ groups: ['all'] }), { ...wish, receipt: true });
    expect(tell(whole)).toContain('/theirs draft');
    expect(tell(await finder.find(callerWith({}), { ...wish, receipt: true }))).toEqual([]);
  });

  test('is the same where what is hidden is not there, and changes nothing of what is found', async () => {
    const who = callerWith({ groups: ['few'] });
    const without = await open(servers.filter(({ path }) => mine.includes(path.slice(1))));
    const finder = await open();
    const receipt = await finder.find(who, { ...wish, receipt: true });
    expect(receipt).toEqual(await without.find(who, { ...wish, receipt: true }));
    expect(await finder.find(who, wish)).toEqual({ ...receipt, withheld: [] });
  });

  test('leaves out what was asked for', async () => {
    const include = { draft: true, deprecated: true, disabled: true };
    const found = await (await open()).find(callerWith({ groups: ['few'] }), {
      ...wish,
      include,
      limit: 50,
      receipt: true,
    });
    expect(tell(found)).toEqual([]);
  });
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

  test('is as sure as the tool it was lifted by, or by itself where that is surer', () => {
    const sureness = (own: Ranked['confidence'], of: Ranked['confidence']) =>
      liftServers(
        [{ ...ranked(weather, 0.1, 0.1), confidence: own }],
        [{ ...ranked(forecast, 1, 1), confidence: of }],
        () => weather,
        WEIGHTS,
      ).map(({ confidence }) => confidence);
    expect([sureness('none', 'high'), sureness('high', 'low'), sureness('none', 'none')]).toEqual([
      ['high'],
      ['high'],
      ['none'],
    ]);
  });

  test('is not found by a tool where it is not to be found at all', () => {
    expect(lift([], [ranked(forecast, 1, 1)], false)).toEqual([]);
  });
});
