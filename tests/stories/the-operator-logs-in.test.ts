/**
 * An operator without an identity provider logs in with a name and a password, is the same on every page as by any other
 * credential, and is nobody on the doors for programs. Whoever sets up a login leaves no door open beside it.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type App, createApp } from '../../src/app.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { createDesk, type Desk } from '../config/desk.ts';
import { type Browser, openBrowser } from '../support/browser.ts';
import { issuerToken, KEYS, key, openVendingGateway, SCOPES, type VendingGateway } from '../support/vending-gateway.ts';

const PASSWORD = 'Kor9-wam-Tis4-pel';
const GOOD = { username: 'root', password: PASSWORD };
const GENERATE = '/api/tokens/generate';

async function loggedIn(origin: string): Promise<Browser> {
  const browser = openBrowser(origin);
  const { status, location } = await browser.submit('/login', GOOD);
  if (status !== 302 || location !== '/') throw new Error(`no login: ${status} ${location}`);
  return browser;
}

async function csrfOf(browser: Browser): Promise<string> {
  const { json } = await browser.get('/api/auth/csrf-token');
  return String((json as JsonObject).csrf_token);
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

describe('beside keys, an issuer and scopes', () => {
  const variables = { ADMIN_USER: 'root', ADMIN_PASSWORD: PASSWORD };
  const keys = [key('ci', KEYS.ci, { groups: ['team'] }), key('root', KEYS.ops, { groups: ['operators'] })];
  const settings = { tokens: { perHour: 1000 }, identity: { keys, login: { groups: ['operators'] } } };
  let gateway: VendingGateway;
  beforeAll(async () => {
    gateway = await openVendingGateway(settings, variables);
    gateway.writeScopes({
      ...SCOPES,
      'UI-Scopes': { admins: { modify_service: ['all'], list_service: ['alpha', '/beta'], list_agents: ['/a'] } },
    });
    await gateway.reload();
  });
  afterAll(() => gateway.remove());

  test('the form lets in, and its cookie is for this host, encrypted, and hidden from scripts', async () => {
    const browser = openBrowser(gateway.origin());
    const form = await browser.get('/login?next=/ui/servers');
    expect([form.status, form.headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8']);
    expect(form.text).toContain('name="next" value="/ui/servers"');
    const { status, location, headers } = await browser.submit('/login', { ...GOOD, next: '/ui/servers' });
    expect([status, location]).toEqual([302, '/ui/servers']);
    expect(headers.get('set-cookie')).toMatch(
      /^__Host-mcp_gateway_session=[\w-]{43}; Max-Age=28800; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
    );
    const again = await browser.get('/login');
    expect([again.status, again.location]).toEqual([302, '/']);
  });

  test('every answer about a login keeps browsers from guessing, framing, storing and telling', async () => {
    const browser = openBrowser(gateway.origin());
    for (const page of [
      await browser.get('/login'),
      await browser.submit('/login', { username: 'root', password: 'no' }),
      await browser.get('/api/auth/me'),
      await browser.get('/api/auth/nothing'),
    ]) {
      expect(Object.fromEntries(page.headers)).toMatchObject({
        'content-security-policy': expect.stringMatching(/^default-src 'none';.*frame-ancestors 'none'/),
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cache-control': 'no-store',
      });
    }
  });

  test.each(['//evil.example', 'https://evil.example', '/\\evil.example', '/ui/..//evil.example', '/login'])(
    'goes on to a page of ours whatever a link says: %s',
    async next => {
      const browser = openBrowser(gateway.origin());
      const { location, status } = await browser.submit('/login', { ...GOOD, next });
      expect([status, location]).toEqual([302, '/']);
    },
  );

  test('a wrong password and a name that nobody has are answered alike', async () => {
    const browser = openBrowser(gateway.origin());
    const known = await browser.submit('/login', { username: 'root', password: 'wrong' });
    const unknown = await browser.submit('/login', { username: 'nobody', password: PASSWORD });
    const facts = ({ status, location, text, headers }: typeof known) => [
      ...[status, location, text, headers.get('content-length'), headers.has('set-cookie')],
    ];
    expect(facts(known)).toEqual([302, '/login?error=credentials', '', known.headers.get('content-length'), false]);
    expect(facts(unknown)).toEqual(facts(known));
    expect((await browser.get('/login?error=credentials')).text).toContain('role="alert"');
  });

  test('is the same by cookie, by a token of an issuer, by a token of ours and by a key', async () => {
    const browser = await loggedIn(gateway.origin());
    const byCookie = (await browser.get('/api/auth/me')).json as JsonObject;
    expect(byCookie).toEqual({
      ...{ username: 'root', auth_method: 'login', provider: 'local', groups: ['operators'] },
      scopes: ['admins', 'everywhere', 'api-tokens'],
      ...{ can_modify_servers: true, is_admin: true },
      ui_permissions: { modify_service: ['all'], list_service: ['alpha', '/beta'], list_agents: ['/a'] },
      accessible_servers: ['alpha', 'beta'],
      accessible_services: ['alpha', '/beta'],
      accessible_agents: ['/a'],
    });
    const vended = await browser.post(GENERATE, {}, { 'x-csrf-token': await csrfOf(browser) });
    expect(vended.status).toBe(200);
    const { access_token: token } = (vended.json as { tokens: { access_token: string } }).tokens;
    const outside = openBrowser(gateway.origin());
    const others = { jwt: issuerToken('root', { groups: ['operators'] }), vended: token, 'api-key': KEYS.ops };
    for (const [method, shown] of Object.entries(others)) {
      const { json } = await outside.get('/api/auth/me', bearer(shown));
      const { provider } = json as JsonObject;
      expect(json).toEqual({ ...byCookie, auth_method: method, provider });
    }
  });

  test('the cookie is good on pages alone: no door for programs takes it', async () => {
    const browser = await loggedIn(gateway.origin());
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    const accept = { accept: 'application/json, text/event-stream' };
    const doors = ['/mcp', '/', '/mcp/agent', '/alpha/mcp', '/validate'];
    for (const path of doors) expect([path, (await browser.post(path, body, accept)).status]).toEqual([path, 401]);
    for (const path of ['/metrics', '/sse', '/validate']) {
      expect([path, (await browser.get(path, accept)).status]).toEqual([path, 401]);
    }
    expect((await browser.get('/api/auth/me')).status).toBe(200);
  });

  test('a page of somebody else can do nothing in its name', async () => {
    const browser = await loggedIn(gateway.origin());
    const csrf = await csrfOf(browser);
    const other = await csrfOf(await loggedIn(gateway.origin()));
    const attempts = [
      { headers: {}, because: 'no token, and no Origin' },
      { headers: { origin: gateway.origin() }, because: 'no token' },
      { headers: { 'x-csrf-token': `${csrf}x` }, because: 'a wrong token' },
      { headers: { 'x-csrf-token': other }, because: 'the token of another session' },
      { headers: { 'x-csrf-token': csrf, origin: 'https://evil.example' }, because: 'a foreign page' },
    ];
    for (const { headers, because } of attempts) {
      expect([because, (await browser.post(GENERATE, {}, headers)).status]).toEqual([because, 403]);
    }
    const form = await browser.submit(GENERATE, { a: 'b' }, { 'x-csrf-token': csrf });
    expect(form.status).toBe(415);
    expect((await browser.post(GENERATE, {}, { 'x-csrf-token': csrf })).status).toBe(200);
    const stranger = openBrowser(gateway.origin());
    expect((await stranger.post(GENERATE, {}, { 'x-csrf-token': csrf })).status).toBe(401);
  });

  test('only the session of a login has a token for pages', async () => {
    const { status } = await openBrowser(gateway.origin()).get('/api/auth/csrf-token', bearer(KEYS.ops));
    expect(status).toBe(404);
  });

  test('every login has an id of its own, and the one before it ends', async () => {
    const browser = await loggedIn(gateway.origin());
    const planted = browser.cookie;
    await browser.submit('/login', GOOD);
    expect(browser.cookie).not.toBe(planted);
    expect((await browser.get('/api/auth/me')).status).toBe(200);
    browser.cookie = planted;
    expect((await browser.get('/api/auth/me')).status).toBe(401);
  });

  test('after a logout the cookie is gone and good for nothing', async () => {
    const browser = await loggedIn(gateway.origin());
    const before = browser.cookie;
    const framed = await browser.submit('/logout', {}, { 'sec-fetch-site': 'same-site' });
    expect([framed.status, (await browser.get('/api/auth/me')).status]).toEqual([403, 200]);
    const { status, location } = await browser.submit('/logout', {});
    expect([status, location, browser.cookie]).toEqual([302, '/login', '']);
    browser.cookie = before;
    expect((await browser.get('/api/auth/me')).status).toBe(401);
    expect((await browser.submit('/api/auth/logout', {})).location).toBe('/login');
  });

  test('a token that was given out to a login works on the doors, and ends with the password', async () => {
    const browser = await loggedIn(gateway.origin());
    const { json } = await browser.post(GENERATE, {}, { 'x-csrf-token': await csrfOf(browser) });
    const { access_token: token } = (json as { tokens: { access_token: string } }).tokens;
    const client = await gateway.open('modern', token);
    expect((await client.call('alpha__echo', { text: 'hello' })).answer?.result).toBeDefined();
    await client.close();
    await gateway.stop();
    variables.ADMIN_PASSWORD = 'Another-one-altogether';
    await gateway.start();
    const asked = () => openBrowser(gateway.origin()).get('/api/auth/me', bearer(token));
    expect((await asked()).status).toBe(401);
    await gateway.stop();
    variables.ADMIN_PASSWORD = PASSWORD;
    await gateway.start();
    expect((await asked()).status).toBe(200);
  });

  test('guessing ends after five attempts of one address, for the right password too', async () => {
    const browser = openBrowser(gateway.origin());
    for (let i = 0; i < 5; i++) await browser.submit('/login', { username: 'root', password: `${i}` });
    const { status, headers, text } = await browser.submit('/login', GOOD);
    expect(status).toBe(429);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(text).toContain('role="alert"');
    expect(headers.has('set-cookie')).toBe(false);
  });

  test('each login, failure and logout is in the book, and no password is', async () => {
    await gateway.stop();
    const lines = gateway.book().filter(({ operation }) => operation === 'login' || operation === 'logout');
    const told = new Set(lines.map(line => [line.operation, line.decision, line.subject, line.error_code].join(' ')));
    expect(told).toEqual(
      new Set([
        'login ALLOW login:root ',
        'login DENY  UNAUTHENTICATED',
        'login DENY  RATE_LIMITED',
        'logout ALLOW login:root ',
      ]),
    );
    expect(lines.find(({ decision }) => decision === 'ALLOW')?.metadata).toMatchObject({ username: 'root' });
    expect(JSON.stringify(gateway.book())).not.toContain(PASSWORD);
    await gateway.start();
  });
});

describe('with nothing but a login', () => {
  let desk: Desk;
  let app: App;
  let origin: string;
  beforeAll(async () => {
    desk = createDesk();
    desk.write('cwd/gateway.config.yaml', {
      ...{ log: { level: 'silent' }, audit: { path: `${desk.folder}/book/audit.jsonl` }, servers: {} },
    });
    const env = { ADMIN_PASSWORD: PASSWORD };
    const overrides = { transport: 'http', port: 0 } as const;
    app = createApp({
      config: await desk.config(env, overrides),
      ...{ serve: { http: true, stdio: false }, version: '9.9.9', env: {}, warnings: [] },
      loadAgain: () => desk.load(env, overrides),
    });
    origin = ((await app.start()).url ?? '').replace(/\/mcp$/, '');
  });
  afterAll(async () => {
    await app.stop(0);
    desk.remove();
  });

  test('no door stands open beside it, on this machine neither', async () => {
    const stranger = openBrowser(origin);
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' };
    for (const path of ['/mcp', '/', '/api/auth/me', '/api/auth/csrf-token', '/validate', GENERATE]) {
      const { status, headers } = path.startsWith('/api/auth')
        ? await stranger.get(path)
        : await stranger.post(path, body);
      expect([path, status, headers.get('www-authenticate')]).toEqual([path, 401, expect.stringMatching(/^Bearer/)]);
    }
    expect((await stranger.get('/metrics')).status).toBe(401);
    expect((await stranger.get('/health')).status).toBe(200);
  });

  test('whoever logs in as "admin" administers the registry', async () => {
    const browser = openBrowser(origin);
    expect((await browser.submit('/login', { username: 'admin', password: PASSWORD })).location).toBe('/');
    expect(browser.cookie).toMatch(/^mcp_gateway_session=/);
    expect((await browser.get('/api/auth/me')).json).toMatchObject({
      ...{ username: 'admin', auth_method: 'login', is_admin: true, can_modify_servers: true },
      groups: ['registry-admins', 'mcp-registry-admin'],
      ui_permissions: { register_service: ['all'], delete_agent: ['all'] },
    });
  });

  test('the routes of the document era take name and password with each request, and no other route does', async () => {
    const asks = openBrowser(origin);
    const basic = (written: string) => ({ authorization: `Basic ${Buffer.from(written).toString('base64')}` });
    const good = basic(`admin:${PASSWORD}`);
    const get = async (path: string, headers: Record<string, string>) => {
      const { status, headers: told } = await asks.get(path, headers);
      return [status, told.has('set-cookie')];
    };
    expect(await get('/api/internal/list', good)).toEqual([200, false]);
    expect(await get('/api/internal/list-groups', good)).toEqual([200, false]);
    for (const path of ['/api/servers', '/api/internal', '/api/auth/me'])
      expect([path, (await get(path, good))[0]]).toEqual([path, path === '/api/internal' ? 404 : 401]);
    for (const wrong of [basic(`root:${PASSWORD}`), basic('admin'), basic(':'), { authorization: 'Basic %%' }])
      expect((await get('/api/internal/list', wrong))[0]).toBe(401);
    // What is looked for first is what counts, and nothing beside it is a guess.
    for (let i = 0; i < 6; i++)
      expect((await get('/api/internal/list', { ...basic('admin:x'), 'x-authorization': 'Bearer no' }))[0]).toBe(401);
    expect((await get('/api/internal/list', good))[0]).toBe(200);
    // Guessing is slowed as it is at the form.
    for (let i = 0; i < 5; i++) await get('/api/internal/list', basic(`admin:guess-${i}`));
    expect((await get('/api/internal/list', good))[0]).toBe(429);
  });

  test('a page learns how to let somebody log in', async () => {
    const stranger = openBrowser(origin);
    expect((await stranger.get('/api/auth/config')).json).toMatchObject({
      form_login: true,
      csrf_header: 'X-CSRF-Token',
    });
    expect((await stranger.get('/api/auth/providers')).json).toEqual({ providers: [] });
  });
});
