/**
 * Every route of a started gateway, asked by everybody: what comes of it follows from what the route declares, and nothing
 * answers without a declaration. What is asked is what the gateway says it has mounted; a route, a door or a socket that
 * nobody guards is shown to be found.
 */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { ServedRoute } from '../../src/inbound/http/served.ts';
import { answer, defineRoute, type RestRoute } from '../../src/inbound/rest/route.ts';
import { startServer } from '../inbound/http/wire.ts';
import { fetchHeld } from '../support/openapi-check.ts';
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

/** What the router has besides the table, and who gets an answer from it. */
const ELSEWHERE: { route: string; open: readonly Who[] }[] = [
  { route: 'GET /health', open: WHO },
  { route: 'GET /ready', open: WHO },
  { route: 'GET /', open: WHO },
  { route: 'GET /metrics', open: ['reader', 'operator', 'administrator'] },
];
/** What every answer passes, and the one place where the table is mounted. */
const WHOLE_ROUTER = ['/*', '/*'];
const PUBLIC =
  /^(?:(?:\/api)?\/openapi\.json|\/api\/version|\/docs(?:\/[a-z.-]+)?|\/api\/auth\/(?:providers|config)|\/login)$/;
const PUBLIC_DOCUMENTS =
  /^\/\.well-known\/(?:oauth-protected-resource(?:\/.+)?|oauth-authorization-server|jwks\.json)$/;
/** Servers whose doors are asked: the one a bound token is for, another, and names that nobody has. */
const SERVERS = ['alpha', 'beta', 'nowhere', 'team/nowhere'];

const READER = 'Rd7Kx2Wq9Zm4Ls1Vb6Nt3Hc8Pg5Jf0YuAeOiTr';

let gateway: VendingGateway;
let rest: readonly RestRoute[];
let http: readonly ServedRoute[];
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

/** What somebody shows of who they are. */
function showing(who: Who): Record<string, string> {
  const token = credentials[who];
  return token === null ? {} : { authorization: `Bearer ${token}` };
}

/** A request of that shape, with a body that no schema takes: what is let in goes no further than being read. */
async function ask(
  method: string,
  path: string,
  who: Who,
  { origin = gateway.origin(), headers = {} }: { origin?: string; headers?: Record<string, string> } = {},
): Promise<number> {
  const hasBody = method !== 'GET' && method !== 'HEAD';
  // A planted server prints nothing of itself.
  const send = origin === gateway.origin() ? fetchHeld : fetch;
  const reply = await send(origin + path.replace(/\{[^}]*\}/g, 'x'), {
    ...{ method, redirect: 'manual' },
    headers: { ...showing(who), ...(hasBody ? { 'content-type': 'application/json' } : {}), ...headers },
    ...(hasBody ? { body: '{"no schema takes this":1}' } : {}),
  });
  // A stream that was opened would never be read to its end.
  await (reply.headers.get('content-type') === 'text/event-stream' ? reply.body?.cancel() : reply.arrayBuffer());
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

test('a page of another origin is told the methods of every route, and no others', async () => {
  const methods = new Set([...rest, ...http].map(({ method }) => method).filter(method => method !== 'ALL'));
  for (const method of ['PUT', 'PATCH', 'DELETE']) expect(methods).toContain(method);
  const reply = await fetch(`${gateway.origin()}/api/servers`, {
    method: 'OPTIONS',
    headers: { origin: 'http://localhost:5173', 'access-control-request-method': 'PUT' },
  });
  expect(reply.status).toBe(204);
  const told = reply.headers.get('access-control-allow-methods')?.split(', ');
  expect(told).toEqual([...methods, 'HEAD', 'OPTIONS'].sort());
});

describe('beside the table', () => {
  it('stands nothing in the router but what is an operator’s', () => {
    expect(findUndeclared(http)).toEqual([]);
    const known = of('route', http).map(({ method, path }) => `${method} ${path}`);
    for (const { route } of ELSEWHERE) expect(known).toContain(route);
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

  it('stand public documents that read the same to everybody', async () => {
    const documents = of('document', http);
    expect(documents.length).toBeGreaterThan(8);
    for (const { method, path } of documents) {
      expect(path).toMatch(PUBLIC_DOCUMENTS);
      const statuses = new Set<number>();
      for (const who of WHO) statuses.add(await ask(method, path, who));
      // Of an issuer whose keys are in the configuration nothing was read that could be told.
      expect([path, ...statuses]).toEqual([path, path.endsWith('/oauth-authorization-server') ? 404 : 200]);
    }
  });

  it('opens no door without a good credential, nor for a token of another server', async () => {
    const doors = doorsOf(http).map(({ path }) => path);
    expect(new Set(doors).size).toBeGreaterThan(20);
    for (const path of ['/mcp', '/mcp/registry', '/mcpgw/mcp', '/airegistry-tools/sse', '/nowhere/messages'])
      expect(doors).toContain(path);
    expect(await findOpenDoors(http)).toEqual([]);
  });

  it('opens no socket without a good credential, nor for a token of one server', async () => {
    const sockets = of('socket', http);
    expect(sockets.length).toBeGreaterThan(0);
    expect(await findOpenSockets(http)).toEqual([]);
    for (const { path } of sockets)
      for (const who of ['reader', 'operator', 'administrator'] as const) expect(await knock(path, who)).toBe('in');
  });

  it('changes the protocol on no other path, whoever asks', async () => {
    const sockets = new Set(of('socket', http).map(({ path }) => path));
    const paths = new Set([...http, ...doorsOf(http), ...rest].map(({ path }) => path.replace(/\{[^}]*\}/g, 'x')));
    for (const path of paths) {
      if (sockets.has(path)) continue;
      for (const who of ['nobody', 'administrator'] as const)
        expect([path, await knock(path, who)]).toEqual([path, 404]);
    }
  });
});

describe('the walk', () => {
  it('finds a route that was added to the router by hand', async () => {
    const planted = await startServer({}, { addRoutes: routes => void routes.get('/api/backdoor', c => c.json({})) });
    expect(findUndeclared(planted.routes())).toContain('/api/backdoor');
    // It would have been one.
    expect((await fetch(`${planted.url}/api/backdoor`)).status).toBe(200);
    await planted.stop(0);
  });

  it('finds a second table beside the one', () => {
    const wildcard: ServedRoute = { kind: 'route', method: 'ALL', path: '/*' };
    expect(findUndeclared([...http, wildcard])).toEqual(['/*']);
  });

  it('finds a door that asks nobody who they are', async () => {
    const planted = await startServer();
    expect(await findOpenDoors(planted.routes(), planted.url)).toEqual([
      'nobody POST /mcp: 200',
      'unknown POST /mcp: 200',
    ]);
    await planted.stop(0);
  });

  it('finds a socket that asks nobody who they are', async () => {
    const server = new WebSocketServer({ noServer: true });
    const planted = await startServer(
      {},
      {
        sockets: {
          isFor: path => path === '/ws/backdoor',
          served: () => [{ kind: 'socket', method: 'GET', path: '/ws/backdoor' }],
          accept: (req, socket, head) => server.handleUpgrade(req, socket, head, client => client.send('{}')),
        },
      },
    );
    const found = ['nobody', 'unknown', 'bound'].map(who => `${who} /ws/backdoor: in`);
    expect(await findOpenSockets(planted.routes(), planted.url)).toEqual(found);
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

function of(kind: ServedRoute['kind'], served: readonly ServedRoute[]): ServedRoute[] {
  return served.filter(route => route.kind === kind);
}

/** Doors by the names of servers. */
function doorsOf(served: readonly ServedRoute[]): ServedRoute[] {
  return of('door', served).flatMap(door =>
    door.path.includes('{server}')
      ? SERVERS.map(server => ({ ...door, path: door.path.replace('{server}', server) }))
      : [door],
  );
}

function findUndeclared(served: readonly ServedRoute[]): string[] {
  const known = new Set(ELSEWHERE.map(({ route }) => route.split(' ')[1]));
  const others = of('route', served).flatMap(({ path }) => (known.has(path) ? [] : [path]));
  const whole = [...WHOLE_ROUTER];
  return others.filter(path => !whole.includes(path) || whole.splice(whole.indexOf(path), 1).length === 0);
}

async function findOpenDoors(served: readonly ServedRoute[], origin?: string): Promise<string[]> {
  const open: string[] = [];
  for (const { method, path } of doorsOf(served)) {
    // Whoever names a session is at a door, also where a page for people stands beside it.
    const headers = { 'mcp-session-id': 'x' };
    const isOthers = SERVERS.some(server => server !== 'alpha' && path.startsWith(`/${server}/`));
    for (const who of ['nobody', 'unknown', ...(isOthers ? (['bound'] as const) : [])] as const) {
      const status = await ask(method, path, who, { headers, ...(origin === undefined ? {} : { origin }) });
      if (status !== (isKnown(who) ? 403 : 401)) open.push(`${who} ${method} ${path}: ${status}`);
    }
  }
  return open;
}

const POLICY_VIOLATION = 1008;

async function findOpenSockets(served: readonly ServedRoute[], origin?: string): Promise<string[]> {
  const open: string[] = [];
  for (const { path } of of('socket', served)) {
    for (const who of ['nobody', 'unknown', 'bound'] as const) {
      const seen = await knock(path, who, origin);
      if (seen !== POLICY_VIOLATION) open.push(`${who} ${path}: ${seen}`);
    }
  }
  return open;
}

/** `in`: something was heard. Else the code it was closed with, or the status of a protocol that was not changed. */
async function knock(path: string, who: Who, origin = gateway.origin()): Promise<number | 'in'> {
  const socket = new WebSocket(origin.replace(/^http/, 'ws') + path, { headers: showing(who) });
  socket.on('error', () => {});
  try {
    return await Promise.race([
      once(socket, 'message').then(() => 'in' as const),
      once(socket, 'close').then(([code]) => code as number),
      once(socket, 'unexpected-response').then(([, reply]) => (reply as IncomingMessage).statusCode ?? 0),
    ]);
  } finally {
    socket.terminate();
  }
}

function findOpen(table: readonly RestRoute[]): string[] {
  return table.filter(({ access, path }) => access.kind === 'public' && !PUBLIC.test(path)).map(({ path }) => path);
}
