/**
 * The registry's REST API word by word: shapes, pages, revisions, versions, stars, and what is answered to mistakes. One
 * gateway, one real server behind everything that is registered.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Json, JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { waitFor } from '../support/gateway-process.ts';
import { textOf } from '../support/mcp-client.ts';
import { openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';
import { findServerJsonMistakes } from '../support/server-json.ts';

let gateway: RegistryGateway;
let behind: StartedScripted;
beforeAll(async () => {
  [gateway, behind] = await Promise.all([
    openRegistryGateway({ registry: { allowCommands: ['/usr/bin/env', process.execPath], allowEnv: ['GREETING'] } }),
    startScripted(),
  ]);
  for (const name of ['alpha', 'beta', 'gamma']) {
    await register({ path: `/${name}`, name, tags: [name, 'greek'], description: `Letters of ${name}` });
  }
});
afterAll(async () => {
  await gateway.remove();
  await behind.close();
});

const register = (body: JsonObject) =>
  gateway.post('/api/servers/register', 'admin', {
    ...{ name: 'A server', description: 'Does things', proxy_pass_url: behind.url },
    ...body,
  });
const read = (path: string) => gateway.read(path, 'admin');
const untilTools = (path: string) =>
  waitFor(async () => {
    const { body } = await read(`/api/tools${path}`);
    return Number(body.num_tools) > 0 ? body : null;
  }, `tools of ${path}`);

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a list', () => {
  test('comes in pages that say whether there is more', async () => {
    const first = await read('/api/servers?limit=3&offset=0');
    expect(first.body).toMatchObject({ total_count: 4, limit: 3, offset: 0, has_next: true });
    const rest = await read('/api/servers?limit=3&offset=3');
    expect(rest.body).toMatchObject({ total_count: 4, has_next: false });
    const paths = [first, rest].flatMap(({ body }) => (body.servers as JsonObject[]).map(({ path }) => path));
    expect(paths).toEqual(['/alpha', '/beta', '/everyday', '/gamma']);
  });

  test.each([
    { query: 'query=letters%20gamma', paths: ['/gamma'] },
    { query: 'tags=greek,beta', paths: ['/beta'] },
    { query: 'status=disabled', paths: [] },
    { query: 'query=nothing-like-it', paths: [] },
  ])('narrows by $query', async ({ query, paths }) => {
    const { body } = await read(`/api/servers?${query}`);
    expect((body.servers as JsonObject[]).map(({ path }) => path)).toEqual(paths);
    expect(body.total_count).toBe(paths.length);
  });

  test('has every field of the documents, and tools only where they are wanted', async () => {
    await untilTools('/alpha');
    const { body } = await read('/api/servers?query=alpha');
    const [alpha] = body.servers as JsonObject[];
    for (const field of [
      ...['id', 'display_name', 'path', 'description', 'proxy_pass_url', 'is_enabled', 'tags', 'num_tools', 'license'],
      ...['health_status', 'last_checked_iso', 'mcp_endpoint', 'metadata', 'version', 'versions', 'tool_list'],
      ...['auth_scheme', 'visibility', 'status', 'num_stars', 'rating_details', 'security_scan', 'sync_metadata'],
      ...['deployment', 'local_runtime', 'registered_by', 'registered_at', 'updated_at'],
    ])
      expect(alpha, field).toHaveProperty(field);
    expect(alpha).toMatchObject({ health_status: 'healthy', registered_by: 'admin' });
    const bare = await read('/api/servers?query=alpha&include_tools=false');
    expect((bare.body.servers as JsonObject[])[0]).not.toHaveProperty('tool_list');
  });

  test('is under its older address what it is under its own, to each caller', async () => {
    for (const caller of ['admin', 'lob', 'stranger'] as const) {
      const [now, before] = await Promise.all(
        ['/api/servers?limit=2', '/api/internal/list?limit=2'].map(async path => {
          const { status, body } = await gateway.read(path, caller);
          return [status, body.total_count, (body.servers as JsonObject[] | undefined)?.map(({ path }) => path)];
        }),
      );
      expect([caller, before]).toEqual([caller, now]);
    }
  });

  test.each(['limit=0', 'limit=2001', 'limit=x', 'offset=-1', 'status=odd', 'unknown=1'])(
    'answers 400 to ?%s',
    async query => expect((await read(`/api/servers?${query}`)).status).toBe(400),
  );
});

describe('registering', () => {
  test.each([
    { body: { path: '/x', name: '' }, status: 400, says: 'name' },
    { body: { path: '/x', proxy_pass_url: 'ftp://a.example' }, status: 400, says: 'proxy_pass_url' },
    { body: { path: '/x', proxy_pass_url: 'https://u:p@a.example' }, status: 400, says: 'auth_credential' },
    { body: { path: '/x', proxy_pass_url: '' }, status: 400, says: 'is missing' },
    { body: { path: '/../x' }, status: 400, says: 'path' },
    { body: { path: '/api/x' }, status: 400, says: 'address of the gateway itself' },
    { body: { path: '/x', auth_scheme: 'bearer' }, status: 400, says: 'auth_credential: is missing' },
    { body: { path: '/x', suprise: true }, status: 400, says: 'suprise' },
    { body: { path: '/alpha' }, status: 409, says: 'already' },
    { body: { path: 'alpha/' }, status: 409, says: 'already' },
  ])('answers $status to $body', async ({ body, status, says }) => {
    const refused = await register(body as JsonObject);
    expect([refused.status, refused.body.detail]).toEqual([status, expect.stringContaining(says)]);
  });

  test('finds what is there already, by address and by words', async () => {
    const alike = { name: 'alpha', description: 'Letters of alpha', proxy_pass_url: behind.url };
    const { status, body } = await gateway.post('/api/servers/check-duplicates', 'user', alike);
    expect(status).toBe(200);
    expect(body).toMatchObject({ has_collision: true, similarity_search_available: true });
    expect((body.collision_with as JsonObject[]).map(({ path }) => path)).toContain('/alpha');
    expect((body.advisory_matches as JsonObject[])[0]).toMatchObject({ path: '/alpha', score: expect.closeTo(1) });
    const fresh = { name: 'weather', description: 'Rain and wind', proxy_pass_url: 'https://fresh.example' };
    expect((await gateway.post('/api/servers/check-duplicates', 'user', fresh)).body).toMatchObject({
      ...{ has_collision: false, advisory_matches: [] },
    });
  });
});

test('the catalogue of tools comes whole, or in pages that leave nothing out', async () => {
  await untilTools('/alpha');
  const all = (await read('/api/tool-catalog')).body;
  const total = Number(all.total_count);
  expect((all.tools as JsonObject[]).length).toBe(total);
  const pages: JsonObject[] = [];
  for (let offset = 0; offset < total; offset += 7) {
    const { body } = await read(`/api/tool-catalog?limit=7&offset=${offset}`);
    expect(body.total_count).toBe(total);
    expect((body.tools as JsonObject[]).length).toBe(Math.min(7, total - offset));
    pages.push(...(body.tools as JsonObject[]));
  }
  expect(pages).toEqual(all.tools);
  for (const query of ['limit=0', 'limit=x', 'page=2'])
    expect([query, (await read(`/api/tool-catalog?${query}`)).status]).toEqual([query, 400]);
});

describe('a revision', () => {
  test('that is not the latest changes nothing', async () => {
    const { headers } = await read('/api/servers/beta');
    const etag = headers.get('etag') ?? '';
    const write = (description: string, ifMatch: string) =>
      gateway.send('PATCH', '/api/servers/beta', 'admin', { description }, { 'if-match': ifMatch });
    const first = await write('first', etag);
    expect(first.status).toBe(200);
    expect(first.headers.get('etag')).not.toBe(etag);
    expect((await write('second', etag)).status).toBe(412);
    expect((await write('second', 'odd')).status).toBe(412);
    expect((await read('/api/servers/beta')).body.description).toBe('first');
    expect((await write('third', first.headers.get('etag') ?? '')).status).toBe(200);
  });

  test('is one of many writers’: of ten at once with the same tag one wins', async () => {
    const etag = (await read('/api/servers/beta')).headers.get('etag') ?? '';
    const statuses = await Promise.all(
      Array.from({ length: 10 }, (_, i) =>
        gateway.send('PATCH', '/api/servers/beta', 'admin', { license: `L${i}` }, { 'if-match': etag }),
      ),
    );
    expect(statuses.map(({ status }) => status).sort()).toEqual([200, ...Array.from({ length: 9 }, () => 412)]);
  });

  test('put whole forgets what is left out', async () => {
    const body = { name: 'gamma', description: 'anew', proxy_pass_url: behind.url };
    const put = await gateway.send('PUT', '/api/servers/gamma', 'admin', body);
    expect(put).toMatchObject({ status: 200, body: { description: 'anew', tags: [] } });
  });
});

describe('versions', () => {
  test('stand beside each other, one of them active; the active one cannot be removed', async () => {
    await register({ path: '/versioned', version: 'v1.0.0' });
    const second = await register({ path: '/versioned', version: 'v2.0.0', description: 'the second' });
    expect(second).toMatchObject({ status: 201, body: { message: expect.stringContaining('beside') } });
    expect((await read('/api/servers/versioned')).body).toMatchObject({
      version: 'v1.0.0',
      versions: ['v1.0.0', 'v2.0.0'],
    });
    const at = '/api/servers/versioned/versions';
    expect((await gateway.send('PUT', `${at}/default`, 'admin', { version: 'v2.0.0' })).status).toBe(200);
    expect((await read(at)).body).toMatchObject({ active_version: 'v2.0.0' });
    expect((await read('/api/servers/versioned')).body.description).toBe('the second');
    expect((await gateway.send('DELETE', `${at}/v2.0.0`, 'admin')).status).toBe(409);
    expect((await gateway.send('DELETE', `${at}/v1.0.0`, 'admin')).status).toBe(200);
    expect((await gateway.send('DELETE', `${at}/v1.0.0`, 'admin')).status).toBe(404);
    expect((await register({ path: '/versioned', version: 'v2.0.0' })).status).toBe(409);
  });
});

describe('a server that ends', () => {
  const change = (body: JsonObject, caller: 'admin' | 'developer' = 'admin') =>
    gateway.send('PATCH', '/api/servers/ending', caller, body);
  const ending = () => ({ name: 'Ending', description: 'Ends', proxy_pass_url: behind.url, status: 'draft' });
  beforeAll(async () => {
    const registered = await gateway.post('/api/servers/register', 'developer', { ...ending(), path: '/ending' });
    expect(registered.status).toBe(201);
  });

  test('says when, as a date or a time, wherever it says that it does', async () => {
    for (const body of [
      { status: 'deprecated' },
      { status: 'deprecated', sunset_date: '' },
      { sunset_date: 'soon' },
      { sunset_date: '2027-02-30' },
      { sunset_date: '30.06.2027' },
    ]) {
      const refused = await change(body);
      expect([body, refused.status, refused.body.detail]).toEqual([body, 400, expect.stringMatching(/^sunset_date: /)]);
    }
    const late = { ...ending(), path: '/late', status: 'deprecated' };
    expect((await gateway.post('/api/servers/register', 'admin', late)).status).toBe(400);
    for (const date of ['2027-06-30', '2027-06-30T12:00:00Z', '2027-06-30T12:00:00+02:00', '2027-06-30T12:00:00']) {
      const changed = await change({ status: 'deprecated', sunset_date: date });
      expect([changed.status, changed.body.status, changed.body.sunset_date]).toEqual([200, 'deprecated', date]);
    }
    expect((await change({ sunset_date: null })).status).toBe(400);
    expect((await change({ status: 'active', sunset_date: null })).body).toMatchObject({ sunset_date: null });
  });

  test('stays where it is where nobody says otherwise, also where it is written anew as a whole', async () => {
    const { status: _status, ...rest } = ending();
    const { status: before } = (await read('/api/servers/ending')).body;
    const put = await gateway.send('PUT', '/api/servers/ending', 'developer', { ...rest, description: 'put' });
    expect([put.status, put.body.description]).toEqual([200, 'put']);
    const over = { ...rest, path: '/ending', overwrite: true };
    expect((await gateway.post('/api/servers/register', 'developer', over)).status).toBe(201);
    expect((await read('/api/servers/ending')).body).toMatchObject({ status: before, description: 'Ends' });
  });

  test('is put there by whoever may, which its owner may not: then nothing of the request is done', async () => {
    const etag = async () => (await read('/api/servers/ending')).headers.get('etag');
    const before = await etag();
    const late = { status: 'deprecated', sunset_date: '2027-06-30', description: 'by its owner' };
    const whole = ending();
    for (const refused of [
      await change(late, 'developer'),
      await gateway.send('PUT', '/api/servers/ending', 'developer', whole),
      await gateway.post('/edit/ending', 'developer', new URLSearchParams(late)),
      await gateway.post('/register', 'developer', { ...whole, path: '/ending', overwrite: true }),
    ])
      expect([refused.status, refused.body.detail]).toEqual([403, expect.stringContaining('change_lifecycle_status')]);
    expect(await etag()).toBe(before);
    expect((await change({ description: 'by its owner' }, 'developer')).status).toBe(200);
  });
});

describe('stars', () => {
  const rate = (path: string, rating: Json, caller: 'admin' | 'user' = 'user') =>
    gateway.post(path, caller, { rating, username: 'somebody else' });

  test('are one per caller under every spelling, and the rater is the caller', async () => {
    expect((await rate('/api/servers/alpha/rate', 5)).body).toMatchObject({ average_rating: 5 });
    expect((await rate('/api/v2/servers/alpha/rate', 3)).body).toMatchObject({ average_rating: 3 });
    expect((await rate('/api/v2/servers/alpha/rating', 4, 'admin')).body).toMatchObject({ average_rating: 3.5 });
    expect((await read('/api/v2/servers/alpha')).body).toMatchObject({
      ...{ aggregate_rating: 3.5, rating_count: 2, path: '/alpha' },
      rating_details: [
        { user: 'user', rating: 3 },
        { user: 'admin', rating: 4 },
      ],
    });
    expect((await read('/api/servers/alpha/rating')).body).toMatchObject({ num_stars: 3.5 });
    expect((await gateway.read('/api/v2/servers/alpha', null)).status).toBe(401);
  });

  test.each([0, 6, 4.5, '5', null])('answers 400 to %s', async rating => {
    expect((await rate('/api/servers/alpha/rate', rating)).status).toBe(400);
  });

  test('come in a form, too, under every spelling, of servers and of agents', async () => {
    const skills = [{ id: 'help', name: 'Help', description: 'Helps', tags: [] }];
    const card = { protocolVersion: '1.0', name: 'Helper', description: 'Helps', url: 'https://agents.example.test/' };
    await gateway.post('/api/agents/register', 'admin', { ...card, path: '/helper', skills });
    for (const kind of ['servers/beta', 'agents/helper']) {
      for (const [path, stars] of [
        [`/api/${kind}/rate`, 4],
        [`/api/v2/${kind}/rate`, 3],
        [`/api/v2/${kind}/rating`, 2],
      ] as const) {
        const form = new URLSearchParams({ rating: String(stars), username: 'somebody else' });
        const rated = await gateway.post(path, 'admin', form);
        expect([path, rated.status, rated.body.average_rating]).toEqual([path, 200, stars]);
        const { body } = await read(`/api/v2/${kind}/rating`);
        expect([body.rating_count, body.aggregate_rating]).toEqual([
          (body.rating_details as JsonObject[]).length,
          (await read(`/api/v2/${kind}`)).body.aggregate_rating,
        ]);
        for (const rating of ['0', '6', '4.5', '', '5 ', 'five']) {
          const refused = await gateway.post(path, 'admin', new URLSearchParams({ rating }));
          expect([path, rating, refused.status]).toEqual([path, rating, 400]);
        }
        expect([path, (await rate(path, '5', 'admin')).status]).toEqual([path, 400]);
      }
    }
  });
});

describe('tools', () => {
  test('are shown with their schema and the parts of their description, and refreshed when asked', async () => {
    const { tools } = await untilTools('/alpha');
    expect((tools as JsonObject[])[0]).toMatchObject({
      ...{ name: expect.any(String), schema: expect.any(Object), parsed_description: { main: expect.any(String) } },
    });
    const all = await read('/api/tools/all');
    const servers = new Set((all.body.tools as JsonObject[]).map(({ server_path: path }) => path));
    expect(servers).toContain('/alpha');
    const refreshed = await gateway.post('/api/refresh/alpha', 'operator');
    expect(refreshed.body).toMatchObject({ service_path: '/alpha', status: 'healthy', num_tools: expect.any(Number) });
    await gateway.post('/toggle/alpha', 'admin', { enabled: false });
    expect((await gateway.post('/api/refresh/alpha', 'operator')).status).toBe(400);
    await gateway.post('/toggle/alpha', 'admin', { enabled: true });
  });
});

describe('what is started', () => {
  const launch = { command: '/usr/bin/env', args: ['-c', '--eval', '; id', '$(id)'], env: [] };
  const tryLaunch = (caller: 'admin' | 'developer' | 'operator', more: JsonObject = {}) =>
    gateway.post('/api/servers/register', caller, {
      ...{ name: 'x', description: 'x', path: '/started', launch: { ...launch, ...more } },
    });

  test.each([
    { caller: 'developer', more: {}, status: 403, because: 'it is for administrators' },
    { caller: 'operator', more: {}, status: 403, because: 'operators register nothing' },
    { caller: 'admin', more: { command: 'sh' }, status: 403, because: 'no operator allowed that command' },
    { caller: 'admin', more: { command: '/usr/bin/env ' }, status: 403, because: 'it is not spelled as it is allowed' },
    { caller: 'admin', more: { env: ['PATH'] }, status: 400, because: 'that variable is not one to hand out' },
  ] as { caller: 'admin' | 'developer' | 'operator'; more: JsonObject; status: number; because: string }[])(
    'is refused: $because',
    async ({ caller, more, status }) => {
      expect((await tryLaunch(caller, more)).status).toBe(status);
    },
  );

  test('is the allowed command with its arguments as they are, and it ends when it is removed', async () => {
    const { command, args } = stdioScripted({ name: '$(id); rm -rf "x" && -c' });
    const started = await gateway.post('/api/servers/register', 'admin', {
      ...{ name: 'x', description: 'x', path: '/started', launch: { command, args, env: ['GREETING'] } },
    });
    expect(started.status).toBe(201);
    expect(started.body.message).toContain('registered');
    await untilTools('/started');
    const client = await gateway.open('legacy', 'admin', '/started/mcp');
    const { pid } = JSON.parse(textOf(await client.call('__stats', {}))) as { pid: number };
    await client.close();
    expect(pid).not.toBe(process.pid);
    expect((await gateway.post('/api/servers/remove', 'admin', { path: '/started' })).status).toBe(200);
    await waitFor(() => (isAlive(pid) ? null : true), 'the end of the child');
  });

  test('is never what runs on the machine of whoever uses it', async () => {
    const runtime = { type: 'npx', package: '@scope/tool', args: ['--stdio'] };
    const local = { path: '/on-laptops', deployment: 'local', local_runtime: runtime, proxy_pass_url: null };
    expect((await register(local)).status).toBe(201);
    const { body } = await read('/api/servers/on-laptops/connect-config');
    expect(body).toMatchObject({
      ...{ url: null, transport: 'stdio' },
      clients: { cursor: { mcpServers: { 'on-laptops': { command: 'npx', args: ['-y', '@scope/tool', '--stdio'] } } } },
    });
    expect((await read('/api/servers/on-laptops')).body.health_status).toBe('local');
    expect((await gateway.post('/api/servers/on-laptops/mcp', 'admin', {})).status).toBe(405);
    expect((await gateway.post('/on-laptops/mcp', 'admin', { jsonrpc: '2.0', id: 1, method: 'ping' })).status).toBe(
      404,
    );
  });
});

describe('the compatibility API', () => {
  test('pages by name, loses nothing, repeats nothing, and keeps to the schema of the official registry', async () => {
    await register({ path: '/team/nested', description: 'x'.repeat(300) });
    const names: string[] = [];
    for (let cursor = ''; ; ) {
      const { status, body } = await read(`/v0.1/servers?limit=2&cursor=${encodeURIComponent(cursor)}`);
      expect(status).toBe(200);
      const servers = (body.servers as JsonObject[]).map(({ server }) => server as JsonObject);
      expect(servers.length).toBeLessThanOrEqual(2);
      for (const server of servers) expect(findServerJsonMistakes(server)).toEqual([]);
      names.push(...servers.map(({ name }) => String(name)));
      const { nextCursor, count } = body.metadata as JsonObject;
      expect(count).toBe(servers.length);
      if (nextCursor === null) break;
      cursor = String(nextCursor);
    }
    expect(names).toEqual([...names].sort());
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain('io.mcpgateway/team--nested');
    expect(names).toHaveLength(Number((await read('/api/servers')).body.total_count));
  });

  test('gives nobody the name of another server, however its path is written', async () => {
    await register({ path: '/over/there', name: 'First' });
    await register({ path: '/over--there', name: 'Second' });
    const titleOf = async (name: string) => {
      const { body } = await read(`/v0.1/servers/${encodeURIComponent(name)}/versions/latest`);
      const { title, name: own } = (body.server ?? {}) as JsonObject;
      return [title, own];
    };
    expect(await titleOf('io.mcpgateway/over--there')).toEqual(['First', 'io.mcpgateway/over--there']);
    expect(await titleOf('io.mcpgateway/over/there')).toEqual(['First', 'io.mcpgateway/over--there']);
    expect(await titleOf('io.mcpgateway/over-_-there')).toEqual(['Second', 'io.mcpgateway/over-_-there']);
    const { body } = await read('/v0.1/servers?search=over-&limit=1000');
    expect((body.servers as JsonObject[]).map(({ server }) => (server as JsonObject).title)).toEqual([
      'First',
      'Second',
    ]);
  });

  test.each([
    { path: 'io.mcpgateway%2Falpha/versions', status: 200 },
    { path: 'io.mcpgateway%2Falpha/versions/latest', status: 200 },
    { path: 'io.mcpgateway%2Falpha/versions/v1.0.0', status: 200 },
    { path: 'io.mcpgateway/alpha/versions/latest', status: 200 },
    { path: 'io.mcpgateway%2Falpha/versions/v9', status: 404 },
    { path: 'io.mcpgateway%2Fnothing/versions', status: 404 },
    { path: 'com.example%2Falpha/versions/latest', status: 404 },
  ])('answers $status at $path', async ({ path, status }) => {
    expect((await read(`/v0.1/servers/${path}`)).status).toBe(status);
  });

  test.each([
    { query: 'search=ALPH', found: true },
    { query: 'search=no-such-thing', found: false },
    { query: 'version=latest', found: true },
    { query: 'version=v1.0.0', found: true },
    { query: 'version=v9', found: false },
    { query: 'updated_since=2020-01-01T00:00:00Z', found: true },
    { query: 'updated_since=2999-01-01T00:00:00Z', found: false },
  ])('lists a server for $query: $found', async ({ query, found }) => {
    const { body } = await read(`/v0.1/servers?${query}`);
    const names = (body.servers as JsonObject[]).map(({ server }) => (server as JsonObject).name);
    expect(names.includes('io.mcpgateway/alpha')).toBe(found);
  });

  test('says what is wrong with a time', async () => {
    const { status, body } = await read('/v0.1/servers?updated_since=yesterday');
    expect([status, body.detail]).toEqual([400, expect.stringContaining('RFC 3339')]);
  });

  test('is empty, not forbidden, for whoever may list nothing', async () => {
    expect((await gateway.read('/v0.1/servers', 'stranger')).body).toMatchObject({
      servers: [],
      metadata: { count: 0 },
    });
    expect((await gateway.read('/v0.1/servers/io.mcpgateway%2Falpha/versions', 'stranger')).status).toBe(404);
  });
});

test('an address inside the network is refused with one sentence, whoever names it, and no socket is opened', async () => {
  const [closed, inside] = await Promise.all([openRegistryGateway({ outbound: {} }), startScripted()]);
  try {
    const urls = [inside.url, 'http://127.0.0.1:9/mcp', 'https://169.254.169.254/latest', 'https://[::1]/mcp'];
    const answers = [];
    for (const url of urls) {
      const body = { name: 'x', description: 'x', path: '/inside', proxy_pass_url: url };
      const { status, body: refused } = await closed.post('/api/servers/register', 'admin', body);
      answers.push(`${status} ${String(refused.detail)}`);
    }
    expect(new Set(answers)).toEqual(new Set([expect.stringMatching(/^400 The URL cannot be used/)]));
    expect(inside.stats().requests).toEqual({});
    expect((await closed.read('/api/servers/inside', 'admin')).status).toBe(404);
  } finally {
    await closed.remove();
    await inside.close();
  }
});

test('a group asked for at the identity provider too is made here, and the answer says so', async () => {
  const asked = { group_name: 'night-shift', create_in_idp: true };
  const created = await gateway.post('/api/servers/groups/create', 'admin', asked);
  expect(created).toMatchObject({ status: 201, body: { scope_name: 'night-shift' } });
  expect(created.body.message).toContain('Create it at the identity provider too');
  const deleted = { group_name: 'night-shift', delete_from_idp: true };
  const { status, body } = await gateway.post('/api/servers/groups/delete', 'admin', deleted);
  expect(status).toBe(200);
  expect(body.message).toContain('At the identity provider it stays');
});
