/** Starters for tests: the fault fixture inside this process over HTTP or SSE, or as a command line for stdio. */
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '../../../src/domain/json.ts';
import { COMPILED } from '../compiled.ts';
import type { ScriptedEra, ScriptedOptions } from './scripted/engine.ts';
import { startScriptedHttp } from './scripted/http.ts';
import type { Rule } from './scripted/script.ts';

export type { Fault, Rule } from './scripted/script.ts';

export interface ScriptedSetup {
  transport?: 'http' | 'sse';
  era?: ScriptedEra;
  script?: readonly Rule[];
  /** So many generic tools instead of the default ones, or these (over HTTP alone), which echo. */
  tools?: number | readonly JsonObject[];
  pageSize?: number;
  revision?: ScriptedOptions['revision'];
  ledger?: string;
  name?: string;
  port?: number;
}

export interface StartedScripted {
  url: string;
  stats(): JsonObject;
  setScript(rules: readonly Rule[]): void;
  /** Cuts every connection and refuses new ones, as a crash would. `close` is still to be called. */
  crash(): void;
  close(): Promise<void>;
}

export async function startScripted(setup: ScriptedSetup = {}): Promise<StartedScripted> {
  const server = await startScriptedHttp(setup.transport ?? 'http', optionsOf(setup), setup.port ?? 0);
  return {
    url: server.url,
    stats: () => server.engine.stats.read(),
    setScript: rules => server.engine.setScript(rules),
    crash: server.crash,
    close: server.close,
  };
}

/** For a servers file: the command that runs the fault fixture as a child. */
export function stdioScripted(setup: Omit<ScriptedSetup, 'transport' | 'port'> = {}): {
  command: string;
  args: string[];
  env: Readonly<Record<string, string>>;
} {
  const file = fileURLToPath(new URL('./scripted.ts', import.meta.url));
  const args = [
    file,
    '--transport',
    'stdio',
    '--era',
    setup.era ?? 'legacy',
    '--script',
    JSON.stringify(setup.script ?? []),
  ];
  if (typeof setup.tools === 'number') args.push('--tools', String(setup.tools));
  if (setup.pageSize !== undefined) args.push('--page-size', String(setup.pageSize));
  if (setup.revision !== undefined) args.push('--revision', setup.revision);
  if (setup.ledger !== undefined) args.push('--ledger', setup.ledger);
  if (setup.name !== undefined) args.push('--name', setup.name);
  return { command: process.execPath, args, env: COMPILED };
}

function optionsOf(setup: ScriptedSetup): Partial<ScriptedOptions> {
  return {
    era: setup.era ?? 'legacy',
    rules: setup.script ?? [],
    tools: setup.tools ?? null,
    pageSize: setup.pageSize ?? null,
    ledger: setup.ledger ?? null,
    ...(setup.revision === undefined ? {} : { revision: setup.revision }),
    ...(setup.name === undefined ? {} : { name: setup.name }),
  };
}
