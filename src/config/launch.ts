/**
 * Ways to name a program that need no path: `package` (an npm package installed beside the gateway) and `builtin` (a
 * server that ships with it). Both run with the gateway's own Node, and so does a bare `command: node`, because the
 * system's Node may be missing or older than what the servers need.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

export interface Launch {
  command: string;
  /** Arguments that come before the operator's. */
  args: readonly string[];
}

export type LaunchFinding = { ok: true; launch: Launch } | { ok: false; message: string; hint: string | null };

/** Servers that ship with the gateway, by the word under which an operator names them. */
export const BUILTINS: ReadonlyMap<string, string> = new Map([['currenttime', 'demo/currenttime']]);

export function commandLaunch(command: string, execPath: string): Launch {
  return { command: command === 'node' ? execPath : command, args: [] };
}

export function findBuiltinLaunch(name: string, execPath: string): LaunchFinding {
  const stem = BUILTINS.get(name);
  if (stem === undefined) {
    return { ok: false, message: `is not a built-in server`, hint: `there is: ${[...BUILTINS.keys()].join(', ')}` };
  }
  const own = fileURLToPath(import.meta.url);
  const root = findPackageFolder(dirname(own));
  // From source the servers are TypeScript files; in a build they lie next to the bundle.
  const file = own.endsWith('.ts') ? join('src', `${stem}.ts`) : join('dist', `${stem}.js`);
  return { ok: true, launch: { command: execPath, args: [resolve(root, file)] } };
}

/** Looks beside the gateway first, then beside the configuration file. */
export function findPackageLaunch(name: string, folder: string, execPath: string): LaunchFinding {
  if (!/^(?:@[a-z0-9._~-]+\/)?[a-z0-9._~-]+$/i.test(name) || name.includes('..')) {
    return { ok: false, message: 'must be the name of an npm package', hint: null };
  }
  for (const from of [import.meta.url, pathToFileURL(join(folder, 'package.json')).href]) {
    const packageFolder = findInstalled(name, from);
    if (packageFolder === null) continue;
    const program = findProgram(packageFolder, name);
    if (program === null) return { ok: false, message: `the package ${name} has no program to run`, hint: null };
    return { ok: true, launch: { command: execPath, args: [program] } };
  }
  return { ok: false, message: `the package ${name} is not installed`, hint: `npm install ${name}` };
}

/** By folder rather than by import: many packages do not export their package.json. */
function findInstalled(name: string, from: string): string | null {
  const folders = createRequire(from).resolve.paths(name) ?? [];
  return folders.map(folder => join(folder, name)).find(folder => existsSync(join(folder, 'package.json'))) ?? null;
}

function findProgram(packageFolder: string, name: string): string | null {
  const { bin } = JSON.parse(readFileSync(join(packageFolder, 'package.json'), 'utf8')) as {
    bin?: string | Record<string, string>;
  };
  if (bin === undefined) return null;
  const relative = typeof bin === 'string' ? bin : (bin[name.slice(name.indexOf('/') + 1)] ?? Object.values(bin)[0]);
  return relative === undefined ? null : join(packageFolder, relative);
}

function findPackageFolder(start: string): string {
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json')) || dirname(folder) === folder) return folder;
  }
}
