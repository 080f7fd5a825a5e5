/**
 * A gateway among its own servers, alone or by way of others, would list its own tools under ever longer names. Whoever
 * closes a ring, in either era and over whatever transport, is refused what closes it; a chain of gateways is none.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import type { Era } from '../../src/domain/era.ts';
import { isJsonObject, type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { COMPILED } from '../support/compiled.ts';
import { stdioScripted } from '../support/downstreams/start.ts';
import { findFreePort } from '../support/free-port.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { openClient, resultOf, textOf } from '../support/mcp-client.ts';
import { fetchHeld } from '../support/openapi-check.ts';

const ENTRY = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const REFUSED = 'a server leads back to this gateway: it is not used';

let open: GatewayProcess[] = [];
let folders: string[] = [];
afterEach(async () => {
  await Promise.all(open.map(gateway => gateway.stop()));
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  open = [];
  folders = [];
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-ring-'));
  folders.push(folder);
  return folder;
}

interface Place {
  port?: number;
  servers?: Readonly<Record<string, JsonObject>>;
  serversFile?: string;
}

async function start({ port = 0, servers = {}, ...more }: Place): Promise<GatewayProcess> {
  const folder = newFolder();
  const gateway = await startGateway({
    settings: {
      storage: { path: join(folder, 'registry.db') },
      outbound: { allow: ['127.0.0.0/8'], allowHttp: true },
    },
    env: { GATEWAY_HTTP_PORT: String(port), GATEWAY_AUDIT_LOG: join(folder, 'audit.jsonl') },
    servers,
    ...more,
  });
  open.push(gateway);
  return gateway;
}

/** A server of three tools, so that what is counted is counted quickly. */
const OWN = { ...stdioScripted({ tools: 3 }) };
const WAYS = ['legacy', 'modern', 'sse'] as const;
const doorOf = (port: number, era: Era | 'sse' = 'modern'): JsonObject => {
  const origin = `http://127.0.0.1:${port}`;
  return era === 'sse' ? { type: 'sse', url: `${origin}/sse` } : { url: `${origin}/mcp`, era };
};

/** A gateway of that servers file as a program. */
const launchOf = (serversFile: string): JsonObject => ({
  command: process.execPath,
  args: [ENTRY, 'stdio'],
  env: {
    ...{ ...COMPILED, GATEWAY_MCP_CONFIG: serversFile, GATEWAY_CONFIG: '', GATEWAY_EXPOSURE: 'direct' },
    GATEWAY_AUDIT_LOG: `${serversFile}.audit.jsonl`,
  },
});

function writeFile(servers: Readonly<Record<string, JsonObject>>): string {
  const file = join(newFolder(), 'mcp.json');
  writeFileSync(file, JSON.stringify({ mcpServers: servers }));
  return file;
}

async function register(at: GatewayProcess, name: string, url: string): Promise<void> {
  const reply = await fetchHeld(`${at.origin}/api/servers/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name, description: 'Another', path: `/${name}`, proxy_pass_url: url }),
  });
  expect(reply.status).toBe(201);
}

async function listed(at: GatewayProcess, era: Era = 'legacy'): Promise<string[]> {
  const client = await openClient(at.origin, era);
  try {
    const { tools } = resultOf(await client.request('tools/list'));
    return Array.isArray(tools) ? tools.map(tool => String(objectOrEmpty(tool).name)) : [];
  } finally {
    await client.close();
  }
}

const said = (at: GatewayProcess) => at.logged().filter(({ msg, message }) => (msg ?? message) === REFUSED);
const isRefusing = (at: GatewayProcess) => said(at).length > 0;
/** A name with one server's key twice in it came round. */
const roundOf = (names: readonly string[]) =>
  names.filter(name => new Set(name.split('__')).size < name.split('__').length);

/** Somebody refused what closes the ring; since then nothing grows, and nobody’s own tools came round. */
async function expectQuiet(...ring: GatewayProcess[]): Promise<void> {
  await waitFor(() => (ring.some(isRefusing) ? true : null), 'the ring is open');
  await expectStill(...ring);
}

async function expectStill(...ring: GatewayProcess[]): Promise<void> {
  await sleep(700);
  const before = await Promise.all(ring.map(at => listed(at)));
  await sleep(700);
  expect(await Promise.all(ring.map(at => listed(at)))).toEqual(before);
  for (const names of before) {
    expect(roundOf(names)).toEqual([]);
    expect(names.length).toBeLessThanOrEqual(3 * ring.length);
  }
}

const healthOf = async (at: GatewayProcess, path: string) => {
  const reply = await fetchHeld(`${at.origin}/api/servers?limit=100`, {});
  const { servers } = (await reply.json()) as { servers: JsonObject[] };
  return servers.find(server => server.path === path)?.health_status;
};

describe('a gateway among its own servers', () => {
  test('is refused, where its file names its own address, in either era and over SSE', async () => {
    const port = await findFreePort();
    const doors = Object.fromEntries(WAYS.map(way => [`by-${way}`, doorOf(port, way)]));
    const gateway = await start({ port, servers: { own: OWN, ...doors } });
    await waitFor(() => (said(gateway).length === 3 ? true : null), 'each is refused');
    await sleep(3000);
    expect(await listed(gateway)).toEqual(['own__tool_0001', 'own__tool_0002', 'own__tool_0003']);
    for (const name of Object.keys(doors))
      expect(await healthOf(gateway, `/${name}`)).toBe('unhealthy: connection error');
    // Tried again several times by now, and said once.
    expect(
      said(gateway)
        .map(({ server }) => server)
        .sort(),
    ).toEqual(['by-legacy', 'by-modern', 'by-sse']);
    expect(said(gateway)[0]).toMatchObject({ level: 'warn', advice: expect.stringMatching(/remove/) });
  });

  test('is refused, where it is registered while it runs', async () => {
    const gateway = await start({ servers: { own: OWN } });
    await register(gateway, 'me', `${gateway.origin}/mcp`);
    await expectQuiet(gateway);
    expect(await listed(gateway, 'modern')).toHaveLength(3);
  });

  test('is refused, where it would launch itself without end', async () => {
    const serversFile = join(newFolder(), 'mcp.json');
    const gateway = await startGateway({ serversFile, servers: { own: OWN, me: launchOf(serversFile) } });
    open.push(gateway);
    await waitFor(() => (isRefusing(gateway) ? true : null), 'it is refused');
    const copies = () => gateway.offspring().filter(({ commandLine }) => commandLine.includes(ENTRY)).length;
    const seen = new Set<number>();
    for (let round = 0; round < 20; round++) {
      seen.add(copies());
      await sleep(100);
    }
    expect(Math.max(...seen)).toBeLessThanOrEqual(1);
    expect(await listed(gateway)).toHaveLength(3);
  });
});

test.skipIf(process.platform !== 'linux')(
  'a gateway that launches itself and hands on no environment ends, and nothing of it outlives it',
  async () => {
    const serversFile = join(newFolder(), 'mcp.json');
    const { command, args, env } = launchOf(serversFile) as { command: string; args: string[]; env: object };
    const own = { PATH: process.env.PATH, HOME: newFolder(), ...env };
    const bare = ['-i', ...Object.entries(own).map(([name, value]) => `${name}=${value}`), command, ...args];
    const gateway = await startGateway({ serversFile, servers: { me: { command: 'env', args: bare } } });
    open.push(gateway);
    const copies = () => gateway.offspring().filter(({ commandLine }) => commandLine.includes(ENTRY));
    await waitFor(() => (copies().length >= 4 ? true : null), 'it launches itself');
    await sleep(2000);
    const launched = copies();
    expect(launched).toHaveLength(4);
    await gateway.stop();
    const isAlive = ({ pid }: { pid: number }) => existsSync(`/proc/${pid}`);
    await waitFor(() => (launched.some(isAlive) ? null : true), 'all have ended');
  },
);

describe('gateways among the servers of each other', () => {
  test.each([
    { first: 'legacy', second: 'modern' },
    { first: 'sse', second: 'modern' },
  ] as const)('do not feed on each other ($first, then $second)', async ({ first, second }) => {
    const [a, b] = [await findFreePort(), await findFreePort()];
    const other = await start({ port: b, servers: { own: OWN } });
    const one = await start({ port: a, servers: { own: OWN, b: doorOf(b, first) } });
    await waitFor(async () => ((await listed(one)).length === 6 ? true : null), 'it lists those of the other');
    other.writeServers({ own: OWN, a: doorOf(a, second) });
    await expectQuiet(one, other);
    expect((await listed(one)).length + (await listed(other)).length).toBe(9);
  });

  test('do not feed on each other where one launches the other', async () => {
    const port = await findFreePort();
    const other = writeFile({ own: OWN, a: doorOf(port) });
    const gateway = await start({ port, servers: { own: OWN, b: launchOf(other) } });
    // Whichever of the two refuses the other: the one that is launched says so to nobody here.
    await waitFor(async () => ((await listed(gateway)).length === 3 || isRefusing(gateway) ? true : null), 'its own');
    await sleep(3000);
    await expectStill(gateway);
    expect((await listed(gateway)).length).toBeLessThanOrEqual(6);
  });

  test('do not feed on each other when both start at once', async () => {
    const [a, b] = [await findFreePort(), await findFreePort()];
    const both = await Promise.all([
      start({ port: a, servers: { own: OWN, b: doorOf(b) } }),
      start({ port: b, servers: { own: OWN, a: doorOf(a, 'legacy') } }),
    ]);
    await expectQuiet(...both);
  });

  test('do not feed on each other in a ring of three, however late it is closed', async () => {
    const c = await start({ servers: { own: OWN } });
    const b = await start({ servers: { own: OWN } });
    const a = await start({ servers: { own: OWN } });
    await register(a, 'b', `${b.origin}/mcp`);
    await register(c, 'a', `${a.origin}/mcp`);
    await waitFor(async () => ((await listed(c)).length === 9 ? true : null), 'it lists those of both');
    // Closed in the middle, far from whoever is told by a handshake.
    await register(b, 'c', `${c.origin}/mcp`);
    await expectQuiet(a, b, c);
    expect(Math.max(...(await Promise.all([a, b, c].map(at => listed(at)))).map(names => names.length))).toBe(9);
  });

  test('use each other again once the ring is open', async () => {
    const one = await start({ servers: { own: OWN } });
    const other = await start({ servers: { own: OWN } });
    await register(one, 'b', `${other.origin}/mcp`);
    await waitFor(async () => ((await listed(one)).length === 6 ? true : null), 'it lists those of the other');
    await register(other, 'a', `${one.origin}/mcp`);
    await waitFor(() => (isRefusing(other) ? true : null), 'the ring is open');
    expect(await listed(other)).toHaveLength(3);
    const body = new URLSearchParams({ path: '/b' });
    expect((await fetchHeld(`${one.origin}/api/servers/remove`, { method: 'POST', body })).status).toBe(200);
    await waitFor(async () => ((await listed(other)).length === 6 ? true : null), 'it lists those of the one', 60_000);
  }, 90_000);
});

describe('a chain of gateways', () => {
  test('is called through to its end, in either era and over SSE', async () => {
    const ports = [await findFreePort(), await findFreePort()] as const;
    await start({ port: ports[1], servers: { own: stdioScripted() } });
    await start({ port: ports[0], servers: { c: doorOf(ports[1]) } });
    const a = await start({ servers: Object.fromEntries(WAYS.map(way => [`by-${way}`, doorOf(ports[0], way)])) });
    const client = await openClient(a.origin, 'legacy');
    try {
      for (const way of WAYS) {
        const name = `by-${way}__c__own__echo`;
        await waitFor(async () => ((await listed(a)).includes(name) ? true : null), 'its tools are listed');
        expect(textOf(await client.call(name, { text: 'through' }))).toBe('through');
      }
    } finally {
      await client.close();
    }
    expect(open.some(isRefusing)).toBe(false);
  });

  test('is called through to its end where one launches the other', async () => {
    const gateway = await start({ servers: { b: launchOf(writeFile({ own: stdioScripted() })) } });
    const client = await openClient(gateway.origin, 'modern');
    try {
      await waitFor(
        async () => ((await listed(gateway)).includes('b__own__echo') ? true : null),
        'its tools are listed',
      );
      expect(textOf(await client.call('b__own__echo', { text: 'through' }))).toBe('through');
    } finally {
      await client.close();
    }
    expect(isRefusing(gateway)).toBe(false);
  });

  test('is nothing that other clients are told of', async () => {
    const gateway = await start({ servers: { own: OWN } });
    const client = await openClient(gateway.origin, 'modern');
    try {
      const told = await Promise.all(['server/discover', 'tools/list'].map(method => client.request(method)));
      for (const reply of told) expect(isJsonObject(reply.answer?.result)).toBe(true);
      expect(JSON.stringify(told)).not.toContain('mcp-gatehouse/path');
    } finally {
      await client.close();
    }
  });
});
