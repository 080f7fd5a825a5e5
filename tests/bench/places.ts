/**
 * Where things lie: the repository's root, the report folder, and the peers as plain JavaScript.
 * Peers are measured from their start on, so Node must not strip types while the clock runs.
 */
import fs from 'node:fs';
import path from 'node:path';
import { transformSync } from 'esbuild';

export const BENCH = import.meta.dirname;
export const ROOT = path.resolve(BENCH, '../..');
export const REPORTS = path.join(ROOT, 'out', 'bench');

/** Writes peers/<name>.ts without its types below the root (so that dependencies resolve) and gives the path. */
export function buildPeer(name: string): string {
  const source = fs.readFileSync(path.join(BENCH, 'peers', `${name}.ts`), 'utf8');
  const file = path.join(REPORTS, 'peers', `${name}.mjs`);
  const stripped = transformSync(source, { loader: 'ts', format: 'esm', target: 'node22' }).code;
  if (!fs.existsSync(file) || fs.readFileSync(file, 'utf8') !== stripped) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, stripped);
  }
  return file;
}
