import { describe, expect, it, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { failure } from '../../../src/domain/error.ts';
import { Secret } from '../../../src/domain/secret.ts';
import {
  answer,
  defineRoute,
  noContent,
  type RestRoute,
  type RouteSpec,
  redirect,
} from '../../../src/inbound/rest/route.ts';
import { policyOf } from '../../support/policies.ts';
import { createKeptBook } from '../../support/quiet-house.ts';
import { callerOf, type FrameSetup, startFrame } from '../../support/rest-frame.ts';
import { ask as askRaw, exchange, openSocket } from '../http/wire.ts';

const POLICY = policyOf({
  scopes: {
    'UI-Scopes': { admins: { modify_service: ['all'] }, users: { list_service: ['files'] } },
    group_mappings: { admins: ['admins', 'everything'], users: ['users', 'read-api'] },
    everything: [{ server: 'api', methods: ['GET', 'POST', 'PUT', 'DELETE'], tools: [] }],
    tell: [{ server: 'api', methods: ['tokens'], tools: [] }],
    'read-api': [{ server: 'api', methods: ['GET'], tools: [] }],
  },
});
const CALLERS = {
  admin: callerOf('admin', { groups: new Set(['admins']) }),
  user: callerOf('user', { groups: new Set(['users']) }),
  teller: callerOf('teller', { scopes: new Set(['tell']) }),
  nobody: callerOf('nobody'),
  bound: callerOf('bound', { groups: new Set(['admins']), boundServer: 'files' }),
};

type Spec = Pick<RouteSpec<unknown, unknown, unknown>, 'method' | 'path' | 'access'> &
  Partial<RouteSpec<unknown, unknown, unknown>>;
const route = (spec: Spec): RestRoute =>
  defineRoute({
    ...{ operation: 'test', summary: 'Test', tag: 'test', answers: {}, run: () => answer(200, {}) },
    ...spec,
  });
const start = (routes: readonly RestRoute[], more: Partial<FrameSetup> = {}) =>
  startFrame({ policy: POLICY, callers: CALLERS, routes, ...more }, onTestFinished);

const JSON_BODY = z.strictObject({ name: z.string(), size: z.int().min(1) });

describe('who may', () => {
  const EACH = [
    { access: { kind: 'caller' }, may: ['admin', 'user', 'teller', 'nobody'] },
    { access: { kind: 'api' }, may: ['admin', 'user'] },
    { access: { kind: 'api', word: 'tokens' }, may: ['admin', 'user', 'teller'] },
    { access: { kind: 'ui', action: 'list_service' }, may: ['user'] },
    { access: { kind: 'ui', action: 'modify_service' }, may: ['admin'] },
    { access: { kind: 'admin' }, may: ['admin'] },
  ] as const;

  test.each(EACH)('use a route of $access: $may, and no token for one server', async ({ access, may }) => {
    const frame = await start([route({ method: 'GET', path: '/api/x', access })]);
    for (const token of Object.keys(CALLERS)) {
      const { status, body } = await frame.ask('GET', '/api/x', { token });
      expect([token, status]).toEqual([token, (may as readonly string[]).includes(token) ? 200 : 403]);
      if (status === 403) expect(body).toEqual({ detail: expect.stringMatching(/^Denied by policy: .+\.$/) });
    }
    expect((await frame.ask('GET', '/api/x')).status).toBe(401);
    expect((await frame.ask('GET', '/api/x', { token: 'unknown' })).status).toBe(401);
  });

  it('asks for a credential, and says which scope is missing', async () => {
    const frame = await start([route({ method: 'POST', path: '/api/x', access: { kind: 'api' } })]);
    const unknown = await frame.ask('POST', '/api/x');
    expect(unknown.body).toEqual({ detail: 'Authentication required.' });
    expect(unknown.headers.get('www-authenticate')).toMatch(/^Bearer resource_metadata=/);
    const { headers } = await frame.ask('POST', '/api/x', { token: 'user' });
    expect(headers.get('www-authenticate')).toMatch(/error="insufficient_scope", .*scope="everything"/);
  });

  it('is asked nobody by a public route, which learns nothing of a caller', async () => {
    let seen: unknown;
    const frame = await start([
      route({
        ...{ method: 'GET', path: '/api/open', access: { kind: 'public' } },
        run(call) {
          seen = [call.who.subject, call.may('modify_service', 'files'), call.address];
          return answer(200, {});
        },
      }),
    ]);
    expect((await frame.ask('GET', '/api/open', { token: 'admin' })).status).toBe(200);
    expect(seen).toEqual(['nobody', false, '203.0.113.9']);
    expect(await frame.book(0)).toEqual([]);
  });
});

describe('the staircase', () => {
  it('goes 401, shut out, 429, 403, 400 in this order', async () => {
    const x = route({ method: 'POST', path: '/api/x', access: { kind: 'api' }, body: JSON_BODY });
    const limits = {
      rules: [{ id: 'r', by: 'caller', agents: null, groups: null, servers: null, calls: 2, perMs: 60_000 }],
    } as const;
    const frame = await start([x], { limits });
    const wrong = (token?: string) =>
      frame.ask('POST', '/api/x', { ...(token === undefined ? {} : { token }), body: { size: 0 } });
    expect((await wrong()).status).toBe(401);
    expect((await wrong('user')).status).toBe(403);
    expect((await wrong('admin')).status).toBe(400);
    expect((await wrong('admin')).status).toBe(400);
    const limited = await wrong('admin');
    expect(limited).toMatchObject({ status: 429, body: { detail: 'Too many requests; try again later.' } });
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(limited.headers.get('x-ratelimit-limit')).toBe('2');
    expect(limited.headers.get('x-ratelimit-remaining')).toBe('0');
    await frame.quarantine.add({ kind: 'caller', name: 'admin', reason: '', by: 'ops', sinceMs: 0, untilMs: null });
    expect(await wrong('admin')).toMatchObject({ status: 403, body: { detail: 'Access denied.' } });
    expect(
      (await frame.book(5)).map(({ subject, decision, error_code: code, rule }) => [subject, decision, code, rule]),
    ).toEqual([
      ['user', 'DENY', 'DENIED_BY_POLICY', 'scopes: no grant'],
      ['admin', 'ERROR', 'INVALID_PARAMS', null],
      ['admin', 'ERROR', 'INVALID_PARAMS', null],
      ['admin', 'DENY', 'RATE_LIMITED', null],
      ['admin', 'DENY', 'DENIED_BY_POLICY', 'quarantine'],
    ]);
  });

  it('reads nothing of a body before it has decided', async () => {
    const x = route({ method: 'POST', path: '/api/x', access: { kind: 'admin' }, body: JSON_BODY });
    const frame = await start([x]);
    const socket = await openSocket(frame.port);
    onTestFinished(() => void socket.destroy());
    const answered = new Promise<string>(resolve => socket.once('data', bytes => resolve(bytes.toString('latin1'))));
    // The body never comes: whoever waited for it would not answer.
    socket.write(
      `POST /api/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer user\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n`,
    );
    expect(await answered).toMatch(/^HTTP\/1\.1 403 /);
  });

  it('counts what is under way, and gives it back', async () => {
    let finish = () => {};
    const wait = new Promise<void>(resolve => {
      finish = resolve;
    });
    const slow = route({
      ...{ method: 'GET', path: '/api/slow', access: { kind: 'caller' } },
      run: () => wait.then(() => answer(200, {})),
    });
    const frame = await start([slow, route({ method: 'GET', path: '/api/x', access: { kind: 'caller' } })], {
      limits: { inFlight: { perCaller: 1, perServer: null } },
    });
    const first = frame.ask('GET', '/api/slow', { token: 'user' });
    await expect.poll(async () => (await frame.ask('GET', '/api/x', { token: 'user' })).status).toBe(429);
    expect((await frame.ask('GET', '/api/x', { token: 'admin' })).status).toBe(200);
    finish();
    expect((await first).status).toBe(200);
    expect((await frame.ask('GET', '/api/x', { token: 'user' })).status).toBe(200);
  });

  it('limits addresses that show too many wrong credentials', async () => {
    const frame = await start([route({ method: 'GET', path: '/api/x', access: { kind: 'caller' } })], {
      onRefused: () => ({
        kind: 'limited',
        scope: 'address',
        what: 'rate',
        limit: 3,
        remaining: 0,
        retryAfterMs: 5000,
        resetMs: 9000,
      }),
    });
    const { status, headers } = await frame.ask('GET', '/api/x', { token: 'guess' });
    expect([status, headers.get('retry-after'), headers.get('x-ratelimit-limit')]).toEqual([429, '5', '3']);
  });
});

describe('what comes in', () => {
  const seen: unknown[] = [];
  const echo = route({
    ...{ method: 'PUT', path: '/api/things/{path+}', access: { kind: 'api' }, operation: 'things/put' },
    ...{
      params: z.strictObject({ path: z.string().max(9) }),
      query: z.strictObject({ n: z.coerce.number().optional() }),
    },
    ...{ body: JSON_BODY, maxBytes: 1000 },
    run({ params, query, body }) {
      seen.push([params, query, body]);
      return answer(200, { ok: true });
    },
  });
  const form = route({
    ...{ method: 'POST', path: '/api/form', access: { kind: 'api' }, form: true, maxBytes: 1000 },
    body: z.strictObject({ name: z.string(), tag: z.union([z.string(), z.array(z.string())]).optional() }),
    run({ body }) {
      seen.push(body);
      return answer(200, {});
    },
  });
  const open = () => start([echo, form]);
  const admin = { token: 'admin' };
  const GOOD = { name: 'x', size: 1 };

  it('is read by its schemas', async () => {
    const frame = await open();
    seen.length = 0;
    expect((await frame.ask('PUT', '/api/things/a/b?n=3', { ...admin, body: GOOD })).status).toBe(200);
    expect(seen).toEqual([[{ path: 'a/b' }, { n: 3 }, GOOD]]);
  });

  it('says every mistake at once, by its place, wherever it is', async () => {
    const frame = await open();
    const { status, body } = await frame.ask('PUT', '/api/things/a/very/long/one?n=x&m=1', {
      ...{ ...admin, body: { size: 0, more: 1 } },
    });
    expect(status).toBe(400);
    for (const place of ['path: ', 'n: ', 'query string: Unrecognized key: "m"', 'name: ', 'size: ', '"more"'])
      expect(body.detail).toContain(place);
  });

  test.each([
    { type: 'application/json', text: '{"name":', status: 400, says: 'not valid JSON', because: 'half a document' },
    { type: 'application/json', text: '[]', status: 400, says: 'body: ', because: 'no object' },
    {
      type: 'application/json',
      text: '{"name":"x","size":1,"__proto__":{}}',
      status: 400,
      says: '__proto__',
      because: 'unknown, and data',
    },
    {
      type: 'text/plain',
      text: '{"name":"x","size":1}',
      status: 415,
      says: 'application/json.',
      because: 'what any page can post',
    },
    {
      type: 'application/x-www-form-urlencoded',
      text: 'name=x',
      status: 415,
      says: 'application/json.',
      because: 'no form is taken here',
    },
    {
      type: 'application/json-seq',
      text: '{}',
      status: 415,
      says: 'application/json.',
      because: 'another type that begins alike',
    },
    {
      type: 'application/json; charset=utf-8',
      text: '{"name":"x","size":1}',
      status: 200,
      says: '',
      because: 'a parameter',
    },
  ])('answers $status to $because', async ({ type, text, status, says }) => {
    const frame = await open();
    const said = await frame.ask('PUT', '/api/things/a', { ...admin, body: text, headers: { 'content-type': type } });
    expect(said.status).toBe(status);
    if (says !== '') expect(said.body.detail).toContain(says);
  });

  it('takes a form where the route does, and JSON there too', async () => {
    const frame = await open();
    seen.length = 0;
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    expect((await frame.ask('POST', '/api/form', { ...admin, body: 'name=a%20b&tag=1&tag=2', headers })).status).toBe(
      200,
    );
    expect((await frame.ask('POST', '/api/form', { ...admin, body: { name: 'j' } })).status).toBe(200);
    expect(seen.map(body => ({ ...(body as object) }))).toEqual([{ name: 'a b', tag: ['1', '2'] }, { name: 'j' }]);
    expect(
      (await frame.ask('POST', '/api/form', { ...admin, body: 'x', headers: { 'content-type': 'text/xml' } })).body
        .detail,
    ).toContain('or application/x-www-form-urlencoded');
  });

  it('is refused beyond its size, before it is sent and while it is', async () => {
    const frame = await open();
    const head = `PUT /api/things/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin\r\nContent-Type: application/json\r\n`;
    const declared = await exchange(frame.port, `${head}Content-Length: 1001\r\n\r\n`);
    const chunked = await exchange(
      frame.port,
      `${head}Transfer-Encoding: chunked\r\n\r\n7d0\r\n${' '.repeat(2000)}\r\n`,
    );
    for (const { status, headers, body } of [declared, chunked]) {
      expect([status, headers.get('connection')]).toEqual([413, 'close']);
      expect(JSON.parse(body)).toEqual({ detail: 'The body is larger than the 1000 bytes that are taken here.' });
    }
  });

  it('is refused when it is compressed', async () => {
    const frame = await open();
    const headers = { 'content-encoding': 'gzip' };
    expect((await frame.ask('PUT', '/api/things/a', { ...admin, body: GOOD, headers })).status).toBe(415);
  });
});

describe('paths', () => {
  const open = () =>
    start([
      route({ method: 'GET', path: '/api/x', access: { kind: 'caller' } }),
      route({ method: 'POST', path: '/api/x', access: { kind: 'caller' } }),
      route({ method: 'GET', path: '/page', access: { kind: 'public' }, run: () => redirect('/api/x') }),
      route({ method: 'DELETE', path: '/api/x/{name}', access: { kind: 'caller' }, run: () => noContent() }),
    ]);
  test.each([
    { asked: 'GET /api/y', status: 404, body: { detail: 'There is no such route.' }, because: 'nothing is there' },
    { asked: 'GET /v0.1/y', status: 404, body: { detail: 'There is no such route.' }, because: 'a surface of ours' },
    {
      asked: 'GET /other',
      status: 404,
      body: { error: 'not_found', detail: expect.any(String) },
      because: 'none of our surfaces',
    },
    {
      asked: 'DELETE /api/x/a%00',
      status: 400,
      body: { detail: 'The path is not well-formed.' },
      because: 'no name holds it',
    },
    {
      asked: 'PATCH /api/x',
      status: 405,
      body: { detail: 'Method not allowed.' },
      allow: 'GET, HEAD, POST',
      because: 'another method',
    },
  ])('$asked is $status: $because', async ({ asked, status, body, allow }) => {
    const [method = '', path = ''] = asked.split(' ');
    const frame = await open();
    const said = await frame.ask(method, path);
    expect([said.status, said.body, said.headers.get('allow')]).toEqual([status, body, allow ?? null]);
  });

  it('HEAD is GET without its body, 204 has none, a redirect stays here', async () => {
    const frame = await open();
    expect(await frame.ask('HEAD', '/api/x', { token: 'user' })).toMatchObject({ status: 200, text: '' });
    expect(await frame.ask('DELETE', '/api/x/a', { token: 'user' })).toMatchObject({ status: 204, text: '' });
    const { status, headers } = await frame.ask('GET', '/page');
    expect([status, headers.get('location')]).toEqual([302, '/api/x']);
  });

  it('every answer forbids framing, sniffing and storing, and has an id', async () => {
    const frame = await open();
    const { headers } = await askRaw(frame.port, { authorization: 'Bearer user' }, 'GET /api/x HTTP/1.1');
    expect(headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('x-request-id')).toBe((await frame.book(1))[0]?.request_id);
  });
});

describe('a session of a browser', () => {
  const sessions = { 'session=1': { who: CALLERS.admin, csrf: new Secret('the-token') } };
  let effects = 0;
  const change = route({
    ...{ method: 'POST', path: '/api/x', access: { kind: 'admin' } },
    run() {
      effects += 1;
      return answer(200, {});
    },
  });
  const cookie = { cookie: 'session=1' };
  test.each([
    { headers: cookie, status: 403, because: 'any page makes a browser send its cookie' },
    {
      headers: { ...cookie, 'x-csrf-token': 'another' },
      status: 403,
      because: 'a page of somebody else cannot know it',
    },
    { headers: { ...cookie, 'x-csrf-token': 'the-token' }, status: 200, because: 'a page of ours shows it' },
    { headers: { cookie: 'session=2' }, status: 401, because: 'there is no such session' },
    { headers: { ...cookie, authorization: 'Bearer user' }, status: 403, because: 'a credential goes before a cookie' },
    { headers: { ...cookie, authorization: 'Bearer admin' }, status: 200, because: 'no page can send a credential' },
  ])('$status: $because', async ({ headers, status }) => {
    const reads = route({ method: 'GET', path: '/api/x', access: { kind: 'admin' } });
    const frame = await start([change, reads], { sessions });
    effects = 0;
    const said = await frame.ask('POST', '/api/x', { headers });
    expect([said.status, effects]).toEqual([status, status === 200 ? 1 : 0]);
  });

  it('reads without one', async () => {
    const frame = await start([route({ method: 'GET', path: '/api/x', access: { kind: 'admin' } })], { sessions });
    expect((await frame.ask('GET', '/api/x', { headers: cookie })).status).toBe(200);
  });
});

describe('the book', () => {
  it('has one line of each request, and what the route said it was about', async () => {
    const frame = await start([
      route({
        ...{ method: 'POST', path: '/api/x', access: { kind: 'api' }, operation: 'things/make' },
        about: () => ({ server: 'files', target: '/etc', rule: 'made' }),
        run(call) {
          call.note({ target: '/etc/made', metadata: { size: 3 } });
          return answer(201, {});
        },
      }),
      route({
        method: 'GET',
        path: '/api/gone/{path+}',
        access: { kind: 'caller' },
        fails: ['NOT_FOUND'],
        run: () => failure('NOT_FOUND'),
      }),
    ]);
    await frame.ask('POST', '/api/x', { token: 'admin' });
    await frame.ask('GET', '/api/gone/a/b', { token: 'user' });
    const [made, gone, ...more] = await frame.book(2);
    expect(more).toEqual([]);
    expect(made).toMatchObject({
      ...{ operation: 'things/make', decision: 'ALLOW', outcome: 'ok', subject: 'admin', server: 'files' },
      ...{ target: '/etc', rule: 'made', metadata: { target: '/etc/made', size: 3 }, scopes: ['admins', 'everything'] },
    });
    expect(gone).toMatchObject({ decision: 'ERROR', error_code: 'NOT_FOUND', subject: 'user', target: 'a/b' });
  });

  it('knows of an effect before it happens, and of a read after it alone', async () => {
    const audit = createKeptBook();
    const order: string[] = [];
    const run = () => {
      order.push(`run after ${audit.intents.length} announced`);
      return answer(200, {});
    };
    const frame = await start(
      [
        route({ method: 'POST', path: '/api/x', access: { kind: 'caller' }, run }),
        route({ method: 'GET', path: '/api/x', access: { kind: 'caller' }, run }),
      ],
      { audit },
    );
    await frame.ask('GET', '/api/x', { token: 'user' });
    await frame.ask('POST', '/api/x', { token: 'user' });
    expect(order).toEqual(['run after 0 announced', 'run after 1 announced']);
    expect(audit.lines.map(({ intent }) => intent)).toEqual([0, 1]);
  });

  it('stops what cannot be written down: 503, and nothing is done', async () => {
    const audit = createKeptBook();
    audit.isFull = true;
    let effects = 0;
    const run = () => {
      effects += 1;
      return answer(200, {});
    };
    const frame = await start([route({ method: 'POST', path: '/api/x', access: { kind: 'caller' }, run })], { audit });
    const { status, body, headers } = await frame.ask('POST', '/api/x', { token: 'user' });
    expect([status, headers.get('retry-after'), effects]).toEqual([503, '1', 0]);
    expect(body.detail).toContain('cannot be recorded');
    expect(audit.lines).toMatchObject([{ outcome: 'refused', code: 'AUDIT_UNAVAILABLE' }]);
  });

  it('is kept by the service where it says so, but for what never got there', async () => {
    const frame = await start([
      route({ method: 'POST', path: '/api/x', access: { kind: 'admin' }, keepsBook: true, operation: 'own' }),
    ]);
    await frame.ask('POST', '/api/x', { token: 'admin' });
    await frame.ask('POST', '/api/x', { token: 'user' });
    expect((await frame.book(1)).map(({ operation, decision }) => [operation, decision])).toEqual([['own', 'DENY']]);
  });
});

describe('a route that throws', () => {
  test.each(['caller', 'public'] as const)('is 500 and tells nothing (%s)', async kind => {
    const frame = await start([
      route({
        ...{ method: 'POST', path: '/api/x', access: { kind } },
        run: () => Promise.reject(new Error('cannot open /etc/secret')),
      }),
    ]);
    const { status, text } = await frame.ask('POST', '/api/x', { token: 'user' });
    expect([status, text]).toEqual([500, '{"detail":"Internal error."}']);
    expect(JSON.stringify(frame.log.lines)).toContain('cannot open /etc/secret');
    if (kind === 'public') return;
    expect(await frame.book(1)).toMatchObject([{ decision: 'ERROR', error_code: 'INTERNAL', outcome: 'error' }]);
  });
});
