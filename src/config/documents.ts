/**
 * The two files an operator writes, read into values: YAML and JSON, references filled in, shapes checked. Messages give
 * a place in the file and never quote it, because the text around a slip may be a secret.
 */
import { dirname } from 'node:path';
import { LineCounter, parseDocument } from 'yaml';
import type { ServerSpec } from '../domain/server.ts';
import { type FindSecret, interpolate, pathKey } from './interpolate.ts';
import { type Mistake, type Problem, toProblem } from './problem.ts';
import { ConfigFile, checkShape, ServerEntry } from './schema.ts';
import { toServerSpec } from './server-spec.ts';
import { readServers } from './servers-file.ts';
import { readTextFile } from './text-file.ts';

export const MAX_FILE_BYTES = 4 * 1024 * 1024;

/** What reading needs to know, and what it finds out on the way. */
export interface Reading {
  env: Readonly<Record<string, string | undefined>>;
  findSecret: FindSecret | undefined;
  cwd: string;
  execPath: string;
  problems: Problem[];
  /** Environment variables that a file refers to. */
  names: Set<string>;
  /** Other files that a file refers to; absolute. */
  files: Set<string>;
}

export interface ReadConfigFile {
  path: string;
  config: ConfigFile;
  /** Where a reference could not be resolved: whatever else is wrong there follows from that. */
  unresolved: ReadonlySet<string>;
  referring: ReadonlySet<string>;
}

export function readConfigFile(path: string | null, reading: Reading): ReadConfigFile {
  const nothing: ReadConfigFile = { path: path ?? '', config: {}, unresolved: new Set(), referring: new Set() };
  if (path === null) return nothing;
  const read = readTextFile(path, MAX_FILE_BYTES);
  if (!read.ok) {
    reading.problems.push({ file: path, path: '', message: `cannot be read: ${read.reason}`, hint: null });
    return nothing;
  }
  const parsed = parseYaml(read.text);
  if (!parsed.ok) {
    reading.problems.push(...parsed.messages.map(message => ({ file: path, path: '', message, hint: null })));
    return nothing;
  }
  const filled = interpolate(parsed.value, { ...reading, folder: dirname(path) });
  for (const name of filled.names) reading.names.add(name);
  reading.problems.push(...filled.mistakes.map(mistake => toProblem(path, mistake)));
  const unresolved = new Set(filled.mistakes.map(mistake => pathKey(mistake.path)));

  const checked = checkShape(ConfigFile, filled.value, []);
  if (checked.ok) return { path, config: checked.value, unresolved, referring: filled.referring };
  reading.problems.push(...withoutUnresolved(checked.mistakes, unresolved).map(mistake => toProblem(path, mistake)));
  // The servers are still looked at, so that their mistakes are said in the same breath.
  const servers = serversOf(filled.value);
  return { path, config: servers === null ? {} : { servers }, unresolved, referring: filled.referring };
}

function serversOf(document: unknown): Record<string, unknown> | null {
  if (typeof document !== 'object' || document === null || !('servers' in document)) return null;
  const { servers } = document;
  return typeof servers === 'object' && servers !== null && !Array.isArray(servers) ? { ...servers } : null;
}

/** What is wrong by itself, and not for want of a value. */
export function withoutUnresolved(mistakes: readonly Mistake[], unresolved: ReadonlySet<string>): Mistake[] {
  return mistakes.filter(mistake => !unresolved.has(pathKey(mistake.path)));
}

export type Parsed = { ok: true; value: unknown } | { ok: false; messages: string[] };

export function parseYaml(text: string): Parsed {
  const lines = new LineCounter();
  // Pretty errors quote the file, which may hold secrets.
  const document = parseDocument(text, { prettyErrors: false, lineCounter: lines, uniqueKeys: true });
  if (document.errors.length > 0) {
    // One slip makes the parser stumble several times over the same line; the first time says what it is.
    const byLine = new Map<number, string>();
    for (const error of document.errors) {
      const { line, col } = lines.linePos(error.pos[0]);
      if (!byLine.has(line)) byLine.set(line, `line ${line}, column ${col}: ${error.message}`);
    }
    return { ok: false, messages: [...byLine.values()] };
  }
  try {
    return { ok: true, value: document.toJS({ maxAliasCount: 100 }) };
  } catch {
    return { ok: false, messages: ['its aliases unfold to more than 100 copies'] };
  }
}

export function readYamlServers(file: ReadConfigFile, start: 'eager' | 'lazy', reading: Reading): ServerSpec[] {
  const specs: ServerSpec[] = [];
  for (const [key, written] of Object.entries(file.config.servers ?? {})) {
    const at = ['servers', key];
    const shaped = checkShape(ServerEntry, written, at);
    const context = { folder: dirname(file.path), execPath: reading.execPath, start, at };
    const finding = shaped.ok ? toServerSpec(key, shaped.value, context) : shaped;
    if (!finding.ok)
      reading.problems.push(
        ...withoutUnresolved(finding.mistakes, file.unresolved).map(mistake => toProblem(file.path, mistake)),
      );
    else if ('spec' in finding) specs.push(finding.spec);
  }
  return specs;
}

export function readServersFile(path: string | null, start: 'eager' | 'lazy', reading: Reading): ServerSpec[] {
  if (path === null) return [];
  const read = readTextFile(path, MAX_FILE_BYTES);
  if (!read.ok) {
    const hint = read.missing ? 'run "gatehouse --init" for a first one' : null;
    reading.problems.push({ file: path, path: '', message: `the servers file cannot be read: ${read.reason}`, hint });
    return [];
  }
  const parsed = parseJson(read.text);
  if (!parsed.ok) {
    reading.problems.push(...parsed.messages.map(message => ({ file: path, path: '', message, hint: null })));
    return [];
  }
  // Only what is read is filled in: other programs keep other things, with other references, in the same file.
  const { mcpServers } = Object(parsed.value) as { mcpServers?: unknown };
  const document = Array.isArray(parsed.value) || mcpServers === undefined ? parsed.value : { mcpServers };
  const filled = interpolate(document, { ...reading, folder: dirname(path) });
  for (const name of filled.names) reading.names.add(name);
  const unresolved = new Set(filled.mistakes.map(mistake => pathKey(mistake.path)));
  const execPath = reading.execPath;
  const { specs, mistakes } = readServers(filled.value, { folder: reading.cwd, execPath, start });
  reading.problems.push(
    ...[...filled.mistakes, ...withoutUnresolved(mistakes, unresolved)].map(mistake => toProblem(path, mistake)),
  );
  return specs;
}

export function parseJson(text: string): Parsed {
  try {
    return { ok: true, value: JSON.parse(text) };
  } catch (error) {
    // Of the engine's message only the place: the rest quotes the file.
    const position = /at position (\d+)/.exec(error instanceof Error ? error.message : '')?.[1];
    const hint = /^\s*\/[/*]/m.test(text) ? '; JSON has no comments' : '';
    return {
      ok: false,
      messages: [`is not valid JSON${position === undefined ? '' : placeOf(text, Number(position))}${hint}`],
    };
  }
}

function placeOf(text: string, position: number): string {
  const before = text.slice(0, position);
  return `: line ${before.split('\n').length}, column ${before.length - before.lastIndexOf('\n')}`;
}
