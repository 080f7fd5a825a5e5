/** An operator's desk: a working directory and a home with files in them, and the configuration as it loads from there. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Config } from '../../src/config/config.ts';
import { formatProblem, type LoadResult, loadConfig, type Overrides, type Problem } from '../../src/config/load.ts';

export interface Desk {
  folder: string;
  cwd: string;
  home: string;
  /** Writes a file below the desk's folder (`cwd/.mcp.json`); an object becomes JSON. Returns its absolute path. */
  write(path: string, content: unknown): string;
  load(env?: Record<string, string>, overrides?: Overrides): Promise<LoadResult>;
  config(env?: Record<string, string>, overrides?: Overrides): Promise<Config>;
  problems(env?: Record<string, string>, overrides?: Overrides): Promise<Problem[]>;
  remove(): void;
}

export function createDesk(): Desk {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-desk-'));
  const cwd = join(folder, 'cwd');
  const home = join(folder, 'home');
  mkdirSync(cwd);
  mkdirSync(home);
  const load: Desk['load'] = (env = {}, overrides = {}) =>
    loadConfig({ env, cwd, home, execPath: '/opt/node/bin/node', overrides });
  return {
    folder,
    cwd,
    home,
    load,
    write(path, content) {
      const absolute = join(folder, path);
      mkdirSync(dirname(absolute), { recursive: true });
      writeFileSync(absolute, typeof content === 'string' ? content : JSON.stringify(content));
      return absolute;
    },
    async config(env, overrides) {
      const loaded = await load(env, overrides);
      if (!loaded.ok) throw new Error(loaded.problems.map(formatProblem).join('\n'));
      return loaded.config;
    },
    async problems(env, overrides) {
      const loaded = await load(env, overrides);
      return loaded.ok ? [] : loaded.problems;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
