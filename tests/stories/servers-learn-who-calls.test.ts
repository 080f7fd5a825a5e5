/**
 * What a server behind the gateway gets to see of a caller: its verified identity where the operator wants that, the
 * headers it passed on where a server asks for them, the operator's own credential always - and never the credential by
 * which the caller identified itself to us. Real servers behind a wire-tap, real doors, clients of both eras.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Identity, LOCAL_CALLER } from '../../src/domain/identity.ts';
import { Secret } from '../../src/domain/secret.ts';
import type { HttpAddress, ServerSpec } from '../../src/domain/server.ts';
import { type RecordedServer, startRecorded } from '../support/downstreams/recorded.ts';
import type { ScriptedSetup } from '../support/downstreams/start.ts';
import { specOf } from '../support/fake-downstreams.ts';
import { waitFor } from '../support/gateway-process.ts';
import { type Client, openClient, textOf } from '../support/mcp-client.ts';
import { startRealDoor } from '../support/real-door.ts';

const jwt = (): string =>
  ['eyJhbGciOiJFUzI1NiJ9', 'eyJzdWIiOiJhbGljZSJ9', randomBytes(64).toString('base64url')].join('.');
const [INGRESS, KEY, BACKEND] = [jwt(), `canary-${randomBytes(16).toString('hex')}`, jwt()];

const alice: Identity = {
  ...LOCAL_CALLER,
  subject: 'https://idp.example|ålice\r\nX-Admin: 1',
  issuer: 'https://idp.example',
  name: 'Ålice 漢',
  client: 'cli',
  agent: 'coder',
  agentVerified: true,
  method: 'jwt',
  scopes: new Set(['read', 'write all']),
  groups: new Set(['staff', 'Domain Admins', 'a,b']),
};

const TRANSPORTS: readonly ScriptedSetup[] = [
  { transport: 'http', era: 'legacy' },
  { transport: 'sse', era: 'legacy' },
  { transport: 'http', era: 'modern' },
];
const KINDS = {
  told: { identityHeaders: true },
  bare: {},
  passing: { passthrough: true, forwardHeaders: ['x-atlassian-cloud-id'] },
} satisfies Record<string, Partial<HttpAddress>>;
const nameOf = ({ transport, era }: ScriptedSetup, kind: string) => `${kind}-${era}-${transport}`;

const servers = new Map<string, RecordedServer>();
const callers = new Map([[INGRESS, alice]]);
let door: Awaited<ReturnType<typeof startRealDoor>>;

beforeAll(async () => {
  const specs: ServerSpec[] = [];
  for (const setup of TRANSPORTS) {
    for (const [kind, more] of Object.entries(KINDS)) {
      const key = nameOf(setup, kind);
      const server = await startRecorded(setup);
      servers.set(key, server);
      const headers = new Map<string, Secret>();
      if (kind !== 'passing') headers.set('authorization', new Secret(`Bearer ${KEY}`));
      headers.set('x-tenant', new Secret('acme'));
      const transport = setup.transport === 'sse' ? 'sse' : 'auto';
      const link: HttpAddress = { kind: 'http', url: server.url, headers, transport, ...more };
      specs.push(specOf(key, { link, sharing: 'per-principal', connectTimeoutMs: 20_000, listTimeoutMs: 20_000 }));
    }
  }
  door = await startRealDoor({ specs, callers });
});

afterAll(async () => {
  await door.close();
  for (const server of servers.values()) await server.close();
});

const LIES = {
  'x-user': 'admin',
  'x-username': 'admin',
  'x-groups': 'admins',
  'x-scopes': '*',
  'x-agent-id': 'root',
  'x-server-name': 'other',
  'x-auth-method': 'none',
  'x-forwarded-user': 'admin',
  'x-forwarded-for': '10.0.0.1',
  'x-tenant': 'evil',
  cookie: 'session=1',
  'proxy-authorization': 'Basic x',
  'x-atlassian-cloud-id': 'c1',
};

const open = (era: 'legacy' | 'modern', dual: boolean): Promise<Client> =>
  openClient(door.origin, era, {
    headers: dual
      ? { ...LIES, 'x-authorization': `Bearer ${INGRESS}`, authorization: `Bearer ${BACKEND}` }
      : { ...LIES, authorization: `Bearer ${INGRESS}` },
  });

/** The headers with which a call of this client reached a server. */
async function headersOfCall(client: Client, key: string): Promise<Record<string, string>> {
  const server = servers.get(key);
  if (server === undefined) throw new Error(key);
  const before = server.of('tools/call').length;
  const mark = randomBytes(6).toString('hex');
  expect(textOf(await client.call(`${key}__echo`, { text: mark }))).toContain(mark);
  const calls = server.of('tools/call').slice(before);
  expect(calls).toHaveLength(1);
  return calls[0]?.headers ?? {};
}

const ROUNDS = TRANSPORTS.flatMap(setup =>
  (['legacy', 'modern'] as const).flatMap(era =>
    [true, false].map(dual => ({
      setup,
      era,
      dual,
      at: nameOf(setup, '*'),
      how: dual ? 'X-Authorization' : 'Authorization',
    })),
  ),
);

describe.each(ROUNDS)('of a $era client identified by $how, $at', ({ setup, era, dual }) => {
  test('learns the verified facts as one line each, whatever the client says of itself', async () => {
    const client = await open(era, dual);
    const headers = await headersOfCall(client, nameOf(setup, 'told'));
    expect(headers).toMatchObject({
      'x-user': 'https://idp.example|%C3%A5lice%0D%0AX-Admin:%201',
      'x-username': '%C3%85lice%20%E6%BC%A2',
      'x-client-id': 'cli',
      'x-scopes': 'read write%20all',
      'x-groups': 'staff,Domain%20Admins,a%2Cb',
      'x-auth-method': 'jwt',
      'x-server-name': nameOf(setup, 'told'),
      'x-tool-name': 'echo',
      'x-agent-id': 'coder',
      'x-tenant': 'acme',
      authorization: `Bearer ${KEY}`,
    });
    for (const name of ['x-admin', 'x-authorization', 'cookie', 'x-atlassian-cloud-id', 'x-forwarded-user'])
      expect(headers).not.toHaveProperty(name);
    await client.close();
  });

  test('learns nothing where the operator wants nothing told', async () => {
    const client = await open(era, dual);
    const headers = await headersOfCall(client, nameOf(setup, 'bare'));
    expect(Object.keys(headers).filter(name => name in LIES)).toEqual(['x-tenant']);
    expect([headers['x-tenant'], headers.authorization]).toEqual(['acme', `Bearer ${KEY}`]);
    await client.close();
  });

  test('gets the header it asks for, and Authorization only where that was not for us', async () => {
    const client = await open(era, dual);
    const headers = await headersOfCall(client, nameOf(setup, 'passing'));
    expect(
      Object.keys(headers)
        .filter(name => name in LIES)
        .sort(),
    ).toEqual(['x-atlassian-cloud-id', 'x-tenant']);
    expect(headers['x-atlassian-cloud-id']).toBe('c1');
    expect(headers.authorization).toBe(dual ? `Bearer ${BACKEND}` : undefined);
    await client.close();
  });
});

test('the operator’s credential and headers are on every request of a server: handshake, lists, calls, streams, end', async () => {
  await door.downstreams.query('bare-legacy-http', 'ping', {});
  door.downstreams.release(`subject ${alice.subject}`);
  const legacy = servers.get('bare-legacy-http');
  await waitFor(
    () => (legacy?.seen.some(({ verb }) => verb === 'DELETE') === true ? true : null),
    'the session is ended',
  );
  expect(new Set(legacy?.seen.map(({ verb, method }) => method ?? verb))).toEqual(
    new Set([
      ...['server/discover', 'initialize', 'notifications/initialized', 'ping', 'tools/list', 'resources/list'],
      ...['resources/templates/list', 'prompts/list', 'tools/call', 'GET', 'DELETE'],
    ]),
  );
  for (const [key, { seen }] of servers) {
    expect(seen.length).toBeGreaterThan(5);
    for (const { headers, method } of seen) {
      expect(headers['x-tenant']).toBe('acme');
      if (!key.startsWith('passing')) expect([method, headers.authorization]).toEqual([method, `Bearer ${KEY}`]);
    }
  }
});

test('no piece of the credential shown to us reached any server, or any line of the log', () => {
  const signature = INGRESS.split('.')[2] ?? '';
  const windows = Array.from({ length: signature.length - 15 }, (_, i) => signature.slice(i, i + 16));
  const written = [...servers.values()].flatMap(({ seen }) => seen.map(({ whole }) => whole));
  expect(written.length).toBeGreaterThan(100);
  const everything = [...written, JSON.stringify(door.log.lines)].join('\n');
  expect(windows.filter(window => everything.includes(window))).toEqual([]);
  expect(everything).not.toContain(INGRESS);
  expect(JSON.stringify(door.log.lines)).not.toContain(BACKEND.slice(-16));
});

test('a credential that a client sends in both headers is ours, and goes nowhere', async () => {
  const client = await openClient(door.origin, 'modern', {
    headers: { authorization: `bearer  ${INGRESS}`, 'x-authorization': `Bearer ${INGRESS}` },
  });
  for (const setup of TRANSPORTS) {
    const headers = await headersOfCall(client, nameOf(setup, 'passing'));
    expect(headers).not.toHaveProperty('authorization');
  }
  await client.close();
});
