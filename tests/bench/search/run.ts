/**
 * How good and how fast finding tools is: `npm run search-bench [-- --sets a,b] [--no-scale] [--no-quality] [--most 300]`.
 * Prints figures and judges nothing; the floors are in floors.test.ts.
 */
import { parseArgs } from 'node:util';
import {
  type AnnotatedQuery,
  hasCorpus,
  MCP_SETS,
  NO_CORPUS,
  readQueries,
  readTools,
  SETS,
  type SetName,
} from './corpus.ts';
import { type Measured, measure, openCatalog, WAYS } from './measure.ts';
import { inPercent, meanOf } from './metrics.ts';
import { measureScale } from './scale.ts';

const { values } = parseArgs({
  options: {
    sets: { type: 'string' },
    most: { type: 'string', default: '1000000' },
    scale: { type: 'boolean', default: true },
    quality: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
const print = (line: string) => void process.stdout.write(`${line}\n`);

// The index keeps no process alive; while figures are made, somebody has to.
const keepAlive = setInterval(() => {}, 60_000);
if (!hasCorpus) {
  print(NO_CORPUS);
} else {
  const known = Object.keys(SETS) as SetName[];
  const sets = known.filter(set => values.sets === undefined || values.sets.split(',').includes(set));
  if (values.quality) await printQuality(sets, Number(values.most));
  if (values.scale) for (const count of [500, 1_000, 5_000, 20_000]) print(await measureScale(count));
}
clearInterval(keepAlive);

async function printQuality(sets: readonly SetName[], most: number): Promise<void> {
  print('set            ranking     n   R@1   R@5  R@10 nDCG@10 MRR');
  const all = new Map<SetName, Measured>();
  for (const catalog of new Set(sets.map(set => SETS[set]))) {
    const engine = await openCatalog(readTools(catalog));
    for (const set of sets.filter(name => SETS[name] === catalog)) {
      const queries: AnnotatedQuery[] = readQueries(set).slice(0, most);
      const measured = await measure(engine, queries);
      all.set(set, measured);
      for (const way of Object.keys(WAYS) as (keyof Measured)[])
        print(`${set.padEnd(14)} ${way.padEnd(7)} ${String(queries.length).padStart(5)} ${inPercent(measured[way])}`);
    }
    await engine.close();
  }
  for (const [what, names] of [
    ['all', sets],
    ['MCP', sets.filter(set => MCP_SETS.includes(set))],
  ] as const) {
    for (const way of Object.keys(WAYS) as (keyof Measured)[]) {
      const measured = names.flatMap(set => all.get(set)?.[way] ?? []);
      if (measured.length > 0)
        print(`mean of ${what.padEnd(6)} ${way.padEnd(7)} ${' '.repeat(5)} ${inPercent(meanOf(measured))}`);
    }
  }
}
