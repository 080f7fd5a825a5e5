/**
 * The official MCP conformance suites through the gateway: `npm run conformance`, options and examples with `--help`.
 * Prints a table and ends with 1 when anything fails, with 3 when nothing did but a suite could not be installed.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConformanceOptions, readOptions, USAGE } from './options.ts';
import { type Stage, startFixture, startGateway } from './stage.ts';
import { type Check, OUT, runSuite, type Suite, ToolMissing } from './suites.ts';

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

const cells: Cell[] = [];
const options = readArguments();
if (options?.isHelp) process.stdout.write(`${USAGE}\n`);
else if (options !== null) await runAll(options);

/** null: what was asked for cannot be done, and that has been said. */
function readArguments(): ConformanceOptions | null {
  try {
    return readOptions(process.argv.slice(2));
  } catch (cause) {
    process.stderr.write(`conformance: ${cause instanceof Error ? cause.message : String(cause)}\nSee --help.\n`);
    process.exitCode = 2;
    return null;
  }
}

async function runAll(chosen: ConformanceOptions): Promise<void> {
  const { target } = chosen;
  if (target !== null) await runCells(chosen, 'target', '-', { url: target, stop: async () => undefined });
  else if (chosen.isDirect) await runDirect(chosen);
  else await runThroughGateway(chosen);

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
}

async function runThroughGateway(chosen: ConformanceOptions): Promise<void> {
  const entry = chosen.isBuilt ? 'dist/main.js' : 'src/main.ts';
  for (const column of chosen.columns) {
    for (const era of chosen.eras) {
      const log = join(OUT, `gateway-${column}-${era}.log`);
      await withStage(chosen, column, era, () => startGateway(column, era, entry, log));
    }
  }
}

/** The fixture speaks the era of each suite; a suite of the other era has nothing to test. */
async function runDirect(chosen: ConformanceOptions): Promise<void> {
  for (const era of chosen.eras) await withStage(chosen, 'direct', era, () => startFixture(era));
}

async function withStage(
  chosen: ConformanceOptions,
  column: string,
  era: string,
  start: () => Promise<Stage>,
): Promise<void> {
  let stage: Stage;
  try {
    stage = await start();
  } catch (error) {
    const trouble = error instanceof Error ? error.message : String(error);
    for (const suite of chosen.suites) {
      cells.push({ suite, column, era, exitCode: 1, scenarios: 0, checks: [], seconds: 0, trouble });
    }
    return;
  }
  try {
    await runCells(chosen, column, era, stage);
  } finally {
    await stage.stop();
  }
}

async function runCells(
  { suites, scenario }: ConformanceOptions,
  column: string,
  era: string,
  { url }: Stage,
): Promise<void> {
  for (const suite of suites) {
    if (column === 'direct' && era !== 'dual' && (suite === '2026-07-28') !== (era === 'modern')) continue;
    process.stderr.write(`${suite} over ${column}, ${era} server ...\n`);
    const begun = performance.now();
    const seconds = () => Math.round((performance.now() - begun) / 100) / 10;
    try {
      const folder = join(OUT, `${suite}-${column}-${era === '-' ? 'any' : era}`);
      const done = await runSuite(suite, url, folder, scenario);
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
