/**
 * The MCP Inspector's command line, a client we did not write and cannot bend: installed once into an ignored folder,
 * because what it brings along (110 MB) is more than everything else here together.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { JsonObject } from '../../src/domain/json.ts';
import { ROOT } from './default-servers.ts';

const VERSION = '2.12.0';
const FOLDER = join(ROOT, '.runtime', 'inspector');
const PACKAGE = join(FOLDER, 'node_modules', '@modelcontextprotocol', 'inspector', 'package.json');
const PROGRAM = join(FOLDER, 'node_modules', '.bin', 'mcp-inspector');
const INSTALL_MS = 120_000;

const run = promisify(execFile);

/** Null when it is there; otherwise why not. */
export async function ensureInspector(): Promise<string | null> {
  if (isInstalled()) return null;
  mkdirSync(FOLDER, { recursive: true });
  const what = `@modelcontextprotocol/inspector@${VERSION}`;
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
  try {
    await run('npm', ['install', '--prefix', FOLDER, ...flags, what], { cwd: FOLDER, timeout: INSTALL_MS });
  } catch (error) {
    const [line = ''] = (error instanceof Error ? error.message : String(error)).split('\n').slice(1);
    return `the MCP Inspector ${VERSION} could not be installed: ${line || 'npm did not finish in time'}`;
  }
  return isInstalled() ? null : `npm installed something else than the MCP Inspector ${VERSION}`;
}

function isInstalled(): boolean {
  if (!existsSync(PACKAGE) || !existsSync(PROGRAM)) return false;
  return (JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version?: string }).version === VERSION;
}

export interface Inspected {
  code: number;
  result: JsonObject | null;
  error: JsonObject | null;
}

/** One run: connect, one method, its answer. */
export async function inspect(args: readonly string[], folder: string): Promise<Inspected> {
  const env = {
    PATH: process.env.PATH,
    HOME: folder,
    // Its servers are given on the command line; its own catalog must not come from whoever runs the tests.
    MCP_CATALOG_PATH: join(folder, 'inspector.json'),
  };
  const child = run(process.execPath, [PROGRAM, '--cli', ...args], { env, cwd: folder, maxBuffer: 16 * 1024 * 1024 });
  const { code, stdout, stderr } = await child.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    (error: { code: number; stdout: string; stderr: string }) => error,
  );
  return { code, result: findMember(stdout, 'result'), error: findMember(stderr, 'error') };
}

/** The one JSON line that holds it, among lines for people. */
function findMember(text: string, member: 'result' | 'error'): JsonObject | null {
  for (const line of text.split('\n')) {
    if (!line.startsWith('{')) continue;
    const value = (JSON.parse(line) as JsonObject)[member];
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  }
  return null;
}
