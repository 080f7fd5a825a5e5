import { describe, expect, test } from 'vitest';
import type { CallRecord } from '../../../src/domain/call.ts';
import { createLog } from '../../../src/outbound/telemetry/log.ts';
import { createMetrics } from '../../../src/outbound/telemetry/metrics.ts';
import { createRecorder } from '../../../src/outbound/telemetry/recorder.ts';
import { callRecord } from '../../support/call-record.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { parseExposition } from './exposition-parser.ts';

const call = (more: Partial<CallRecord> = {}): CallRecord =>
  callRecord({ id: 'req-1', agent: 'backend', operation: 'execute_tool', durationMs: 5, ...more });

function setUp(level: 'debug' | 'info' = 'info') {
  const lines: Record<string, unknown>[] = [];
  const clock = createFrozenClock();
  const metrics = createMetrics({ clock });
  const log = createLog({ level, format: 'json', destination: { write: line => lines.push(JSON.parse(line)) } });
  const recorder = createRecorder({ metrics, log, clock, slowMs: 100 });
  const figure = (name: string, labels: Record<string, string>) =>
    parseExposition(metrics.prometheus(null))
      .get(name)
      ?.samples.find(sample => Object.entries(labels).every(([label, value]) => sample.labels[label] === value))?.value;
  return { recorder, metrics, clock, lines, figure };
}

describe('slow operations', () => {
  test('one over the bound makes one warning with operation, server, tool and duration, and is counted', () => {
    const { recorder, lines, figure } = setUp();
    recorder.record(call({ durationMs: 100 }));
    recorder.record(call({ durationMs: 100.5 }));
    expect(lines).toMatchObject([
      {
        level: 'warn',
        msg: 'slow operation',
        request_id: 'req-1',
        operation: 'execute_tool',
        server: 'git',
        target: 'push',
        duration_ms: 100.5,
        threshold_ms: 100,
      },
    ]);
    expect(figure('gatehouse_slow_operations_total', { operation: 'execute_tool', server: 'git' })).toBe(1);
  });

  test('a flood writes ten lines a second, counts them all, and says how many were left out', () => {
    const { recorder, clock, lines, figure } = setUp();
    for (let i = 0; i < 1_000; i += 1) recorder.record(call({ durationMs: 500 }));
    expect(lines).toHaveLength(10);
    clock.advance(1_000);
    recorder.record(call({ durationMs: 500 }));
    expect(lines).toHaveLength(11);
    expect(lines.at(-1)).toMatchObject({ suppressed: 990 });
    recorder.record(call({ durationMs: 500 }));
    expect(lines.at(-1)).not.toHaveProperty('suppressed');
    expect(figure('gatehouse_slow_operations_total', {})).toBe(1_002);
    expect(figure('gatehouse_log_lines_suppressed_total', { kind: 'slow' })).toBe(990);
  });

  test('a standing subscription is not slow', () => {
    const { recorder, lines } = setUp();
    recorder.record(call({ operation: 'subscriptions/listen', method: 'subscriptions/listen', durationMs: 9e6 }));
    expect(lines).toEqual([]);
  });
});

describe('failed operations', () => {
  test('a failure is a warning with code and detail; a broken promise of ours is an error', () => {
    const { recorder, lines } = setUp();
    recorder.record(call({ outcome: 'error', code: 'TIMEOUT', detail: 'no answer, Authorization: Bearer abcdefgh' }));
    recorder.record(call({ outcome: 'error', code: 'INTERNAL', detail: 'oops' }));
    expect(lines).toMatchObject([
      { level: 'warn', msg: 'operation failed', code: 'TIMEOUT', detail: 'no answer, Authorization: [redacted]' },
      { level: 'error', msg: 'operation failed', code: 'INTERNAL' },
    ]);
  });

  test('they are bounded per second as well', () => {
    const { recorder, lines, figure } = setUp();
    for (let i = 0; i < 50; i += 1) recorder.record(call({ outcome: 'error', code: 'TIMEOUT' }));
    expect(lines).toHaveLength(10);
    expect(figure('gatehouse_log_lines_suppressed_total', { kind: 'failed' })).toBe(40);
  });

  test.each(['ok', 'tool-error', 'denied', 'refused', 'cancelled'] as const)('%s is no failure of ours', outcome => {
    const { recorder, lines } = setUp();
    recorder.record(call({ outcome }));
    expect(lines).toEqual([]);
  });
});

test('whoever debugs sees one line per call with its request id, and never the subject', () => {
  const { recorder, lines } = setUp('debug');
  recorder.record(call());
  recorder.record(call({ id: 'req-2', server: null, target: null, agent: null }));
  expect(lines).toMatchObject([
    {
      level: 'debug',
      msg: 'operation',
      request_id: 'req-1',
      operation: 'execute_tool',
      server: 'git',
      outcome: 'ok',
      agent: 'backend',
    },
    { level: 'debug', msg: 'operation', request_id: 'req-2' },
  ]);
  expect(lines[1]).not.toHaveProperty('server');
  expect(JSON.stringify(lines)).not.toContain('alice');
});

test('everything is in the metrics', () => {
  const { recorder, metrics } = setUp();
  recorder.record(call());
  expect(metrics.json(null)).toMatchObject({ operations: { execute_tool: { count: 1 } } });
});

test('what breaks while recording does not reach the call', () => {
  const { metrics, clock } = setUp();
  const lines: string[] = [];
  const log = createLog({ level: 'info', format: 'json', destination: { write: line => lines.push(line) } });
  const broken = {
    ...metrics,
    counter: () => {},
    record: () => {
      throw new Error('full');
    },
  };
  const recorder = createRecorder({ metrics: broken, log, clock, slowMs: 100 });
  for (let i = 0; i < 5; i += 1) expect(() => recorder.record(call())).not.toThrow();
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain('operation could not be recorded');
});
