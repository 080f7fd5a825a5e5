/**
 * The servers file that MCP clients share (`.mcp.json`): `{ "mcpServers": { "<name>": stdio | http } }`. Lenient where
 * clients differ (unknown keys are ignored, several spellings of the transport), strict where a slip would surface
 * later: every string, list and map is checked, and a mistake names its server and its field.
 */
import type { ServerSpec } from '../domain/server.ts';
import type { Mistake } from './problem.ts';
import type { ServerEntry } from './schema.ts';
import { type SpecContext, toServerSpec } from './server-spec.ts';

export interface ServersFinding {
  specs: ServerSpec[];
  mistakes: Mistake[];
}

/** Reads a parsed and interpolated document. Shape: specs in the order of the file, only those without a mistake. */
export function readServers(document: unknown, context: Omit<SpecContext, 'at'>): ServersFinding {
  if (!isMap(document)) return wrong([], 'must be a JSON object that holds "mcpServers"');
  const servers = document.mcpServers;
  if (servers === undefined) return wrong(['mcpServers'], 'is missing', 'the file is { "mcpServers": { ... } }');
  if (!isMap(servers)) return wrong(['mcpServers'], 'must be an object of servers');

  const specs: ServerSpec[] = [];
  const mistakes: Mistake[] = [];
  for (const [key, written] of Object.entries(servers)) {
    const at = ['mcpServers', key];
    if (!isMap(written)) {
      mistakes.push({ path: at, message: 'must be an object', hint: null });
      continue;
    }
    const typeMistakes = findTypeMistakes(written, at);
    mistakes.push(...typeMistakes);
    const finding = toServerSpec(key, toEntry(written), { ...context, at });
    if (!finding.ok) mistakes.push(...finding.mistakes);
    else if (typeMistakes.length === 0) specs.push(finding.spec);
  }
  return { specs, mistakes };
}

function wrong(path: string[], message: string, hint: string | null = null): ServersFinding {
  return { specs: [], mistakes: [{ path, message, hint }] };
}

type Fields = { [name: string]: unknown };

function isMap(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const isText = (value: unknown): value is string => typeof value === 'string';

function findTypeMistakes(written: Fields, at: readonly string[]): Mistake[] {
  const mistakes: Mistake[] = [];
  const report = (path: (string | number)[], message: string) =>
    void mistakes.push({ path: [...at, ...path], message, hint: null });

  for (const field of ['command', 'url', 'description', 'cwd']) {
    if (written[field] !== undefined && !isText(written[field])) report([field], 'must be a string');
  }
  const { args } = written;
  if (Array.isArray(args)) {
    args.forEach((arg: unknown, index) => {
      if (!isText(arg)) report(['args', index], 'must be a string');
    });
  } else if (args !== undefined) {
    report(['args'], 'must be an array of strings');
  }
  for (const field of ['env', 'headers']) {
    const map = written[field];
    if (map === undefined) continue;
    if (!isMap(map)) report([field], 'must be an object of strings');
    else
      for (const [name, value] of Object.entries(map)) {
        if (!isText(value)) report([field, name], 'must be a string');
      }
  }
  return mistakes;
}

/**
 * The same entry in our own words. A field of the wrong type, reported already, is replaced by a harmless one, so that
 * the remaining rules can still be checked. Fields that do not belong to the kind of server are left out.
 */
function toEntry(written: Fields): ServerEntry {
  const { command, url } = written;
  const entry: ServerEntry = {};
  if (isText(written.description)) entry.description = written.description;
  // How several clients switch a server off.
  if (written.disabled === true) entry.enabled = false;
  if (command !== undefined) {
    entry.command = isText(command) ? command : 'wrong-type';
    if (Array.isArray(written.args)) entry.args = written.args.filter(isText);
    entry.env = onlyTexts(written.env);
    if (isText(written.cwd)) entry.cwd = written.cwd;
  }
  if (url !== undefined) {
    entry.url = isText(url) ? url : 'http://wrong.invalid';
    if (command === undefined) {
      entry.headers = onlyTexts(written.headers);
      entry.transport = toTransport(written.transport ?? written.type);
    }
  }
  return entry;
}

function onlyTexts(map: unknown): Record<string, string> {
  if (!isMap(map)) return {};
  return Object.fromEntries(Object.entries(map).filter((pair): pair is [string, string] => isText(pair[1])));
}

/** `sse` and an explicit Streamable HTTP are honoured; `http` and anything else leave it to be found out. */
function toTransport(word: unknown): 'auto' | 'streamable-http' | 'sse' {
  if (word === 'sse') return 'sse';
  return word === 'streamable-http' || word === 'streamableHttp' ? 'streamable-http' : 'auto';
}
