/**
 * Searching the registry in plain words through the REST API: the shapes of its documents, what narrows a search, what is
 * left out unless asked for, and that the very next search knows of a change.
 */
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { findFreePort } from '../support/free-port.ts';
import { waitFor } from '../support/gateway-process.ts';
import { resultOf } from '../support/mcp-client.ts';
import { createOpenApiCheck, type OpenApiCheck } from '../support/openapi-check.ts';
import { CALLERS, type Caller, openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';

type Hit = JsonObject & { relevance_score: number; lexical_score: number; vector_score: number; tags: string[] };
type Found = JsonObject & { detail: string } & Record<'servers' | 'tools' | 'agents' | 'skills', Hit[]>;

let gateway: RegistryGateway;
let behind: StartedScripted;
let api: OpenApiCheck;
beforeAll(async () => {
  [gateway, behind] = await Promise.all([
    openRegistryGateway({ search: { weights: { lexical: 0.3, vector: 0.7 } } }),
    startScripted(),
  ]);
  api = createOpenApiCheck((await (await fetch(`${gateway.origin()}/openapi.json`)).json()) as JsonObject);
  for (const body of [
    { path: '/weather', name: 'Weather', description: 'Forecasts of rain and wind', tags: ['Climate', 'public'] },
    { path: '/payroll', name: 'Payroll', description: 'Salaries and pay slips of the staff', tags: ['finance', 'hr'] },
    { path: '/ledger', name: 'Ledger', description: 'Bookkeeping of payments', tags: ['finance'] },
  ])
    await register(body);
  for (const card of [TRANSLATOR, ACCOUNTANT]) {
    const { status, body } = await gateway.post('/api/agents/register', 'admin', card);
    if (status !== 201) throw new Error(JSON.stringify(body));
  }
  await waitFor(async () => {
    const { body } = await gateway.read('/api/tool-catalog', 'admin');
    const served = new Set((body.tools as JsonObject[]).map(({ server_path: path }) => path));
    return served.size === 4 ? true : null;
  }, 'the tools of four servers');
}, 60_000);
afterAll(async () => {
  await gateway.remove();
  await behind.close();
});

const agent = (path: string, name: string, description: string, skill: JsonObject): JsonObject => ({
  ...{ protocolVersion: '1.0', name, description, path, url: `https://agents.example.test${path}` },
  ...{ tags: ['helper'], skills: [skill] },
});
const TRANSLATOR = agent('/translator', 'Translator', 'Turns texts of one language into another.', {
  ...{ id: 'translate', name: 'Translate a letter', description: 'Translates letters into French.', tags: ['French'] },
});
const ACCOUNTANT = agent('/accountant', 'Accountant', 'Closes the books at the end of the year.', {
  ...{ id: 'close-books', name: 'Close the books', description: 'Balances every account.', tags: [] },
});

async function register(body: JsonObject): Promise<void> {
  const registered = await gateway.post('/api/servers/register', 'admin', { proxy_pass_url: behind.url, ...body });
  if (registered.status !== 201) throw new Error(JSON.stringify(registered.body));
}

async function ask(method: string, path: string, caller: Caller, body?: JsonObject) {
  const reply = await api.fetch(gateway.origin() + path, {
    method,
    headers: { authorization: `Bearer ${CALLERS[caller]}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: reply.status, body: (await reply.json()) as Found };
}
const search = (query: string, more: JsonObject = {}, caller: Caller = 'admin') =>
  ask('POST', '/api/search/semantic', caller, { query, ...more });
const find = async (query: string, more: JsonObject = {}) => (await search(query, more)).body;
const paths = (hits: readonly JsonObject[]) => hits.map(({ path }) => path);
const A_TOOL = { tool_name: 'echo', inputSchema: expect.objectContaining({ type: 'object' }) };
const SERVERS = { entity_types: ['mcp_server'], max_results: 50 };

describe('an answer', () => {
  test('has hits of every kind, each with the fields of the documents', async () => {
    const { status, body } = await search('rain forecast', { max_results: 50 });
    expect(status).toBe(200);
    expect(body).toMatchObject({ query: 'rain forecast', search_mode: 'hybrid', virtual_servers: [], custom: [] });
    expect(body.servers[0]).toMatchObject({
      ...{ path: '/weather', server_name: 'Weather', tags: ['Climate', 'public'], is_enabled: true },
      ...{ endpoint_url: `${gateway.origin()}/weather/mcp`, match_context: 'Forecasts of rain and wind' },
    });
    const { body: weather } = await gateway.read('/api/tools/weather', 'admin');
    expect(body.servers[0]?.num_tools).toBe(weather.num_tools);
    expect(body.tools[0]).toMatchObject({
      ...{ server_path: expect.any(String), server_name: expect.any(String), tool_name: expect.any(String) },
      ...{ inputSchema: { type: 'object' }, endpoint_url: expect.stringContaining('/mcp') },
    });
    expect(paths(body.agents).sort()).toEqual(['/accountant', '/translator']);
    expect(body.skills.map(({ skill_id: id, agent_path: path }) => `${path} ${id}`).sort()).toEqual([
      '/accountant close-books',
      '/translator translate',
    ]);
    for (const kind of ['servers', 'tools', 'agents', 'skills'] as const)
      expect(body[`total_${kind}`], kind).toBe(body[kind].length);
  });

  test('scores 0.3 of the words and 0.7 of the meaning, as configured, and no two hits alike', async () => {
    for (const query of ['pay slips', 'echo some text', 'Weather', 'translate into French', 'zzz']) {
      const { servers, tools, agents, skills } = await find(query, { max_results: 50 });
      const hits = [...servers, ...tools, ...agents, ...skills];
      for (const { relevance_score: score, lexical_score: words, vector_score: meaning } of hits)
        expect(Math.abs(score - (0.3 * words + 0.7 * meaning)), query).toBeLessThan(1e-6);
      expect(new Set(hits.map(({ relevance_score: score }) => score)).size).toBe(hits.length);
      for (const kind of [servers, tools, agents, skills]) {
        const scores = kind.map(({ relevance_score: score }) => score);
        expect(scores).toEqual([...scores].sort((a, b) => b - a));
      }
    }
  });

  test.each([
    { query: 'echo the text back', confidence: 'high', because: 'a tool is made for it' },
    { query: 'Payroll', confidence: 'high', because: 'its very name was asked' },
    { query: 'order a pizza with olives', confidence: 'none', because: 'nothing is, though something is nearest' },
  ])('is as sure as its best hit: $query is $confidence, $because', async ({ query, confidence }) => {
    const body = await find(query);
    expect(body.confidence).toBe(confidence);
    expect(body.servers.length + body.tools.length).toBeGreaterThan(0);
  });

  test('is not sure of what it does not hold', async () => {
    expect((await find('Payroll', { tags: ['nobody-has-it'] })).confidence).toBe('none');
  });

  test('is as sure of tools over REST as find_tools is', async () => {
    const client = await gateway.open('modern', 'admin', '/mcp/discovery');
    for (const query of ['echo the text back', 'add two numbers', 'order a pizza with olives', 'send a letter']) {
      const { structuredContent } = resultOf(await client.call('find_tools', { query }));
      const { confidence } = await find(query, { entity_types: ['tool'] });
      expect(confidence, query).toBe((structuredContent as JsonObject).confidence);
    }
    await client.close();
  });

  test('tells which tools a server was found by', async () => {
    const { servers } = await find('echo the text back', SERVERS);
    const named = servers.flatMap(({ matching_tools: tools }) => (tools as JsonObject[]).map(tool => tool.tool_name));
    expect(named).toContain('echo');
    expect(servers[0]).toMatchObject({ matching_tools: expect.arrayContaining([expect.objectContaining(A_TOOL)]) });
  });

  test('gives no kind more than six places of ten while others have something', async () => {
    const { servers, tools, agents, skills } = await find('echo', { max_results: 10 });
    expect(servers.length + tools.length + agents.length + skills.length).toBe(10);
    expect(Math.max(servers.length, tools.length)).toBeLessThanOrEqual(6);
    expect((await find('echo', { max_results: 10, entity_types: ['tool'] })).tools).toHaveLength(10);
  });
});

describe('a search', () => {
  test.each([
    { query: 'money', more: { tags: ['finance'] }, found: ['/ledger', '/payroll'], because: 'tags narrow' },
    { query: 'money', more: { tags: ['finance', 'HR'] }, found: ['/payroll'], because: 'all of them must be there' },
    { query: 'money #finance #hr', more: {}, found: ['/payroll'], because: 'they may stand in the request' },
    { query: '#finance', more: { tags: ['hr'] }, found: ['/payroll'], because: 'both ways count together' },
    { query: '#nobody-has-it', more: {}, found: [], because: 'a tag nobody has leaves nothing' },
  ])('$query with $more: $because', async ({ query, more, found }) => {
    const { servers } = await find(query, { ...SERVERS, ...more });
    expect(paths(servers).sort()).toEqual(found);
  });

  test('gives the tools of a server its tags, and skills those of their agent', async () => {
    const { tools, skills } = await find('echo #hr', { max_results: 50 });
    expect(new Set(tools.map(({ server_path: path }) => path))).toEqual(new Set(['/payroll']));
    expect(skills).toEqual([]);
    const ofAgents = await find('letter #helper', { max_results: 50 });
    expect(ofAgents.skills.map(({ skill_id: id }) => id)).toEqual(['translate', 'close-books']);
    expect([ofAgents.tools, ofAgents.servers]).toEqual([[], []]);
  });

  test('has nothing of the kinds that were not asked for', async () => {
    const { servers, tools, agents, skills } = await find('letters', { entity_types: ['skill'] });
    expect([servers, tools, agents]).toEqual([[], [], []]);
    expect(skills).toHaveLength(2);
    expect(await find('letters', { entity_types: ['virtual_server'] })).toMatchObject({ total_skills: 0, servers: [] });
  });

  test.each([
    { body: { query: 'x', entity_types: ['odd'] }, says: 'entity_types' },
    { body: { query: 'x', entity_types: [] }, says: 'entity_types' },
    { body: { query: 'x'.repeat(513) }, says: 'query' },
    { body: { query: '  ' }, says: 'query' },
    { body: {}, says: 'query' },
    { body: { query: 'x', max_results: 51 }, says: 'max_results' },
    { body: { query: 'x', max_results: 0 }, says: 'max_results' },
    { body: { query: 'x', entity_type: ['tool'] }, says: 'entity_type' },
  ])('answers 400 to $body', async ({ body, says }) => {
    const refused = await ask('POST', '/api/search/semantic', 'admin', body);
    expect([refused.status, refused.body.detail]).toEqual([400, expect.stringContaining(says)]);
  });

  test('finds nothing for whoever may list nothing and use nothing, and is not answered without a credential', async () => {
    const { status, body } = await search('echo', {}, 'stranger');
    expect(status).toBe(200);
    for (const kind of ['servers', 'tools', 'agents', 'skills'] as const) expect(body[kind]).toEqual([]);
    expect((await gateway.post('/api/search/semantic', null, { query: 'rain' })).status).toBe(401);
  });
});

test('tags are those of what the caller may see', async () => {
  const all = ['Climate', 'finance', 'French', 'helper', 'hr', 'public'];
  expect((await ask('GET', '/api/search/tags', 'admin')).body).toEqual({ tags: all, total_tags: all.length });
  expect((await ask('GET', '/api/search/tags', 'lob')).body).toEqual({ tags: [], total_tags: 0 });
  expect((await ask('GET', '/api/search/tags', 'user')).body.tags).toEqual(['Climate', 'finance', 'hr', 'public']);
});

describe.each(['GET', 'POST'])('agents by %s', method => {
  test('come best first, with their cards', async () => {
    const { status, body } = await ask(method, '/api/agents/discover/semantic?query=translate%20letters', 'admin');
    expect(status).toBe(200);
    expect(body.query).toBe('translate letters');
    expect(paths(body.agents)).toEqual(['/translator', '/accountant']);
    expect(body.agents[0]).toMatchObject({ protocolVersion: '1.0', isEnabled: true });
    const one = await ask(method, '/api/agents/discover/semantic?query=balance&max_results=1', 'admin');
    expect(paths(one.body.agents)).toEqual(['/accountant']);
  });

  test('are not for whoever may list none', async () => {
    expect((await ask(method, '/api/agents/discover/semantic?query=letters', 'user')).status).toBe(403);
    expect((await ask(method, '/api/agents/discover/semantic?query=', 'admin')).status).toBe(400);
  });
});

describe('the next search knows', () => {
  const patch = (path: string, body: JsonObject) => gateway.send('PATCH', `/api/servers${path}`, 'admin', body);
  const first = async (query: string, more: JsonObject = {}) => (await find(query, { ...SERVERS, ...more })).servers[0];
  const found = async (more: JsonObject = {}) => paths((await find('bread', { ...SERVERS, ...more })).servers);
  const tooled = async () => (await find('extra echo', { entity_types: ['tool'], max_results: 50 })).tools;

  test('of a server that is registered, edited, switched off and on, and removed', async () => {
    await register({ path: '/bakery', name: 'Bakery', description: 'Bread and rolls' });
    expect(await first('bread')).toMatchObject({ path: '/bakery', description: 'Bread and rolls' });
    expect((await patch('/bakery', { description: 'Cakes', tags: ['sweet'] })).status).toBe(200);
    expect(await first('cakes #sweet')).toMatchObject({ path: '/bakery', description: 'Cakes' });
    await waitFor(async () => ((await tooled()).some(isOf('/bakery')) ? true : null), 'its tools');

    await gateway.post('/api/servers/toggle', 'admin', { path: '/bakery', new_state: false });
    expect(await found()).not.toContain('/bakery');
    expect((await tooled()).some(isOf('/bakery'))).toBe(false);
    expect(await found({ include_disabled: true })).toContain('/bakery');
    await gateway.post('/api/servers/toggle', 'admin', { path: '/bakery', new_state: true });
    expect(await found()).toContain('/bakery');

    await gateway.post('/api/servers/remove', 'admin', { path: '/bakery' });
    expect(await found({ include_disabled: true })).not.toContain('/bakery');
    expect((await tooled()).some(isOf('/bakery'))).toBe(false);
  });

  test.each([
    { status: 'draft', include: 'include_draft' },
    { status: 'deprecated', include: 'include_deprecated' },
  ])('that a $status server and its tools are left out unless asked for', async ({ status, include }) => {
    expect((await patch('/weather', { status, sunset_date: '2027-06-30' })).status).toBe(200);
    expect(await found()).not.toContain('/weather');
    expect((await tooled()).some(isOf('/weather'))).toBe(false);
    expect((await find('x', { [include]: true, ...SERVERS })).servers.some(isAt('/weather'))).toBe(true);
    await patch('/weather', { status: 'active' });
    expect(await found()).toContain('/weather');
  });

  test.each(['draft', 'deprecated'])(
    'over MCP too that a %s server is left out, whose tools are listed and called as before',
    async status => {
      const client = await gateway.open('modern', 'admin', '/mcp/registry');
      const answerOf = async (name: string, args: JsonObject) => resultOf(await client.call(name, args));
      const surfaces: Record<string, () => Promise<unknown[]>> = {
        async find_tools() {
          const { structuredContent } = await answerOf('find_tools', { query: 'extra echo', limit: 50 });
          return (structuredContent as { tools: JsonObject[] }).tools.map(({ server }) => `/${server}`);
        },
        async intelligent_tool_finder() {
          const args = { natural_language_query: 'extra echo', top_k_services: 50, top_n_tools: 50 };
          const { structuredContent } = await answerOf('intelligent_tool_finder', args);
          return (structuredContent as { result: JsonObject[] }).result.map(({ service_path: path }) => path);
        },
        async search_registry() {
          const { structuredContent } = await answerOf('search_registry', { query: 'extra echo', max_results: 50 });
          const { servers, tools } = structuredContent as Found;
          return [...paths(servers), ...tools.map(({ server_path: path }) => path)];
        },
      };
      try {
        for (const [name, look] of Object.entries(surfaces)) expect(await look(), name).toContain('/weather');
        expect((await patch('/weather', { status })).status).toBe(200);
        for (const [name, look] of Object.entries(surfaces)) {
          expect(await look(), name).not.toContain('/weather');
          expect(await look(), name).toContain('/ledger');
        }
        const direct = await gateway.open('modern', 'admin', '/mcp/direct');
        const listed = resultOf(await direct.request('tools/list')).tools as JsonObject[];
        expect(listed.map(({ name }) => name)).toContain('weather__echo');
        expect(resultOf(await direct.call('weather__echo', { text: 'hi' })).isError ?? false).toBe(false);
        await direct.close();
      } finally {
        await patch('/weather', { status: 'active' });
        await client.close();
      }
    },
  );

  test('of an agent that became a draft, by its skills as well', async () => {
    const discovered = async () => {
      const { body } = await ask('POST', '/api/agents/discover', 'admin', { skills: ['translate'] });
      return paths(body.agents);
    };
    expect(await discovered()).toEqual(['/translator']);
    const put = (status: string) =>
      gateway.send('PUT', '/api/agents/translator', 'admin', { ...TRANSLATOR, status } as JsonObject);
    expect((await put('draft')).status).toBe(200);
    expect(await discovered()).toEqual([]);
    expect((await put('active')).status).toBe(200);
    expect(await discovered()).toEqual(['/translator']);
  });

  test('of a tool that a server offers anew, once its list is read again', async () => {
    const extra = async () => (await tooled()).filter(isOf('/ledger')).some(isOf('extra', 'tool_name'));
    const client = await gateway.open('modern', 'admin', '/ledger/mcp');
    for (const isThere of [true, false]) {
      await client.call('toggle', {});
      expect((await gateway.post('/api/refresh/ledger', 'operator')).status).toBe(200);
      expect(await extra()).toBe(isThere);
    }
    await client.close();
  });

  test('of an agent that is registered, changed, switched off, and removed, and of its skills', async () => {
    const pilot = agent('/pilot', 'Pilot', 'Flies aeroplanes.', { id: 'land', name: 'Land', description: 'Lands.' });
    const seen = async (more: JsonObject = {}) => {
      const { agents, skills } = await find('flying', {
        entity_types: ['a2a_agent', 'skill'],
        max_results: 50,
        ...more,
      });
      return [paths(agents).includes('/pilot'), skills.filter(isOf('/pilot', 'agent_path')).map(each => each.skill_id)];
    };
    expect((await gateway.post('/api/agents/register', 'admin', pilot)).status).toBe(201);
    expect(await seen()).toEqual([true, ['land']]);
    const skills = [{ id: 'loop', name: 'Loop', description: 'Loops.', tags: [] }];
    expect((await gateway.send('PUT', '/api/agents/pilot', 'admin', { ...pilot, skills })).status).toBe(200);
    expect(await seen()).toEqual([true, ['loop']]);
    await gateway.post('/api/agents/pilot/toggle?enabled=false', 'admin');
    expect(await seen()).toEqual([false, []]);
    expect(await seen({ include_disabled: true })).toEqual([true, ['loop']]);
    expect((await gateway.send('DELETE', '/api/agents/pilot', 'admin')).status).toBe(204);
    expect(await seen({ include_disabled: true })).toEqual([false, []]);
  });

  test('of everything there was before the gateway was started again', async () => {
    await gateway.stop();
    await gateway.start();
    const { servers, agents, skills } = await find('letters', { max_results: 50 });
    expect(paths(servers)).toContain('/payroll');
    expect(paths(agents).sort()).toEqual(['/accountant', '/translator']);
    expect(skills).toHaveLength(2);
  });
});

test('words alone answer while the model cannot be asked', async () => {
  const port = await findFreePort();
  const model = { provider: 'openai', baseUrl: `http://127.0.0.1:${port}/v1`, model: 'none', dimensions: 8 };
  const alone = await openRegistryGateway({ search: model });
  try {
    const { status, body } = await alone.post('/api/search/semantic', 'admin', { query: 'echoes and counts' });
    expect([status, body.search_mode]).toEqual([200, 'lexical-only']);
    const [first] = (body as Found).servers;
    expect(first).toMatchObject({ path: '/everyday', vector_score: null });
    expect(Math.abs(Number(first?.relevance_score) - Number(first?.lexical_score))).toBeLessThan(1e-6);
  } finally {
    await alone.remove();
  }
});

function isOf(path: string, member = 'server_path') {
  return (hit: JsonObject): boolean => hit[member] === path;
}
function isAt(path: string) {
  return isOf(path, 'path');
}

describe('search_registry, for clients of MCP', () => {
  const over = async (caller: Caller, args: JsonObject): Promise<Found> => {
    const client = await gateway.open('modern', caller, '/mcp/registry');
    const reply = await client.call('search_registry', args);
    await client.close();
    return resultOf(reply).structuredContent as Found;
  };
  const names = ({ servers, tools, agents, skills }: Found) => [
    ...servers.map(({ path, num_tools: tools, relevance_score: score }) => ({ path, tools, score })),
    ...tools.map(({ server_path: path, tool_name: name, relevance_score: score }) => ({ path, name, score })),
    ...agents.map(({ path, url, relevance_score: score }) => ({ path, url, score })),
    ...skills.map(({ agent_path: path, skill_id: id, relevance_score: score }) => ({ path, id, score })),
  ];

  test.each<{ caller: Caller }>([{ caller: 'admin' }, { caller: 'user' }, { caller: 'lob' }, { caller: 'stranger' }])(
    'finds for $caller what the REST API finds',
    async ({ caller }) => {
      for (const query of ['rain forecast', 'translate into French', 'pay slips #finance']) {
        // The model of the catalog's words is made in the background, and may come between the two.
        const found = await vi.waitFor(async () => {
          const { body } = await search(query, { max_results: 20 }, caller);
          const theirs = await over(caller, { query, max_results: 20 });
          expect(names(theirs), query).toEqual(names(body));
          expect(theirs.confidence, query).toBe(body.confidence);
          return theirs;
        }, 10_000);
        expect(found.total_results).toBe(names(found).length);
        if (caller === 'admin') expect(names(found).length, query).toBeGreaterThan(0);
        if (caller === 'stranger') expect(names(found), query).toEqual([]);
      }
    },
  );

  test('is narrowed to kinds and tags', async () => {
    const found = await over('admin', { query: 'translate into French', kinds: ['skill'], max_results: 5 });
    expect(found).toMatchObject({ servers: [], tools: [], agents: [] });
    expect(found.skills[0]).toMatchObject({ skill_id: 'translate', agent_path: '/translator' });
    const tagged = await over('admin', { query: 'money', kinds: ['server'], tags: ['Finance', 'hr'] });
    expect(paths(tagged.servers)).toEqual(['/payroll']);
  });
});
