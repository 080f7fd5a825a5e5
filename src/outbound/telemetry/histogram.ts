/**
 * Two ways to keep durations: LatencyHistogram for quantiles in JSON, Buckets for Prometheus.
 * Both record in constant time. The first is log-linear (HdrHistogram's idea): 64 steps in every power of two of
 * microseconds, so a quantile is off by at most 1/128 of its value whatever its size.
 */

const STEP_BITS = 6;
const STEPS = 1 << STEP_BITS;
/** About 35 minutes; what lasts longer is counted there. */
const MAX_MICROS = 2_147_483_647;
const OCTAVES = 31 - STEP_BITS + 1;

export class LatencyHistogram {
  count = 0;
  sumMs = 0;
  #maxMicros = 0;
  #minMicros = MAX_MICROS;
  /** Counts per octave, made when the first value falls into it: most series live in three or four. */
  readonly #octaves: (Float64Array | null)[] = new Array<Float64Array | null>(OCTAVES).fill(null);

  record(ms: number): void {
    const spent = duration(ms);
    const micros = Math.min(Math.round(spent * 1000), MAX_MICROS);
    this.count += 1;
    this.sumMs += spent;
    if (micros > this.#maxMicros) this.#maxMicros = micros;
    if (micros < this.#minMicros) this.#minMicros = micros;
    const octave = micros < STEPS ? 0 : 32 - Math.clz32(micros) - STEP_BITS;
    const step = octave === 0 ? micros : (micros >>> (octave - 1)) - STEPS;
    const steps = this.#stepsOf(octave);
    steps[step] = (steps[step] ?? 0) + 1;
  }

  add(other: LatencyHistogram): void {
    this.count += other.count;
    this.sumMs += other.sumMs;
    this.#maxMicros = Math.max(this.#maxMicros, other.#maxMicros);
    this.#minMicros = Math.min(this.#minMicros, other.#minMicros);
    other.#octaves.forEach((theirs, octave) => {
      if (theirs === null) return;
      const ours = this.#stepsOf(octave);
      for (let step = 0; step < STEPS; step += 1) ours[step] = (ours[step] ?? 0) + (theirs[step] ?? 0);
    });
  }

  #stepsOf(octave: number): Float64Array {
    const made = this.#octaves[octave];
    if (made !== null && made !== undefined) return made;
    const steps = new Float64Array(STEPS);
    this.#octaves[octave] = steps;
    return steps;
  }

  meanMs(): number {
    return this.count === 0 ? 0 : this.sumMs / this.count;
  }

  /** Nearest rank; the middle of the step it falls into, never outside what was seen. 0 when nothing was recorded. */
  quantileMs(q: number): number {
    if (this.count === 0) return 0;
    let left = Math.max(1, Math.ceil(q * this.count));
    for (let octave = 0; octave < OCTAVES; octave += 1) {
      const steps = this.#octaves[octave];
      if (steps === null || steps === undefined) continue;
      for (let step = 0; step < STEPS; step += 1) {
        left -= steps[step] ?? 0;
        if (left > 0) continue;
        const width = octave === 0 ? 1 : 2 ** (octave - 1);
        const middle = octave === 0 ? step : (STEPS + step) * width + width / 2;
        return Math.min(Math.max(middle, this.#minMicros), this.#maxMicros) / 1000;
      }
    }
    return this.#maxMicros / 1000;
  }
}

/** Upper bounds in seconds, fixed for every duration here so that panels can add them up. */
export const BOUNDS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60] as const;
const BOUNDS_MS = BOUNDS_S.map(bound => bound * 1000);

export class Buckets {
  count = 0;
  sumMs = 0;
  readonly #counts = new Float64Array(BOUNDS_MS.length);

  record(ms: number): void {
    const spent = duration(ms);
    this.count += 1;
    this.sumMs += spent;
    for (let i = 0; i < BOUNDS_MS.length; i += 1) {
      if (spent <= (BOUNDS_MS[i] ?? 0)) {
        this.#counts[i] = (this.#counts[i] ?? 0) + 1;
        return;
      }
    }
  }

  add(other: Buckets): void {
    this.count += other.count;
    this.sumMs += other.sumMs;
    for (let i = 0; i < BOUNDS_MS.length; i += 1) this.#counts[i] = (this.#counts[i] ?? 0) + (other.#counts[i] ?? 0);
  }

  /** Counts up to and including each bound, in the order of BOUNDS_S, without `+Inf` (that is `count`). */
  cumulative(): number[] {
    let total = 0;
    return Array.from(this.#counts, count => {
      total += count;
      return total;
    });
  }
}

/** One broken clock reading must not turn every later sum into NaN. */
function duration(ms: number): number {
  return Number.isFinite(ms) ? Math.max(ms, 0) : 0;
}
