/**
 * The rules of the house as functions from sources to breaches, so that every rule can be shown a planted violation.
 * A breach is one sentence that names the file and the rule.
 */
import type { Import, Source } from './source.ts';

/** Use cases from the bottom up: each may import those before it. */
export const SERVICES = [
  'identity',
  'credentials',
  'registry',
  'scan',
  'search',
  'policy',
  'limits',
  'catalog',
  'federation',
  'gateway',
] as const;

interface Floor {
  name: string;
  contains: (path: string) => boolean;
  may: (imported: string, by: Import) => boolean;
}

const inside =
  (...folders: string[]) =>
  (path: string) =>
    folders.some(folder => path.startsWith(`${folder}/`));

/** Each part gets its slice of the configuration: the type of it may be named anywhere on its floor. */
const isSlice = (path: string, by: Import) => by.typeOnly && path === 'config/config.ts';

const FLOORS: readonly Floor[] = [
  { name: 'domain', contains: inside('domain'), may: inside('domain') },
  { name: 'ports', contains: inside('ports'), may: inside('domain', 'ports') },
  { name: 'services', contains: inside('services'), may: inside('domain', 'ports', 'services') },
  { name: 'config', contains: inside('config'), may: inside('domain', 'config') },
  {
    name: 'inbound',
    contains: inside('inbound'),
    may: (path, by) => inside('domain', 'ports', 'services', 'inbound')(path) || isSlice(path, by),
  },
  {
    name: 'outbound',
    contains: inside('outbound'),
    may: (path, by) => inside('domain', 'ports', 'services', 'outbound')(path) || isSlice(path, by),
  },
  {
    name: 'the composition root',
    contains: path => path === 'app.ts' || path.startsWith('app/'),
    may: inside('domain', 'ports', 'services', 'config', 'inbound', 'outbound', 'app'),
  },
  {
    name: 'cli',
    contains: inside('cli'),
    // The manifest holds the version, once.
    may: path => inside('domain', 'config', 'cli', 'app')(path) || path === 'app.ts' || path === '../package.json',
  },
  { name: 'the entry', contains: path => path === 'main.ts', may: inside('cli') },
  { name: 'the demo servers', contains: inside('demo'), may: inside('demo') },
];

export function findFloorBreaches(sources: readonly Source[]): string[] {
  return sources.flatMap(source => {
    const floor = FLOORS.find(({ contains }) => contains(source.path));
    if (floor === undefined) return [`${source.path} stands on no floor`];
    return source.imports
      .filter(by => by.file !== null && !floor.may(by.file, by))
      .map(by => `${source.path} (${floor.name}) may not import ${by.file}`);
  });
}

export function findServiceOrderBreaches(sources: readonly Source[]): string[] {
  const rank = (path: string) => SERVICES.findIndex(name => path.startsWith(`services/${name}/`));
  return sources
    .filter(({ path }) => path.startsWith('services/'))
    .flatMap(({ path, imports }) => {
      if (rank(path) === -1) return [`${path} belongs to no service the design names`];
      return imports
        .filter(({ file }) => file?.startsWith('services/') && (rank(file) === -1 || rank(file) > rank(path)))
        .map(({ file }) => `${path} imports ${file}, a service above it`);
    });
}

/** Who may import a library; what is not listed here has not been told where it lives. */
const LIBRARIES: Readonly<Record<string, readonly string[]>> = {
  '@modelcontextprotocol/server': ['demo/', 'inbound/mcp/', 'outbound/downstream/'],
  '@modelcontextprotocol/client': ['inbound/mcp/', 'outbound/downstream/'],
  '@modelcontextprotocol/core': ['inbound/mcp/', 'outbound/downstream/'],
  undici: ['outbound/fetch/', 'outbound/downstream/', 'outbound/idp/'],
  hono: ['inbound/'],
  '@hono/node-server': ['inbound/'],
  pino: ['outbound/telemetry/'],
  'pino-pretty': ['outbound/telemetry/'],
  chokidar: ['outbound/files/'],
  jose: ['outbound/idp/'],
  'better-sqlite3': ['outbound/sqlite/'],
  'sqlite-vec': ['outbound/sqlite/'],
  ws: ['inbound/events/'],
  '@marcbachmann/cel-js': ['outbound/policy/'],
  commander: ['cli/'],
  yaml: ['config/'],
  zod: ['domain/', 'ports/', 'services/', 'config/', 'inbound/', 'outbound/', 'demo/'],
  'node:child_process': ['outbound/'],
  'node:fs': ['config/', 'cli/', 'outbound/'],
  'node:fs/promises': ['config/', 'cli/', 'outbound/'],
};

/** Below the top floor only what needs no machine. */
const PURE: Readonly<Record<string, readonly string[]>> = {
  'domain/': ['zod', 'node:crypto'],
  'ports/': ['zod'],
  'services/': ['zod', 'node:crypto'],
};

export function findLibraryBreaches(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, imports }) =>
    imports.flatMap(({ library }) => {
      if (library === null) return [];
      const pure = Object.entries(PURE).find(([folder]) => path.startsWith(folder));
      if (pure !== undefined && !pure[1].includes(library)) return [`${path} may not import ${library}: no I/O here`];
      const homes = LIBRARIES[library];
      if (homes === undefined)
        return library.startsWith('node:') ? [] : [`${path} imports ${library}, which has no home`];
      return homes.some(home => path.startsWith(home))
        ? []
        : [`${path} may not import ${library}: ${homes.join(', ')} only`];
    }),
  );
}

/**
 * What opens a connection to somewhere, and what tells where a name leads. A URL that somebody else wrote is fetched through
 * outbound/fetch; servers have a client of their own, which asks its guard. To listen is another matter.
 */
const CONNECTING: Readonly<Record<string, readonly string[] | 'all'>> = {
  'node:net': ['*', 'default', 'connect', 'createConnection', 'Socket', 'Stream'],
  'node:tls': ['*', 'default', 'connect', 'TLSSocket'],
  'node:http': ['*', 'default', 'request', 'get', 'Agent', 'ClientRequest', 'globalAgent'],
  'node:https': ['*', 'default', 'request', 'get', 'Agent', 'globalAgent'],
  'node:http2': 'all',
  'node:dgram': 'all',
  'node:dns': 'all',
  'node:dns/promises': 'all',
};
const CONNECTING_HOMES = ['outbound/fetch/', 'outbound/downstream/'];

export function findConnectionBreaches(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, imports }) => {
    if (CONNECTING_HOMES.some(home => path.startsWith(home))) return [];
    return imports
      .filter(({ typeOnly }) => !typeOnly)
      .flatMap(({ library, names }) => {
        // Without its prefix it is the same module.
        const connecting = library === null ? undefined : CONNECTING[`node:${library.replace(/^node:/, '')}`];
        if (connecting === undefined || (connecting !== 'all' && !names.some(name => connecting.includes(name))))
          return [];
        return [`${path} may not open connections with ${library}: ${CONNECTING_HOMES.join(', ')} only`];
      });
  });
}

interface Phrase {
  what: string;
  pattern: RegExp;
  homes: readonly string[];
}

/** The demo servers are programs of their own. */
const PHRASES: readonly Phrase[] = [
  { what: 'the environment', pattern: /\bprocess\.env\b/, homes: ['config/load.ts', 'main.ts'] },
  {
    what: 'the clock',
    pattern: /\bDate\.now\b|\bperformance\.now\b|\bnew Date\(\s*\)|\bprocess\.hrtime\b/,
    homes: ['outbound/clock.ts', 'demo/'],
  },
  { what: 'the end of the process', pattern: /\bprocess\.(?:exit\b(?!Code)|abort|reallyExit)/, homes: ['main.ts'] },
  { what: 'console', pattern: /\bconsole\.\w/, homes: [] },
  // Handed on by its name it would be the same fetch; a method or a dependency of that name is another.
  { what: 'the global fetch', pattern: /(?<![.\w])fetch\(|\bglobalThis\.fetch\b|\bglobal\.fetch\b/, homes: [] },
  {
    what: 'the global WebSocket or EventSource',
    pattern: /\bnew\s+(?:WebSocket|EventSource|XMLHttpRequest)\b/,
    homes: [],
  },
  { what: 'modules past their import', pattern: /\bprocess\.(?:binding|getBuiltinModule)\b/, homes: [] },
];

export function findPhraseBreaches(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, code }) =>
    PHRASES.filter(({ pattern, homes }) => pattern.test(code) && !homes.some(home => path.startsWith(home))).map(
      ({ what, homes }) => `${path} may not use ${what}${homes.length > 0 ? `: ${homes.join(', ')} only` : ''}`,
    ),
  );
}

export function findGetters(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, code }) =>
    [...code.matchAll(/\bexport\s+(?:async\s+)?(?:function\*?|const|let)\s+(get[A-Z]\w*)/g)].map(
      match => `${path} exports ${match[1]}: say find (may be null), require (throws) or the thing itself`,
    ),
  );
}

/** Each circle once, as `a -> b -> a`. Type-only imports are left out: they are gone when the code runs. */
export function findCycles(sources: readonly Source[]): string[] {
  const edges = new Map(
    sources.map(({ path, imports }) => [
      path,
      imports.filter(({ typeOnly }) => !typeOnly).flatMap(({ file }) => (file === null ? [] : [file])),
    ]),
  );
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]) => {
    const at = trail.indexOf(path);
    if (at !== -1) cycles.push([...trail.slice(at), path].join(' -> '));
    if (at !== -1 || done.has(path)) return;
    for (const next of edges.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of edges.keys()) visit(path, []);
  return cycles;
}

export function findMissingImports(sources: readonly Source[]): string[] {
  const known = new Set(sources.map(({ path }) => path));
  return sources.flatMap(({ path, imports }) =>
    imports
      .filter(({ file }) => file?.endsWith('.ts') && !known.has(file))
      .map(({ written }) => `${path} imports ${written}, which does not exist`),
  );
}

const HOMELESS = /^(?:utils?|helpers?|common|core|shared|libs?|misc)$/i;

/** A line in such a place has not yet been told where it lives. */
export function findHomelessNames(paths: readonly string[]): string[] {
  return paths.filter(path => path.split('/').some(segment => HOMELESS.test(segment.replace(/\..*$/, ''))));
}

export const LONG = 400;

/** Lines beyond which a file should have a reason, and the reasons that were not needed. */
export function findLengthBreaches(sources: readonly Source[], reasons: Readonly<Record<string, string>>): string[] {
  const long = sources.filter(({ text }) => text.split('\n').length - 1 > LONG);
  const unexplained = long
    .filter(({ path }) => (reasons[path] ?? '') === '')
    .map(({ path }) => `${path} is longer than ${LONG} lines: is there a second idea in it?`);
  const stale = Object.keys(reasons)
    .filter(path => !long.some(source => source.path === path))
    .map(path => `${path} is not longer than ${LONG} lines: take it off the list`);
  return [...unexplained, ...stale];
}
