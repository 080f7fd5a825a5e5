/**
 * What a run leaves behind, and how figures of several rounds become one: medians, and ratios that are taken within a
 * round first, so that a slow minute of the machine hits both sides.
 */
import type { Measured } from './arena.ts';

export interface Sample extends Measured {
  round: number;
  peer: string;
  case: string;
}

export interface StartSample {
  round: number;
  peer: string;
  setup: string;
  startMs: number;
}

export interface MemorySample {
  round: number;
  peer: string;
  idleKb: number;
  afterCallsKb: number;
  perSessionKb: number;
  errors: number;
}

export interface Failure {
  round: number;
  peer: string;
  what: string;
}

export interface RunReport {
  startedAt: string;
  profile: string;
  rounds: number;
  node: string;
  processor: string;
  cores: number;
  kernel: string;
  isPinned: boolean;
  peers: Record<string, string>;
  leftOut: Record<string, string>;
  samples: Sample[];
  starts: StartSample[];
  memory: MemorySample[];
  failures: Failure[];
}

/** Null for no figures at all. */
export function median(figures: readonly number[]): number | null {
  const sorted = [...figures].sort((a, b) => a - b);
  const low = sorted[(sorted.length - 1) >> 1];
  const high = sorted[sorted.length >> 1];
  return low === undefined || high === undefined ? null : (low + high) / 2;
}

export type Figure = (sample: Sample) => number | null;

export const callsPerSecond: Figure = sample => (sample.calls === 0 ? null : (sample.calls / sample.wallMs) * 1000);

/** One side of a ratio: a peer in a case. */
export interface Side {
  peer: string;
  case: string;
}

/** The figure of each round it was measured in. */
export function findByRound(report: RunReport, side: Side, figure: Figure): Map<number, number> {
  const found = new Map<number, number>();
  for (const sample of report.samples) {
    if (sample.peer !== side.peer || sample.case !== side.case) continue;
    const value = figure(sample);
    if (value !== null && Number.isFinite(value)) found.set(sample.round, value);
  }
  return found;
}

export function medianOf(report: RunReport, side: Side, figure: Figure): number | null {
  return median([...findByRound(report, side, figure).values()]);
}

/** Median over the rounds of (figure of one side / figure of the other in the same round). */
export function medianRatio(over: ReadonlyMap<number, number>, under: ReadonlyMap<number, number>): number | null {
  const ratios: number[] = [];
  for (const [round, value] of over) {
    const base = under.get(round);
    if (base !== undefined && base > 0) ratios.push(value / base);
  }
  return median(ratios);
}

export function ratioOf(report: RunReport, side: Side, base: Side, figure: Figure): number | null {
  return medianRatio(findByRound(report, side, figure), findByRound(report, base, figure));
}

/** (largest - smallest) / median over the rounds; null for fewer than two. */
export function spreadOf(report: RunReport, side: Side, figure: Figure): number | null {
  const values = [...findByRound(report, side, figure).values()];
  const middle = median(values);
  return values.length < 2 || middle === null ? null : (Math.max(...values) - Math.min(...values)) / middle;
}
