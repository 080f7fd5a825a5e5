/**
 * What can be found: a server, a tool, an agent or a skill as fields of text. One shape for all kinds, so that one index
 * ranks them. Everything in it was written by somebody else: each field has a length beyond which it is not read.
 */
import { isJsonObject, type Json, type JsonObject, objectOrEmpty } from '../json.ts';

export type DocumentKind = 'server' | 'tool' | 'agent' | 'skill';
export const DOCUMENT_KINDS = ['server', 'tool', 'agent', 'skill'] as const satisfies readonly DocumentKind[];

/**
 * `parts` are the names of what it is made of: parameters of a tool, tools of a server, skills of an agent; `partTexts`
 * what is said about them, `values` the words they may take.
 */
export type FieldName = 'name' | 'owner' | 'description' | 'tags' | 'parts' | 'partTexts' | 'values';
export const FIELD_NAMES = ['name', 'owner', 'description', 'tags', 'parts', 'partTexts', 'values'] as const;

export interface SearchDocument {
  /** Unique within its kind. */
  id: string;
  kind: DocumentKind;
  /** The server it belongs to, or null: tools of a fitting server are lifted together. */
  owner: string | null;
  /** Its own name as people type it: a request that is this name puts it first. */
  name: string;
  fields: Readonly<Partial<Record<FieldName, string>>>;
  /** Lower case; a request may ask for all of several. */
  tags: readonly string[];
}

/** Characters of a field that are read: enough for honest texts, too few to fill the index. */
export const MAX_FIELD: Readonly<Record<FieldName, number>> = {
  name: 200,
  owner: 400,
  description: 4_000,
  tags: 500,
  parts: 2_000,
  partTexts: 6_000,
  values: 1_000,
};

const MAX_SCHEMA_DEPTH = 4;
const MAX_SCHEMA_NODES = 500;

/** `item`: as its server gave it. `serverText`: title or other names of the server, for whoever asks by those. */
export function toolDocument(tool: {
  id: string;
  server: string;
  item: JsonObject;
  serverText?: string;
  tags?: readonly string[];
}): SearchDocument {
  const { id, server, item, serverText, tags } = tool;
  const annotated = objectOrEmpty(item.annotations).title;
  const name = textOf(item.name);
  const title = textOf(item.title) || textOf(annotated);
  const { names, texts, values } = readSchema(item.inputSchema ?? null);
  return {
    id,
    kind: 'tool',
    owner: server,
    name,
    fields: {
      name,
      owner: [server, serverText ?? '', title].join(' '),
      description: textOf(item.description),
      tags: (tags ?? []).join(' '),
      parts: names.join(' '),
      partTexts: texts.join(' '),
      values: values.join(' '),
    },
    tags: lowered(tags),
  };
}

/** A server, an agent or a skill: whatever has a name, a description and named parts. */
export function entityDocument(entity: {
  id: string;
  kind: Exclude<DocumentKind, 'tool'>;
  name: string;
  /** Path, title, provider: other words it is known by. */
  alsoKnownAs?: string;
  description: string;
  tags?: readonly string[];
  parts?: readonly { name: string; description?: string }[];
}): SearchDocument {
  const { id, kind, name, alsoKnownAs, description, tags, parts } = entity;
  return {
    id,
    kind,
    owner: null,
    name,
    fields: {
      name,
      owner: alsoKnownAs ?? '',
      description,
      tags: (tags ?? []).join(' '),
      parts: (parts ?? []).map(part => part.name).join(' '),
      partTexts: (parts ?? []).map(part => part.description ?? '').join(' '),
    },
    tags: lowered(tags),
  };
}

interface SchemaTexts {
  names: string[];
  texts: string[];
  values: string[];
}

/** Names, descriptions and enumerated values of a JSON schema, nested ones too, in the order in which they stand. */
export function readSchema(schema: Json): SchemaTexts {
  const found: SchemaTexts = { names: [], texts: [], values: [] };
  let left = MAX_SCHEMA_NODES;
  const visit = (node: Json | undefined, depth: number) => {
    if (!isJsonObject(node) || depth > MAX_SCHEMA_DEPTH || left <= 0) return;
    left -= 1;
    if (Array.isArray(node.enum)) found.values.push(...node.enum.filter(value => typeof value === 'string'));
    if (typeof node.const === 'string') found.values.push(node.const);
    for (const [name, property] of Object.entries(objectOrEmpty(node.properties))) {
      found.names.push(name);
      const { title, description } = objectOrEmpty(property);
      if (typeof title === 'string') found.texts.push(title);
      if (typeof description === 'string') found.texts.push(description);
      visit(property, depth + 1);
    }
    visit(node.items, depth + 1);
    for (const word of ['anyOf', 'oneOf', 'allOf'] as const) {
      const branches = node[word];
      if (Array.isArray(branches)) for (const branch of branches) visit(branch, depth + 1);
    }
  };
  visit(schema, 0);
  return found;
}

function textOf(value: Json | undefined): string {
  return typeof value === 'string' ? value : '';
}

function lowered(tags: readonly string[] = []): string[] {
  return tags.map(tag => tag.toLowerCase());
}
