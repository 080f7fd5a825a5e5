/** The command line of a conformance run. Mistakes are thrown as one readable Error. */
import { parseArgs } from 'node:util';
import type { Column, Era } from './stage.ts';
import { SUITES, type Suite } from './suites.ts';

const ALL_SUITES = Object.keys(SUITES) as Suite[];
const COLUMNS: readonly Column[] = ['http', 'stdio'];
const ERAS: readonly Era[] = ['legacy', 'modern'];

export const USAGE = `npm run conformance [-- options]        (or: node tests/conformance/run.ts [options])

The official MCP conformance suites through the gateway: every suite, over both transports to the server behind it, with
a legacy-only and a modern-only server there. Prints a table, and what failed; results lie in out/conformance. The tools
are installed in exact versions on the first run. A few minutes for everything.

  --column WORD       how the server behind the gateway is reached: ${COLUMNS.join(' or ')} (default: all)
  --suite WORD        ${ALL_SUITES.join(', ')} (default: all)
  --era WORD          what that server speaks: ${ERAS.join(' or ')} (default: all), or dual for both at once
  --scenario NAME     this scenario of a suite alone
  --built             the gateway as it was built (dist/main.js) instead of its sources
  --direct            the server alone, without the gateway: is it the suite that is wrong?
  --target URL        whatever answers there, started by nobody here
  --help

Ends with 0 when everything passed, 1 when anything failed, 3 when nothing failed but a tool could not be installed,
2 for an option that makes no sense.

Examples
  npm run conformance -- --column http                         as a change has to pass it
  npm run conformance -- --suite 2026-07-28 --era modern       one suite, one kind of server
  npm run conformance -- --suite 0.1.16 --scenario server-initialize --column stdio --era legacy
  npm run conformance -- --target http://127.0.0.1:8000/mcp    a gateway that runs already`;

export interface ConformanceOptions {
  /** Shape: never empty, in the order of the table; so are columns and eras. */
  suites: readonly Suite[];
  columns: readonly Column[];
  eras: readonly Era[];
  /** null: all scenarios of a suite. */
  scenario: string | null;
  /** null: what is started here is tested. */
  target: string | null;
  isDirect: boolean;
  isBuilt: boolean;
  isHelp: boolean;
}

export function readOptions(args: readonly string[]): ConformanceOptions {
  const { values } = parseArgs({
    args: [...args],
    allowPositionals: false,
    options: {
      column: { type: 'string', default: 'all' },
      suite: { type: 'string', default: 'all' },
      era: { type: 'string', default: 'all' },
      scenario: { type: 'string' },
      target: { type: 'string' },
      direct: { type: 'boolean', default: false },
      built: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    suites: choose('suite', values.suite, ALL_SUITES),
    columns: choose('column', values.column, COLUMNS),
    eras: values.era === 'dual' ? ['dual'] : choose('era', values.era, ERAS, ['dual']),
    scenario: values.scenario ?? null,
    target: values.target === undefined ? null : readTarget(values.target),
    isDirect: values.direct,
    isBuilt: values.built,
    isHelp: values.help,
  };
}

function choose<T extends string>(
  name: string,
  given: string,
  all: readonly T[],
  besides: readonly string[] = [],
): readonly T[] {
  const chosen = given === 'all' ? all : all.filter(word => word === given);
  if (chosen.length > 0) return chosen;
  throw new Error(`--${name}: ${given || 'nothing'} is none of ${[...all, ...besides, 'all'].join(', ')}`);
}

function readTarget(text: string): string {
  if (/^https?:$/.test(URL.canParse(text) ? new URL(text).protocol : '')) return text;
  throw new Error('--target: an address such as http://127.0.0.1:8000/mcp');
}
