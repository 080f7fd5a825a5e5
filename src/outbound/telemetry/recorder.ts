/**
 * Every finished operation, written down: metrics, a warning when it was slow, a line when it failed, a line for
 * those who debug. Lines that a flood would multiply are bounded per second and the rest is counted, here and in
 * `gatehouse_log_lines_suppressed_total`. Nothing thrown in here reaches the call.
 */
import type { CallRecord } from '../../domain/call.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log, LogFields } from '../../ports/log.ts';
import type { MetricsReader, Sample } from '../../ports/metrics.ts';
import type { Recorder } from '../../ports/recorder.ts';
import { isOperationProven, isTargetProven } from './call-labels.ts';
import { Grid, NOWHERE } from './series.ts';

export interface RecorderDeps {
  metrics: Recorder & MetricsReader;
  log: Log;
  clock: Clock;
  slowMs: number;
}

const LINES_PER_SECOND = 10;
const MAX_SLOW_OPERATIONS = 64;
const MAX_SLOW_SERIES = 1_000;
/** Standing by design: their length says nothing. */
const STANDING: ReadonlySet<string> = new Set(['subscriptions/listen']);

export function createRecorder({ metrics, log, clock, slowMs }: RecorderDeps): Recorder {
  const slow = new Grid<{ count: number }>(MAX_SLOW_OPERATIONS, MAX_SLOW_SERIES);
  const lines = {
    slow: createLineBudget(clock, LINES_PER_SECOND),
    failed: createLineBudget(clock, LINES_PER_SECOND),
    broken: createLineBudget(clock, 1),
  };
  metrics.counter('gatehouse_slow_operations_total', 'Operations that took longer than the configured bound.', () =>
    [...slow.rows].flatMap(([operation, servers]) =>
      [...servers].map(([server, { count }]): Sample => ({ labels: { operation, server }, value: count })),
    ),
  );
  metrics.counter('gatehouse_log_lines_suppressed_total', 'Log lines left out because there were too many.', () =>
    Object.entries(lines).map(([kind, budget]): Sample => ({ labels: { kind }, value: budget.suppressed() })),
  );

  function write(call: CallRecord): void {
    metrics.record(call);
    const fields = describe(call);
    if (call.outcome === 'error') {
      const isOurs = call.code === 'INTERNAL';
      lines.failed.spend(more => log[isOurs ? 'error' : 'warn']('operation failed', { ...fields, ...more }));
    }
    if (call.durationMs > slowMs && !STANDING.has(call.operation)) {
      const server = call.server ?? NOWHERE;
      const series = slow.at(call.operation, server, isOperationProven(call), isTargetProven(call), () => ({
        count: 0,
      }));
      series.count += 1;
      lines.slow.spend(more => log.warn('slow operation', { ...fields, threshold_ms: slowMs, ...more }));
    }
    log.debug('operation', fields);
  }

  return {
    record(call) {
      try {
        write(call);
      } catch (cause) {
        const detail = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
        lines.broken.spend(more => log.error('operation could not be recorded', { id: call.id, detail, ...more }));
      }
    },
  };
}

/** Null members are left out: a line holds what is known. */
function describe(call: CallRecord): LogFields {
  return {
    request_id: call.id,
    operation: call.operation,
    server: call.server ?? undefined,
    target: call.target ?? undefined,
    outcome: call.outcome,
    code: call.code ?? undefined,
    duration_ms: Math.round(call.durationMs * 1000) / 1000,
    agent: call.agent ?? undefined,
    detail: call.detail ?? undefined,
  };
}

interface LineBudget {
  /** Writes when the second still has room; the first line after a gap says how many were left out. */
  spend(write: (more: LogFields) => void): void;
  suppressed(): number;
}

function createLineBudget(clock: Clock, perSecond: number): LineBudget {
  let windowMs = Number.NEGATIVE_INFINITY;
  let written = 0;
  let untold = 0;
  let total = 0;
  return {
    spend(write) {
      const now = clock.monotonicMs();
      if (now - windowMs >= 1_000) {
        windowMs = now;
        written = 0;
      }
      if (written >= perSecond) {
        untold += 1;
        total += 1;
        return;
      }
      written += 1;
      const more = untold === 0 ? {} : { suppressed: untold };
      untold = 0;
      write(more);
    },
    suppressed: () => total,
  };
}
