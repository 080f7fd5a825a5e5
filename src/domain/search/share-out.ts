/** One answer for several kinds: none of them takes more than its part of it while others have something to show. */

export const MOST_OF_ONE_KIND = 0.6;

/** `ranked`: best first, and so is what is chosen. Places that the others cannot fill go to the best that were kept back. */
export function shareOut<T>(ranked: readonly T[], kindOf: (item: T) => string, limit: number): T[] {
  const most = Math.ceil(limit * MOST_OF_ONE_KIND);
  const taken = new Map<string, number>();
  const chosen = new Set<T>();
  for (const item of ranked) {
    const count = taken.get(kindOf(item)) ?? 0;
    if (count >= most || chosen.size >= limit) continue;
    taken.set(kindOf(item), count + 1);
    chosen.add(item);
  }
  for (const item of ranked) if (chosen.size < limit) chosen.add(item);
  return ranked.filter(item => chosen.has(item));
}
