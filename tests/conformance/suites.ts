/**
 * The official conformance tools: installed in exact versions beside the project (never among its dependencies),
 * run one suite at a time, and read from the files they leave. An empty expected-failures file is given always:
 * with it the tool counts a warning as a failure.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));
export const OUT = join(ROOT, 'out', 'conformance');

export const SUITES = {
  '0.1.16': { version: '0.1.16', arguments: ['--suite', 'all'] },
  '2025-11-25': { version: '0.2.0-alpha.12', arguments: ['--requirements', '2025-11-25'] },
  '2026-07-28': { version: '0.2.0-alpha.12', arguments: ['--requirements', '2026-07-28'] },
} as const;
export type Suite = keyof typeof SUITES;

export interface Check {
  scenario: string;
  id: string;
  status: 'SUCCESS' | 'FAILURE' | 'WARNING' | 'INFO' | 'SKIPPED';
  message: string;
  /** Required by the suite; the others are run and reported only. */
  scored: boolean;
}

export interface SuiteRun {
  exitCode: number;
  checks: Check[];
  scenarios: number;
}

const LONGEST_RUN_MS = 10 * 60_000;

/** The tool could not be had: nothing is known of the gateway then. */
export class ToolMissing extends Error {}

export async function installTool(suite: Suite): Promise<string> {
  const { version } = SUITES[suite];
  const folder = join(ROOT, '.runtime', `conformance-${version}`);
  const entry = join(folder, 'node_modules', '@modelcontextprotocol', 'conformance', 'dist', 'index.js');
  if (existsSync(entry)) return entry;
  process.stderr.write(`installing @modelcontextprotocol/conformance@${version} ...\n`);
  await mkdir(folder, { recursive: true });
  const wanted = `@modelcontextprotocol/conformance@${version}`;
  const npm = ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts', '--save-exact', wanted];
  // npm tells its scripts where it is; without it there is the one on the path.
  const { npm_execpath: own } = process.env;
  const [command, ...first] = own === undefined ? ['npm'] : [process.execPath, own];
  const exitCode = await run(command, [...first, ...npm], join(folder, 'install.log'));
  if (exitCode !== 0 || !existsSync(entry))
    throw new ToolMissing(`npm could not install ${wanted}: see ${folder}/install.log`);
  return entry;
}

/** Two runs may overlap: each works in a folder of its own, and the last to end leaves its results in `kept`. */
export async function runSuite(suite: Suite, url: string, kept: string, scenario: string | null): Promise<SuiteRun> {
  const entry = await installTool(suite);
  const folder = `${kept}.${process.pid}`;
  await mkdir(folder, { recursive: true });
  try {
    return await runIn(suite, entry, url, folder, scenario);
  } finally {
    await rm(kept, { recursive: true, force: true });
    await rename(folder, kept);
  }
}

async function runIn(
  suite: Suite,
  entry: string,
  url: string,
  folder: string,
  scenario: string | null,
): Promise<SuiteRun> {
  const baseline = join(folder, 'expected-failures.yml');
  await writeFile(baseline, 'server: []\n');
  const chosen = scenario === null ? SUITES[suite].arguments : oneScenario(suite, scenario);
  const args = [entry, 'server', '--url', url, ...chosen, '--expected-failures', baseline, '-o', folder];
  const exitCode = await run(process.execPath, args, join(folder, 'run.log'));
  const required = await readRequired(suite);
  const checks = await readChecks(folder, required);
  if (checks.length === 0) throw new Error(`the suite left no results: see ${folder}/run.log`);
  return { exitCode, checks, scenarios: new Set(checks.map(check => check.scenario)).size };
}

/** A requirement set cannot be narrowed; its revision can be named instead. */
function oneScenario(suite: Suite, scenario: string): string[] {
  return suite === '0.1.16' ? ['--scenario', scenario] : ['--scenario', scenario, '--spec-version', suite, '--force'];
}

/** Scenarios a requirement set scores; null: all of them. */
async function readRequired(suite: Suite): Promise<Set<string> | null> {
  if (suite === '0.1.16') return null;
  const file = join((await installTool(suite)).replace(/dist[\\/]index\.js$/, ''), 'requirements', `${suite}.yaml`);
  const { server } = parse(await readFile(file, 'utf8')) as { server: string[] };
  return new Set(server);
}

const RESULT_FOLDER = /^(?:server-)?(.+?)-\d{4}-\d{2}-\d{2}T[\d-]+Z$/;

interface WrittenCheck {
  id: string;
  name?: string;
  status: Check['status'];
  errorMessage?: string;
}

async function readChecks(folder: string, required: Set<string> | null): Promise<Check[]> {
  const found: Check[] = [];
  for (const entry of (await readdir(folder)).sort()) {
    const named = RESULT_FOLDER.exec(entry)?.[1];
    const file = join(folder, entry, 'checks.json');
    if (named === undefined || !existsSync(file)) continue;
    const scenario = required === null ? named : (withoutDoublePrefix(named, required) ?? named);
    for (const check of JSON.parse(await readFile(file, 'utf8')) as WrittenCheck[]) {
      found.push({
        scenario,
        id: check.id,
        status: check.status,
        message: check.errorMessage ?? '',
        scored: required === null || required.has(scenario),
      });
    }
  }
  return found;
}

/** `server-server-initialize-<time>` is `server-initialize`: the prefix is the tool's, the rest may begin alike. */
function withoutDoublePrefix(named: string, required: Set<string>): string | null {
  return [named, `server-${named}`].find(name => required.has(name)) ?? null;
}

function run(command: string, args: readonly string[], log: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const output = createWriteStream(log);
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const patience = setTimeout(() => child.kill('SIGKILL'), LONGEST_RUN_MS);
    child.stdout.pipe(output, { end: false });
    child.stderr.pipe(output, { end: false });
    child.once('error', reject);
    child.once('close', code => {
      clearTimeout(patience);
      output.end(() => resolve(code ?? 1));
    });
  });
}
