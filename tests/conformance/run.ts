/**
 * The official MCP conformance suites through the gateway: every suite, over both downstream transports, with a
 * legacy-only and a modern-only server behind it. Prints a table and ends with 1 when anything fails, with 3 when nothing
 * did but a suite could not be installed (no network).
 *
 *   node tests/conformance/run.ts [--column http|stdio|all] [--suite 0.1.16|2025-11-25|2026-07-28|all]
 *                                 [--era legacy|modern|dual|all] [--scenario name] [--built]
 *   node tests/conformance/run.ts --direct        the fixture alone, without the gateway
 *   node tests/conformance/run.ts --target URL    whatever answers there
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Column, type Era, type Stage, startFixture, startGateway } from './stage.ts';
import { type Check, OUT, runSuite, SUITES, type Suite, ToolMissing } from './suites.ts';

interface Cell {
  suite: Suite;
  column: string;
  era: string;
  exitCode: number;
  scenarios: number;
  checks: Check[];
  seconds: number;
  /** Why nothing could be run, or null. */
  trouble: string | null;
}

/** Exit code where the suite could not be installed. */
const NOT_RUN = 3;

const { values } = parseArgs({
  options: {
    column: { type: 'string', default: 'all' },
    suite: { type: 'string', default: 'all' },
    era: { type: 'string', default: 'all' },
    scenario: { type: 'string' },
    target: { type: 'string' },
    direct: { type: 'boolean', default: false },
    built: { type: 'boolean', default: false },
  },
});

const suites = choose(values.suite, Object.keys(SUITES) as Suite[], '--suite');
const columns = choose<Column>(values.column, ['http', 'stdio'], '--column');
const eras = values.era === 'dual' ? (['dual'] as const) : choose<Era>(values.era, ['legacy', 'modern'], '--era');
const entry = values.built ? 'dist/main.js' : 'src/main.ts';

const cells: Cell[] = [];
if (values.target !== undefined) await runCells('target', '-', { url: values.target, stop: async () => undefined });
else if (values.direct) await runDirect();
else await runThroughGateway();

process.stdout.write(`\n${table(cells)}\n${findings(cells)}`);
await mkdir(OUT, { recursive: true });
await writeFile(join(OUT, 'summary.json'), JSON.stringify(cells, null, 2));
const missing = cells.filter(cell => cell.exitCode === NOT_RUN);
const failed = cells.filter(cell => cell.exitCode !== 0 && cell.exitCode !== NOT_RUN);
const notRun = missing.length === 0 ? '' : `, ${missing.length} not run`;
process.stdout.write(
  failed.length + missing.length === 0
    ? 'conformance: all passed\n'
    : `conformance: ${failed.length} of ${cells.length} failed${notRun}\n`,
);
process.exitCode = failed.length > 0 || cells.length === 0 ? 1 : missing.length > 0 ? NOT_RUN : 0;

async function runThroughGateway(): Promise<void> {
  for (const column of columns) {
    for (const era of eras) {
      const log = join(OUT, `gateway-${column}-${era}.log`);
      await withStage(column, era, () => startGateway(column, era, entry, log));
    }
  }
}

/** The fixture speaks the era of each suite; a suite of the other era has nothing to test. */
async function runDirect(): Promise<void> {
  for (const era of eras) await withStage('direct', era, () => startFixture(era));
}

async function withStage(column: string, era: string, start: () => Promise<Stage>): Promise<void> {
  let stage: Stage;
  try {
    stage = await start();
  } catch (error) {
    const trouble = error instanceof Error ? error.message : String(error);
    for (const suite of suites) {
      cells.push({ suite, column, era, exitCode: 1, scenarios: 0, checks: [], seconds: 0, trouble });
    }
    return;
  }
  try {
    await runCells(column, era, stage);
  } finally {
    await stage.stop();
  }
}

async function runCells(column: string, era: string, { url }: Stage): Promise<void> {
  for (const suite of suites) {
    if (column === 'direct' && era !== 'dual' && (suite === '2026-07-28') !== (era === 'modern')) continue;
    process.stderr.write(`${suite} over ${column}, ${era} server ...\n`);
    const begun = performance.now();
    const seconds = () => Math.round((performance.now() - begun) / 100) / 10;
    try {
      const folder = join(OUT, `${suite}-${column}-${era === '-' ? 'any' : era}`);
      const done = await runSuite(suite, url, folder, values.scenario ?? null);
      cells.push({ suite, column, era, ...done, seconds: seconds(), trouble: null });
    } catch (error) {
      const trouble = error instanceof Error ? error.message : String(error);
      const exitCode = error instanceof ToolMissing ? NOT_RUN : 1;
      cells.push({ suite, column, era, exitCode, scenarios: 0, checks: [], seconds: seconds(), trouble });
    }
  }
}

function table(all: readonly Cell[]): string {
  const head = ['suite', 'transport', 'server', 'scenarios', 'required', 'not required', 'seconds', 'exit'];
  const rows = all.map(cell => [
    cell.suite,
    cell.column,
    cell.era,
    String(cell.scenarios),
    tally(cell.checks.filter(({ scored }) => scored)),
    tally(cell.checks.filter(({ scored }) => !scored)),
    cell.seconds.toFixed(1),
    String(cell.exitCode),
  ]);
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map(row => row[i]?.length ?? 0)));
  const line = (cellTexts: string[]) =>
    cellTexts
      .map((text, i) => text.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd();
  return [line(head), line(widths.map(width => '-'.repeat(width))), ...rows.map(line)].join('\n');
}

function tally(checks: readonly Check[]): string {
  const count = (status: Check['status']) => checks.filter(check => check.status === status).length;
  const decided = count('SUCCESS') + count('FAILURE');
  if (decided + count('WARNING') === 0) return '-';
  const warned = count('WARNING') === 0 ? '' : `, ${count('WARNING')} warned`;
  return `${count('SUCCESS')}/${decided}${count('FAILURE') === 0 ? '' : ` (${count('FAILURE')} failed)`}${warned}`;
}

function findings(all: readonly Cell[]): string {
  const lines: string[] = [];
  for (const cell of all) {
    const where = `${cell.suite} ${cell.column} ${cell.era}`;
    if (cell.trouble !== null) lines.push(`! ${where}: ${cell.trouble}`);
    for (const check of cell.checks) {
      if (check.status !== 'FAILURE' && check.status !== 'WARNING') continue;
      const weight = check.scored ? check.status : `${check.status}, not required`;
      lines.push(`  ${where}  ${check.scenario} / ${check.id} [${weight}] ${oneLine(check.message)}`);
    }
  }
  return lines.length === 0 ? '' : `\n${lines.join('\n')}\n\n`;
}

function oneLine(message: string): string {
  const flat = message.replace(/\s+/g, ' ');
  return flat.length > 400 ? `${flat.slice(0, 400)}...` : flat;
}

function choose<T extends string>(given: string, all: readonly T[], option: string): readonly T[] {
  if (given === 'all') return all;
  const chosen = all.filter(candidate => candidate === given);
  if (chosen.length > 0) return chosen;
  process.stderr.write(`${option} must be one of ${all.join(', ')} or all\n`);
  process.exit(2);
}
