/**
 * How good and how fast finding tools is: `npm run search-bench`, options and examples with `--help`. Prints figures and
 * judges nothing; the floors are in floors.test.ts.
 */
import { hasCorpus, MCP_SETS, NO_CORPUS, readQueries, readTools, SETS, type SetName, sampleOf } from './corpus.ts';
import { type Measured, measure, openCatalog, WAYS } from './measure.ts';
import { inPercent, meanOf } from './metrics.ts';
import { readOptions, type SearchBenchOptions, USAGE } from './options.ts';
import { measureScale } from './scale.ts';

const print = (line: string) => void process.stdout.write(`${line}\n`);

async function run({ sets, most, sizes, isMeasuringQuality, isMeasuringScale }: SearchBenchOptions): Promise<void> {
  if (!hasCorpus) return print(NO_CORPUS);
  // The index keeps no process alive; while figures are made, somebody has to.
  const keepAlive = setInterval(() => {}, 60_000);
  if (isMeasuringQuality) await printQuality(sets, most);
  if (isMeasuringScale) for (const size of sizes) print(await measureScale(size));
  clearInterval(keepAlive);
}

async function printQuality(sets: readonly SetName[], most: number | null): Promise<void> {
  print('set            ranking     n   R@1   R@5  R@10 nDCG@10 MRR');
  const found = new Map<SetName, Measured>();
  for (const catalog of new Set(sets.map(set => SETS[set]))) {
    const engine = await openCatalog(readTools(catalog));
    for (const set of sets.filter(name => SETS[name] === catalog)) {
      const all = readQueries(set);
      const queries = most === null ? all : sampleOf(all, most);
      const measured = await measure(engine, queries);
      found.set(set, measured);
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
      const measured = names.flatMap(set => found.get(set)?.[way] ?? []);
      if (measured.length > 0)
        print(`mean of ${what.padEnd(6)} ${way.padEnd(7)} ${' '.repeat(5)} ${inPercent(meanOf(measured))}`);
    }
  }
}

/** null: what was asked for cannot be done, and that has been said. */
function readArguments(): SearchBenchOptions | null {
  try {
    return readOptions(process.argv.slice(2));
  } catch (cause) {
    process.stderr.write(`search-bench: ${cause instanceof Error ? cause.message : String(cause)}\nSee --help.\n`);
    process.exitCode = 2;
    return null;
  }
}

const options = readArguments();
if (options?.isHelp) print(USAGE);
else if (options !== null) await run(options);
