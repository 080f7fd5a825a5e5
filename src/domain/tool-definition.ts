/**
 * What a tool says of itself, as one text that is the same for the same definition, and what changed between two of them.
 * Covers the whole object, fields nobody knows included; raw code points, nothing normalised: a look-alike is a change.
 * Refused here: any idea of which change is harmless beyond what an operator reads anyway.
 */
import { createHash } from 'node:crypto';
import { isJsonObject, type Json, type JsonObject } from './json.ts';

/** `block`: not to be called, whatever it says. `quarantine`: text for people and models, to be read before it is served. */
export type DriftEffect = 'block' | 'quarantine';

export interface FieldChange {
  /** JSON Pointer (RFC 6901) to the smallest part that differs. */
  pointer: string;
  kind: 'added' | 'removed' | 'changed';
  effect: DriftEffect;
}

/** Beyond these a tool has become another one, and more of them tell an operator nothing. */
export const MAX_CHANGES = 100;
/** Deeper parts are compared whole. */
const MAX_DEPTH = 32;

const SCHEMAS: ReadonlySet<string> = new Set(['inputSchema', 'outputSchema']);
/** Below these JSON Schema holds values, in which `required` is a word like any other. */
const VALUES: ReadonlySet<string> = new Set(['default', 'const', 'enum', 'examples']);

/** Where in a definition a part stands: only in a schema is the order of `required` without meaning. */
type Place = 'outside' | 'schema' | 'value';

function placeBelow(place: Place, key: string, depth: number): Place {
  if (depth === 0) return SCHEMAS.has(key) ? 'schema' : 'outside';
  return place === 'schema' && VALUES.has(key) ? 'value' : place;
}

type Task = string | { value: Json; place: Place; depth: number; isRequired: boolean };

/**
 * The definition with the members of its objects in the order of their code units and the lists called `required` of its
 * schemas sorted; every other list as it is. No nesting is too deep for it.
 */
export function canonicalDefinition(definition: JsonObject): string {
  return write({ value: definition, place: 'outside', depth: 0, isRequired: false });
}

/** SHA-256, hexadecimal. */
export function hashDefinition(definition: JsonObject): string {
  return createHash('sha256').update(canonicalDefinition(definition)).digest('hex');
}

function write(first: Task): string {
  const parts: string[] = [];
  const todo: Task[] = [first];
  for (let task = todo.pop(); task !== undefined; task = todo.pop()) {
    if (typeof task === 'string') parts.push(task);
    else pushParts(task, parts, todo);
  }
  return parts.join('');
}

/** What is to be written first lies on top. */
function pushParts({ value, place, depth, isRequired }: Exclude<Task, string>, parts: string[], todo: Task[]): void {
  if (typeof value !== 'object' || value === null) {
    parts.push(JSON.stringify(value));
    return;
  }
  if (Array.isArray(value)) {
    const items = isRequired && value.every(item => typeof item === 'string') ? value.toSorted() : value;
    parts.push('[');
    todo.push(']');
    for (let at = items.length - 1; at >= 0; at--) {
      todo.push({ value: items[at] as Json, place, depth: depth + 1, isRequired: false });
      if (at > 0) todo.push(',');
    }
    return;
  }
  const keys = Object.keys(value).sort();
  parts.push('{');
  todo.push('}');
  for (let at = keys.length - 1; at >= 0; at--) {
    const key = keys[at] as string;
    const below = placeBelow(place, key, depth);
    const isRequiredList = place === 'schema' && key === 'required';
    todo.push({ value: value[key] as Json, place: below, depth: depth + 1, isRequired: isRequiredList });
    todo.push(`${at > 0 ? ',' : ''}${JSON.stringify(key)}:`);
  }
}

/** Shape: in the order of their pointers; empty exactly where the hashes are equal. Cut at MAX_CHANGES. */
export function diffDefinitions(approved: JsonObject, offered: JsonObject): FieldChange[] {
  const changes: FieldChange[] = [];
  diff(approved, offered, { pointer: '', field: '', place: 'outside', depth: 0, isRequired: false }, changes);
  return changes;
}

interface Spot {
  pointer: string;
  /** Of the definition itself; empty at the top. */
  field: string;
  place: Place;
  depth: number;
  isRequired: boolean;
}

function diff(before: Json | undefined, after: Json | undefined, spot: Spot, changes: FieldChange[]): void {
  if (changes.length >= MAX_CHANGES) return;
  const { pointer, field, place, depth } = spot;
  if (before !== undefined && after !== undefined) {
    if (write({ value: before, ...spot }) === write({ value: after, ...spot })) return;
    if (isJsonObject(before) && isJsonObject(after) && depth < MAX_DEPTH) {
      for (const key of [...new Set([...Object.keys(before), ...Object.keys(after)])].sort()) {
        const below: Spot = {
          pointer: `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`,
          field: depth === 0 ? key : field,
          place: placeBelow(place, key, depth),
          depth: depth + 1,
          isRequired: place === 'schema' && key === 'required',
        };
        diff(memberOf(before, key), memberOf(after, key), below, changes);
      }
      return;
    }
  }
  const kind = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed';
  changes.push({ pointer, kind, effect: effectOf(field, before, after) });
}

/** Own members only: `toString` is no field of an empty object. */
function memberOf(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/**
 * Only the tool's own description is for reading alone; a description inside a schema steers arguments, and a field that
 * nobody knows may steer anything.
 */
function effectOf(field: string, before: Json | undefined, after: Json | undefined): DriftEffect {
  if (field !== 'description' || (after !== undefined && typeof after !== 'string')) return 'block';
  return looksEqual(before, after) ? 'block' : 'quarantine';
}

/** What no reader sees and no letter is: controls, format characters, fillers, variation selectors, blanks of every width. */
const UNSEEN = /[\p{C}\p{Z}\p{DI}\s]+/gu;

/** A change that a reader could not see is not one that a reader can approve. */
function looksEqual(before: Json | undefined, after: Json | undefined): boolean {
  if (typeof before !== 'string' || typeof after !== 'string') return false;
  const seen = (text: string) => text.normalize('NFKC').replaceAll(UNSEEN, '');
  return seen(before) === seen(after);
}

/** The gravest of them; null: nothing changed. */
export function effectOfChanges(changes: readonly FieldChange[]): DriftEffect | null {
  if (changes.length === 0) return null;
  return changes.some(({ effect }) => effect === 'block') ? 'block' : 'quarantine';
}
