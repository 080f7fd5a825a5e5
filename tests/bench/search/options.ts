/** The command line of the benchmark of search. Mistakes are thrown as one readable Error. */
import { parseArgs } from 'node:util';
import { SETS, type SetName } from './corpus.ts';

const KNOWN = Object.keys(SETS) as SetName[];
const SIZES = [500, 1_000, 5_000, 20_000];

export const USAGE = `npm run search-bench [-- options]        (or: node tests/bench/search/run.ts [options])

How good and how fast finding tools is. Two parts, both printed and neither judged (floors.test.ts judges):
  quality  every set of requests, asked of its catalog by words alone (lexical), by meaning alone (vector) and as the
           gateway fuses them (hybrid): R@1, R@5, R@10, nDCG@10 and MRR in per cent, then the mean over all sets and
           over those made of real MCP servers. About a minute.
  scale    real tools taken in by the thousand: time to index, how long the event loop was held, memory, time per
           search. About half a minute.
The requests are public relevance data beside the repository; where they are missing, it says so and measures nothing.

  --sets a,b          only these of: ${KNOWN.slice(0, 6).join(', ')},
                      ${KNOWN.slice(6).join(', ')}
  --most N            at most N requests of a set, evenly spread over it (default: all)
  --sizes a,b         how many tools the scale is measured with (default ${SIZES.join(',')})
  --no-quality        leave out the first part
  --no-scale          leave out the second part
  --help

Examples
  npm run search-bench -- --no-scale                           the whole table of quality
  npm run search-bench -- --no-scale --sets livemcp,azure      two sets, while working on the ranking
  npm run search-bench -- --no-scale --most 50                 a quick look at all of them
  npm run search-bench -- --no-quality --sizes 1000            time of a search among 1,000 tools`;

export interface SearchBenchOptions {
  /** Shape: in the order of the table, never empty. */
  sets: readonly SetName[];
  /** null: all requests of a set. */
  most: number | null;
  sizes: readonly number[];
  isMeasuringQuality: boolean;
  isMeasuringScale: boolean;
  isHelp: boolean;
}

const words = (text: string): string[] => text.split(',').filter(word => word !== '');

function readNumber(name: string, text: string, to: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > to) throw new Error(`--${name}: a whole number from 1 to ${to}`);
  return value;
}

function readSets(text: string): SetName[] {
  const wanted = words(text);
  const unknown = wanted.filter(name => !(name in SETS));
  if (wanted.length === 0 || unknown.length > 0)
    throw new Error(`--sets: ${unknown.join(', ') || 'nothing'} is none of ${KNOWN.join(', ')}`);
  return KNOWN.filter(set => wanted.includes(set));
}

export function readOptions(args: readonly string[]): SearchBenchOptions {
  const { values } = parseArgs({
    args: [...args],
    allowPositionals: false,
    options: {
      sets: { type: 'string', default: KNOWN.join(',') },
      most: { type: 'string' },
      sizes: { type: 'string', default: SIZES.join(',') },
      'no-quality': { type: 'boolean', default: false },
      'no-scale': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const sizes = words(values.sizes).map(size => readNumber('sizes', size, 100_000));
  if (sizes.length === 0) throw new Error('--sizes: at least one number of tools');
  return {
    sets: readSets(values.sets),
    most: values.most === undefined ? null : readNumber('most', values.most, 1_000_000),
    sizes,
    isMeasuringQuality: !values['no-quality'],
    isMeasuringScale: !values['no-scale'],
    isHelp: values.help,
  };
}
