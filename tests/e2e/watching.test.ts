/** What those who watch the process see: health, readiness, figures, and a log that says what happened and no secret. */
import { afterEach, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/domain/json.ts';
import { startScripted, stdioScripted } from '../support/downstreams/start.ts';
import { type GatewayProcess, startGateway, waitFor } from '../support/gateway-process.ts';
import { openLegacy, openModern } from '../support/mcp-client.ts';
import { askRaw } from './raw-http.ts';

let gateway: GatewayProcess | null = null;

afterEach(() => gateway?.discard());

interface Summary {
  count: number;
  avg_latency_ms: number;
  p50_latency_ms: number;
  p95_latency_ms: number;
  p99_latency_ms: number;
  error_rate: number;
}
interface Figures {
  timestamp: string;
  uptime_seconds: number;
  operations: Record<string, Summary>;
  servers: Record<string, Record<string, Summary>>;
  agents: Record<string, Record<string, Summary>>;
}

const figures = async (of: GatewayProcess) => JSON.parse((await of.get('/metrics')).text) as Figures;

test('/health needs nothing and tells nothing but life', async () => {
  gateway = await startGateway({ servers: { 'secret-server-name': { command: '/no/such/program' } } });
  const first = JSON.parse((await gateway.get('/health')).text) as JsonObject;
  expect(first).toEqual({
    status: 'healthy',
    service: 'mcp-gatehouse',
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    uptime_seconds: expect.any(Number),
    deployment_mode: 'with-gateway',
    registry_mode: 'full',
  });
  const later = await waitFor(async () => {
    const { uptime_seconds } = JSON.parse((await gateway?.get('/health'))?.text ?? '{}') as JsonObject;
    return Number(uptime_seconds) > Number(first.uptime_seconds) ? uptime_seconds : null;
  }, 'the uptime increases');
  expect(later).toBeGreaterThan(Number(first.uptime_seconds));
  await gateway.stop();
});

test('/ready is 503 with a reason without servers, 200 with their number', async () => {
  gateway = await startGateway({ servers: {} });
  const { status, text } = await gateway.get('/ready');
  expect([status, JSON.parse(text)]).toEqual([503, { status: 'not_ready', reason: expect.any(String) }]);
  gateway.writeServers({ one: stdioScripted(), two: { command: '/no/such/program' } });
  await waitFor(async () => ((await gateway?.get('/ready'))?.status === 200 ? true : null), 'servers were added');
  expect(JSON.parse((await gateway.get('/ready')).text)).toEqual({ status: 'ready', servers_configured: 2 });
  await gateway.stop();
});

describe('/metrics', () => {
  test('counts ten calls of which one failed, per operation, server and agent, alike in JSON and in text', async () => {
    const failing = stdioScripted({
      script: [{ on: 'tools/call', name: 'add', nth: 7, do: 'error', code: -32603, message: 'x' }],
    });
    gateway = await startGateway({ servers: { echo: failing } });
    const client = await openLegacy(gateway.origin);
    for (let n = 0; n < 10; n += 1) {
      const inner = { server: 'echo', tool: 'add', args: { a: n, b: n }, agent_id: 'researcher' };
      await client.request('tools/call', { name: 'execute_tool', arguments: inner });
    }
    const { operations, servers, agents, timestamp, uptime_seconds: uptime } = await figures(gateway);
    const one = operations.execute_tool;
    if (one === undefined) throw new Error('no figures for execute_tool');
    expect(one).toMatchObject({ count: 10, error_rate: 0.1 });
    expect(one.p50_latency_ms).toBeLessThanOrEqual(one.p95_latency_ms);
    expect(one.p95_latency_ms).toBeLessThanOrEqual(one.p99_latency_ms);
    expect(one.avg_latency_ms).toBeGreaterThan(0);
    expect(servers.echo?.execute_tool).toEqual(one);
    expect(agents.researcher?.execute_tool).toEqual(one);
    expect(Date.parse(timestamp)).not.toBeNaN();
    expect(uptime).toBeGreaterThan(0);

    const samples = await gateway.samples();
    const total = (outcome: string) =>
      samples.get(`gatehouse_operations_total{operation="execute_tool",server="echo",outcome="${outcome}"}`);
    expect([total('ok'), total('error')]).toEqual([9, 1]);
    const name = 'gatehouse_operation_duration_seconds_count{operation="execute_tool",server="echo"}';
    expect(samples.get(name)).toBe(10);
    await client.close();
    await gateway.stop();
  });

  test('is exposition text that a scraper accepts', async () => {
    gateway = await startGateway({ servers: { echo: stdioScripted() } });
    const client = await openLegacy(gateway.origin);
    await client.request('tools/call', { name: 'echo__add', arguments: { a: 1, b: 1 } });
    const accepts = [
      'text/plain',
      'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1',
    ];
    for (const accept of accepts) checkExposition((await gateway.get('/metrics', accept)).text);
    checkExposition((await gateway.get('/metrics?format=prometheus')).text);
    expect(JSON.parse((await gateway.get('/metrics', '*/*')).text)).toHaveProperty('operations');
    await client.close();
    await gateway.stop();
  });

  test('switched off is 503 with an error', async () => {
    gateway = await startGateway({ servers: { echo: stdioScripted() }, settings: { metrics: false } });
    const { status, text } = await gateway.get('/metrics');
    expect([status, JSON.parse(text)]).toEqual([503, { error: expect.any(String), detail: expect.any(String) }]);
    await gateway.stop();
  });
});

test('a reload is one line that says what came, went and changed; a server that was off was there', async () => {
  const [stays, goes, comes] = [stdioScripted(), stdioScripted(), stdioScripted()];
  const wakes = stdioScripted();
  const started = await startGateway({ servers: { stays, goes, wakes: { ...wakes, disabled: true } } });
  gateway = started;
  started.writeServers({ stays, wakes, comes });
  const [line] = await waitFor(() => {
    const lines = started.logged().filter(({ msg }) => msg === '[HOT RELOAD] done');
    return lines.length > 0 ? lines : null;
  }, 'the files are read again');
  expect(line).toMatchObject({ added: ['comes'], removed: ['goes'], updated: ['wakes'], unchanged: 1 });
  await started.stop();
});

test('a slow operation is one warning with operation, server, tool and time, and is counted', async () => {
  gateway = await startGateway({ servers: { echo: stdioScripted() }, settings: { log: { slowOperation: '150ms' } } });
  const client = await openLegacy(gateway.origin);
  await client.request('tools/call', { name: 'echo__slow', arguments: { ms: 300 } });
  const slow = await waitFor(() => {
    const lines = gateway?.logged().filter(({ msg, target }) => msg === 'slow operation' && target === 'slow') ?? [];
    return lines.length > 0 ? lines : null;
  }, 'the line is written');
  expect(slow).toHaveLength(1);
  expect(slow[0]).toMatchObject({
    level: 'warn',
    operation: 'tools/call',
    server: 'echo',
    target: 'slow',
    threshold_ms: 150,
    request_id: expect.any(String),
    duration_ms: expect.any(Number),
  });
  const samples = await gateway.samples();
  expect(samples.get('gatehouse_slow_operations_total{operation="tools/call",server="echo"}')).toBe(1);
  await client.close();
  await gateway.stop();
});

test('every line of the log is one JSON object, and none holds a secret of anybody', async () => {
  const CANARIES = {
    key: 'kq7Zt1vXw9Lr4Ns8Pd2Hf6Jb3Mc5Ty0GuEoIa',
    wrongKey: 'wrong-key-9b1f0e7d6c5a4b3c2d1e0f',
    cookie: 'cookie-value-1a2b3c4d5e6f',
    query: 'query-value-6f5e4d3c2b1a',
    environment: 'environment-value-a1b2c3d4',
    header: 'header-value-d4c3b2a1',
    argument: 'sk-live-0123456789abcdef0123456789abcdef',
  };
  const web = await startScripted({ name: 'web' });
  const leaks = stdioScripted({
    script: [
      {
        on: 'tools/call',
        name: 'add',
        do: 'error',
        code: -32603,
        message: `failed at /srv/app/main.py with Authorization: Bearer ${CANARIES.key}`,
      },
    ],
  });
  const chatty = {
    command: process.execPath,
    args: [
      '-e',
      `console.error("starting with token=${CANARIES.environment} password: ${CANARIES.environment}"); process.exit(1)`,
    ],
    env: { API_TOKEN: CANARIES.environment },
  };
  gateway = await startGateway({
    servers: {
      leaks: { ...leaks, env: { API_TOKEN: CANARIES.environment } },
      chatty,
      web: { url: `${web.url}?key=${CANARIES.query}`, headers: { Authorization: `Bearer ${CANARIES.header}` } },
      refused: { url: `http://127.0.0.1:9/mcp?key=${CANARIES.query}`, headers: { 'X-Key': CANARIES.header } },
    },
    env: { GATEWAY_API_KEY: CANARIES.key, GATEWAY_LOG_LEVEL: 'debug' },
  });
  const headers = { authorization: `Bearer ${CANARIES.key}`, cookie: `session=${CANARIES.cookie}` };
  const clients = [
    await openLegacy(gateway.origin, { headers, path: `/mcp?token=${CANARIES.query}` }),
    openModern(gateway.origin, { headers, path: `/mcp?token=${CANARIES.query}` }),
  ];
  for (const client of clients) {
    for (const name of ['leaks__add', 'web__echo', 'chatty__x', 'refused__x', 'nobody__x']) {
      await client.request('tools/call', { name, arguments: { text: CANARIES.argument, a: 1, b: 1 } });
    }
    await client.request('tools/list');
    await client.request('no/such/method', { token: CANARIES.argument });
    await client.close();
  }
  const badly = { headers: { authorization: `Bearer ${CANARIES.wrongKey}`, 'content-type': 'application/json' } };
  await askRaw(`${gateway.origin}/mcp?token=${CANARIES.query}`, { ...badly, body: '{"broken' });
  await askRaw(`${gateway.origin}/sse?token=${CANARIES.query}`, { ...badly, method: 'GET' });
  await askRaw(`${gateway.origin}/nowhere?token=${CANARIES.query}`, { ...badly, method: 'GET' });
  await gateway.stop();
  await web.close();

  const lines = gateway.stderr().trimEnd().split('\n');
  expect(lines.length).toBeGreaterThan(10);
  for (const text of lines) {
    expect(JSON.parse(text)).toMatchObject({
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      level: expect.any(String),
      msg: expect.any(String),
    });
  }
  for (const operation of gateway.logged().filter(({ msg }) => msg === 'operation')) {
    expect(operation.request_id).toMatch(/^\S+$/);
  }
  for (const [what, canary] of Object.entries(CANARIES)) {
    const found = lines.filter(text => text.includes(canary));
    expect([what, found]).toEqual([what, []]);
  }
});

/** The text format 0.0.4 as a scraper reads it: known families, well-formed labels, numbers, nothing twice. */
function checkExposition(text: string): void {
  const types = new Map<string, string>();
  const seen = new Set<string>();
  expect(text.endsWith('\n')).toBe(true);
  for (const line of text.trimEnd().split('\n')) {
    const about = /^# (HELP|TYPE) ([a-z_][a-z0-9_]*) (.+)$/.exec(line);
    if (about !== null) {
      if (about[1] === 'TYPE') {
        expect(types.has(about[2] ?? '')).toBe(false);
        types.set(about[2] ?? '', about[3] ?? '');
      }
      continue;
    }
    const sample = /^([a-z_][a-z0-9_]*)(\{(?:[a-z_]+="(?:[^"\\\n]|\\["\\n])*",?)*\})? (\S+)$/.exec(line);
    expect([line, sample !== null]).toEqual([line, true]);
    const [, name = '', labels = '', value = ''] = sample ?? [];
    const family = types.has(name) ? name : name.replace(/_(?:bucket|sum|count)$/, '');
    expect([name, types.has(family)]).toEqual([name, true]);
    expect(value === '+Inf' || !Number.isNaN(Number(value))).toBe(true);
    expect(seen.has(name + labels)).toBe(false);
    seen.add(name + labels);
  }
}
