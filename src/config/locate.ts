/** Which files the gateway reads, and why those: the search orders, told in a form that can be shown to an operator. */
import { dirname, isAbsolute, join, resolve } from 'node:path';
import { Secret } from '../domain/secret.ts';
import { isFile } from './text-file.ts';

export interface Place {
  path: string;
  /** What makes us look there: `GATEWAY_MCP_CONFIG`, `working directory` ... */
  because: string;
  exists: boolean;
}

export interface Located {
  /** In search order. A place named by the operator is the only one. */
  places: readonly Place[];
  /** The file to read; for a place that the operator named, whether it exists or not. */
  chosen: string | null;
  /** True when the operator named it: then it has to exist. */
  named: boolean;
}

export interface LocateInput {
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  home: string;
  configPath?: string | null | undefined;
  serversPath?: string | null | undefined;
}

export const HOME_FOLDER = ['.config', 'agent-mcp-gateway'] as const;

/** `--config` > `GATEWAY_CONFIG` (empty: no file at all) > `gateway.config.yaml` in the working directory. */
export function locateConfig(input: LocateInput): Located {
  const named = nameOne(input, input.configPath, '--config', 'GATEWAY_CONFIG');
  if (named !== null) return named;
  if (input.env.GATEWAY_CONFIG === '') return { places: [], chosen: null, named: false };
  return search([[join(input.cwd, 'gateway.config.yaml'), 'working directory']]);
}

/** `--mcp-config` > `GATEWAY_MCP_CONFIG` > working directory > home > `./config`. */
export function locateServers(input: LocateInput): Located {
  return (
    nameOne(input, input.serversPath, '--mcp-config', 'GATEWAY_MCP_CONFIG') ?? search(inSearchOrder(input, '.mcp.json'))
  );
}

/** The same order for the rules file. */
export function locateRules(input: LocateInput): Located {
  return nameOne(input, null, '', 'GATEWAY_RULES') ?? search(inSearchOrder(input, '.mcp-gateway-rules.json'));
}

/** `GATEWAY_PROVIDERS` > working directory > `./config`. */
export function locateProviders(input: LocateInput): Located {
  const name = 'oauth2_providers.yml';
  const places: [string, string][] = [
    [join(input.cwd, name), 'working directory'],
    [join(input.cwd, 'config', name), 'config folder'],
  ];
  return nameOne(input, null, '', 'GATEWAY_PROVIDERS') ?? search(places);
}

/** `GATEWAY_SCOPES` > working directory > home > `./config`. */
export function locateScopes(input: LocateInput): Located {
  return nameOne(input, null, '', 'GATEWAY_SCOPES') ?? search(inSearchOrder(input, 'scopes.yml'));
}

export interface LocatedVault {
  path: string;
  /** `GATEWAY_VAULT_KEY`; null: the key file is used. */
  keys: Secret | null;
  keyPath: string;
  /** Whether the operator named the key file: then it has to be there. */
  isKeyNamed: boolean;
}

/** `GATEWAY_VAULT` > home; its key `GATEWAY_VAULT_KEY` > `GATEWAY_VAULT_KEY_FILE` > beside the vault. */
export function locateVault(input: LocateInput): LocatedVault {
  const named = nameOne(input, null, '', 'GATEWAY_VAULT');
  const path = named?.chosen ?? join(input.home, ...HOME_FOLDER, 'vault.json');
  const keys = input.env.GATEWAY_VAULT_KEY ?? '';
  const keyFile = nameOne(input, null, '', 'GATEWAY_VAULT_KEY_FILE')?.chosen ?? null;
  return {
    path,
    keys: keys === '' ? null : new Secret(keys),
    keyPath: keyFile ?? join(dirname(path), 'vault.key'),
    isKeyNamed: keyFile !== null,
  };
}

function inSearchOrder(input: LocateInput, name: string): [string, string][] {
  return [
    [join(input.cwd, name), 'working directory'],
    [join(input.home, ...HOME_FOLDER, name), 'home'],
    [join(input.cwd, 'config', name), 'config folder'],
  ];
}

function nameOne(
  input: LocateInput,
  path: string | null | undefined,
  option: string,
  variable: string,
): Located | null {
  const fromOption = path !== undefined && path !== null && path !== '';
  const written = fromOption ? path : input.env[variable];
  if (written === undefined || written === '') return null;
  const absolute = toAbsolute(written, input);
  return {
    places: [{ path: absolute, because: fromOption ? option : variable, exists: isFile(absolute) }],
    chosen: absolute,
    named: true,
  };
}

function search(candidates: [string, string][]): Located {
  const places = candidates.map(([path, because]) => ({ path, because, exists: isFile(path) }));
  return { places, chosen: places.find(place => place.exists)?.path ?? null, named: false };
}

function toAbsolute(written: string, { cwd, home }: LocateInput): string {
  if (written === '~') return home;
  if (written.startsWith('~/')) return join(home, written.slice(2));
  return isAbsolute(written) ? written : resolve(cwd, written);
}
