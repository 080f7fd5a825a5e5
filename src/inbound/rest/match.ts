/**
 * Request paths against the table of routes. A path is split first and decoded after, so an encoded slash stays inside
 * its segment; `{name+}` takes several segments, and what is fixed wins over what is not: a route that ends in `/rate`
 * comes before one that takes the whole rest. Refused here: what no name of ours can hold (`..`, NUL, backslash).
 */
import type { Method, RestRoute } from './route.ts';

export type Match =
  | { kind: 'found'; route: RestRoute; params: Record<string, string> }
  /** The path is ours under other methods. */
  | { kind: 'method'; allow: readonly (Method | 'HEAD')[] }
  | { kind: 'malformed' };

interface Compiled {
  segments: readonly Segment[];
  /** Fewest segments it can match. */
  least: number;
  byMethod: Map<Method, RestRoute>;
}

type Segment = { kind: 'fixed'; text: string } | { kind: 'one' | 'many'; name: string };

export type FindRoute = (method: string, path: string) => Match | null;

/** Throws for two routes that answer to the same method and path. */
export function compileRoutes(table: readonly RestRoute[]): FindRoute {
  const byShape = new Map<string, Compiled>();
  for (const route of table) {
    const segments = route.path.slice(1).split('/').map(toSegment);
    const shape = segments.map(segment => (segment.kind === 'fixed' ? segment.text : `{${segment.kind}}`)).join('/');
    const compiled = byShape.get(shape) ?? { segments, least: segments.length, byMethod: new Map() };
    if (compiled.byMethod.has(route.method)) throw new Error(`two routes answer to ${route.method} ${route.path}`);
    // Names of parameters are the first route's: the same place under another name would lose its value.
    if (namesOf(compiled.segments) !== namesOf(segments)) throw new Error(`${route.path} names its places anew`);
    compiled.byMethod.set(route.method, route);
    byShape.set(shape, compiled);
  }
  const ordered = [...byShape.values()].sort((a, b) => comparePrecedence(a.segments, b.segments));

  return (method, path) => {
    const given = path.slice(1).split('/');
    const allow = new Set<Method | 'HEAD'>();
    let isMalformed = false;
    for (const { segments, least, byMethod } of ordered) {
      if (given.length < least) continue;
      const raw = matchSegments(segments, given);
      if (raw === null) continue;
      const route = byMethod.get((method === 'HEAD' ? 'GET' : method) as Method);
      if (route === undefined) {
        for (const known of byMethod.keys()) allow.add(known);
        if (byMethod.has('GET')) allow.add('HEAD');
        continue;
      }
      const params = decodeAll(raw);
      if (params !== null) return { kind: 'found', route, params };
      isMalformed = true;
    }
    if (isMalformed) return { kind: 'malformed' };
    return allow.size === 0 ? null : { kind: 'method', allow: [...allow].sort() };
  };
}

function toSegment(text: string): Segment {
  const [, name, plus] = /^\{([A-Za-z_]\w*)(\+?)\}$/.exec(text) ?? [];
  if (name === undefined) return { kind: 'fixed', text };
  return { kind: plus === '+' ? 'many' : 'one', name };
}

function namesOf(segments: readonly Segment[]): string {
  return segments.map(segment => (segment.kind === 'fixed' ? '' : segment.name)).join('/');
}

const WEIGHT = { fixed: 0, one: 1, many: 2 } as const;

/** Segment by segment the more fixed first; where one takes many, the longer tail behind it first. */
function comparePrecedence(a: readonly Segment[], b: readonly Segment[]): number {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    const difference = WEIGHT[a[i]?.kind ?? 'many'] - WEIGHT[b[i]?.kind ?? 'many'];
    if (difference !== 0) return difference;
  }
  return b.length - a.length;
}

/** At most one segment of a route takes many, so its length follows from the rest. */
function matchSegments(segments: readonly Segment[], given: readonly string[]): [string, string[]][] | null {
  const extra = given.length - segments.length;
  const values: [string, string[]][] = [];
  let at = 0;
  for (const segment of segments) {
    if (segment.kind === 'fixed') {
      if (given[at] !== segment.text) return null;
      at += 1;
      continue;
    }
    const taken = given.slice(at, at + (segment.kind === 'many' ? extra + 1 : 1));
    if (taken.some(text => text === '')) return null;
    values.push([segment.name, taken]);
    at += taken.length;
  }
  return at === given.length ? values : null;
}

const FORBIDDEN = /[\0\r\n\\]/;

function decodeAll(raw: readonly [string, string[]][]): Record<string, string> | null {
  const params: Record<string, string> = Object.create(null);
  for (const [name, parts] of raw) {
    const decoded: string[] = [];
    for (const part of parts) {
      const text = decode(part);
      if (text === null || FORBIDDEN.test(text) || text.split('/').some(step => step === '.' || step === '..'))
        return null;
      decoded.push(text);
    }
    params[name] = decoded.join('/');
  }
  return params;
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
