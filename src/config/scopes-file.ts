/**
 * `scopes.yml`: `UI-Scopes` (scope -> action -> resources), `group_mappings` (group -> scopes) and one key per server
 * scope (a list of `{server, methods, tools}`). Strict in structure; names that lead nowhere and empty lists, which are
 * nobody, are worth a warning. `*` and `all` stand for everything only by themselves.
 */
import {
  REST_API,
  trimSlashes,
  type WrittenGrant,
  type WrittenScopes,
  type WrittenUiGrant,
} from '../domain/scope-rules.ts';
import { MAX_FILE_BYTES, parseYaml } from './documents.ts';
import { didYouMean, formatPath, type Mistake, type Problem, toProblem } from './problem.ts';
import { readTextFile } from './text-file.ts';

export type ScopesReading =
  | { ok: true; scopes: WrittenScopes; warnings: string[] }
  | { ok: false; problems: Problem[] };

export function readScopesFile(path: string): ScopesReading {
  const read = readTextFile(path, MAX_FILE_BYTES);
  if (!read.ok) {
    const message = `the scopes file cannot be read: ${read.reason}`;
    return { ok: false, problems: [{ file: path, path: '', message, hint: null }] };
  }
  const parsed = parseYaml(read.text);
  if (!parsed.ok)
    return { ok: false, problems: parsed.messages.map(message => ({ file: path, path: '', message, hint: null })) };
  const { scopes, mistakes, warnings } = parseScopes(parsed.value);
  if (mistakes.length > 0) return { ok: false, problems: mistakes.map(mistake => toProblem(path, mistake)) };
  return { ok: true, scopes, warnings: warnings.map(warning => `${path}: ${warning}`) };
}

const UI = 'UI-Scopes';
const MAPPINGS = 'group_mappings';

type Path = readonly (string | number)[];
type Fields = { [name: string]: unknown };

interface Findings {
  mistake(path: Path, message: string, hint?: string | null): void;
  warn(path: Path, message: string): void;
}

/** Shape: `scopes` is of use only where there is no mistake. */
export function parseScopes(document: unknown): { scopes: WrittenScopes; mistakes: Mistake[]; warnings: string[] } {
  const mistakes: Mistake[] = [];
  const warnings: string[] = [];
  const findings: Findings = {
    mistake: (path, message, hint = null) => void mistakes.push({ path, message, hint }),
    warn: (path, message) => void warnings.push(path.length === 0 ? message : `${formatPath(path)} ${message}`),
  };
  const mappings = new Map<string, string[]>();
  const servers = new Map<string, WrittenGrant[]>();
  const ui = new Map<string, WrittenUiGrant[]>();

  if (document === null || document === undefined) findings.warn([], 'the file is empty: nobody may do anything');
  else if (!isMap(document)) findings.mistake([], `must be a document of sections: ${UI}, ${MAPPINGS} and scopes`);
  else {
    for (const [key, written] of Object.entries(document)) {
      if (key === UI) readUiScopes(written, ui, findings);
      else if (key === MAPPINGS) readMappings(written, mappings, findings);
      else readServerScope(key, written, servers, ui, findings);
    }
    for (const [scope, written] of Object.entries(document)) {
      const isEmpty = written === null || (Array.isArray(written) && written.length === 0);
      // It may grant actions alone.
      if (isEmpty && servers.has(scope) && !ui.has(scope)) findings.warn([scope], 'is empty: it grants nothing');
    }
    if (document[MAPPINGS] === undefined)
      findings.warn([MAPPINGS], 'is missing: groups come to nothing, only scopes in tokens count');
  }
  for (const [group, scopes] of mappings) {
    for (const [place, scope] of scopes.entries()) {
      if (servers.has(scope) || ui.has(scope)) continue;
      const near = didYouMean(scope, [...servers.keys(), ...ui.keys()]);
      findings.warn([MAPPINGS, group, place], `names an unknown scope "${scope}"${near === null ? '' : `; ${near}`}`);
    }
  }
  return { scopes: { mappings, servers, ui }, mistakes, warnings };
}

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A section that is there and empty (all of it commented out) is an empty one. */
function sectionOf(written: unknown, path: Path, findings: Findings): Fields {
  if (isMap(written)) return written;
  if (written !== null) findings.mistake(path, 'must be a section of keys');
  return {};
}

function readMappings(written: unknown, mappings: Map<string, string[]>, findings: Findings): void {
  for (const [group, scopes] of Object.entries(sectionOf(written, [MAPPINGS], findings))) {
    const names = readTexts(scopes, [MAPPINGS, group], findings);
    if (names.length === 0) findings.warn([MAPPINGS, group], 'is empty: the group comes to nothing');
    mappings.set(group, names);
  }
}

function readUiScopes(written: unknown, ui: Map<string, WrittenUiGrant[]>, findings: Findings): void {
  for (const [scope, actions] of Object.entries(sectionOf(written, [UI], findings))) {
    const at = [UI, scope];
    const grants = ui.get(scope) ?? [];
    ui.set(scope, grants);
    for (const [action, resources] of Object.entries(sectionOf(actions, at, findings)))
      grants.push(readUiGrant(action, resources, [...at, action], findings));
    if (grants.length === 0) findings.warn(at, 'is empty: it grants nothing');
  }
}

const ACTION = /^[a-z][a-z0-9_]*$/;

function readUiGrant(action: string, resources: unknown, path: Path, findings: Findings): WrittenUiGrant {
  if (!ACTION.test(action)) findings.mistake(path, 'an action is a word such as list_service');
  return { action, resources: readList(resources, path, findings), path };
}

const ENTRY_KEYS = ['server', 'methods', 'tools', 'agents'];

function readServerScope(
  scope: string,
  written: unknown,
  servers: Map<string, WrittenGrant[]>,
  ui: Map<string, WrittenUiGrant[]>,
  findings: Findings,
): void {
  const grants: WrittenGrant[] = [];
  servers.set(scope, grants);
  if (written === null) return;
  if (!Array.isArray(written)) return findings.mistake([scope], 'must be a list of {server, methods, tools}');
  for (const [place, entry] of written.entries()) {
    const at = [scope, place];
    if (!isMap(entry)) {
      findings.mistake(at, 'must be an entry of server, methods and tools');
      continue;
    }
    for (const key of Object.keys(entry)) {
      if (!ENTRY_KEYS.includes(key))
        findings.mistake([...at, key], 'is not a key of an entry', didYouMean(key, ENTRY_KEYS));
    }
    if (entry.agents !== undefined) readAgentActions(scope, entry.agents, [...at, 'agents'], ui, findings);
    if (entry.server !== undefined) grants.push(readGrant(entry, place, at, findings));
    else if (entry.agents === undefined) findings.mistake([...at, 'server'], 'is missing');
    else if (entry.methods !== undefined || entry.tools !== undefined)
      findings.mistake([...at, 'server'], 'is missing: methods and tools belong to a server');
  }
}

function readGrant(entry: Fields, place: number, at: Path, findings: Findings): WrittenGrant {
  const server = readServer(entry.server, [...at, 'server'], findings);
  const methods = readList(entry.methods ?? [], [...at, 'methods'], findings);
  // The REST API has methods only.
  const hasNoTools = server === REST_API && entry.tools === undefined;
  const tools = hasNoTools
    ? []
    : readList(entry.tools ?? [], [...at, 'tools'], findings, methods !== 'all' && !methods.includes('tools/call'));
  return { server, methods, tools, place };
}

function readServer(written: unknown, path: Path, findings: Findings): string | null {
  if (typeof written !== 'string') {
    findings.mistake(path, 'must be text');
    return '';
  }
  if (isAll(written)) return null;
  if (written.includes('*')) findings.mistake(path, '* stands for every server only by itself');
  const name = trimSlashes(written);
  if (name === '') findings.warn(path, 'is empty: it grants nothing');
  return name;
}

/** `agents: {actions: [{action, resources}]}`: grants of the registry under the name of the same scope. */
function readAgentActions(
  scope: string,
  written: unknown,
  at: Path,
  ui: Map<string, WrittenUiGrant[]>,
  findings: Findings,
): void {
  const actions = isMap(written) ? written.actions : undefined;
  if (!isMap(written) || !Array.isArray(actions) || Object.keys(written).length !== 1)
    return findings.mistake(at, 'must hold one list: actions');
  const grants = ui.get(scope) ?? [];
  ui.set(scope, grants);
  for (const [place, entry] of actions.entries()) {
    const path = [...at, 'actions', place];
    if (!isMap(entry) || typeof entry.action !== 'string' || entry.resources === undefined)
      findings.mistake(path, 'must be an entry of action and resources');
    else grants.push(readUiGrant(entry.action, entry.resources, path, findings));
  }
}

const isAll = (name: unknown) => name === '*' || name === 'all';

/** `'*'`, `all`, or a list; a list that holds one of these is everything too. */
function readList(written: unknown, path: Path, findings: Findings, mayBeEmpty = false): string[] | 'all' {
  if (isAll(written)) return 'all';
  const names = readTexts(written, path, findings);
  if (names.some(isAll)) return 'all';
  if (names.length === 0 && !mayBeEmpty) findings.warn(path, 'is empty: it grants nothing');
  for (const [place, name] of names.entries()) {
    if (name.includes('*')) findings.mistake([...path, place], '* stands for everything only by itself');
  }
  return names;
}

function readTexts(written: unknown, path: Path, findings: Findings): string[] {
  if (written === null) return [];
  if (!Array.isArray(written)) {
    findings.mistake(path, 'must be a list');
    return [];
  }
  const names: string[] = [];
  for (const [place, name] of written.entries()) {
    if (typeof name !== 'string') findings.mistake([...path, place], 'must be text');
    else if (name.trim() === '') findings.warn([...path, place], 'is empty: it grants nothing');
    else names.push(name);
  }
  return names;
}
