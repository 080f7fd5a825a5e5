/** The command line of the benchmark. Mistakes are thrown as one readable Error. */
import { parseArgs } from 'node:util';
import type { EraChoice } from './cases.ts';
import { ERAS, PROFILES } from './cases.ts';
import type { GatehouseOptions } from './peers.ts';

export const USAGE = `node tests/bench/run.ts [options]

  --profile smoke|quick|standard|full  which cases, and how long a window is (default standard)
  --rounds N                       1 to 9 (default 3)
  --only a,b / --not a,b           peers to take part / to leave out
  --cases a,b                      cases instead of the profile's: call-c64, list*, legacy/*, modern-to-legacy/call-c64
  --era legacy|modern|cross|all    only cases of that era, or only those with a different era on each side
  --window MS                      length of a measured window
  --gatehouse "ARGV"               how to start Gatehouse (default "node dist/main.js serve")
  --guarded                        with identity by token, rules and scopes, as the bar wants it
  --gatehouse-env NAME=VALUE       more environment for it; may be repeated
  --gatehouse-header "NAME: VALUE" sent with every request to it; may be repeated
  --cpu-prof                       write and sum up a processor profile of every Node peer
  --check                          exit with 1 when a "must" of the bar is missed or was not measured
  --favour                         a larger share of a machine that others use too (Linux, root)
  --no-pin                         let the kernel choose cores
  --keep-output                    keep what peers print, in out/bench
  --print FILE                     print the tables of an earlier report and stop
  --help`;

export interface BenchOptions {
  profile: string;
  rounds: number;
  only: readonly string[];
  not: readonly string[];
  cases: readonly string[] | null;
  era: EraChoice;
  windowMs: number | null;
  gatehouse: GatehouseOptions;
  isProfiling: boolean;
  isCheck: boolean;
  favour: boolean;
  pin: boolean;
  keepOutput: boolean;
  print: string | null;
  isHelp: boolean;
}

const words = (text: string | undefined): string[] => (text ?? '').split(',').filter(word => word !== '');

function readNumber(name: string, text: string, from: number, to: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < from || value > to)
    throw new Error(`--${name}: a whole number from ${from} to ${to}`);
  return value;
}

function readPairs(name: string, separator: string, texts: readonly string[]): Record<string, string> {
  const pairs = texts.map(text => {
    const at = text.indexOf(separator);
    if (at < 1) throw new Error(`--${name}: expected NAME${separator}VALUE`);
    return [text.slice(0, at).trim(), text.slice(at + separator.length).trim()] as const;
  });
  return Object.fromEntries(pairs);
}

function readEra(text: string): EraChoice {
  const era = ERAS.find(known => known === text);
  if (era === undefined) throw new Error(`--era: one of ${ERAS.join(', ')}`);
  return era;
}

export function readOptions(args: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...args],
    allowPositionals: false,
    options: {
      profile: { type: 'string', default: 'standard' },
      rounds: { type: 'string', default: '3' },
      only: { type: 'string' },
      not: { type: 'string' },
      cases: { type: 'string' },
      era: { type: 'string', default: 'all' },
      window: { type: 'string' },
      gatehouse: { type: 'string', default: 'node dist/main.js serve' },
      guarded: { type: 'boolean', default: false },
      'gatehouse-env': { type: 'string', multiple: true, default: [] },
      'gatehouse-header': { type: 'string', multiple: true, default: [] },
      'cpu-prof': { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      favour: { type: 'boolean', default: false },
      'no-pin': { type: 'boolean', default: false },
      'keep-output': { type: 'boolean', default: false },
      print: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (!(values.profile in PROFILES)) throw new Error(`--profile: one of ${Object.keys(PROFILES).join(', ')}`);
  return {
    profile: values.profile,
    rounds: readNumber('rounds', values.rounds, 1, 9),
    only: words(values.only),
    not: words(values.not),
    cases: values.cases === undefined ? null : words(values.cases),
    era: readEra(values.era),
    windowMs: values.window === undefined ? null : readNumber('window', values.window, 100, 60_000),
    gatehouse: {
      argv: values.gatehouse.split(/\s+/).filter(word => word !== ''),
      env: readPairs('gatehouse-env', '=', values['gatehouse-env']),
      headers: readPairs('gatehouse-header', ':', values['gatehouse-header']),
      isGuarded: values.guarded,
    },
    isProfiling: values['cpu-prof'],
    isCheck: values.check,
    favour: values.favour,
    pin: !values['no-pin'],
    keepOutput: values['keep-output'],
    print: values.print ?? null,
    isHelp: values.help,
  };
}
