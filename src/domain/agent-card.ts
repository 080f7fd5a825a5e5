/**
 * A2A agent cards as they are shown to us, judged whole: every mistake at once, in the words of the card. Read in camelCase
 * (A2A) and in snake_case, kept in camelCase, fields nobody knows included. A card is what a stranger says: nothing here
 * follows an address in it.
 */
import { CardShape, KEPT_FIELDS, REGISTRY_FIELDS } from './agent-card-shape.ts';
import { isJsonObject, type Json, type JsonObject } from './json.ts';
import type { Lifecycle, Visibility } from './registered.ts';
import type { AgentSkill, TrustLevel } from './registered-agent.ts';
import { readRegistryPath } from './registry-path.ts';

/** What a caller may say about an agent; whose it is and when it came is not the caller's to say. */
export interface OfferedAgent {
  path: string;
  name: string;
  description: string;
  url: string;
  version: string | null;
  tags: string[];
  skills: AgentSkill[];
  license: string | null;
  visibility: Visibility;
  allowedGroups: string[];
  trustLevel: TrustLevel;
  status: Lifecycle;
  protocol: 'a2a' | 'other';
  metadata: JsonObject;
  /** Without the registry's own fields, with the defaults of A2A. */
  card: JsonObject;
}

export type CardReading =
  | { ok: true; agent: OfferedAgent; warnings: string[] }
  /** Shape: `errors` is not empty; each begins with the field it is about. */
  | { ok: false; errors: string[]; warnings: string[] };

const MAX_ERRORS = 100;

export function readAgentCard(written: unknown): CardReading {
  if (!isJsonObject(written)) return { ok: false, errors: ['the card must be an object'], warnings: [] };
  const errors: string[] = [];
  const warnings: string[] = [];
  const document = inCamelCase(written, '', errors);
  const parsed = CardShape.safeParse(document);
  if (!parsed.success) errors.push(...parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`));
  // What can be judged of a card with mistakes elsewhere is judged too: one answer, one correction.
  const path = readPath(document);
  if (!path.ok) errors.push(`path ${path.reason}`);
  errors.push(...findRepeatedSkills(document.skills), ...findUndeclaredSchemes(document, warnings));
  if (document.visibility === 'group-restricted' && isEmptyList(document.allowedGroups))
    errors.push('allowedGroups must name a group where visibility is group-restricted');
  for (const field of Object.keys(document))
    if (KEPT_FIELDS.has(field)) warnings.push(`${field} is kept by the registry`);
  if (!parsed.success || !path.ok || errors.length > 0)
    return { ok: false, errors: [...new Set(errors)].slice(0, MAX_ERRORS), warnings };
  const { data } = parsed;
  if (data.url.toLowerCase().startsWith('http:')) warnings.push('url is not encrypted: anybody on the way reads along');
  if (data.skills.length === 0) warnings.push('skills is empty: nobody finds the agent by what it can do');
  return { ok: true, agent: toOffer(data, path.path), warnings };
}

function toOffer(data: CardShape, path: string): OfferedAgent {
  const card = Object.fromEntries(
    Object.entries(data).filter(
      ([field, value]) => value !== undefined && !REGISTRY_FIELDS.has(field) && !KEPT_FIELDS.has(field),
    ),
  ) as JsonObject;
  return {
    path,
    name: data.name,
    description: data.description,
    url: data.url,
    version: data.version ?? null,
    tags: data.tags,
    skills: data.skills.map(({ id, name, description, tags }) => ({ id, name, description, tags: tags ?? [] })),
    license: data.license ?? null,
    visibility: data.visibility,
    allowedGroups: data.allowedGroups,
    trustLevel: data.trustLevel,
    status: data.status,
    protocol: data.supportedProtocol,
    metadata: data.metadata ?? {},
    card,
  };
}

/** Without one a path is made of the name; of what is left of it in ASCII, because a path has one spelling. */
function readPath({ path, name }: JsonObject): ReturnType<typeof readRegistryPath> {
  if (typeof path === 'string') return readRegistryPath(path);
  if (path !== undefined || typeof name !== 'string') return { ok: true, path: '/' };
  const made = name
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return made === ''
    ? { ok: false, reason: 'is missing and cannot be made of the name' }
    : readRegistryPath(made.slice(0, 64));
}

/** Members whose names are A2A's: the others are values, or names that somebody chose. */
const NAMED_BELOW: ReadonlySet<string> = new Set(['skills', 'provider', 'capabilities']);
/** Members are called as somebody likes; what is in them is A2A's again. */
const CHOSEN_BELOW: ReadonlySet<string> = new Set(['securitySchemes']);

/** Shape: new objects; a field that is there in both spellings is a mistake, because one of them would be lost. */
function inCamelCase(written: JsonObject, at: string, errors: string[]): JsonObject {
  const read = new Map<string, Json>();
  for (const [field, value] of Object.entries(written)) {
    const name = field.replaceAll(/(?<=[a-z0-9])_([a-z0-9])/g, (_whole, letter: string) => letter.toUpperCase());
    if (read.has(name)) errors.push(`${at}${name} is there in two spellings`);
    if (NAMED_BELOW.has(name)) read.set(name, everyIn(value, `${at}${name}.`, errors));
    else if (CHOSEN_BELOW.has(name) && isJsonObject(value)) {
      const inside = Object.entries(value).map(([key, item]) => [key, everyIn(item, `${at}${name}.${key}.`, errors)]);
      read.set(name, Object.fromEntries(inside));
    } else read.set(name, value);
  }
  return Object.fromEntries(read);
}

function everyIn(value: Json, at: string, errors: string[]): Json {
  if (Array.isArray(value)) return value.map((item, place) => everyIn(item, `${at}${place}.`, errors));
  return isJsonObject(value) ? inCamelCase(value, at, errors) : value;
}

function findRepeatedSkills(skills: Json | undefined): string[] {
  if (!Array.isArray(skills)) return [];
  const seen = new Set<Json>();
  return skills.flatMap((skill, place) => {
    const id = isJsonObject(skill) ? skill.id : undefined;
    if (typeof id !== 'string') return [];
    if (seen.has(id)) return [`skills.${place}.id is that of another skill`];
    seen.add(id);
    return [];
  });
}

/** What is demanded by name must be declared; a bare word such as `bearer` says the same as a scheme that everybody knows. */
function findUndeclaredSchemes({ security, securitySchemes, skills }: JsonObject, warnings: string[]): string[] {
  const declared = isJsonObject(securitySchemes) ? securitySchemes : {};
  const errors: string[] = [];
  const check = (entries: Json | undefined, at: string) => {
    for (const [place, entry] of (Array.isArray(entries) ? entries : []).entries()) {
      if (typeof entry === 'string' && !Object.hasOwn(declared, entry))
        warnings.push(`${at}.${place} is not declared in securitySchemes`);
      if (!isJsonObject(entry)) continue;
      for (const scheme of Object.keys(entry)) {
        if (!Object.hasOwn(declared, scheme))
          errors.push(`${at}.${place} names a scheme that securitySchemes does not declare`);
      }
    }
  };
  check(security, 'security');
  for (const [place, skill] of (Array.isArray(skills) ? skills : []).entries())
    if (isJsonObject(skill)) check(skill.security, `skills.${place}.security`);
  return errors;
}

function isEmptyList(value: Json | undefined): boolean {
  if (typeof value === 'string') return value.replaceAll(',', '').trim() === '';
  return value === undefined || (Array.isArray(value) && value.every(item => item === ''));
}
