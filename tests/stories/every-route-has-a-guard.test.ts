/**
 * Every route of a started gateway, asked by everybody: what comes of it follows from what the route declares, and nothing
 * answers without a declaration. A route that nobody guards is shown to be found.
 */
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { answer, defineRoute, type RestRoute } from '../../src/inbound/rest/route.ts';
import { startServer } from '../inbound/http/wire.ts';
import {
  issuerToken,
  KEYS,
  key,
  openVendingGateway,
  SCOPES,
  USUAL_KEYS,
  type VendingGateway,
} from '../support/vending-gateway.ts';

const WHO = ['nobody', 'unknown', 'bound', 'reader', 'operator', 'administrator'] as const;
type Who = (typeof WHO)[number];

/** What the scopes below grant, said once more: words on the server `api`, and actions of the registry. */
const API_RIGHTS: Partial<Record<Who, string[]>> = { reader: ['GET'], operator: ['GET'], administrator: ['tokens'] };
const UI_RIGHTS: Partial<Record<Who, string[]>> = {
  operator: ['toggle_service', 'list_service'],
  administrator: ['modify_service'],
};

/** Routes outside the table, and who gets an answer from them. */
const ELSEWHERE: { route: string; open: readonly Who[] }[] = [
  { route: 'GET /health', open: WHO },
  { route: 'GET /ready', open: WHO },
  { route: 'GET /', open: WHO },
  { route: 'GET /.well-known/oauth-protected-resource', open: WHO },
  { route: 'GET /.well-known/oauth-protected-resource/mcp', open: WHO },
  { route: 'GET /.well-known/jwks.json', open: WHO },
  { route: 'GET /metrics', open: ['reader', 'operator', 'administrator'] },
];
const DOORS = [
  ...['POST /mcp', 'GET /mcp', 'DELETE /mcp', 'POST /', 'POST /mcp/agent', 'POST /mcp/direct', 'POST /mcp/discovery'],
  ...['GET /sse', 'POST /messages', 'POST /alpha/mcp', 'GET /alpha/mcp', 'GET /alpha/sse', 'POST /beta/mcp'],
  ...['GET /beta/sse', 'POST /nowhere/mcp'],
];
/** Of Hono: what it has besides the table is these, and the one place where the table is mounted. */
const KNOWN_TO_HONO = new Set(['/health', '/ready', '/metrics', '/', '/*']);
const PUBLIC = /^(?:(?:\/api)?\/openapi\.json|\/docs(?:\/[a-z.-]+)?|\/api\/auth\/(?:providers|config)|\/login)$/;

const READER = 'Rd7Kx2Wq9Zm4Ls1Vb6Nt3Hc8Pg5Jf0YuAeOiTr';

let gateway: VendingGateway;
let rest: readonly RestRoute[];
let http: readonly { method: string; path: string }[];
let credentials: Record<Who, string | null>;
beforeAll(async () => {
  gateway = await openVendingGateway({
    tokens: { perHour: 10_000 },
    identity: { keys: [...USUAL_KEYS, key('reader', READER, { groups: ['readers'] })] },
  });
  gateway.writeScopes({
    ...SCOPES,
    'UI-Scopes': { ...(SCOPES['UI-Scopes'] as object), operate: { toggle_service: ['alpha'], list_service: ['all'] } },
    group_mappings: { ...(SCOPES.group_mappings as object), readers: ['read'], shift: ['operate', 'read'] },
    read: [{ server: 'api', methods: ['GET'], tools: [] }],
  });
  await gateway.reload();
  ({ rest, http } = gateway.app().routes());
  const bound = await gateway.vend(KEYS.ops, { resource: { type: 'server', id: 'alpha' } });
  credentials = {
    nobody: null,
    unknown: 'Zz9Yx8Wv7Ut6Sr5Qp4On3Ml2Kj1Ih0GfEdCbAa',
    bound: bound.token,
    reader: READER,
    operator: issuerToken('shift-lead', { groups: ['shift'] }),
    administrator: KEYS.ops,
  };
});
afterAll(() => gateway.remove());

/** A request of that shape, with a body that no schema takes: what is let in goes no further than being read. */
async function ask(method: string, path: string, who: Who): Promise<number> {
  const token = credentials[who];
  const hasBody = method !== 'GET' && method !== 'HEAD';
  const reply = await fetch(gateway.origin() + path.replace(/\{[^}]*\}/g, 'x'), {
    ...{ method, redirect: 'manual' },
    headers: {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(hasBody ? { 'content-type': 'application/json' } : {}),
    },
    ...(hasBody ? { body: '{"no schema takes this":1}' } : {}),
  });
  await reply.arrayBuffer();
  return reply.status;
}

const isLetIn = (status: number) => status !== 401 && status !== 403;

/** What a declaration means. */
function mayUse({ access, method }: RestRoute, who: Who): boolean {
  if (access.kind === 'public') return true;
  // A token for one server is good for the questions about its door, and for nothing else.
  if (access.kind === 'bearer') return isKnown(who);
  if (who === 'nobody' || who === 'unknown' || who === 'bound') return false;
  switch (access.kind) {
    case 'caller':
      return true;
    case 'api':
      return [method, access.word].some(word => word !== undefined && API_RIGHTS[who]?.includes(word));
    case 'ui':
      return UI_RIGHTS[who]?.includes(access.action) === true;
    case 'admin':
      return who === 'administrator';
  }
}

test.each(WHO)('the REST API, asked by %s, answers as its table declares', async who => {
  expect(rest.length).toBeGreaterThan(10);
  for (const route of rest) {
    const status = await ask(route.method, route.path, who);
    const asked = `${who} ${route.method} ${route.path}`;
    if (!mayUse(route, who)) expect([asked, status]).toEqual([asked, isKnown(who) ? 403 : 401]);
    // Who may do this to something may still not do it to what is asked for here.
    else if (route.access.kind === 'ui' || route.access.kind === 'bearer')
      expect([asked, status]).not.toEqual([asked, 401]);
    else expect([asked, isLetIn(status)]).toEqual([asked, true]);
  }
});

describe('beside the table', () => {
  it('stands no route that the listener knows, but those of an operator', () => {
    expect(http.length).toBeGreaterThan(3);
    expect(findUndeclared(http)).toEqual([]);
  });

  it('is public what is listed here, and nothing else', () => {
    expect(findOpen(rest)).toEqual([]);
  });

  it.each(ELSEWHERE)('$route answers $open', async ({ route, open }) => {
    const [method = '', path = ''] = route.split(' ');
    for (const who of WHO) {
      const status = await ask(method, path, who);
      if (open.includes(who)) expect([who, status]).toEqual([who, 200]);
      else expect([who, status]).toEqual([who, isKnown(who) ? 403 : 401]);
    }
  });

  it.each(DOORS)(
    'the door %s opens for nobody without a good credential, nor for a token of another server',
    async door => {
      const [method = '', path = ''] = door.split(' ');
      expect(await ask(method, path, 'nobody')).toBe(401);
      expect(await ask(method, path, 'unknown')).toBe(401);
      if (/^\/(?:beta|nowhere)\//.test(path)) expect(await ask(method, path, 'bound')).toBe(403);
    },
  );
});

describe('the walk', () => {
  it('finds a route that was added to the listener by hand', async () => {
    const planted = await startServer({}, { addRoutes: routes => void routes.get('/api/backdoor', c => c.json({})) });
    expect(findUndeclared(planted.routes())).toEqual(['/api/backdoor']);
    // It would have been one.
    expect((await fetch(`${planted.url}/api/backdoor`)).status).toBe(200);
    await planted.stop(0);
  });

  it('finds a route that was declared to be for anybody', () => {
    const careless = defineRoute({
      ...{ method: 'GET', path: '/api/secrets', operation: 'x', summary: '', tag: '', answers: {} },
      ...{ access: { kind: 'public' }, run: () => answer(200, {}) },
    });
    expect(findOpen([...rest, careless])).toEqual(['/api/secrets']);
  });
});

function isKnown(who: Who): boolean {
  return who !== 'nobody' && who !== 'unknown';
}

function findUndeclared(known: readonly { path: string }[]): string[] {
  return known.map(({ path }) => path).filter(path => !KNOWN_TO_HONO.has(path));
}

function findOpen(table: readonly RestRoute[]): string[] {
  return table.filter(({ access, path }) => access.kind === 'public' && !PUBLIC.test(path)).map(({ path }) => path);
}
