/** The official SDK clients against the default configuration of real servers, through every door and transport. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { copyDefaultServers, type DefaultServers, ENTRY } from './default-servers.ts';
import { connectSdk, SAMPLED, type Sdk, type SdkClient, VISITOR, type Where } from './sdk-clients.ts';

let servers: DefaultServers;
let gateway: GatewayProcess;

beforeAll(async () => {
  servers = copyDefaultServers();
  // As `npm start` runs it: nothing is set but the port.
  gateway = await startGateway({ env: { GATEWAY_CONFIG: servers.config, GATEWAY_EXPOSURE: '' } });
  await waitFor(async () => {
    const samples = await gateway.samples();
    const up = [...samples].filter(([name, value]) => name.startsWith('gatehouse_downstream_up') && value === 1);
    return up.length === 4 ? true : null;
  }, 'all four servers are up');
});

afterAll(async () => {
  await gateway?.stop();
  servers?.remove();
});

const OWN_TOOLS = ['echo', 'get-sum', 'trigger-long-running-operation', 'trigger-sampling-request'];
const ALL_TOOLS = [
  ...OWN_TOOLS.map(name => `everything__${name}`),
  ...['filesystem__list_directory', 'filesystem__read_text_file'],
  ...['memory__create_entities', 'memory__read_graph'],
  'currenttime__current_time_by_timezone',
];

interface Way {
  sdk: Sdk;
  door: string;
  /** What tools of the `everything` server are called behind this door. */
  prefix: string;
  open(): Where;
}

const http = (sdk: Sdk, path: string): Way => ({
  sdk,
  door: path,
  prefix: path.startsWith('/everything/') ? '' : 'everything__',
  open: () => ({ kind: path.endsWith('/sse') ? 'sse' : 'http', url: gateway.origin + path }),
});
const stdio = (sdk: Sdk): Way => ({
  sdk,
  door: 'stdio',
  prefix: 'everything__',
  open: () => ({
    kind: 'stdio',
    command: process.execPath,
    args: [ENTRY, 'stdio'],
    // Its memory server must not write into the file of the other gateway's.
    env: servers.env,
    cwd: servers.folder,
  }),
});

const ALL_SDKS: readonly Sdk[] = ['v1', 'v2 legacy', 'v2 auto'];
const WAYS: readonly Way[] = [
  ...ALL_SDKS.flatMap(sdk => [http(sdk, '/mcp'), http(sdk, '/everything/mcp'), stdio(sdk)]),
  ...(['v1', 'v2 legacy'] as const).flatMap(sdk => [http(sdk, '/sse'), http(sdk, '/everything/sse')]),
];

describe.each(WAYS)('SDK $sdk through $door', ({ sdk, door, prefix, open }) => {
  let client: SdkClient;

  beforeAll(async () => {
    client = await connectSdk(sdk, open());
  });
  afterAll(async () => {
    await client?.close();
  });

  test('meets Gatehouse and lists tools of every server behind the door', async () => {
    expect(client.serverName()).toBe('mcp-gatehouse');
    expect(await client.tools()).toEqual(expect.arrayContaining(prefix === '' ? OWN_TOOLS : ALL_TOOLS));
  });

  test('calls a tool and gets its own answer', async () => {
    expect((await client.call(`${prefix}echo`, { message: 'hello' })).texts).toEqual(['Echo: hello']);
    const { whole } = await client.call(`${prefix}get-structured-content`, { location: 'New York' });
    expect(whole.structuredContent).toMatchObject({ temperature: expect.any(Number) });
  });

  test('reads a resource, gets a prompt and completes an argument', async () => {
    const uri = 'demo://resource/static/document/features.md';
    expect(await client.resources()).toContain(uri);
    expect(await client.read(uri)).toContain('Everything Server');
    expect(await client.read('demo://resource/dynamic/text/7')).toContain('Resource 7');
    expect(await client.prompts()).toContain(`${prefix}args-prompt`);
    expect(await client.prompt(`${prefix}args-prompt`, { city: 'Paris' })).toContain('Paris');
    expect(await client.complete(`${prefix}completable-prompt`, 'department', 'Eng')).toEqual(['Engineering']);
  });

  test('is told the progress of a long call, step by step', async () => {
    const steps: number[] = [];
    const args = { duration: 0.6, steps: 3 };
    const answer = await client.call(`${prefix}trigger-long-running-operation`, args, ({ progress }) => {
      steps.push(progress);
    });
    expect(answer.texts[0]).toContain('completed');
    // The SDKs drop steps that arrive together with the answer, which the last one often does.
    expect(steps.length).toBeGreaterThanOrEqual(1);
    expect(steps).toEqual([1, 2, 3].slice(0, steps.length));
  });

  test("is asked for its model's words, a form and a visit, and the server gets the answers", async () => {
    const sampled = await client.call(`${prefix}trigger-sampling-request`, { prompt: 'Say something', maxTokens: 20 });
    expect(sampled.texts.join()).toContain(SAMPLED);
    const filled = await client.call(`${prefix}trigger-elicitation-request`);
    expect(filled.texts.join()).toContain(VISITOR);
    const visited = await client.call(`${prefix}trigger-url-elicitation`, { url: 'https://example.test/visit' });
    expect(visited.texts.join()).toContain('completed the URL elicitation');
  });

  test.skipIf(prefix === '')('works with files, memories and clocks of the other servers', async () => {
    const listing = await client.call('filesystem__list_directory', { path: servers.files });
    for (const name of servers.fileNames) expect(listing.texts[0]).toContain(name);
    const [first = ''] = servers.fileNames;
    const read = await client.call('filesystem__read_text_file', { path: join(servers.files, first) });
    expect(read.isError).toBe(false);
    const outside = await client.call('filesystem__read_text_file', { path: '/etc/hostname' });
    expect(outside.isError).toBe(true);

    const name = `visitor of ${door} on ${sdk}`;
    const entity = { name, entityType: 'client', observations: ['came through the door'] };
    expect((await client.call('memory__create_entities', { entities: [entity] })).isError).toBe(false);
    expect((await client.call('memory__search_nodes', { query: name })).texts[0]).toContain('came through the door');

    const time = await client.call('currenttime__current_time_by_timezone', { tz_name: 'Asia/Tokyo' });
    expect(time.texts[0]).toMatch(/^\d{4}-\d\d-\d\dT.*\+09:00 .*Asia\/Tokyo/);
  });
});
