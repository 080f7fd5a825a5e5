/**
 * What happened, counted: per operation and server, per agent and operation, per tool and client.
 * Recording costs a few map look-ups and additions; everything else is worked out when somebody reads. The number of
 * series is bounded, and a name that a caller only made up never becomes one: a call that was turned away is counted
 * under its names when they are known already, else under `other` (security K7). No subject is ever a label.
 */
import type { CallRecord, Outcome } from '../../domain/call.ts';
import { GatewayError } from '../../domain/error.ts';
import type { Clock } from '../../ports/clock.ts';
import type { FiguresSight, MetricsReader, Sample } from '../../ports/metrics.ts';
import type { Recorder } from '../../ports/recorder.ts';
import { isOperationProven, isTargetProven } from './call-labels.ts';
import { Exposition } from './exposition.ts';
import { Buckets, LatencyHistogram } from './histogram.ts';
import { Grid, MAX_LABEL, NOWHERE, OTHER, tidy } from './series.ts';

export interface MetricsDeps {
  clock: Clock;
  /** Per metric; what comes later is counted under `other`. */
  maxSeries?: number;
}

const MAX_OPERATIONS = 64;
const MAX_CLIENTS = 50;
const DEFAULT_MAX_SERIES = 1_000;

const OUTCOMES = ['ok', 'tool-error', 'error', 'denied', 'refused', 'cancelled'] as const satisfies readonly Outcome[];
const NOT_FAILED: ReadonlySet<Outcome> = new Set(['ok', 'cancelled']);
/** Steps of the protocol's own flow, for `mcp_protocol_latency_seconds`. */
const FLOW_STEPS = new Set(['initialize', 'server/discover', 'tools/list', 'tools/call']);

/** One operation on one server, or of one agent. */
class OperationSeries {
  readonly method: string;
  readonly latency = new LatencyHistogram();
  readonly buckets = new Buckets();
  readonly outcomes: Record<Outcome, number> = {
    ok: 0,
    'tool-error': 0,
    error: 0,
    denied: 0,
    refused: 0,
    cancelled: 0,
  };

  constructor(method: string) {
    this.method = method;
  }

  record(call: CallRecord): void {
    this.latency.record(call.durationMs);
    this.buckets.record(call.durationMs);
    this.outcomes[call.outcome] += 1;
  }

  add(other: OperationSeries): void {
    this.latency.add(other.latency);
    for (const outcome of OUTCOMES) this.outcomes[outcome] += other.outcomes[outcome];
  }

  summary(): object {
    const failed = OUTCOMES.reduce((sum, outcome) => sum + (NOT_FAILED.has(outcome) ? 0 : this.outcomes[outcome]), 0);
    const { latency } = this;
    return {
      count: latency.count,
      avg_latency_ms: rounded(latency.meanMs()),
      p50_latency_ms: rounded(latency.quantileMs(0.5)),
      p95_latency_ms: rounded(latency.quantileMs(0.95)),
      p99_latency_ms: rounded(latency.quantileMs(0.99)),
      error_rate: latency.count === 0 ? 0 : rounded(failed / latency.count, 1e6),
    };
  }
}

/** Executions of one tool by one kind of client. */
class ToolSeries {
  ok = 0;
  failed = 0;
  readonly buckets = new Buckets();
}

interface Offered {
  type: 'gauge' | 'counter';
  help: string;
  read: (sight: FiguresSight | null) => readonly Sample[];
}

export function createMetrics({ clock, maxSeries = DEFAULT_MAX_SERIES }: MetricsDeps): Recorder & MetricsReader {
  const startedMs = clock.monotonicMs();
  /** operation -> server */
  const operations = new Grid<OperationSeries>(MAX_OPERATIONS, maxSeries);
  /** agent -> operation */
  const agents = new Grid<OperationSeries>(maxSeries, maxSeries);
  /** server -> tool -> client */
  const tools = new Grid<Map<string, ToolSeries>>(maxSeries, maxSeries);
  const clientNames = new Set<string>();
  const offered = new Map<string, Offered>();
  let toolSeries = 0;
  let failedReads = 0;

  function record(call: CallRecord): void {
    const isOperation = isOperationProven(call);
    const isTarget = isTargetProven(call);
    const create = (): OperationSeries => new OperationSeries(call.method);
    const server = call.server ?? NOWHERE;
    operations.at(call.operation, server, isOperation, isTarget, create).record(call);
    // Agents that are only ever denied must be seen; those whose very id was refused must not.
    if (call.agent !== null) {
      agents.at(call.agent, call.operation, call.outcome !== 'refused', isOperation, create).record(call);
    }
    if (call.method === 'tools/call' && call.server !== null && call.target !== null) {
      const clients = tools.at(call.server, call.target, isTarget, isTarget, () => new Map());
      const client = call.clientName ?? NOWHERE;
      const series = clients.get(client) ?? seriesOfClient(clients, client);
      series.buckets.record(call.durationMs);
      if (call.outcome === 'ok') series.ok += 1;
      else series.failed += 1;
    }
  }

  /** Client names are whatever a client says of itself: lower-case (dashboards compare them), tidied, and few. */
  function seriesOfClient(clients: Map<string, ToolSeries>, client: string): ToolSeries {
    const name = tidy(client.toLowerCase());
    if (clientNames.size < MAX_CLIENTS) clientNames.add(name);
    const key = clientNames.has(name) && (clients.has(name) || toolSeries < maxSeries) ? name : OTHER;
    let series = clients.get(key);
    if (series === undefined) {
      series = new ToolSeries();
      clients.set(key, series);
      toolSeries += 1;
    }
    return series;
  }

  function offer(name: string, figure: Offered): void {
    const isTotal = name.endsWith('_total');
    if (!/^[a-z_][a-z0-9_]*$/.test(name) || offered.has(name) || (figure.type === 'counter') !== isTotal) {
      throw new GatewayError('INTERNAL', `not a new ${figure.type} name: ${name}`);
    }
    offered.set(name, figure);
  }

  function json(sight: FiguresSight | null): object {
    const perOperation = emptyRecord<object>();
    const perServer = emptyRecord<Record<string, object>>();
    for (const [operation, servers] of operations.rows) {
      const sum = new OperationSeries(operation);
      const shown = [...servers].filter(([server]) => isServerIn(sight, server));
      if (shown.length === 0) continue;
      for (const [server, series] of shown) {
        sum.add(series);
        if (server === NOWHERE) continue;
        perServer[server] ??= emptyRecord<object>();
        perServer[server][operation] = series.summary();
      }
      perOperation[operation] = sum.summary();
    }
    const perAgent = emptyRecord<Record<string, object>>();
    for (const [agent, columns] of agents.rows) {
      if (sight !== null && !sight.agent(agent)) continue;
      const row = emptyRecord<object>();
      for (const [operation, series] of columns) row[operation] = series.summary();
      perAgent[agent] = row;
    }
    return {
      timestamp: new Date(clock.wallMs()).toISOString(),
      uptime_seconds: rounded((clock.monotonicMs() - startedMs) / 1000),
      operations: perOperation,
      servers: perServer,
      agents: perAgent,
      figures: plainFigures(sight),
    };
  }

  /** Offered ones that are one number each; what is counted per server or kind is in the text. */
  function plainFigures(sight: FiguresSight | null): Record<string, number> {
    const figures = emptyRecord<number>();
    for (const [name, { read }] of offered) {
      const [only] = readSafely(read, sight);
      if (only !== undefined && Object.keys(only.labels).length === 0) figures[name] = only.value;
    }
    return figures;
  }

  function prometheus(sight: FiguresSight | null): string {
    const out = new Exposition();
    exposeOperations(out, operations, sight);
    exposeTools(out, tools, sight);
    for (const [name, { type, help, read }] of offered) out.samples(name, type, help, readSafely(read, sight));
    out.samples('gatehouse_uptime_seconds', 'gauge', 'Seconds since the gateway started.', [
      { labels: {}, value: rounded((clock.monotonicMs() - startedMs) / 1000) },
    ]);
    out.samples('gatehouse_metric_read_failures_total', 'counter', 'Figures that could not be read.', [
      { labels: {}, value: failedReads },
    ]);
    return out.text();
  }

  /** One broken figure must not hide the others. */
  function readSafely(read: Offered['read'], sight: FiguresSight | null): readonly Sample[] {
    try {
      return read(sight)
        .filter(({ labels }) => labels.server === undefined || isServerIn(sight, labels.server))
        .slice(0, maxSeries);
    } catch {
      failedReads += 1;
      return [];
    }
  }

  return {
    record,
    json,
    prometheus,
    gauge: (name, help, read) => offer(name, { type: 'gauge', help, read }),
    counter: (name, help, read) => offer(name, { type: 'counter', help, read }),
  };
}

/** A name that was cut for its length is nobody's: it may be that of a server which is not to be seen. */
function isServerIn(sight: FiguresSight | null, server: string): boolean {
  if (sight === null || server === NOWHERE || server === OTHER) return true;
  return server.length < MAX_LABEL && sight.server(server);
}

function exposeOperations(out: Exposition, operations: Grid<OperationSeries>, sight: FiguresSight | null): void {
  const all = [...operations.rows].flatMap(([operation, servers]) =>
    [...servers].flatMap(([server, series]) => (isServerIn(sight, server) ? [{ operation, server, series }] : [])),
  );
  out.family('gatehouse_operations_total', 'counter', 'Operations by what came of them.');
  for (const { operation, server, series } of all) {
    for (const outcome of OUTCOMES) {
      const value = series.outcomes[outcome];
      if (value > 0) out.sample('gatehouse_operations_total', { operation, server, outcome }, value);
    }
  }
  out.family('gatehouse_operation_duration_seconds', 'histogram', 'How long operations took, from arrival to answer.');
  for (const { operation, server, series } of all) {
    out.histogram('gatehouse_operation_duration_seconds', { operation, server }, series.buckets);
  }
  // A gateway tool and the method it stands for are one step: added up.
  const steps = new Map<string, { flow_step: string; server_name: string; buckets: Buckets }>();
  for (const { server, series } of all) {
    if (!FLOW_STEPS.has(series.method)) continue;
    const key = `${series.method} ${server}`;
    const step = steps.get(key) ?? { flow_step: series.method, server_name: server, buckets: new Buckets() };
    step.buckets.add(series.buckets);
    steps.set(key, step);
  }
  out.family('mcp_protocol_latency_seconds', 'histogram', 'How long the steps of the MCP flow took.');
  for (const { flow_step, server_name, buckets } of steps.values()) {
    out.histogram('mcp_protocol_latency_seconds', { flow_step, server_name }, buckets);
  }
}

function exposeTools(out: Exposition, { rows }: Grid<Map<string, ToolSeries>>, sight: FiguresSight | null): void {
  const method = 'tools/call';
  const isShown = (server: string, tool: string) =>
    isServerIn(sight, server) && (sight === null || tool === OTHER || sight.tool(server, tool));
  const all = [...rows].flatMap(([server_name, columns]) =>
    [...columns].flatMap(([tool_name, clients]) =>
      isShown(server_name, tool_name) ? [{ server_name, tool_name, clients }] : [],
    ),
  );
  out.family('mcp_tool_executions_total', 'counter', 'Tool executions by tool, success and client.');
  for (const { server_name, tool_name, clients } of all) {
    for (const [client_name, series] of clients) {
      const labels = { tool_name, server_name, method, client_name };
      if (series.ok > 0) out.sample('mcp_tool_executions_total', { ...labels, success: 'true' }, series.ok);
      if (series.failed > 0) out.sample('mcp_tool_executions_total', { ...labels, success: 'false' }, series.failed);
    }
  }
  out.family('mcp_tool_execution_duration_seconds', 'histogram', 'How long tool executions took.');
  for (const { server_name, tool_name, clients } of all) {
    const sum = new Buckets();
    for (const series of clients.values()) sum.add(series.buckets);
    out.histogram('mcp_tool_execution_duration_seconds', { tool_name, server_name }, sum);
  }
}

/** An object that any name may be a key of, `__proto__` too. */
function emptyRecord<Value>(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>;
}

function rounded(value: number, steps = 1000): number {
  return Math.round(value * steps) / steps;
}
