/**
 * A caller with few rights searches a gateway full of things that are not for it, and one without them: the answers are the
 * same, to the last hit and total, whatever is asked. Names, tags and texts of what is hidden find nothing.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { IS_FULL } from '../support/gateway-process.ts';
import {
  agentCard,
  type Hits,
  METHODS,
  openSearched,
  type SearchedGateway,
  type Who,
} from '../support/searched-gateway.ts';

const QUERIES = IS_FULL ? 1_000 : 250;
/** Ten seconds: a machine may be busy. */
const ROUNDS = 600;
const LOB: Who = { name: 'lou', groups: ['lob'] };
const SEEN_AGENTS = ['/courier', '/archivist', '/scribe'];
const RIGHTS = {
  lob: {
    ui: { list_service: ['harvest', 'orchard', 'vineyard'], list_agents: [...SEEN_AGENTS, '/assassin'] },
    servers: [
      { server: 'harvest', methods: METHODS, tools: ['tool_0001', 'tool_0002'] },
      { server: 'orchard', methods: METHODS, tools: '*' },
      { server: 'vineyard', methods: METHODS, tools: '*' },
    ],
  },
};

const server = (path: string, name: string, description: string, more: JsonObject = {}) =>
  ({ path: `/${path}`, name, description, ...more }) as JsonObject & { path: string };
const SEEN_SERVERS = [
  server('harvest', 'Harvest', 'Plans when crops are brought in', { tags: ['farm'] }),
  server('orchard', 'Orchard', 'Counts apples and pears', { tags: ['farm', 'fruit'] }),
];
const HIDDEN_SERVERS = [
  // Granted by name, and yet out of sight: it is private.
  server('vineyard', 'Vineyard', 'Secret wines of Northwind', { visibility: 'private', tags: ['farm', 'takeover'] }),
  server('northwind', 'Northwind takeover', 'Buys Northwind and its apples', { tags: ['takeover', 'farm'] }),
  server('payroll', 'Payroll', 'Salaries of the harvest staff', { metadata: { owner: 'zygomorphic' } }),
];
const SEEN_CARDS = [
  agentCard('/courier', 'Courier', 'Brings parcels of apples.', { tags: ['post'] }),
  agentCard('/archivist', 'Archivist', 'Keeps what was harvested on file.', { tags: ['post', 'paper'] }),
  agentCard('/scribe', 'Scribe', 'Writes letters.', {}),
];
const HIDDEN_CARDS = [
  agentCard('/assassin', 'Assassin', 'Ends contracts of Northwind.', { visibility: 'private', tags: ['blade'] }),
  agentCard('/spy', 'Spy', 'Watches the zygomorphic payroll.', { tags: ['post', 'blade'] }),
];
const HIDDEN = /northwind|vineyard|payroll|assassin|\bspy\b|takeover|zygomorphic|blade|tool_0003"/i;
const WORDS = [
  ...['northwind', 'takeover', 'vineyard', 'payroll', 'assassin', 'spy', 'zygomorphic', 'blade', 'tool_0003', '0003'],
  ...['#takeover', '#blade', '#farm', '#post', '#fruit', 'northwnid', 'payrol', 'salaries', 'wines', 'contracts'],
  ...['apples', 'harvest', 'orchard', 'letters', 'tool', 'options', 'generic', 'plans', 'the', 'of', 'qwertz', 'works'],
];

let servers: StartedScripted[] = [];
let full: SearchedGateway;
let plain: SearchedGateway;
beforeAll(async () => {
  servers = await Promise.all([3, 2].map(tools => startScripted({ tools })));
  const [three, two] = servers.map(({ url }) => ({ proxy_pass_url: url }));
  const [harvest, orchard] = SEEN_SERVERS as [(typeof SEEN_SERVERS)[0], (typeof SEEN_SERVERS)[0]];
  [full, plain] = await Promise.all([
    openSearched({
      ...{ rights: RIGHTS, agents: [...HIDDEN_CARDS, ...SEEN_CARDS], tools: 3 * 4 + 2 },
      servers: [...[...HIDDEN_SERVERS, harvest].map(each => ({ ...each, ...three })), { ...orchard, ...two }],
    }),
    // Where there is no third tool it need not be hidden.
    openSearched({
      ...{ rights: RIGHTS, agents: SEEN_CARDS, tools: 4 },
      servers: [harvest, orchard].map(each => ({ ...each, ...two })),
    }),
  ]);
}, 90_000);
afterAll(async () => {
  await Promise.all([full, plain].map(each => each?.stop()));
  await Promise.all(servers.map(each => each.close()));
});

/** Without what two gateways differ in by nature, and numbers to where sums of many parts agree. */
function bare({ gateway }: SearchedGateway, found: JsonObject): unknown {
  return JSON.parse(
    JSON.stringify(found, (_, value) => (typeof value === 'number' ? Number(value.toFixed(6)) : value)).replaceAll(
      gateway.origin,
      'origin',
    ),
  );
}

/**
 * Vectors of the words that a caller sees are made in the background, and two gateways are not done at the same moment:
 * where they differ they are asked again for a while. What leaks stays different.
 */
async function askBoth(query: string, more: JsonObject): Promise<{ masked: Hits; innocent: Hits }> {
  for (let round = 0; ; round++) {
    const [masked, innocent] = await Promise.all([full.search(LOB, query, more), plain.search(LOB, query, more)]);
    const isAlike = isDeepStrictEqual(bare(full, masked), bare(plain, innocent));
    if (isAlike || round === ROUNDS) return { masked, innocent };
    await sleep(100);
  }
}

const aQuery = fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 5 }).map(words => words.join(' '));
const someTypes = fc.option(
  fc.subarray(['mcp_server', 'tool', 'a2a_agent', 'skill', 'virtual_server'], { minLength: 1 }),
);
const aRequest = fc.record({
  query: aQuery,
  entity_types: someTypes,
  tags: fc.option(fc.subarray(['farm', 'takeover', 'post', 'blade'], { maxLength: 2 })),
  max_results: fc.integer({ min: 1, max: 50 }),
  include_draft: fc.boolean(),
  include_deprecated: fc.boolean(),
  include_disabled: fc.boolean(),
});

describe('a caller with few rights', () => {
  test('gets the answers of a gateway that has nothing to hide, and nothing hidden', async () => {
    const shown = new Set<string>();
    await fc.assert(
      fc.asyncProperty(aRequest, async ({ query, ...more }) => {
        const { masked, innocent } = await askBoth(query, more);
        expect(bare(full, masked)).toEqual(bare(plain, innocent));
        const { query: asked, ...answer } = masked;
        expect([asked, JSON.stringify(answer)]).toEqual([query, expect.not.stringMatching(HIDDEN)]);
        for (const id of idsOf(masked)) shown.add(id);
      }),
      // A smaller request that differs would cost as long a wait each.
      { numRuns: QUERIES, endOnFailure: true },
    );
    // Whoever is shown nothing at all would have passed too.
    expect([...shown].sort()).toEqual([
      ...SEEN_AGENTS.map(path => `agent ${path}`).sort(),
      ...['server /harvest', 'server /orchard'],
      ...['tool harvest__tool_0001', 'tool harvest__tool_0002', 'tool orchard__tool_0001', 'tool orchard__tool_0002'],
    ]);
  }, 240_000);

  test('learns no tag of what is hidden', async () => {
    const tags = (each: SearchedGateway) => each.ask(LOB, 'GET', '/api/search/tags');
    expect(await tags(full)).toEqual(await tags(plain));
    expect((await tags(full)).tags).toEqual(['farm', 'fruit', 'paper', 'post']);
  });

  test('finds no hidden agent by its own search either', async () => {
    for (const query of ['assassin', 'spy', 'northwind', 'apples']) {
      const found = (each: SearchedGateway) => each.ask(LOB, 'GET', `/api/agents/discover/semantic?query=${query}`);
      const masked = await found(full);
      const paths = (masked.agents as JsonObject[]).map(({ path }) => String(path));
      expect(paths.sort()).toEqual([...SEEN_AGENTS].sort());
      expect(paths).toEqual(((await found(plain)).agents as JsonObject[]).map(({ path }) => String(path)).sort());
    }
  });
});

test('what is hidden from one is there for another', async () => {
  const admin: Who = { name: 'ada', groups: ['admins'] };
  const { servers: found, agents } = await full.search(admin, 'northwind takeover');
  expect(found[0]).toMatchObject({ path: '/northwind', num_tools: 3 });
  expect(agents.map(({ path }) => path)).toContain('/assassin');
});

function idsOf({ servers: found, tools, agents }: Hits): string[] {
  return [
    ...found.map(({ path }) => `server ${path}`),
    ...tools.map(({ public_name: name }) => `tool ${name}`),
    ...agents.map(({ path }) => `agent ${path}`),
  ];
}
