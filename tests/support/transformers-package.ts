/**
 * transformers.js for the tests that need it: hundreds of megabytes, so it is no dependency of this repository but
 * fetched into an ignored folder by the first test that asks. Without its install scripts: what runs on the CPU comes
 * with the package.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('../../.build/transformers/', import.meta.url));
const PACKAGE = '@huggingface/transformers@4.3.1';
const FETCH_MS = 300_000;

/** Why tests that need it are skipped, in the words of their report. */
export const WITHOUT_TRANSFORMERS = `${PACKAGE} could not be fetched from npm: the model was not run`;

/** The folder it is installed in, or null with a line that says so. */
export function fetchTransformers(): string | null {
  const isThere = () => existsSync(`${FOLDER}node_modules/.package-lock.json`);
  if (isThere()) return FOLDER;
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${FOLDER}package.json`, '{"private":true}\n');
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--no-save'];
  spawnSync('npm', ['install', ...flags, PACKAGE], {
    cwd: FOLDER,
    timeout: FETCH_MS,
    stdio: 'ignore',
    shell: process.platform === 'win32',
  });
  if (isThere()) return FOLDER;
  console.warn(WITHOUT_TRANSFORMERS);
  return null;
}
