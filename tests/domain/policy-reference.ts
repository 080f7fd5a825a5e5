/**
 * The decision as the documents put it, word for word and as slowly as one likes: straight from what is written, with
 * nothing compiled, kept or shared with the real one. For comparison only.
 */
export interface PlainCaller {
  agent: string | null;
  groups: string[];
  scopes: string[];
  boundServer: string | null;
}

export interface PlainSection {
  servers?: string[];
  tools?: Record<string, string[]>;
}

export interface PlainRules {
  agents: Record<string, { allow?: PlainSection; deny?: PlainSection }>;
}

export interface PlainEntry {
  server: string;
  methods: string[] | string;
  tools: string[] | string;
}

export interface PlainScopes {
  mappings: Record<string, string[]>;
  servers: Record<string, PlainEntry[]>;
}

type Kind = 'tool' | 'resource' | 'template' | 'prompt';

function fits(pattern: string, name: string): boolean {
  const literally = pattern.replace(/[.+?^${}()|[\]\\/-]/g, '\\$&');
  return new RegExp(`^${literally.replaceAll('*', '[^]*')}$`, 'u').test(name);
}

const isPattern = (entry: string) => entry.includes('*');

export function mayByRules(rules: PlainRules, agent: string | null, kind: Kind, server: string, name: string): boolean {
  const own = agent === null ? undefined : Object.entries(rules.agents).find(([id]) => id === agent)?.[1];
  if (own === undefined) return false;
  if ((own.deny?.servers ?? []).some(entry => fits(entry, server))) return false;
  if (!(own.allow?.servers ?? []).some(entry => fits(entry, server))) return false;
  if (kind !== 'tool') return true;

  const listOf = (section: PlainSection | undefined, key: string) =>
    Object.entries(section?.tools ?? {}).find(([written]) => written === key)?.[1] ?? [];
  const denied = [...listOf(own.deny, server), ...listOf(own.deny, '*')];
  const specific = listOf(own.allow, server);
  const allowed = specific.length > 0 ? specific : listOf(own.allow, '*');
  if (denied.filter(entry => !isPattern(entry)).includes(name)) return false;
  if (denied.filter(isPattern).some(entry => fits(entry, name))) return false;
  if (allowed.filter(entry => !isPattern(entry)).includes(name)) return true;
  if (allowed.filter(isPattern).some(entry => fits(entry, name))) return true;
  return allowed.length === 0;
}

export function scopesOf(file: PlainScopes, who: PlainCaller): string[] {
  const mapped = Object.entries(file.mappings).flatMap(([group, scopes]) => (who.groups.includes(group) ? scopes : []));
  return [...mapped, ...who.scopes];
}

const METHODS: Record<Kind, string> = {
  tool: 'tools/call',
  resource: 'resources/read',
  template: 'resources/read',
  prompt: 'prompts/get',
};

export function mayByScopes(file: PlainScopes, scopes: string[], kind: Kind, server: string, name: string): boolean {
  const holds = (list: string[] | string, wanted: string) =>
    [list].flat().some(item => item === wanted || item === '*' || item === 'all');
  for (const scope of scopes) {
    for (const entry of Object.entries(file.servers).find(([written]) => written === scope)?.[1] ?? []) {
      const isAny = entry.server === '*' || entry.server === 'all';
      if (!isAny && entry.server.replace(/^\/+|\/+$/g, '') !== server) continue;
      if (!holds(entry.methods, METHODS[kind])) continue;
      if (kind !== 'tool' || holds(entry.tools, name)) return true;
    }
  }
  return false;
}

export function mayPlainly(
  rules: PlainRules | null,
  scopes: PlainScopes | null,
  who: PlainCaller,
  kind: Kind,
  server: string,
  name: string,
): boolean {
  if (who.boundServer !== null && who.boundServer !== server) return false;
  if (rules === null && scopes === null) return false;
  if (rules !== null && !mayByRules(rules, who.agent, kind, server, name)) return false;
  return scopes === null || mayByScopes(scopes, scopesOf(scopes, who), kind, server, name);
}
