import { describe, expect, test } from 'vitest';
import type { CallRecord } from '../../../src/domain/call.ts';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { createMetrics } from '../../../src/outbound/telemetry/metrics.ts';
import { offerProcessGauges } from '../../../src/outbound/telemetry/process-gauges.ts';
import { callRecord } from '../../support/call-record.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { type Family, parseExposition } from './exposition-parser.ts';

const call = (more: Partial<CallRecord> = {}): CallRecord => callRecord({ subject: 'subject-canary', ...more });

interface Summary {
  count: number;
  avg_latency_ms: number;
  p50_latency_ms: number;
  p95_latency_ms: number;
  p99_latency_ms: number;
  error_rate: number;
}
interface Body {
  timestamp: string;
  uptime_seconds: number;
  operations: Record<string, Summary>;
  servers: Record<string, Record<string, Summary>>;
  agents: Record<string, Record<string, Summary>>;
}
const bodyOf = (metrics: { json(sight: null): object }): Body => JSON.parse(JSON.stringify(metrics.json(null)));
const find = (families: Map<string, Family>, name: string, labels: Record<string, string>) =>
  (families.get(name)?.samples ?? []).filter(sample =>
    Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
  );
const total = (samples: readonly { value: number }[]) => samples.reduce((sum, { value }) => sum + value, 0);

describe('JSON', () => {
  test('ten calls of which one fails downstream: count 10, error rate 0.1, quantiles in order', () => {
    const metrics = createMetrics({ clock: createFrozenClock() });
    for (let i = 1; i <= 10; i += 1) {
      metrics.record(
        call({
          operation: 'execute_tool',
          agent: 'backend',
          durationMs: i * 10,
          ...(i === 10 ? { outcome: 'error', code: 'SERVER_UNAVAILABLE' } : {}),
        }),
      );
    }
    const { operations, servers, agents } = bodyOf(metrics);
    const summary = operations.execute_tool as Summary;
    expect(summary.count).toBe(10);
    expect(summary.error_rate).toBe(0.1);
    expect(summary.avg_latency_ms).toBe(55);
    expect(summary.p50_latency_ms).toBeGreaterThan(49);
    expect(summary.p50_latency_ms).toBeLessThanOrEqual(summary.p95_latency_ms);
    expect(summary.p95_latency_ms).toBeLessThanOrEqual(summary.p99_latency_ms);
    expect(summary.p99_latency_ms).toBeLessThanOrEqual(100);
    expect(servers.git?.execute_tool).toEqual(summary);
    expect(agents.backend?.execute_tool).toEqual(summary);
  });

  test.each([
    { outcome: 'ok', rate: 0 },
    { outcome: 'cancelled', rate: 0 },
    { outcome: 'tool-error', rate: 1 },
    { outcome: 'error', rate: 1 },
    { outcome: 'denied', rate: 1 },
    { outcome: 'refused', rate: 1 },
  ] as const)('$outcome makes an error rate of $rate', ({ outcome, rate }) => {
    const metrics = createMetrics({ clock: createFrozenClock() });
    metrics.record(call({ outcome }));
    expect(bodyOf(metrics).operations['tools/call']).toMatchObject({ count: 1, error_rate: rate });
  });

  test('timestamp and uptime follow the clock', () => {
    const clock = createFrozenClock(Date.UTC(2026, 5, 1));
    const metrics = createMetrics({ clock });
    clock.advance(1_500);
    expect(bodyOf(metrics)).toMatchObject({
      timestamp: '2026-06-01T00:00:01.500Z',
      uptime_seconds: 1.5,
      operations: {},
    });
  });

  test('an operation is the sum over its servers; operations of no server are under no server', () => {
    const metrics = createMetrics({ clock: createFrozenClock() });
    metrics.record(call({ server: 'a' }));
    metrics.record(call({ server: 'b', outcome: 'error', code: 'TIMEOUT' }));
    metrics.record(call({ operation: 'tools/list', method: 'tools/list', server: null, target: null }));
    const { operations, servers } = bodyOf(metrics);
    expect(operations['tools/call']).toMatchObject({ count: 2, error_rate: 0.5 });
    expect(operations['tools/list']).toMatchObject({ count: 1 });
    expect(Object.keys(servers)).toEqual(['a', 'b']);
  });

  test('names that objects know already are names like others', () => {
    const metrics = createMetrics({ clock: createFrozenClock() });
    for (const name of ['__proto__', 'constructor', 'toString']) {
      metrics.record(call({ operation: name, server: name, agent: name }));
    }
    const text = JSON.stringify(metrics.json(null));
    expect(text).toContain('"__proto__":{"__proto__":{"count":1');
    expect(text).toContain('"constructor":{"constructor":{"count":1');
    expect(({} as Record<string, unknown>).count).toBeUndefined();
  });
});

describe('Prometheus text', () => {
  test('a strict reader takes it, and its counters are the JSON ones', () => {
    const clock = createFrozenClock();
    const metrics = createMetrics({ clock });
    const outcomes = ['ok', 'ok', 'ok', 'error', 'tool-error', 'denied', 'cancelled'] as const;
    for (const operation of ['tools/call', 'execute_tool', 'tools/list']) {
      for (const server of ['git', 'db', null]) {
        for (const outcome of outcomes) {
          metrics.record(call({ operation, server, outcome, agent: 'a1', durationMs: 3, clientName: 'Claude Code' }));
        }
      }
    }
    const families = parseExposition(metrics.prometheus(null));
    const { operations } = bodyOf(metrics);
    for (const [operation, summary] of Object.entries(operations)) {
      expect(total(find(families, 'gatehouse_operations_total', { operation }))).toBe(summary.count);
      expect(
        total(
          find(families, 'gatehouse_operation_duration_seconds', { operation }).filter(s => s.name.endsWith('_count')),
        ),
      ).toBe(summary.count);
    }
    expect(
      find(families, 'gatehouse_operations_total', { operation: 'tools/call', server: 'git', outcome: 'ok' }),
    ).toMatchObject([{ value: 3 }]);
  });

  test('tool executions carry the labels of the document, booleans and client in lower case', () => {
    const metrics = createMetrics({ clock: createFrozenClock() });
    metrics.record(call({ clientName: 'Claude Code', target: 'createIssue', durationMs: 20 }));
    metrics.record(call({ clientName: 'Claude Code', target: 'createIssue', durationMs: 20, outcome: 'tool-error' }));
    const families = parseExposition(metrics.prometheus(null));
    const labels = { tool_name: 'createIssue', server_name: 'git', method: 'tools/call', client_name: 'claude_code' };
    expect(families.get('mcp_tool_executions_total')?.samples).toEqual([
      { name: 'mcp_tool_executions_total', labels: { ...labels, success: 'true' }, value: 1 },
      { name: 'mcp_tool_executions_total', labels: { ...labels, success: 'false' }, value: 1 },
    ]);
    const [count] = find(families, 'mcp_tool_execution_duration_seconds', {}).filter(s => s.name.endsWith('_count'));
    expect(count).toMatchObject({ labels: { tool_name: 'createIssue', server_name: 'git' }, value: 2 });
    const [step] = find(families, 'mcp_protocol_latency_seconds', { flow_step: 'tools/call' }).filter(s =>
      s.name.endsWith('_sum'),
    );
    expect(step).toMatchObject({ labels: { server_name: 'git' }, value: 0.04 });
  });

  test('offered figures appear, with labels and help escaped', () => {
    const metrics = createMetrics({ clock: createFrozenClock() });
    metrics.gauge('queue_depth', 'a \\ and a\nline', () => [{ labels: { server: 'a"b\\c\nd' }, value: 1.5 }]);
    metrics.counter('drops_total', 'Drops.', () => [{ labels: {}, value: 7 }]);
    metrics.gauge('strange', 'Strange.', () => [
      { labels: { n: '1' }, value: Number.NaN },
      { labels: { n: '2' }, value: Infinity },
    ]);
    const families = parseExposition(metrics.prometheus(null));
    expect(families.get('queue_depth')).toEqual({
      type: 'gauge',
      help: 'a \\\\ and a\\nline',
      samples: [{ name: 'queue_depth', labels: { server: 'a"b\\c\nd' }, value: 1.5 }],
    });
    expect(families.get('drops_total')).toMatchObject({ type: 'counter', samples: [{ value: 7 }] });
    expect(families.get('strange')?.samples.map(sample => sample.value)).toEqual([Number.NaN, Infinity]);
  });

  test('figures of one number are in the JSON too, unless they are not for its reader', () => {
    const metrics = createMetrics({ clock: createFrozenClock() });
    metrics.gauge('waiting', 'Waiting.', () => [{ labels: {}, value: 3 }]);
    metrics.gauge('of_all', 'Of all.', sight => (sight === null ? [{ labels: {}, value: 9 }] : []));
    metrics.gauge('depth', 'Depth.', () => [{ labels: { server: 'echo' }, value: 1 }]);
    const nobody = { server: () => false, tool: () => false, agent: () => false };
    expect(metrics.json(null)).toMatchObject({ figures: { waiting: 3, of_all: 9 } });
    expect((metrics.json(nobody) as { figures: object }).figures).toEqual({ waiting: 3 });
    expect(metrics.prometheus(nobody)).not.toContain('of_all 9');
    expect(JSON.stringify(metrics.json(null))).not.toContain('depth');
  });

  test('a figure that throws hides no other, and is counted', () => {
    const metrics = createMetrics({ clock: createFrozenClock() });
    metrics.gauge('broken', 'Broken.', () => {
      throw new Error('no');
    });
    metrics.gauge('whole', 'Whole.', () => [{ labels: {}, value: 1 }]);
    const families = parseExposition(metrics.prometheus(null));
    expect(families.get('whole')?.samples).toHaveLength(1);
    expect(families.get('gatehouse_metric_read_failures_total')?.samples[0]?.value).toBe(1);
  });

  test.each([
    { name: 'Upper', because: 'upper case' },
    { name: 'with-dash', because: 'a character the format forbids' },
    { name: 'taken', because: 'a name that is taken' },
    { name: 'gauge_total', because: 'a gauge that reads like a counter' },
  ])('refuses $because', ({ name }) => {
    const metrics = createMetrics({ clock: createFrozenClock() });
    metrics.gauge('taken', 'Taken.', () => []);
    expect(() => metrics.gauge(name, 'x', () => [])).toThrow();
    expect(() => metrics.counter('no_suffix', 'x', () => [])).toThrow();
  });

  test('the process tells memory, CPU and loop lag', async () => {
    const clock = createSystemClock();
    const metrics = createMetrics({ clock });
    const stop = offerProcessGauges(metrics, clock);
    await new Promise(resolve => setTimeout(resolve, 60));
    const busyUntilMs = performance.now() + 150;
    while (performance.now() < busyUntilMs);
    // The sample that saw the loop stand still is taken in the turn after.
    await new Promise(resolve => setTimeout(resolve, 60));
    const families = parseExposition(metrics.prometheus(null));
    stop();
    const value = (name: string) => families.get(name)?.samples[0]?.value;
    expect(value('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
    expect(value('nodejs_heap_size_used_bytes')).toBeGreaterThan(1_000_000);
    expect(value('process_cpu_seconds_total')).toBeGreaterThan(0);
    expect(value('nodejs_eventloop_lag_p99_seconds')).toBeGreaterThan(0.1);
    expect(value('nodejs_eventloop_lag_p99_seconds')).toBeLessThan(60);
    expect(Math.abs((value('process_start_time_seconds') ?? 0) - (Date.now() / 1000 - process.uptime()))).toBeLessThan(
      2,
    );
    expect(value('gatehouse_uptime_seconds')).toBeGreaterThan(0);
  });
});

describe('bounds', () => {
  const seriesIn = (families: Map<string, Family>, name: string) => families.get(name)?.samples.length ?? 0;

  test('10,000 random tools, servers, agents, clients and operations stay within the bound, and none is lost', () => {
    const metrics = createMetrics({ clock: createFrozenClock(), maxSeries: 100 });
    for (let i = 0; i < 10_000; i += 1) {
      metrics.record(
        call({ server: `s${i}`, target: `t${i}`, agent: `a${i}`, clientName: `c${i}`, operation: `o${i}` }),
      );
    }
    const families = parseExposition(metrics.prometheus(null));
    expect(seriesIn(families, 'gatehouse_operations_total')).toBeLessThanOrEqual(100 + 65);
    expect(seriesIn(families, 'mcp_tool_executions_total')).toBeLessThanOrEqual(2 * 100 + 2);
    expect(total(families.get('gatehouse_operations_total')?.samples ?? [])).toBe(10_000);
    expect(total(families.get('mcp_tool_executions_total')?.samples ?? [])).toBe(10_000);
    expect(Object.keys(bodyOf(metrics).agents).length).toBeLessThanOrEqual(101);
  });

  test('names that a caller made up never become labels', () => {
    const metrics = createMetrics({ clock: createFrozenClock() });
    const made = [
      call({ outcome: 'denied', code: 'DENIED_BY_POLICY', server: 'made-up-1', target: 'made-up-2' }),
      call({ outcome: 'error', code: 'TOOL_NOT_FOUND', server: 'made-up-3', target: 'made-up-4' }),
      call({
        outcome: 'error',
        code: 'METHOD_NOT_FOUND',
        operation: 'made-up-5',
        method: 'made-up-5',
        server: null,
        target: null,
      }),
      call({ outcome: 'refused', code: 'INVALID_AGENT_ID', agent: 'made-up-6' }),
    ];
    for (const record of made) metrics.record(record);
    expect(metrics.prometheus(null)).not.toContain('made-up');
    expect(JSON.stringify(metrics.json(null))).not.toContain('made-up');
    expect(total(find(parseExposition(metrics.prometheus(null)), 'gatehouse_operations_total', {}))).toBe(4);
  });

  test('a name that is known stays under its name when a call to it is denied', () => {
    const metrics = createMetrics({ clock: createFrozenClock() });
    metrics.record(call());
    metrics.record(call({ outcome: 'denied', code: 'DENIED_BY_POLICY', agent: 'outsider' }));
    const { servers, agents } = bodyOf(metrics);
    expect(servers.git?.['tools/call']).toMatchObject({ count: 2, error_rate: 0.5 });
    expect(agents.outsider?.['tools/call']).toMatchObject({ count: 1, error_rate: 1 });
  });

  test('free text is tidied to a name, and the subject is nowhere', () => {
    const metrics = createMetrics({ clock: createFrozenClock() });
    const text = `evil "x"\n# TYPE gotcha counter\ngotcha 1 ${'z'.repeat(500)}`;
    for (let i = 0; i < 3; i += 1) metrics.record(call({ target: text, clientName: text, server: text, agent: text }));
    const exposition = metrics.prometheus(null);
    const families = parseExposition(exposition);
    expect(families.has('gotcha')).toBe(false);
    const [sample] = families.get('mcp_tool_executions_total')?.samples ?? [];
    expect(sample?.value).toBe(3);
    expect(sample?.labels.tool_name).toMatch(/^[\w.:/@+~-]{1,128}$/);
    expect(exposition + JSON.stringify(metrics.json(null))).not.toContain('subject-canary');
  });
});
