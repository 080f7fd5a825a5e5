/**
 * The names of many servers' tools, kept so that those like a given one are found without looking at all of them: names
 * meet by key. What fills a key beyond measure is not added to it, so a server that lists a thousand likenesses of one
 * name cannot make the search slow; whoever came first is found all the same.
 */
import { findLikeness, formsOf, type Likeness, type NameForms, typoKeys } from './look-alike.ts';
import type { ServerKey } from './server.ts';

export interface Neighbour {
  tool: string;
  /** Who has it; never empty. */
  servers: readonly ServerKey[];
  likeness: Likeness;
}

export interface NameNeighbours {
  add(server: ServerKey, tool: string): void;
  remove(server: ServerKey, tool: string): void;
  holders(tool: string): Iterable<ServerKey>;
  /**
   * Other names of other servers. Who has both names imitates nobody, unless they look equal: then one of them is there to
   * be taken for the other. Shape: gravest first.
   */
  find(server: ServerKey, tool: string): Neighbour[];
}

interface Name {
  tool: string;
  forms: NameForms;
  keys: readonly number[];
  servers: Set<ServerKey>;
}

const MAX_AT_KEY = 64;
/** A map of a million keys takes a tenth of a second to grow; so many of them grow one at a time. */
const SHELVES = 64;
const ORDER: readonly Likeness[] = ['confusable', 'version', 'typo'];

export function createNameNeighbours(): NameNeighbours {
  const names = new Map<string, Name>();
  const shelves = Array.from({ length: SHELVES }, () => new Map<number, Name[]>());
  const shelfOf = (key: number) => shelves[key % SHELVES] as Map<number, Name[]>;

  return {
    add(server, tool) {
      const known = names.get(tool);
      if (known !== undefined) {
        known.servers.add(server);
        return;
      }
      const forms = formsOf(tool);
      const name: Name = { tool, forms, keys: keysOf(forms), servers: new Set([server]) };
      names.set(tool, name);
      for (const key of name.keys) {
        const there = shelfOf(key).get(key);
        if (there === undefined) shelfOf(key).set(key, [name]);
        else if (there.length < MAX_AT_KEY) there.push(name);
      }
    },
    remove(server, tool) {
      const name = names.get(tool);
      if (name === undefined) return;
      name.servers.delete(server);
      if (name.servers.size > 0) return;
      names.delete(tool);
      for (const key of name.keys) {
        const left =
          shelfOf(key)
            .get(key)
            ?.filter(there => there !== name) ?? [];
        if (left.length > 0) shelfOf(key).set(key, left);
        else shelfOf(key).delete(key);
      }
    },
    holders: tool => names.get(tool)?.servers ?? [],
    find(server, tool) {
      const known = names.get(tool);
      const forms = known?.forms ?? formsOf(tool);
      const found = new Map<Name, Neighbour>();
      for (const key of known?.keys ?? keysOf(forms)) {
        for (const name of shelfOf(key).get(key) ?? []) {
          if (name === known || found.has(name)) continue;
          const likeness = findLikeness(forms, name.forms);
          const isSeen = likeness !== 'confusable';
          if (isSeen && name.servers.has(server)) continue;
          const holders = [...name.servers].filter(
            there => there !== server && !(isSeen && known?.servers.has(there) === true),
          );
          if (likeness === null || holders.length === 0) continue;
          found.set(name, { tool: name.tool, servers: holders, likeness });
        }
      }
      return [...found.values()].sort((a, b) => ORDER.indexOf(a.likeness) - ORDER.indexOf(b.likeness));
    },
  };
}

/** Numbers in place of texts, a tenth of the room: two names that meet by chance are told apart when they are compared. */
function keysOf(forms: NameForms): number[] {
  const keys = new Set([hash(`look ${forms.skeleton}`), hash(`name ${forms.plain}`)]);
  if (forms.unversioned !== null) keys.add(hash(`name ${forms.unversioned}`));
  for (const key of typoKeys(forms)) keys.add(hash(`typo ${key}`));
  return [...keys];
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}
