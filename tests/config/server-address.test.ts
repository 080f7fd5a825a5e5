import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatProblem } from '../../src/config/load.ts';
import type { HttpAddress } from '../../src/domain/server.ts';
import { createDesk, type Desk } from './desk.ts';

let desk: Desk;
beforeEach(() => {
  desk = createDesk();
});
afterEach(() => desk.remove());

const NEAR = 'http://127.0.0.1:9000/mcp';
const FAR = 'https://mcp.example.com/mcp';

async function addressOf(entry: object, env: Record<string, string> = {}): Promise<HttpAddress> {
  desk.write('cwd/gateway.config.yaml', { servers: { a: entry } });
  const link = (await desk.config(env)).servers[0]?.link;
  if (link?.kind !== 'http') throw new Error('no address');
  return link;
}
const sent = ({ headers }: HttpAddress) =>
  Object.fromEntries([...headers].map(([name, value]) => [name, value.reveal()]));
async function problemsOf(entry: object): Promise<string[]> {
  desk.write('cwd/gateway.config.yaml', { servers: { a: entry } });
  return (await desk.problems({ TOKEN: 'canary-token' })).map(formatProblem);
}

describe('the credential of a server', () => {
  test.each([
    { auth: { scheme: 'bearer', credential: 't' }, becomes: { authorization: 'Bearer t' } },
    { auth: { scheme: 'api_key', credential: 't' }, becomes: { 'x-api-key': 't' } },
    { auth: { scheme: 'api_key', credential: 't', header: 'X-Auth-Token' }, becomes: { 'x-auth-token': 't' } },
    { auth: { scheme: 'bearer', credential: 't', header: 'X-Token' }, becomes: { 'x-token': 'Bearer t' } },
    { auth: { scheme: 'none' }, becomes: {} },
  ])('$auth is sent as $becomes', async ({ auth, becomes }) => {
    expect(sent(await addressOf({ url: FAR, auth }))).toEqual(becomes);
  });

  test('may be a reference, and prints as a secret', async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: the text is about the syntax
    const address = await addressOf({ url: FAR, auth: { scheme: 'bearer', credential: '${TOKEN}' } }, { TOKEN: 'abc' });
    expect(sent(address)).toEqual({ authorization: 'Bearer abc' });
    expect(JSON.stringify([...address.headers])).toBe('[["authorization","[secret]"]]');
  });

  test.each([
    { auth: { scheme: 'bearer' }, says: 'is missing', at: 'auth.credential' },
    { auth: { scheme: 'bearer', credential: ' ' }, says: 'is empty', at: 'auth.credential' },
    { auth: { scheme: 'bearer', credential: 'a\r\nX-Admin: 1' }, says: 'character', at: 'auth.credential' },
    { auth: { scheme: 'bearer', credential: 'a ' }, says: 'blanks', at: 'auth.credential' },
    { auth: { scheme: 'none', credential: 'a' }, says: 'not used', at: 'auth.credential' },
    { auth: { scheme: 'basic', credential: 'a' }, says: 'one of none, bearer, api_key', at: 'auth.scheme' },
    { auth: { scheme: 'api_key', credential: 'a', header: 'Host' }, says: 'gateway itself', at: 'auth.header' },
    { auth: { scheme: 'api_key', credential: 'a', header: 'a b' }, says: 'not a name', at: 'auth.header' },
    { auth: { scheme: 'api_key', credential: 'a', headers: 'X' }, says: 'header', at: 'auth.headers' },
    { auth: { credential: 'a' }, says: 'one of', at: 'auth.scheme' },
  ])('$auth is refused: $says', async ({ auth, says, at }) => {
    const problems = await problemsOf({ url: FAR, auth });
    expect(problems).toEqual([expect.stringContaining(`servers.a.${at}`)]);
    expect(problems[0]).toContain(says);
  });

  test('is given once', async () => {
    const twice = { url: FAR, headers: { AUTHORIZATION: 'x' }, auth: { scheme: 'bearer', credential: 'y' } };
    expect(await problemsOf(twice)).toEqual([expect.stringContaining('servers.a.auth')]);
  });

  test('belongs to an address', async () => {
    for (const field of [
      { auth: { scheme: 'bearer', credential: 'x' } },
      { passthrough: true },
      { identityHeaders: true },
      { forwardHeaders: [] },
    ])
      expect(await problemsOf({ command: 'x', ...field })).toEqual([expect.stringContaining('"url"')]);
  });
});

describe('headers of an operator', () => {
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`X-Own-${i}`, `${i}`]));

  test('are ten at most', async () => {
    expect(Object.keys(sent(await addressOf({ url: FAR, headers: many(10) })))).toHaveLength(10);
    expect(await problemsOf({ url: FAR, headers: many(11) })).toEqual([expect.stringContaining('more than 10')]);
  });

  test.each([
    ...['Host', 'Connection', 'Content-Length', 'Transfer-Encoding', 'Upgrade', 'TE', 'Trailer', 'Expect'],
    ...['Proxy-Authorization', 'Content-Type', 'Accept', 'Accept-Encoding', 'Last-Event-ID'],
    ...['Mcp-Session-Id', 'MCP-Protocol-Version', 'Mcp-Method', 'Mcp-Param-Region', ':path', 'a\nb', ''],
  ])('%j is refused, whatever its case', async name => {
    const forms = [name, name.toUpperCase(), name.toLowerCase()];
    for (const form of forms) {
      const problems = await problemsOf({ url: FAR, headers: { [form]: 'canary-value' } });
      expect(problems).toHaveLength(1);
      expect(problems[0]).not.toContain('canary-value');
    }
  });

  test('may say who calls only where the gateway does not', async () => {
    const headers = { 'X-User': 'service' };
    expect(await problemsOf({ url: NEAR, headers })).toEqual([expect.stringContaining('identityHeaders: false')]);
    expect(sent(await addressOf({ url: NEAR, headers, identityHeaders: false }))).toEqual({ 'x-user': 'service' });
    expect(sent(await addressOf({ url: FAR, headers }))).toEqual({ 'x-user': 'service' });
  });
});

describe('who calls is told', () => {
  test.each([
    ...['http://127.0.0.1/mcp', 'http://127.9.9.9:1/', 'http://localhost:9/', 'http://[::1]:9/', 'http://10.1.2.3/'],
    ...[
      'http://192.168.1.1/',
      'http://172.16.0.1/',
      'http://172.31.255.1/',
      'http://[fd00::1]/',
      'http://currenttime:8000/',
    ],
    ...['http://a.default.svc.cluster.local/', 'http://tools.internal/', 'https://nas.local/'],
  ])('a server near by: %s', async url => expect((await addressOf({ url })).identityHeaders).toBe(true));

  test.each([
    ...['https://mcp.example.com/', 'http://172.32.0.1/', 'http://172.15.0.1/', 'http://11.0.0.1/', 'http://8.8.8.8/'],
    ...['http://169.254.169.254/', 'http://[2001:db8::1]/', 'https://localhost.example.com/', 'https://internal.com/'],
    ...['https://10.0.0.1.example.com/', 'http://193.168.0.1/'],
  ])('no server far away: %s', async url => expect((await addressOf({ url })).identityHeaders).toBe(false));

  test('or not, as the operator says', async () => {
    expect((await addressOf({ url: FAR, identityHeaders: true })).identityHeaders).toBe(true);
    expect((await addressOf({ url: NEAR, identityHeaders: 'false' })).identityHeaders).toBe(false);
  });
});

describe('what clients pass on', () => {
  test('is what is listed', async () => {
    const entry = { url: FAR, passthrough: true, forwardHeaders: ['X-Atlassian-Cloud-Id', 'x-atlassian-cloud-id'] };
    expect(await addressOf(entry)).toMatchObject({ passthrough: true, forwardHeaders: ['x-atlassian-cloud-id'] });
    expect(await addressOf({ url: FAR, passthrough: false })).not.toHaveProperty('passthrough');
  });

  test.each([
    ...['Authorization', 'X-Authorization', 'Cookie', 'X-User', 'X-Groups', 'X-Agent-Id', 'Host', 'Connection', 'TE'],
    ...['Content-Length', 'Mcp-Session-Id', 'X-Forwarded-User', 'X-Forwarded-For', 'Forwarded', 'Remote-User', 'a b'],
  ])('%s never is', async name => {
    expect(await problemsOf({ url: FAR, forwardHeaders: [name] })).toEqual([
      expect.stringContaining('servers.a.forwardHeaders[0]'),
    ]);
  });

  test('Authorization is, beside none of the server’s own and on no shared connection', async () => {
    const auth = { scheme: 'bearer', credential: 'x' };
    expect(await problemsOf({ url: FAR, passthrough: true, auth })).toEqual([expect.stringContaining('passthrough')]);
    expect(await problemsOf({ url: FAR, passthrough: true, sharing: 'shared' })).toEqual([
      expect.stringContaining('per-principal'),
    ]);
  });

  test('does not replace what is set for every request', async () => {
    expect(await problemsOf({ url: FAR, headers: { 'X-Tenant': 'a' }, forwardHeaders: ['x-tenant'] })).toEqual([
      expect.stringContaining('every request'),
    ]);
  });
});
