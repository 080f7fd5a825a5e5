/**
 * What an operator does over the REST API of a running gateway: asks the policy, reads the book, shuts out, reloads. Every
 * answer is held against the document that the gateway prints of itself.
 */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { parseCsv } from '../support/csv.ts';
import { errorOf, resultOf } from '../support/mcp-client.ts';
import { createOpenApiCheck, type OpenApiCheck } from '../support/openapi-check.ts';
import {
  ISSUER,
  issuerToken,
  KEYS,
  openVendingGateway,
  SCOPES,
  type VendingGateway,
} from '../support/vending-gateway.ts';

let gateway: VendingGateway;
let check: OpenApiCheck;
let document: JsonObject;
beforeAll(async () => {
  gateway = await openVendingGateway({ tokens: { perHour: 1000 }, audit: { index: true } });
  document = (await (await fetch(`${gateway.origin()}/openapi.json`)).json()) as JsonObject;
  check = createOpenApiCheck(document);
});
afterAll(() => gateway.remove());

// biome-ignore lint/suspicious/noExplicitAny: each test says what it expects
type Said = { status: number; headers: Headers; text: string; body: any };
async function ask(method: string, path: string, token: string | null = KEYS.ops, body?: unknown): Promise<Said> {
  const reply = await check.fetch(gateway.origin() + path, {
    method,
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await reply.text();
  const isJson = reply.headers.get('content-type')?.startsWith('application/json') === true;
  return { status: reply.status, headers: reply.headers, text, body: isJson && text !== '' ? JSON.parse(text) : null };
}

async function call(token: string, name: string): Promise<string> {
  const client = await gateway.open('modern', token);
  const reply = await client.call(name, { text: 'hello' });
  await client.close();
  return reply.answer?.result === undefined ? String((errorOf(reply).data as JsonObject).code) : 'ok';
}

async function list(token: string): Promise<string[]> {
  const client = await gateway.open('modern', token);
  const { tools } = resultOf(await client.request('tools/list')) as { tools: { name: string }[] };
  await client.close();
  return tools.map(({ name }) => name);
}

describe('the policy, asked', () => {
  const explain = (token: string, body: JsonObject) => ask('POST', '/api/policy/explain', token, body);

  it('says to a caller what would come of its own call, as it then does', async () => {
    for (const [token, tool, answer] of [
      [KEYS.lob, 'echo', 'allow'],
      [KEYS.lob, 'add', 'deny'],
      [KEYS.ci, 'add', 'allow'],
    ] as const) {
      const { status, body } = await explain(token, { server: 'alpha', tool });
      expect([status, body.kind, body.tool.answer]).toEqual([200, 'explained', answer]);
      if (tool === 'echo') expect(await call(token, `alpha__${tool}`)).toBe('ok');
      if (answer === 'deny') expect(await call(token, `alpha__${tool}`)).toBe('DENIED_BY_POLICY');
    }
    const { body } = await explain(KEYS.lob, { server: 'alpha', tool: 'echo' });
    expect(body.tool).toMatchObject({ rule: 'scopes.echo-only[0]', scopes: ['echo-only'], missing: [] });
  });

  test.each([
    { more: { groups: ['operators'] } },
    { more: { scopes: ['everywhere'] } },
    { more: { subject: `${ISSUER}|boss` } },
  ])('tells nobody but an administrator about others: $more', async ({ more }) => {
    const { status, body } = await explain(KEYS.ci, { server: 'alpha', tool: 'add', ...more });
    expect([status, body.detail]).toEqual([403, expect.stringContaining('Only administrators may ask about others')]);
    expect((await explain(KEYS.ops, { server: 'alpha', tool: 'add', ...more })).status).toBe(200);
  });

  it('tells an administrator about anybody', async () => {
    const about = { server: 'alpha', tool: 'add', agent: 'builder' };
    const { body: yes } = await explain(KEYS.ops, { ...about, groups: ['team'] });
    expect(yes).toMatchObject({
      kind: 'explained',
      agent: 'builder',
      tool: { answer: 'allow', rule: 'scopes.everywhere[0]' },
    });
    const { body: no } = await explain(KEYS.ops, { ...about, scopes: ['echo-only'] });
    expect(no.tool).toMatchObject({ answer: 'deny', missing: ['everywhere'] });
  });

  it('gives no rights by being asked in the name of another agent', async () => {
    const { body } = await explain(KEYS.ci, { server: 'alpha', tool: 'add', agent: 'somebody-else' });
    expect(body).toMatchObject({ kind: 'unresolved', code: 'DENIED_BY_POLICY' });
  });

  it('says every mistake of a question', async () => {
    const { status, body } = await explain(KEYS.ops, { tool: 7, sever: 'x' });
    expect(status).toBe(400);
    for (const place of ['server: ', 'tool: ', '"sever"']) expect(body.detail).toContain(place);
  });

  it('finds what was not meant, with the tools that servers have', async () => {
    await list(KEYS.ops);
    gateway.writeScopes({ ...SCOPES, typo: [{ server: 'alpha', methods: ['tools/call'], tools: ['ehco'] }] });
    await gateway.reload();
    const { body } = await ask('GET', '/api/policy/lint');
    expect(body.findings).toContainEqual(expect.objectContaining({ kind: 'unknown-tool', path: 'scopes.typo[0]' }));
    expect((await ask('GET', '/api/policy/lint', KEYS.ci)).status).toBe(403);
    gateway.writeScopes(SCOPES);
    await gateway.reload();
  });
});

describe('the book, read', () => {
  /** Somebody whom no other test knows; may `echo` on both servers. */
  const newcomer = () => {
    const name = `newcomer-${randomUUID()}`;
    return { subject: `${ISSUER}|${name}`, token: issuerToken(name, { scope: 'echo-only' }) };
  };
  const about = (subject: string) => `subject=${encodeURIComponent(subject)}&operation=tools/call`;

  it('holds every call that was answered, however soon it is asked', async () => {
    const { subject, token } = newcomer();
    const client = await gateway.open('modern', token);
    for (let round = 1; round <= 20; round += 1) {
      for (let n = 0; n < 5; n += 1) await client.call('alpha__echo', { text: 'x' });
      const { body } = await ask('GET', `/api/audit/events?${about(subject)}`);
      expect([round, body.total]).toEqual([round, 5 * round]);
    }
    await client.close();
  });

  it('has an allowed and a denied call as two events, found by every filter', async () => {
    const { subject, token } = newcomer();
    expect(await call(token, 'beta__echo')).toBe('ok');
    expect(await call(token, 'beta__add')).toBe('DENIED_BY_POLICY');
    const find = async (query: string) =>
      (await ask('GET', `/api/audit/events?${about(subject)}&server=beta&${query}`)).body.events;
    const [denied, allowed, ...more] = await find('');
    expect(more).toEqual([]);
    expect(allowed).toMatchObject({
      ...{ decision: 'ALLOW', tool: 'echo', log_type: 'mcp_server_access', mcp_server: { name: 'beta' } },
      ...{ mcp_request: { method: 'tools/call', tool_name: 'echo' }, identity: { username: subject } },
    });
    expect(denied).toMatchObject({
      ...{ decision: 'DENY', tool: 'add', error_code: 'DENIED_BY_POLICY' },
      authorization: { decision: 'DENY', evaluated_scopes: ['echo-only'] },
    });
    for (const query of ['decision=deny', 'decision=DENY', 'tool=add', `request_id=${denied.request_id}`])
      expect(await find(query)).toMatchObject([{ seq: denied.seq }]);
    expect(await find(`from=${denied.timestamp}&to=2999-01-01&tool=add`)).toHaveLength(1);
    expect(await find(`to=${allowed.timestamp}`)).toEqual([]);
    const one = await ask('GET', `/api/audit/events/${denied.request_id}`);
    expect(one.body.events).toMatchObject([{ seq: denied.seq }]);
    expect((await ask('GET', '/api/audit/events/unheard-of')).status).toBe(404);
  });

  it('is paged by a cursor: everything once, the newest first', async () => {
    const { subject, token } = newcomer();
    for (let n = 0; n < 5; n += 1) await call(token, 'alpha__echo');
    const seen: number[] = [];
    const { body: whole } = await ask('GET', `/api/audit/events?${about(subject)}&limit=1000`);
    for (let cursor: string | null = '', rounds = 0; cursor !== null; rounds += 1) {
      const more = cursor === '' ? '' : `&cursor=${cursor}`;
      const { body } = await ask('GET', `/api/audit/events?${about(subject)}&limit=2${more}`);
      seen.push(...body.events.map(({ seq }: { seq: number }) => seq));
      cursor = body.next_cursor;
      expect(rounds).toBeLessThan(100);
    }
    expect(seen).toEqual(whole.events.map(({ seq }: { seq: number }) => seq));
    expect(seen).toHaveLength(5);
  });

  it('is counted, and says what there is to filter by', async () => {
    const { subject, token } = newcomer();
    await call(KEYS.ci, 'alpha__echo');
    await call(token, 'beta__echo');
    await call(token, 'beta__add');
    const { body: counts } = await ask('GET', `/api/audit/statistics?${about(subject)}&server=beta`);
    expect(counts).toMatchObject({ total: 2, decisions: { ALLOW: 1, DENY: 1, ERROR: 0 } });
    expect(counts.top.tool).toEqual([
      { name: 'add', count: 1 },
      { name: 'echo', count: 1 },
    ]);
    const timeline = counts.timeline as { seconds: number; allow: number; deny: number; error: number }[];
    // An hour may have ended between the two calls.
    expect(timeline.length).toBeLessThanOrEqual(2);
    expect(new Set(timeline.map(({ seconds }) => seconds))).toEqual(new Set([3600]));
    const sum = (kind: 'allow' | 'deny' | 'error') => timeline.reduce((all, span) => all + span[kind], 0);
    expect([sum('allow'), sum('deny'), sum('error')]).toEqual([1, 1, 0]);
    const { body: options } = await ask('GET', '/api/audit/filter-options');
    expect(options).toMatchObject({ servers: ['alpha', 'beta'], agents: expect.arrayContaining(['builder']) });
    expect(options.operations).toEqual(expect.arrayContaining(['audit/statistics', 'tools/call']));
  });

  it('is handed out as JSON lines and CSV, whole beyond a page', async () => {
    const { subject, token } = newcomer();
    const client = await gateway.open('modern', token);
    for (let n = 0; n < 60; n += 1)
      await Promise.all(Array.from({ length: 10 }, () => client.call('alpha__echo', { text: 'x' })));
    await client.close();
    const { headers, text } = await ask('GET', `/api/audit/export?${about(subject)}`);
    expect(headers.get('content-disposition')).toBe('attachment; filename="audit.jsonl"');
    const lines = text
      .trim()
      .split('\n')
      .map(line => JSON.parse(line) as { seq: number });
    expect(new Set(lines.map(({ seq }) => seq)).size).toBe(600);
    expect(lines).toHaveLength(600);
    const csv = await ask('GET', `/api/audit/export?${about(subject)}&format=csv`);
    const [head = [], ...rows] = parseCsv(csv.text);
    expect(head.slice(0, 2)).toEqual(['seq', 'timestamp']);
    expect(rows.map(([seq]) => Number(seq))).toEqual(lines.map(({ seq }) => seq));
  });

  it('holds no secret, whatever was sent', async () => {
    const secret = ['ghp', 'a8Kd93mXq0Lw72ZrTb5Yv1Nc6Ju4Hf0PeSi2'].join('_');
    await call(KEYS.ci, `alpha__${secret}`);
    await ask('GET', `/api/audit/events/${secret}`);
    const { text } = await ask('GET', '/api/audit/export');
    expect(text).not.toContain(secret);
    for (const key of Object.values(KEYS)) expect(text).not.toContain(key);
  });

  test.each(['events', 'events/x', 'statistics', 'filter-options', 'export'])(
    '%s is for administrators',
    async what => {
      expect((await ask('GET', `/api/audit/${what}`, KEYS.ci)).status).toBe(403);
      expect((await ask('GET', `/api/audit/${what}`, null)).status).toBe(401);
    },
  );

  test.each([
    'limit=0',
    'limit=1001',
    'cursor=x',
    'decision=maybe',
    'from=yesterday',
    'serve=beta',
    'server=a&server=b',
  ])('a slip is a 400 with its place: %s', async query => {
    const { status, body } = await ask('GET', `/api/audit/events?${query}`);
    expect([status, body.detail]).toEqual([400, expect.stringContaining(query.split('=')[0] ?? '')]);
  });

  it('is a 503 with a sentence where it has no searchable copy', async () => {
    const other = await openVendingGateway({ audit: { index: false } });
    const reply = await fetch(`${other.origin()}/api/audit/events`, {
      headers: { authorization: `Bearer ${KEYS.ops}` },
    });
    expect([reply.status, await reply.json()]).toEqual([
      503,
      { detail: 'The audit index is switched off: set audit.index to true.' },
    ]);
    await other.remove();
  });
});

describe('the quarantine', () => {
  it('is in force when it is answered, beats every right, and is lifted as fast', async () => {
    expect(await list(KEYS.ops)).toContain('beta__echo');
    const { status, body } = await ask('POST', '/api/quarantine', KEYS.ops, {
      ...{ kind: 'server', name: 'beta', reason: 'leaks', for: '1h' },
    });
    expect(status).toBe(201);
    expect(Date.parse(body.until) - Date.parse(body.since)).toBe(3_600_000);
    expect((await list(KEYS.ops)).filter(name => name.startsWith('beta__'))).toEqual([]);
    expect(await call(KEYS.ops, 'beta__echo')).toBe('DENIED_BY_POLICY');
    expect((await ask('GET', '/api/quarantine')).body.entries).toMatchObject([{ name: 'beta', by: 'key:ops' }]);
    expect((await ask('DELETE', '/api/quarantine/server/beta')).status).toBe(204);
    expect(await call(KEYS.ops, 'beta__echo')).toBe('ok');
    expect((await ask('DELETE', '/api/quarantine/server/beta')).status).toBe(404);
  });

  it('shuts a caller out of the API too, by a name with slashes in it', async () => {
    const token = issuerToken('mallory', { groups: ['operators'] });
    const name = `${ISSUER}|mallory`;
    expect((await ask('GET', '/api/quarantine', token)).status).toBe(200);
    await ask('POST', '/api/quarantine', KEYS.ops, { kind: 'caller', name, reason: 'gone' });
    expect((await ask('GET', '/api/quarantine', token)).status).toBe(403);
    expect((await ask('DELETE', `/api/quarantine/caller/${encodeURIComponent(name)}`)).status).toBe(204);
    expect((await ask('GET', '/api/quarantine', token)).status).toBe(200);
  });

  test.each([
    { body: { kind: 'everything', name: 'x', reason: '' }, says: 'kind: ' },
    { body: { kind: 'tool', name: 'send', reason: '' }, says: 'a tool is named <server>/<tool>' },
    { body: { kind: 'server', name: 'x', reason: '', for: 'soon' }, says: 'for: must be a duration' },
    { body: { kind: 'server', name: 'x' }, says: 'reason: ' },
  ])('takes no slip: $says', async ({ body, says }) => {
    const said = await ask('POST', '/api/quarantine', KEYS.ops, body);
    expect([said.status, said.body.detail]).toEqual([400, expect.stringContaining(says)]);
    expect((await ask('GET', '/api/quarantine')).body.entries).toEqual([]);
  });

  it("is nobody's but an administrator's, and in the book", async () => {
    expect((await ask('GET', '/api/quarantine', KEYS.ci)).status).toBe(403);
    expect((await ask('POST', '/api/quarantine', KEYS.ci, { kind: 'server', name: 'beta', reason: '' })).status).toBe(
      403,
    );
    expect((await ask('DELETE', '/api/quarantine/server/beta', KEYS.ci)).status).toBe(403);
    const { body } = await ask('GET', '/api/audit/events?operation=quarantine/add&decision=allow');
    expect(body.events.at(-1)).toMatchObject({
      ...{ target: 'server beta', subject: 'key:ops', log_type: 'registry_api_access' },
      metadata: { reason: 'leaks', for: '1h' },
    });
  });
});

describe('a reload', () => {
  test.each(['/api/reload', '/internal/reload-scopes'])('%s puts the files in force, or says why not', async path => {
    const { status, body } = await ask('POST', path);
    expect([status, body]).toMatchObject([200, { ok: true, problems: [] }]);
    gateway.writeScopes({ ...SCOPES, everywhere: [], 'echo-only all': [] });
    const warned = await ask('POST', path);
    expect([warned.status, warned.body.warnings]).toEqual([
      200,
      expect.arrayContaining([expect.stringContaining('everywhere is empty')]),
    ]);
    expect(await call(KEYS.ci, 'alpha__add')).toBe('DENIED_BY_POLICY');

    gateway.writeScopes({ everywhere: 'not a list' });
    const refused = await ask('POST', path);
    expect(refused).toMatchObject({
      status: 422,
      body: { ok: false, problems: [expect.stringContaining('everywhere')] },
    });
    // What was in force before the mistake is in force after it.
    expect(await call(KEYS.lob, 'alpha__echo')).toBe('ok');
    gateway.writeScopes(SCOPES);
    expect((await ask('POST', path)).status).toBe(200);
    expect((await ask('POST', path, KEYS.ci)).status).toBe(403);
  });
});

describe('the document', () => {
  it('was held against an answer of every operation of this desk', async () => {
    const token = (await ask('POST', '/api/tokens/generate', KEYS.ci, {})).body.token_data;
    await ask('POST', '/api/tokens/revoke', KEYS.ci, { jti: token.jti });
    for (const path of [
      '/openapi.json',
      '/api/openapi.json',
      '/docs',
      '/docs/swagger-ui.css',
      '/docs/swagger-ui-bundle.js',
      '/docs/start.js',
    ])
      expect((await ask('GET', path, null)).status).toBe(200);
    const ours = check.operations('tokens', 'policy', 'audit', 'quarantine', 'operation', 'documentation');
    expect(ours.length).toBeGreaterThan(15);
    expect(ours.filter(operation => !check.seen.has(operation))).toEqual([]);
  });

  it('says of whatever is named in a path that it may not be there', () => {
    const named = Object.entries(document.paths as Record<string, Record<string, JsonObject>>).flatMap(
      ([path, item]) =>
        path.includes('{') ? Object.entries(item).map(([method, { responses }]) => ({ method, path, responses })) : [],
    );
    expect(named.length).toBeGreaterThan(30);
    expect(named.filter(({ responses }) => !('404' in (responses as JsonObject)))).toEqual([]);
  });

  it('has a page that loads nothing from elsewhere and runs nothing that stands in it', async () => {
    const { text, headers } = await ask('GET', '/docs', null);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    for (const [, source = ''] of text.matchAll(/(?:src|href)="([^"]*)"/g))
      expect(source).not.toMatch(/^(?:https?:)?\/\//);
    expect(text).not.toMatch(/<script>|<style|\son\w+=/);
    expect((await ask('GET', '/docs/start.js', null)).text).toContain('validatorUrl: null');
  });
});
