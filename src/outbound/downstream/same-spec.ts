/** What differs between two sets of servers, secrets compared by what they hold. */
import { Secret } from '../../domain/secret.ts';
import type { ServerKey, ServerSpec } from '../../domain/server.ts';
import type { ServerDiff } from '../../ports/downstreams.ts';

export function diffSpecs(before: Iterable<ServerSpec>, after: readonly ServerSpec[]): ServerDiff {
  const diff: ServerDiff = { added: [], removed: [], updated: [], unchanged: [] };
  const gone = new Map<ServerKey, ServerSpec>();
  for (const spec of before) gone.set(spec.key, spec);
  for (const spec of after) {
    const known = gone.get(spec.key);
    diff[known === undefined ? 'added' : isSame(known, spec) ? 'unchanged' : 'updated'].push(spec.key);
    gone.delete(spec.key);
  }
  diff.removed.push(...gone.keys());
  return diff;
}

/** Servers that something else may be behind from now on, whatever was known of them. */
export function findReplaced(before: Iterable<ServerSpec>, after: readonly ServerSpec[]): ReadonlySet<ServerKey> {
  const known = new Map(Array.from(before, spec => [spec.key, spec]));
  const isOther = (spec: ServerSpec) => {
    const was = known.get(spec.key);
    return was !== undefined && (!isSame(was.link, spec.link) || (!was.enabled && spec.enabled));
  };
  return new Set(after.filter(isOther).map(({ key }) => key));
}

function isSame(one: unknown, other: unknown): boolean {
  if (Object.is(one, other)) return true;
  if (one instanceof Secret || other instanceof Secret) {
    return one instanceof Secret && other instanceof Secret && one.reveal() === other.reveal();
  }
  if (one instanceof Map || other instanceof Map) {
    if (!(one instanceof Map && other instanceof Map) || one.size !== other.size) return false;
    return [...one].every(([key, value]) => other.has(key) && isSame(value, other.get(key)));
  }
  if (Array.isArray(one) || Array.isArray(other)) {
    if (!(Array.isArray(one) && Array.isArray(other)) || one.length !== other.length) return false;
    return one.every((value, at) => isSame(value, other[at]));
  }
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false;
  const entries = Object.entries(one);
  const others = new Map(Object.entries(other));
  return (
    entries.length === others.size && entries.every(([key, value]) => others.has(key) && isSame(value, others.get(key)))
  );
}
