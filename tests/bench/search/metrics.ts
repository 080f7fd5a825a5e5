/**
 * How good a ranking is, against what is known to answer a request. Each needed tool counts once, whichever of its
 * equals was found.
 */
export interface Quality {
  recall1: number;
  recall5: number;
  recall10: number;
  ndcg10: number;
  mrr: number;
}
export const NOTHING: Quality = { recall1: 0, recall5: 0, recall10: 0, ndcg10: 0, mrr: 0 };
const NAMES = Object.keys(NOTHING) as (keyof Quality)[];

/** `groups`: each needed tool as the ids that would do. */
export function qualityOf(ranked: readonly string[], groups: readonly (readonly string[])[]): Quality {
  const found = new Set<number>();
  const foundBy: number[] = [];
  let gain = 0;
  let first = 0;
  for (let place = 0; place < 100; place++) {
    const id = ranked[place];
    const group = id === undefined ? -1 : groups.findIndex((ids, at) => !found.has(at) && ids.includes(id));
    if (group >= 0) {
      found.add(group);
      if (first === 0) first = place + 1;
      if (place < 10) gain += discount(place);
    }
    foundBy.push(found.size / groups.length);
  }
  let ideal = 0;
  for (let place = 0; place < Math.min(10, groups.length); place++) ideal += discount(place);
  return {
    recall1: foundBy[0] ?? 0,
    recall5: foundBy[4] ?? 0,
    recall10: foundBy[9] ?? 0,
    ndcg10: gain / ideal,
    mrr: first === 0 ? 0 : 1 / first,
  };
}

const discount = (place: number) => 1 / Math.log2(place + 2);

export function meanOf(all: readonly Quality[]): Quality {
  const mean = { ...NOTHING };
  for (const quality of all) for (const name of NAMES) mean[name] += quality[name] / all.length;
  return mean;
}

export const percent = (share: number): string => (100 * share).toFixed(1).padStart(5);
export const inPercent = (quality: Quality): string => NAMES.map(name => percent(quality[name])).join(' ');
