/**
 * From one configured entry, whichever file it stands in, to a ServerSpec: key rules, "exactly one way to reach it",
 * defaults, and the checks that keep a bad header or address from failing only when the first call needs it.
 */
import { resolve } from 'node:path';
import { Secret } from '../domain/secret.ts';
import type { ServerSpec, StdioLaunch } from '../domain/server.ts';
import { commandLaunch, findBuiltinLaunch, findPackageLaunch, type LaunchFinding } from './launch.ts';
import type { Mistake } from './problem.ts';
import type { ServerEntry } from './schema.ts';
import { type Report, toAddress } from './server-address.ts';

export interface SpecContext {
  /** Relative `cwd` values start here: the folder of the file, or the gateway's own for a servers file. */
  folder: string;
  /** The gateway's own Node. */
  execPath: string;
  start: 'eager' | 'lazy';
  /** Path of the entry in its document. */
  at: readonly (string | number)[];
}

export type SpecFinding = { ok: true; spec: ServerSpec } | { ok: false; mistakes: Mistake[] };

const KEY = /^[A-Za-z0-9._-]{1,64}$/;

/** First path segments that are the gateway's own: a server behind `/{server}/mcp` cannot be called that. */
const RESERVED: ReadonlySet<string> = new Set([
  ...['mcp', 'sse', 'message', 'messages', 'ws', 'health', 'ready', 'metrics', 'api', 'v0.1', 'v1', 'docs', 'redoc'],
  ...['openapi.json', 'validate', '.well-known', 'oauth', 'oauth2', 'login', 'logout', 'register', 'virtual', 'agent'],
  ...['agents', 'ui', 'assets', 'internal', 'favicon.ico', 'robots.txt', '.', '..', '__proto__'],
]);

const DEFAULTS = {
  connectTimeoutMs: 30_000,
  listTimeoutMs: 10_000,
  maxInFlight: { stdio: 64, http: 256 },
  maxQueued: 1024,
} as const;

export function findKeyMistake(key: string): Omit<Mistake, 'path'> | null {
  if (!KEY.test(key)) {
    return {
      message: 'is not usable as the name of a server',
      hint: '1 to 64 letters, digits, dots, underscores and hyphens',
    };
  }
  if (RESERVED.has(key.toLowerCase())) {
    return { message: 'is a path of the gateway itself and cannot name a server', hint: 'choose another name' };
  }
  return null;
}

const WAYS = ['command', 'package', 'builtin', 'url'] as const;
const FOR_PROGRAMS = ['args', 'env', 'cwd'] as const;
const FOR_ADDRESSES = ['headers', 'transport', 'auth', 'identityHeaders', 'passthrough', 'forwardHeaders'] as const;

export function toServerSpec(key: string, entry: ServerEntry, context: SpecContext): SpecFinding {
  const mistakes: Mistake[] = [];
  const report: Report = (path, message, hint = null) =>
    void mistakes.push({ path: [...context.at, ...path], message, hint });

  const keyMistake = findKeyMistake(key);
  if (keyMistake !== null) report([], keyMistake.message, keyMistake.hint);

  const given = WAYS.filter(way => entry[way] !== undefined);
  if (given.length !== 1) {
    const names = (given.length === 0 ? ['command', 'url'] : given).map(way => `"${way}"`);
    report(
      [],
      given.length === 0 ? `has neither ${names.join(' nor ')}` : `has ${names.join(' and ')}`,
      'exactly one of "command", "package", "builtin" and "url" says how the server is reached',
    );
    return { ok: false, mistakes };
  }

  const isHttp = entry.url !== undefined;
  for (const field of isHttp ? FOR_PROGRAMS : FOR_ADDRESSES) {
    if (entry[field] === undefined) continue;
    report([field], isHttp ? 'belongs to a program, but this server has a "url"' : 'belongs to a server with a "url"');
  }

  const link = isHttp ? toAddress(entry, report) : toLaunch(entry, context, report);
  if (link === null || mistakes.length > 0) return { ok: false, mistakes };
  return {
    ok: true,
    spec: {
      key,
      description: entry.description ?? null,
      enabled: entry.enabled ?? true,
      link,
      era: entry.era ?? 'auto',
      sharing: entry.sharing ?? 'per-principal',
      start: entry.start ?? context.start,
      connectTimeoutMs: entry.connectTimeout ?? DEFAULTS.connectTimeoutMs,
      listTimeoutMs: entry.listTimeout ?? DEFAULTS.listTimeoutMs,
      callTimeoutMs: typeof entry.callTimeout === 'number' ? entry.callTimeout : null,
      maxInFlight: entry.maxInFlight ?? DEFAULTS.maxInFlight[link.kind],
      maxQueued: entry.maxQueued ?? DEFAULTS.maxQueued,
    },
  };
}

function toLaunch(entry: ServerEntry, context: SpecContext, report: Report): StdioLaunch | null {
  const launch = findLaunch(entry, context, report);
  if (launch === null) return null;

  (entry.args ?? []).forEach((arg, index) => {
    if (arg.includes('\0')) report(['args', index], 'holds a NUL character');
  });
  const env = new Map<string, Secret>();
  for (const [name, value] of Object.entries(entry.env ?? {})) {
    if (name === '' || /[=\0]/.test(name)) report(['env', name], 'is not a name for an environment variable');
    else if (value.includes('\0')) report(['env', name], 'holds a NUL character');
    else env.set(name, new Secret(value));
  }
  return {
    kind: 'stdio',
    command: launch.command,
    args: [...launch.args, ...(entry.args ?? [])],
    env,
    cwd: entry.cwd === undefined ? null : resolve(context.folder, entry.cwd),
  };
}

function findLaunch(entry: ServerEntry, context: SpecContext, report: Report) {
  if (entry.command !== undefined) {
    if (entry.command.trim() !== '' && !entry.command.includes('\0')) {
      return commandLaunch(entry.command, context.execPath);
    }
    report(['command'], 'must name a program');
    return null;
  }
  const [field, finding]: [string, LaunchFinding] =
    entry.package !== undefined
      ? ['package', findPackageLaunch(entry.package, context.folder, context.execPath)]
      : ['builtin', findBuiltinLaunch(entry.builtin ?? '', context.execPath)];
  if (finding.ok) return finding.launch;
  report([field], finding.message, finding.hint);
  return null;
}
