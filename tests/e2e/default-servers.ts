/**
 * The configuration of a fresh clone, word for word, with data of its own: the real reference servers that `npm start`
 * puts behind the door, in a folder that is gone afterwards.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { COMPILED } from '../support/compiled.ts';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** From source; the built file is what `builtEntry` names. */
export const ENTRY = join(ROOT, 'src', 'main.ts');

export interface DefaultServers {
  folder: string;
  config: string;
  /** What the filesystem server may see. */
  files: string;
  /** Names of the files in it. */
  fileNames: readonly string[];
  /** The environment of a gateway, without anything of this process but its PATH. */
  env: Record<string, string>;
  remove(): void;
}

export function copyDefaultServers(): DefaultServers {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'gatehouse-default-')));
  const config = join(folder, 'gateway.config.yaml');
  const files = join(folder, 'demo-data', 'files');
  cpSync(join(ROOT, 'gateway.config.yaml'), config);
  mkdirSync(join(folder, 'demo-data'));
  cpSync(join(ROOT, 'config', 'demo-files'), files, { recursive: true });
  return {
    folder,
    config,
    files,
    fileNames: readdirSync(files),
    env: { PATH: process.env.PATH ?? '', HOME: folder, ...COMPILED, GATEWAY_CONFIG: config },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
