/**
 * The agents' rules file (`.mcp-gateway-rules.json`): `{ "agents": { "<id>": { "allow", "deny" } }, "defaults" }`. Strict,
 * because a slip in a rule opens or closes something: an unknown key, a pattern in the wrong form or a key that is there
 * twice (JSON would quietly take the last) is a mistake. Servers that do not exist are only worth a warning: their rules
 * apply when they appear.
 */
import { parseDocument } from 'yaml';
import {
  AGENT_ID,
  MAX_AGENT_ID,
  type WrittenAgent,
  type WrittenRules,
  type WrittenSection,
} from '../domain/agent-rules.ts';
import { MAX_FILE_BYTES, parseJson } from './documents.ts';
import { findNameMistake } from './name-entry.ts';
import { didYouMean, formatPath, type Mistake, type Problem, toProblem } from './problem.ts';
import { readTextFile } from './text-file.ts';

export type RulesReading = { ok: true; rules: WrittenRules; warnings: string[] } | { ok: false; problems: Problem[] };

/** Null path: there is no rules file. Warnings about servers come from `warnAboutServers`, which knows them. */
export function readRulesFile(path: string): RulesReading {
  const problem = (message: string): RulesReading => ({
    ok: false,
    problems: [{ file: path, path: '', message, hint: null }],
  });
  const read = readTextFile(path, MAX_FILE_BYTES);
  if (!read.ok) return problem(`the rules file cannot be read: ${read.reason}`);
  const parsed = parseJson(read.text);
  if (!parsed.ok)
    return { ok: false, problems: parsed.messages.map(message => ({ file: path, path: '', message, hint: null })) };
  const twice = findRepeatedKey(read.text);
  if (twice !== null) return problem(twice);
  const { rules, mistakes, warnings } = parseRules(parsed.value);
  if (mistakes.length > 0) return { ok: false, problems: mistakes.map(mistake => toProblem(path, mistake)) };
  return { ok: true, rules, warnings };
}

/** JSON is YAML, whose parser notices. The message holds a place, never a text. */
function findRepeatedKey(text: string): string | null {
  const { errors } = parseDocument(text, { prettyErrors: false, uniqueKeys: true, stringKeys: true });
  const repeated = errors.find(({ code }) => code === 'DUPLICATE_KEY');
  if (repeated === undefined) return null;
  return `a key is there twice in one object: line ${text.slice(0, repeated.pos[0]).split('\n').length}`;
}

/** Shape: `rules` holds only what is without a mistake, and is of use only where there is none. */
export function parseRules(document: unknown): { rules: WrittenRules; mistakes: Mistake[]; warnings: string[] } {
  const mistakes: Mistake[] = [];
  const warnings: string[] = [];
  const report: Report = (path, message, hint = null) => void mistakes.push({ path, message, hint });
  const agents = new Map<string, WrittenAgent>();
  let denyOnMissingAgent = true;

  if (!isMap(document)) report([], 'must be a JSON object that holds "agents"');
  else {
    refuseUnknownKeys(document, TOP_KEYS, [], report);
    const { agents: written, defaults } = document;
    if (written === undefined) report(['agents'], 'is missing', 'the file is { "agents": { ... } }');
    else if (!isMap(written)) report(['agents'], 'must be an object of agents');
    else {
      for (const [id, agent] of Object.entries(written)) {
        const at = ['agents', id];
        if (id.length > MAX_AGENT_ID || !AGENT_ID.test(id))
          report(at, 'an agent id may hold letters, digits, dots, underscores and hyphens only');
        agents.set(id, readAgent(agent, at, report));
      }
      if (agents.size === 0) warnings.push('the rules name no agent: nobody may do anything');
    }
    if (defaults !== undefined) denyOnMissingAgent = readDefaults(defaults, report);
  }
  for (const [id, agent] of agents) warnings.push(...warnAboutAgent(id, agent));
  return { rules: { agents, denyOnMissingAgent }, mistakes, warnings };
}

type Report = (path: (string | number)[], message: string, hint?: string | null) => void;
type Fields = { [name: string]: unknown };

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const TOP_KEYS = ['agents', 'defaults'];
const AGENT_KEYS = ['allow', 'deny'];
const SECTION_KEYS = ['servers', 'tools'];
const DEFAULTS_KEYS = ['deny_on_missing_agent'];

/** `$schema` and remarks (`_comment`) are for people and editors. */
function refuseUnknownKeys(map: Fields, known: readonly string[], at: readonly string[], report: Report): void {
  for (const key of Object.keys(map)) {
    if (known.includes(key) || key === '$schema' || key.startsWith('_comment')) continue;
    report([...at, key], 'is not a key of the rules', didYouMean(key, known));
  }
}

function readDefaults(written: unknown, report: Report): boolean {
  if (!isMap(written)) {
    report(['defaults'], 'must be an object');
    return true;
  }
  refuseUnknownKeys(written, DEFAULTS_KEYS, ['defaults'], report);
  const { deny_on_missing_agent: denies = true } = written;
  if (typeof denies === 'boolean') return denies;
  report(['defaults', 'deny_on_missing_agent'], 'must be true or false');
  return true;
}

const NO_SECTION: WrittenSection = { servers: [], tools: new Map() };

function readAgent(written: unknown, at: readonly string[], report: Report): WrittenAgent {
  if (!isMap(written)) {
    report([...at], 'must be an object that may hold "allow" and "deny"');
    return { allow: NO_SECTION, deny: NO_SECTION };
  }
  refuseUnknownKeys(written, AGENT_KEYS, at, report);
  return {
    allow: readSection(written.allow, [...at, 'allow'], report),
    deny: readSection(written.deny, [...at, 'deny'], report),
  };
}

function readSection(written: unknown, at: readonly string[], report: Report): WrittenSection {
  if (written === undefined) return NO_SECTION;
  if (!isMap(written)) {
    report([...at], 'must be an object that may hold "servers" and "tools"');
    return NO_SECTION;
  }
  refuseUnknownKeys(written, SECTION_KEYS, at, report);
  const tools = new Map<string, readonly string[]>();
  if (written.tools !== undefined && !isMap(written.tools))
    report([...at, 'tools'], 'must be an object of lists, by server');
  else {
    for (const [server, list] of Object.entries(written.tools ?? {})) {
      if (server.includes('*') && server !== '*')
        report([...at, 'tools', server], 'must be the name of one server, or "*" for every server');
      tools.set(server, readNames(list, [...at, 'tools', server], report));
    }
  }
  return { servers: readNames(written.servers ?? [], [...at, 'servers'], report), tools };
}

function readNames(written: unknown, at: readonly string[], report: Report): string[] {
  if (!Array.isArray(written)) {
    report([...at], 'must be an array of strings');
    return [];
  }
  const names: string[] = [];
  written.forEach((name: unknown, place) => {
    const mistake = findNameMistake(name);
    if (mistake !== null) report([...at, place], mistake);
    // Kept in any case, so that places stay what they are.
    names.push(typeof name === 'string' ? name : '');
  });
  return names;
}

function warnAboutAgent(id: string, { allow, deny }: WrittenAgent): string[] {
  const warnings: string[] = [];
  if (allow.servers.length === 0) warnings.push(`Agent "${id}" allow.servers is empty: it may do nothing`);
  for (const server of allow.servers) {
    if (deny.servers.includes(server))
      warnings.push(`Agent "${id}" has the server "${server}" in allow and in deny; deny wins`);
  }
  for (const [server, tools] of allow.tools) {
    if (tools.length === 0)
      warnings.push(`Agent "${id}" ${formatPath(['allow', 'tools', server])} is empty, which allows every tool`);
  }
  return warnings;
}

/** Names of servers that are not there; asked again whenever servers come or go. */
export function warnAboutServers({ agents }: WrittenRules, servers: Iterable<string>): string[] {
  const known = new Set(servers);
  const isMissing = (server: string) => !server.includes('*') && !known.has(server);
  const warnings: string[] = [];
  for (const [id, agent] of agents) {
    for (const side of ['allow', 'deny'] as const) {
      const { servers: named, tools } = agent[side];
      for (const server of new Set(named.filter(isMissing)))
        warnings.push(`Agent "${id}" ${side}.servers references undefined server "${server}"`);
      for (const server of [...tools.keys()].filter(isMissing))
        warnings.push(`Agent "${id}" ${side}.tools references undefined server "${server}"`);
    }
  }
  return warnings;
}
