/**
 * Many registered servers at one gateway: each is connected and asked how it is, a list and a search are answered at once,
 * and nothing of it holds up the process. A thousand in full; a hundred by default.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { type StartedScripted, startScripted } from '../support/downstreams/start.ts';
import { IS_FULL, waitFor } from '../support/gateway-process.ts';
import { openRegistryGateway, type RegistryGateway } from '../support/registry-gateway.ts';

const COUNT = IS_FULL ? 1_000 : 100;
const INTERVAL_MS = IS_FULL ? 10_000 : 2_000;
const TOOLS_EACH = 3;
const WITHIN_MS = 240_000;
let server: StartedScripted;
let gateway: RegistryGateway;

beforeAll(async () => {
  server = await startScripted({ tools: TOOLS_EACH });
  gateway = await openRegistryGateway({ health: { interval: `${INTERVAL_MS}ms`, concurrency: 20 } });
}, 60_000);
afterAll(async () => {
  await gateway?.remove();
  await server?.close();
});

async function timed<T>(work: () => Promise<T>): Promise<{ value: T; ms: number }> {
  const startedMs = performance.now();
  const value = await work();
  return { value, ms: performance.now() - startedMs };
}

const healthOf = async () => (await gateway.read('/api/servers/health', 'admin')).body as Record<string, JsonObject>;

test(
  `${COUNT} servers are registered, watched, listed and searched`,
  async () => {
    const registering = await timed(async () => {
      for (let n = 0; n < COUNT; n++) {
        const body = {
          ...{ name: `Server ${n}`, description: `Number ${n} of many`, path: `/many/s${n}` },
          mcp_endpoint: server.url,
        };
        const { status } = await gateway.post('/api/servers/register', 'admin', body);
        if (status !== 201) throw new Error(`server ${n}: ${status}`);
      }
    });
    const connecting = await timed(() =>
      waitFor(
        async () => {
          const found = Object.entries(await healthOf()).filter(([path]) => path.startsWith('/many/'));
          const good = found.filter(([, { status, num_tools }]) => status === 'healthy' && num_tools === TOOLS_EACH);
          return good.length === COUNT ? true : null;
        },
        'all of them are healthy and have shown their tools',
        WITHIN_MS,
      ),
    );

    // One round of checks, from the first to the last.
    const before = new Map(Object.entries(await healthOf()).map(([path, { last_checked_iso: at }]) => [path, at]));
    const lag = monitorEventLoopDelay({ resolution: 5 });
    lag.enable();
    const checking = await timed(() =>
      waitFor(
        async () => {
          const now = Object.entries(await healthOf());
          return now.every(([path, { last_checked_iso: at }]) => at !== before.get(path)) ? true : null;
        },
        'each was asked again',
        WITHIN_MS,
      ),
    );
    lag.disable();

    const lists: number[] = [];
    const searches: number[] = [];
    for (let n = 0; n < 20; n++) {
      const list = await timed(() => gateway.read(`/api/servers?limit=20&offset=${n}&include_tools=false`, 'admin'));
      expect(list.value.body.total_count).toBe(COUNT + 1);
      lists.push(list.ms);
      const found = await timed(() =>
        gateway.post('/api/search/semantic', 'admin', { query: 'generic tool that takes a subject', max_results: 5 }),
      );
      expect(found.value.status).toBe(200);
      const tools = found.value.body.tools as { match_context: string }[];
      expect(tools.length).toBeGreaterThan(0);
      for (const tool of tools) expect(tool.match_context).toMatch(/^Generic tool/);
      searches.push(found.ms);
    }
    const median = (times: number[]) => times.sort((a, b) => a - b)[Math.floor(times.length / 2)]?.toFixed(1);
    console.log(
      `${COUNT} servers, ${COUNT * TOOLS_EACH} tools: registered in ${(registering.ms / COUNT).toFixed(1)} ms each, all ` +
        `connected ${connecting.ms.toFixed(0)} ms after the last; a round of checks ${checking.ms.toFixed(0)} ms (interval ` +
        `${INTERVAL_MS}), event loop lag p99 ${(lag.percentile(99) / 1e6).toFixed(0)} ms, max ${(lag.max / 1e6).toFixed(0)}; ` +
        `list of 20: ${median(lists)} ms, search: ${median(searches)} ms; resident ${Math.round(process.memoryUsage().rss / 1e6)} MB`,
    );
  },
  IS_FULL ? 900_000 : 300_000,
);
