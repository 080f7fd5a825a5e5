import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BOUNDS_S, Buckets, LatencyHistogram } from '../../../src/outbound/telemetry/histogram.ts';

const durations = fc.array(fc.double({ min: 0.001, max: 1_000_000, noNaN: true }), { minLength: 1, maxLength: 300 });

function exact(sorted: readonly number[], q: number): number {
  return sorted[Math.max(1, Math.ceil(q * sorted.length)) - 1] ?? Number.NaN;
}

describe('LatencyHistogram', () => {
  test('every quantile is within a 128th of the exact one, beside what rounding to microseconds takes', () => {
    fc.assert(
      fc.property(durations, fc.double({ min: 0, max: 1, noNaN: true }), (values, q) => {
        const histogram = new LatencyHistogram();
        for (const value of values) histogram.record(value);
        const truth = exact(
          [...values].sort((a, b) => a - b),
          q,
        );
        expect(Math.abs(histogram.quantileMs(q) - truth)).toBeLessThanOrEqual(truth / 128 + 0.0006);
      }),
    );
  });

  test('quantiles never cross, and stay within what was seen', () => {
    fc.assert(
      fc.property(durations, values => {
        const histogram = new LatencyHistogram();
        for (const value of values) histogram.record(value);
        const [p0, p50, p95, p99, p100] = [0, 0.5, 0.95, 0.99, 1].map(q => histogram.quantileMs(q));
        expect(p0).toBeGreaterThanOrEqual(Math.min(...values) - 0.001);
        expect(p50).toBeGreaterThanOrEqual(p0 as number);
        expect(p95).toBeGreaterThanOrEqual(p50 as number);
        expect(p99).toBeGreaterThanOrEqual(p95 as number);
        expect(p100).toBeGreaterThanOrEqual(p99 as number);
        expect(p100).toBeLessThanOrEqual(Math.max(...values) + 0.001);
      }),
    );
  });

  test('adding two is the same as recording both', () => {
    fc.assert(
      fc.property(durations, durations, (one, two) => {
        const [a, b, both] = [new LatencyHistogram(), new LatencyHistogram(), new LatencyHistogram()];
        for (const value of one) a.record(value);
        for (const value of two) b.record(value);
        for (const value of [...one, ...two]) both.record(value);
        a.add(b);
        expect(a.count).toBe(both.count);
        expect(a.sumMs).toBeCloseTo(both.sumMs, 3);
        for (const q of [0, 0.5, 0.99, 1]) expect(a.quantileMs(q)).toBe(both.quantileMs(q));
      }),
    );
  });

  test('an empty one answers 0, and a broken duration counts as 0', () => {
    const histogram = new LatencyHistogram();
    expect([histogram.meanMs(), histogram.quantileMs(0.99)]).toEqual([0, 0]);
    for (const broken of [Number.NaN, -5, Number.POSITIVE_INFINITY, 0]) histogram.record(broken);
    expect([histogram.count, histogram.meanMs(), histogram.quantileMs(0.99)]).toEqual([4, 0, 0]);
  });

  test('what lasts longer than 35 minutes is counted at the end of the scale', () => {
    const histogram = new LatencyHistogram();
    histogram.record(86_400_000);
    expect(histogram.quantileMs(0.5)).toBeCloseTo(2_147_483.647, 3);
    expect(histogram.meanMs()).toBe(86_400_000);
  });
});

describe('Buckets', () => {
  test('a value on a bound belongs to that bound; above the last it is only in the count', () => {
    const buckets = new Buckets();
    for (const ms of [0, 1, 1.1, 60_000, 60_001]) buckets.record(ms);
    const counts = buckets.cumulative();
    expect(counts).toHaveLength(BOUNDS_S.length);
    expect([counts[0], counts[1], counts.at(-1), buckets.count]).toEqual([2, 3, 4, 5]);
  });

  test('the bounds are the ones the dashboards were made for', () => {
    expect(BOUNDS_S).toEqual([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]);
  });
});
