/**
 * A caller passes on a part of what it may do: never more, never longer, never further than one step, and it can take it
 * back. Whatever a token hangs on takes the token with it.
 */
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { openOwnKeys } from '../../src/outbound/idp/own-keys.ts';
import { createRevocationFile } from '../../src/outbound/idp/revocation-file.ts';
import { parentMark } from '../../src/services/identity/lineage.ts';
import { errorOf, type Reply, resultOf } from '../support/mcp-client.ts';
import { fetchHeld } from '../support/openapi-check.ts';
import { createEcKey, signToken } from '../support/token-issuer.ts';
import {
  ISSUER,
  issuerToken,
  KEYS,
  key,
  openVendingGateway,
  SCOPES,
  USUAL_KEYS,
  type VendingGateway,
} from '../support/vending-gateway.ts';

const GENERATE = '/api/tokens/generate';
const REVOKE = '/api/tokens/revoke';
/** Asks for no other token: none would be good there. */
const GENERIC_NO = [403, expect.not.stringContaining('scope')];
const MANY = { tokens: { perHour: 1000 } };

const toolsOf = (reply: Reply) => ((resultOf(reply).tools ?? []) as { name: string }[]).map(({ name }) => name).sort();

/** What one call with this token comes to: ok, or the status and code of the refusal. */
async function callWith(gateway: VendingGateway, token: string, name = 'alpha__echo', path = '/mcp'): Promise<string> {
  const client = await gateway.open('modern', token, path);
  const reply = await client.call(name, { text: 'hello' });
  await client.close();
  if (reply.status === 401) return '401';
  const { code } = (errorOf(reply).data ?? {}) as JsonObject;
  return typeof code === 'string' ? code : reply.answer?.result === undefined ? `status ${reply.status}` : 'ok';
}

describe('at a gateway with keys, an issuer and scopes', () => {
  let gateway: VendingGateway;
  beforeAll(async () => {
    gateway = await openVendingGateway(MANY);
  });
  afterAll(() => gateway.remove());

  test('answers as its document says, with a token that anybody can check and that works', async () => {
    const asked = { requested_scopes: ['echo-only'], expires_in_hours: 2, description: 'nightly' };
    const { status, body, headers } = await gateway.post(GENERATE, KEYS.ci, asked);
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toMatchObject({
      success: true,
      tokens: {
        refresh_token: null,
        expires_in: 7200,
        refresh_expires_in: 0,
        token_type: 'Bearer',
        scope: 'echo-only',
      },
      client_id: 'user-generated',
      token_data: { token_kind: 'user', resource_id: null, description: 'nightly', expires_at: expect.any(Number) },
      user_scopes: ['everywhere', 'api-tokens', 'echo-only'],
      requested_scopes: ['echo-only'],
    });
    const { access_token: token } = body.tokens as { access_token: string };
    expect(decodeProtectedHeader(token)).toMatchObject({ alg: 'ES256', typ: 'gatehouse+jwt' });
    const keys = createRemoteJWKSet(new URL(`${gateway.origin()}/.well-known/jwks.json`));
    const { payload } = await jwtVerify(token, keys, { issuer: 'https://gw.example.test', typ: 'gatehouse+jwt' });
    expect(payload).toMatchObject({
      ...{ sub: 'key:ci', scope: 'echo-only', token_use: 'access', client_id: 'user-generated', token_kind: 'user' },
      ...{ aud: expect.stringMatching(/^urn:gatehouse:[\w-]+:vended$/), jti: (body.token_data as JsonObject).jti },
    });
    expect(JSON.stringify(payload)).not.toContain(KEYS.ci);
    expect(await callWith(gateway, token)).toBe('ok');
  });

  test('publishes public keys and nothing more of them', async () => {
    const reply = await fetch(`${gateway.origin()}/.well-known/jwks.json`, { headers: { origin: 'https://any.test' } });
    const { keys } = (await reply.json()) as { keys: JsonObject[] };
    expect(reply.status).toBe(200);
    expect(keys.map(entry => Object.keys(entry).sort())).toEqual([['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']]);
  });

  test.each([
    { body: { expires_in_hours: 0 }, because: 'a life of nothing' },
    { body: { expires_in_hours: 25 }, because: 'more than a day' },
    { body: { expires_in_hours: 1.5 }, because: 'not whole' },
    { body: { expires_in_hours: '2' }, because: 'text' },
    { body: { requested_scopes: 'everywhere' }, because: 'no list' },
    { body: { requested_scopes: ['a b'] }, because: 'two words in one' },
    { body: { requested_scope: ['everywhere'] }, because: 'a slip that would ask for everything' },
    { body: { resource: { type: 'planet', id: 'x' } }, because: 'no kind of resource' },
    { body: { resource: { type: 'agent', id: 'x' } }, because: 'nothing that can be bound to yet' },
    { body: { resource: { type: 'server', id: 'a/../b' } }, because: 'no name of a server' },
    { body: '{', because: 'no JSON' },
    { body: '[]', because: 'no object' },
    { body: 'null', because: 'null' },
    { body: '{"resource":'.repeat(4000), because: 'nesting without end' },
  ])('400, and a word of why, for $because', async ({ body }) => {
    const reply = await gateway.post(GENERATE, KEYS.ci, body);
    expect(reply.status).toBe(400);
    expect(reply.body).toEqual({ detail: expect.any(String) });
  });

  test('403 for a scope that the caller has not, whether it exists or not', async () => {
    for (const scope of ['admins', 'no-such-scope']) {
      const reply = await gateway.post(GENERATE, KEYS.ci, { requested_scopes: ['echo-only', scope] });
      expect([reply.status, reply.body]).toEqual([
        403,
        { detail: 'Requested scopes exceed the scopes of the caller.' },
      ]);
    }
  });

  test('401 with a challenge where nobody calls, 403 for a caller that scopes give no part of the API', async () => {
    const nobody = await gateway.post(GENERATE, null, {});
    expect([nobody.status, nobody.body]).toEqual([401, { detail: 'Authentication required.' }]);
    expect(nobody.headers.get('www-authenticate')).toContain('Bearer ');
    const lob = await gateway.post(GENERATE, KEYS.lob, {});
    expect(lob.status).toBe(403);
    expect(lob.headers.get('www-authenticate')).toContain('error="insufficient_scope"');
    expect(lob.headers.get('www-authenticate')).toContain('scope="api-tokens"');
  });

  test('other methods, other types and more than it takes are refused as what they are', async () => {
    const got = await fetchHeld(gateway.origin() + GENERATE);
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await gateway.post(GENERATE, KEYS.ci, 'a=b', { 'content-type': 'text/plain' })).status).toBe(415);
    const large = JSON.stringify({ description: 'x'.repeat(70_000) });
    expect((await gateway.post(GENERATE, KEYS.ci, large)).status).toBe(413);
  });

  test('what was asked for is all there is: no group brings back the rest', async () => {
    const { token } = await gateway.vend(KEYS.ci, { requested_scopes: ['echo-only'] });
    expect(await callWith(gateway, token, 'alpha__echo')).toBe('ok');
    expect(await callWith(gateway, token, 'alpha__add')).toBe('DENIED_BY_POLICY');
    expect(await callWith(gateway, KEYS.ci, 'alpha__add')).not.toBe('DENIED_BY_POLICY');
    const client = await gateway.open('modern', token);
    expect(toolsOf(await client.request('tools/list'))).toEqual(['alpha__echo', 'beta__echo']);
    await client.close();
  });

  test('sessions of a caller and of its tokens are apart, in both directions and from one token to the next', async () => {
    const [one, two] = [await gateway.vend(KEYS.ci), await gateway.vend(KEYS.ci)];
    const holders = [KEYS.ci, one.token, two.token];
    for (const holder of holders) {
      const client = await gateway.open('legacy', holder);
      const statuses = await Promise.all(
        holders.map(async other => {
          const session = { 'mcp-session-id': client.sessionId ?? '', accept: 'application/json, text/event-stream' };
          const ping = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
          return (await gateway.post('/mcp', other, ping, session)).status;
        }),
      );
      expect(statuses).toEqual(holders.map(other => (other === holder ? 200 : 404)));
      await client.close();
    }
  });

  test('a token of ours gets no token, not even one for less', async () => {
    const { token } = await gateway.vend(KEYS.ci);
    const reply = await gateway.post(GENERATE, token, { requested_scopes: ['echo-only'], expires_in_hours: 1 });
    expect([reply.status, reply.body]).toEqual([403, { detail: 'A token of this gateway cannot get another.' }]);
  });

  test('lives no longer than the token it was given out by', async () => {
    const exp = Math.floor(Date.now() / 1000) + 600;
    const { body } = await gateway.vend(issuerToken('ann', { exp, groups: ['team'], jti: 'p-0' }), {
      expires_in_hours: 24,
    });
    // The skew that an issuer's token is granted is its own.
    expect((body.tokens as JsonObject).expires_in as number).toBeLessThanOrEqual(600 + 120);
  });

  describe('bound to one server', () => {
    const resource = { type: 'server', id: 'alpha' };

    test.each(['modern', 'legacy'] as const)('lists and calls that server alone, for a %s client', async era => {
      const { token } = await gateway.vend(KEYS.ci, { resource });
      const client = await gateway.open(era, token);
      const listed = toolsOf(await client.request('tools/list'));
      expect(listed.length).toBeGreaterThan(1);
      expect(listed.every(name => name.startsWith('alpha__'))).toBe(true);
      expect((await client.call('alpha__echo', { text: 'x' })).answer?.result).toBeDefined();
      const other = await client.call('beta__echo', { text: 'x' });
      const unknown = await client.call('gamma__echo', { text: 'x' });
      expect(errorOf(other)).toMatchObject({ data: { code: 'DENIED_BY_POLICY' } });
      // Nothing tells a server it may not use from one that does not exist, but what the caller said itself.
      expect(JSON.stringify(errorOf(other)).replaceAll('beta', 'gamma')).toBe(JSON.stringify(errorOf(unknown)));
      await client.close();
    });

    test('is refused at the door of every other server, and let in at its own', async () => {
      const { token } = await gateway.vend(KEYS.ci, { resource });
      expect(await callWith(gateway, token, 'echo', '/alpha/mcp')).toBe('ok');
      expect(await callWith(gateway, token, 'echo', '/beta/mcp')).toBe('status 403');
      const client = await gateway.open('modern', token, '/beta/mcp');
      const [list, hello] = [await client.request('tools/list'), await client.request('server/discover')];
      for (const { status, headers } of [list, hello])
        expect([status, headers['www-authenticate']]).toEqual(GENERIC_NO);
      await client.close();
      await expect(gateway.open('legacy', token, '/beta/mcp')).rejects.toThrow();
      const unknown = await gateway.post('/gamma/mcp', token, { jsonrpc: '2.0', id: 1, method: 'tools/list' });
      expect(unknown.status).toBe(403);
    });

    test('is good for no part of the API and no metrics', async () => {
      const { token, jti } = await gateway.vend(KEYS.ops, { resource });
      expect((await gateway.post(GENERATE, token, {})).status).toBe(403);
      expect((await gateway.post(REVOKE, token, { jti })).status).toBe(403);
      const metrics = await fetch(`${gateway.origin()}/metrics`, { headers: { authorization: `Bearer ${token}` } });
      expect(metrics.status).toBe(403);
    });

    test('a server that does not exist is told to those alone who might use it', async () => {
      const gone = { resource: { type: 'server', id: 'gamma' } };
      expect((await gateway.post(GENERATE, KEYS.ci, gone)).status).toBe(404);
    });
  });

  describe('taken back', () => {
    test('ends its streams within a heartbeat, while those of its parent go on', { timeout: 30_000 }, async () => {
      const { token, jti } = await gateway.vend(KEYS.ci);
      const clients = await Promise.all([
        ...[gateway.open('modern', token), gateway.open('legacy', token), gateway.open('legacy', KEYS.ci)],
      ]);
      const [modern, legacy, parents] = await Promise.all(clients.map(client => client.listen()));
      let isOver = false;
      void parents?.ended.then(() => {
        isOver = true;
      });
      await gateway.post(REVOKE, KEYS.ci, { jti });
      await Promise.all([modern?.ended, legacy?.ended]);
      expect(isOver).toBe(false);
      parents?.drop();
      await Promise.all(clients.map(client => client.close()));
    });

    test('is refused at the next request, and may be taken back again', async () => {
      const { token, jti } = await gateway.vend(KEYS.ci);
      expect(await callWith(gateway, token)).toBe('ok');
      const { status, body } = await gateway.post(REVOKE, KEYS.ci, { jti });
      expect([status, body]).toEqual([200, { success: true, jti }]);
      expect(await callWith(gateway, token)).toBe('401');
      expect((await gateway.post(REVOKE, KEYS.ci, { jti })).status).toBe(200);
    });

    test('by whom it was given out to, by itself, or by an administrator; to others it is unknown', async () => {
      const [mine, same, another] = await Promise.all([1, 2, 3].map(() => gateway.vend(KEYS.ci)));
      if (!mine || !same || !another) throw new Error('unreachable');
      const strange = await gateway.post(REVOKE, issuerToken('bob', { groups: ['team'] }), { jti: mine.jti });
      const absent = await gateway.post(REVOKE, issuerToken('bob', { groups: ['team'] }), {
        jti: `${'A'.repeat(22)}.${'B'.repeat(22)}`,
      });
      expect([strange.status, strange.body]).toEqual([404, absent.body]);
      // A token speaks for itself, and not for its owner's others.
      expect((await gateway.post(REVOKE, same.token, { jti: mine.jti })).status).toBe(404);
      expect((await gateway.post(REVOKE, same.token, { jti: same.jti })).status).toBe(200);
      expect((await gateway.post(REVOKE, KEYS.ops, { jti: another.jti })).status).toBe(200);
      expect(await callWith(gateway, mine.token)).toBe('ok');
      expect(await callWith(gateway, same.token)).toBe('401');
      expect(await callWith(gateway, another.token)).toBe('401');
    });

    test.each(['x', '../../etc', `${'A'.repeat(22)}.${'B'.repeat(23)}`])('%s is the id of nothing: 400', async jti => {
      expect((await gateway.post(REVOKE, KEYS.ci, { jti })).status).toBe(400);
    });
  });

  describe('at the wrong door', () => {
    const claims = () => ({ iat: Math.floor(Date.now() / 1000), exp: Math.floor(Date.now() / 1000) + 600 });

    test('what an issuer signed is no token of ours, whatever it says of itself', async () => {
      const { token } = await gateway.vend(KEYS.ci);
      const [, payload = ''] = token.split('.');
      const own = JSON.parse(Buffer.from(payload, 'base64url').toString()) as JsonObject;
      const thief = createEcKey(decodeProtectedHeader(token).kid ?? '');
      const theirs = [
        signToken({ typ: 'gatehouse+jwt', alg: 'ES256', kid: thief.kid }, own, thief.privateKey, 'ES256'),
        signToken({ typ: 'gatehouse+jwt', alg: 'ES256', kid: 'other' }, own, thief.privateKey, 'ES256'),
        signToken({ alg: 'ES256', kid: 'story', typ: 'at+jwt' }, own, thief.privateKey, 'ES256'),
        issuerToken('ann', { ...own, iss: ISSUER }).replace(/^[^.]+/, token.split('.')[0] ?? ''),
        `${Buffer.from('{"typ":"gatehouse+jwt","alg":"none"}').toString('base64url')}.${payload}.`,
        `${token.slice(0, -4)}AAAA`,
        `${token}A`,
      ];
      for (const forged of theirs) expect(await callWith(gateway, forged)).toBe('401');
    });

    test('a token of ours is nothing to the issuers, even with their name in it', async () => {
      const forged = createEcKey('story');
      const token = signToken(
        { typ: 'gatehouse+jwt', alg: 'ES256', kid: 'story' },
        { ...claims(), iss: ISSUER, aud: 'gatehouse', sub: 'ann' },
        forged.privateKey,
        'ES256',
      );
      expect(await callWith(gateway, token)).toBe('401');
      // Nor does the issuer's own key make one of ours, or a token of ours one of the issuer's.
      const typ = 'gatehouse+jwt';
      expect(await callWith(gateway, issuerToken('ann', { groups: ['team'] }, { typ }))).toBe('401');
      const asOurs = issuerToken('ann', { groups: ['team'], iss: 'https://gw.example.test' }, { typ });
      expect(await callWith(gateway, asOurs)).toBe('401');
      expect(await callWith(gateway, issuerToken('ann', { groups: ['team'] }))).toBe('ok');
    });
  });

  test('every attempt is one line in the book, without a token in it', async () => {
    const ours = () => gateway.book().filter(({ operation }) => String(operation).startsWith('tokens/'));
    await expect.poll(() => ours().at(-1)?.operation).toBe('tokens/generate');
    const before = ours().length;
    const { token, jti } = await gateway.vend(KEYS.ci, {
      requested_scopes: ['echo-only'],
      description: 'for the book',
    });
    await gateway.post(GENERATE, KEYS.ci, { requested_scopes: ['admins'] });
    await gateway.post(REVOKE, KEYS.ci, { jti });
    await expect.poll(() => ours().length - before).toBe(3);
    const lines = ours().slice(before);
    expect(lines).toMatchObject([
      { operation: 'tokens/generate', subject: 'key:ci', decision: 'ALLOW', metadata: { token_id: jti } },
      { operation: 'tokens/generate', subject: 'key:ci', decision: 'DENY', error_code: 'DENIED_BY_POLICY' },
      { operation: 'tokens/revoke', subject: 'key:ci', decision: 'ALLOW', target: jti },
    ]);
    expect(JSON.stringify(lines)).not.toContain(token.split('.')[2]);
  });

  test('holds a body that never ends no longer than it may', async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const sent = request(gateway.origin() + GENERATE, {
        method: 'POST',
        headers: { authorization: `Bearer ${KEYS.ci}`, 'content-type': 'application/json' },
      });
      sent.on('response', reply => {
        resolve(reply.statusCode ?? 0);
        sent.destroy();
      });
      sent.on('error', reject);
      const chunk = ' '.repeat(16_384);
      for (let n = 0; n < 6; n += 1) sent.write(chunk);
    });
    expect(status).toBe(413);
  });
});

describe('what a token hangs on', () => {
  let gateway: VendingGateway;
  beforeEach(async () => {
    gateway = await openVendingGateway(MANY);
  });
  afterEach(() => gateway.remove());

  test('a key that is changed takes its tokens with it at the next request, and no other', async () => {
    const [mine, others] = [await gateway.vend(KEYS.ci), await gateway.vend(KEYS.ops)];
    expect(await callWith(gateway, mine.token)).toBe('ok');
    const changed = [key('ci', KEYS.next, { groups: ['team'] }), ...USUAL_KEYS.slice(1)];
    gateway.write({ ...MANY, identity: { keys: changed } });
    await gateway.reload();
    expect(await callWith(gateway, mine.token)).toBe('401');
    expect(await callWith(gateway, others.token)).toBe('ok');
    gateway.write({ ...MANY, identity: { keys: changed.slice(0, 1) } });
    await gateway.reload();
    expect(await callWith(gateway, others.token)).toBe('401');
  });

  test('rights that the parent loses are lost to its tokens, and come back with them', async () => {
    const byKey = await gateway.vend(KEYS.ci, { requested_scopes: ['everywhere'] });
    const byIssuer = await gateway.vend(issuerToken('ann', { groups: ['team'] }), { requested_scopes: ['everywhere'] });
    for (const { token } of [byKey, byIssuer]) expect(await callWith(gateway, token)).toBe('ok');
    gateway.writeScopes({ ...SCOPES, group_mappings: { operators: ['admins'] } });
    await gateway.reload();
    for (const { token } of [byKey, byIssuer]) expect(await callWith(gateway, token)).toBe('DENIED_BY_POLICY');
    gateway.writeScopes(SCOPES);
    await gateway.reload();
    for (const { token } of [byKey, byIssuer]) expect(await callWith(gateway, token)).toBe('ok');
  });

  test('keys and what was revoked outlast a restart, in files for their owner alone', async () => {
    const [kept, gone] = [await gateway.vend(KEYS.ci), await gateway.vend(KEYS.ci)];
    await gateway.post(REVOKE, KEYS.ci, { jti: gone.jti });
    await gateway.stop();
    await gateway.start();
    expect(await callWith(gateway, kept.token)).toBe('ok');
    expect(await callWith(gateway, gone.token)).toBe('401');
    for (const name of ['token-keys.json', 'token-revocations.json']) {
      expect(statSync(gateway.file(name)).mode & 0o777).toBe(0o600);
    }
    expect(readFileSync(gateway.file('token-revocations.json'), 'utf8')).not.toContain(KEYS.ci);
  });

  test('a parent that another process takes back takes its tokens with it, and no others', async () => {
    const [parent, other] = ['p-1', 'p-2'].map(jti => issuerToken('ann', { groups: ['team'], jti }));
    if (parent === undefined || other === undefined) throw new Error('unreachable');
    const [child, cousin] = [await gateway.vend(parent), await gateway.vend(other)];
    for (const token of [parent, other, child.token, cousin.token]) expect(await callWith(gateway, token)).toBe('ok');
    const found = openOwnKeys(gateway.file('token-keys.json'), Date.now());
    if (!found.ok) throw new Error(found.reason);
    const key = parentMark(found.keys.mark, { issuer: ISSUER, tokenId: 'p-1' }) ?? '';
    const path = gateway.file('token-revocations.json');
    const elsewhere = createRevocationFile({ path, nowMs: Date.now, markOf: () => null });
    elsewhere.add({ kind: 'parent', key, atMs: Date.now(), untilMs: Date.now() + 3_600_000 });
    await expect.poll(() => callWith(gateway, child.token), { timeout: 10_000 }).toBe('401');
    expect(await callWith(gateway, parent)).toBe('401');
    for (const token of [other, cousin.token]) expect(await callWith(gateway, token)).toBe('ok');
  });

  test.each(['token-keys.json', 'token-revocations.json'])(
    'with a damaged %s no token of ours is good, and all else is',
    async name => {
      const { token, jti } = await gateway.vend(KEYS.ci);
      await gateway.post(REVOKE, KEYS.ci, { jti });
      await gateway.stop();
      writeFileSync(gateway.file(name), '{', { mode: 0o600 });
      await gateway.start();
      expect(await callWith(gateway, token)).toBe('401');
      expect(await callWith(gateway, KEYS.ci)).toBe('ok');
      expect(await callWith(gateway, issuerToken('ann', { groups: ['team'] }))).toBe('ok');
      for (const [path, body] of [[GENERATE, {}] as const, [REVOKE, { jti }] as const]) {
        const reply = await gateway.post(path, KEYS.ci, body);
        expect([reply.status, reply.headers.get('retry-after')]).toEqual([503, '1']);
      }
      expect(readFileSync(gateway.file(name), 'utf8')).toBe('{');
    },
  );

  test('429 beyond so many in an hour, with the time to wait, for each caller apart', async () => {
    await gateway.stop();
    gateway.write({});
    await gateway.start();
    for (let n = 0; n < 10; n += 1) await gateway.vend(KEYS.ci);
    const reply = await gateway.post(GENERATE, KEYS.ci, {});
    expect([reply.status, reply.body]).toEqual([429, { detail: expect.any(String) }]);
    const wait = Number(reply.headers.get('retry-after'));
    expect(wait).toBeGreaterThan(3000);
    expect(wait).toBeLessThanOrEqual(3600);
    expect(reply.headers.get('x-ratelimit-limit')).toBe('10');
    await gateway.vend(KEYS.ops);
  });

  test('where they are switched off there is neither route nor key', async () => {
    await gateway.stop();
    gateway.write({ tokens: { enabled: false } });
    await gateway.start();
    expect((await gateway.post(GENERATE, KEYS.ci, {})).status).toBe(404);
    expect((await fetch(`${gateway.origin()}/.well-known/jwks.json`)).status).toBe(404);
  });
});
