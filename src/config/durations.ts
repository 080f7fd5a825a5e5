/** Durations as people write them (`500ms`, `30s`, `10m`, `1h`) and as the house keeps them: whole milliseconds. */
const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['min', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

const WRITTEN = /^(\d+(?:\.\d+)?)\s*(ms|s|min|m|h|d)?$/;

/** What `setTimeout` can hold; beyond it Node fires at once. */
export const LONGEST_MS = 2 ** 31 - 1;

/** Milliseconds, or null for what is not a duration. A bare number is milliseconds. */
export function parseDuration(value: unknown): number | null {
  if (typeof value === 'number') return isDuration(value) ? Math.round(value) : null;
  if (typeof value !== 'string') return null;
  const [, amount, unit] = WRITTEN.exec(value.trim()) ?? [];
  if (amount === undefined) return null;
  const ms = Number(amount) * (UNIT_MS.get(unit ?? 'ms') ?? Number.NaN);
  return isDuration(ms) ? Math.round(ms) : null;
}

function isDuration(ms: number): boolean {
  return Number.isFinite(ms) && ms >= 0 && ms <= LONGEST_MS;
}
