/**
 * What a list is narrowed by, as texts made once per record, so that every backend finds the same: lower case, composed,
 * without what a database cannot hold in a text.
 */
import type { RegisteredAgent } from '../../domain/registered-agent.ts';
import type { RegisteredServer } from '../../domain/registered-server.ts';

const BREAK = '\n';

function plain(text: string): string {
  return text.normalize('NFC').toLowerCase().toWellFormed().replaceAll('\0', ' ');
}

type Searched = Pick<RegisteredServer, 'name' | 'path' | 'description' | 'tags'> &
  Partial<Pick<RegisteredAgent, 'skills'>>;

/** Everything that a query looks in. */
export function searchTextOf({ name, path, description, tags, skills = [] }: Searched): string {
  return plain([name, path, description, ...tags, ...skills.map(skill => skill.name)].join(BREAK));
}

/** Each of them must be somewhere in the search text. */
export function wordsOf(query: string): string[] {
  return [...new Set(plain(query).split(/\s+/))].filter(word => word !== '');
}

/** Every tag between line breaks, so that one is found whole. */
export function tagTextOf(tags: readonly string[]): string {
  return tags.length === 0 ? '' : BREAK + tags.map(tagWord).join(BREAK) + BREAK;
}

/** To be looked for in a tag text. */
export function tagNeedle(tag: string): string {
  return BREAK + tagWord(tag) + BREAK;
}

function tagWord(tag: string): string {
  return plain(tag).replaceAll(/\s+/g, ' ').trim();
}

export interface Narrowing {
  query?: string;
  status?: string;
  tags?: readonly string[];
  enabled?: boolean;
  visibility?: string;
  changedSince?: number;
  /** Paths that are not meant. */
  except?: readonly string[];
}

/** For a backend without a query language. */
export function fits(record: RegisteredServer | RegisteredAgent, filter: Narrowing): boolean {
  const { query, status, tags = [], enabled, visibility, changedSince, except = [] } = filter;
  const searched = query === undefined ? '' : searchTextOf(record);
  const tagText = tagTextOf(record.tags);
  return (
    (query === undefined || wordsOf(query).every(word => searched.includes(word))) &&
    (status === undefined || record.status === status) &&
    tags.every(tag => tagText.includes(tagNeedle(tag))) &&
    (enabled === undefined || record.enabled === enabled) &&
    (visibility === undefined || record.visibility === visibility) &&
    (changedSince === undefined || record.revision > changedSince) &&
    !except.includes(record.path)
  );
}

/** By code unit; never by the language of the machine. */
export function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
