/** The layout that design documents describe and compilers do not check. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import {
  findConnectionBreaches,
  findCycles,
  findFloorBreaches,
  findGetters,
  findHomelessNames,
  findLengthBreaches,
  findLibraryBreaches,
  findMissingImports,
  findPhraseBreaches,
  findServiceOrderBreaches,
} from './rules.ts';
import { listFiles, ROOT, readSources, type Source, toSource } from './source.ts';

/** Files that are long for a reason: path below src, and the reason. */
const LONG_FOR_A_REASON: Readonly<Record<string, string>> = {};

const sources = readSources();

/** A tree in which one file breaks the rule. */
const planted = (path: string, text: string): Source[] => [...sources, toSource(path, text)];

describe('the walk', () => {
  it('found the source', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(sources.flatMap(({ imports }) => imports).length).toBeGreaterThan(200);
    for (const folder of ['domain', 'ports', 'services', 'config', 'inbound', 'outbound', 'cli']) {
      expect(sources.filter(({ path }) => path.startsWith(`${folder}/`)).length).toBeGreaterThan(0);
    }
  });

  it('understood every import: each of our own leads to a file', () => {
    expect(findMissingImports(sources)).toEqual([]);
    expect(findMissingImports(planted('domain/x.ts', "import './gone.ts';"))).toHaveLength(1);
  });

  test.each([
    { text: "import a from 'x';", library: 'x' },
    { text: "import { a,\n  b } from 'x/y';", library: 'x' },
    { text: "import type { A } from '@x/y/z';", library: '@x/y' },
    { text: "export * from 'x';", library: 'x' },
    { text: "import 'x';", library: 'x' },
    { text: "const a = await import('x');", library: 'x' },
    { text: "import * as a from 'node:fs/promises';", library: 'node:fs/promises' },
    { text: "// import a from 'x';", library: undefined },
    { text: "/* import a from 'x'; */", library: undefined },
  ])('reads $text as an import of $library', ({ text, library }) => {
    expect(toSource('a.ts', text).imports[0]?.library).toBe(library);
  });

  test.each([
    { text: "import a from 'x';", names: ['*'] },
    { text: "import a, { b } from 'x';", names: ['*', 'b'] },
    { text: "import * as a from 'x';", names: ['*'] },
    { text: "import { b, type C, d as e } from 'x';", names: ['b', 'd'] },
    { text: "import type { C } from 'x';", names: [] },
    { text: "export { b } from 'x';", names: ['b'] },
    { text: "const a = await import('x');", names: ['*'] },
    { text: "import 'x';", names: [] },
  ])('reads $text as taking $names', ({ text, names }) => {
    expect(toSource('a.ts', text).imports[0]?.names).toEqual(names);
  });

  it('tells code from comments, strings, templates and regular expressions', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: source text
    const text = "a('Date.now'); // Date.now\n/* Date.now */ b(`Date.now ${Date.then}`); c = /'/; d('x');";
    expect(toSource('a.ts', text).code).toBe("a(''); \n b(`Date.then`); c = / /; d('');");
  });
});

interface Rule {
  name: string;
  breaches: (sources: readonly Source[]) => string[];
  violations: readonly (readonly [path: string, text: string])[];
}

const RULES: readonly Rule[] = [
  {
    name: 'imports go down the floors only',
    breaches: findFloorBreaches,
    violations: [
      ['domain/x.ts', "import type { Clock } from '../ports/clock.ts';"],
      ['ports/x.ts', "import { a } from '../services/policy/a.ts';"],
      ['services/policy/x.ts', "import { a } from '../../outbound/clock.ts';"],
      ['services/policy/x.ts', "import type { Config } from '../../config/config.ts';"],
      ['config/x.ts', "import { a } from '../services/policy/a.ts';"],
      ['inbound/http/x.ts', "import { a } from '../../outbound/clock.ts';"],
      ['outbound/x.ts', "import { a } from '../inbound/http/server.ts';"],
      ['inbound/http/x.ts', "import { loadConfig } from '../../config/load.ts';"],
      ['cli/x.ts', "import { a } from '../outbound/clock.ts';"],
      ['demo/x.ts', "import { a } from '../domain/json.ts';"],
      ['elsewhere/x.ts', ''],
    ],
  },
  {
    name: 'services import only services below them',
    breaches: findServiceOrderBreaches,
    violations: [
      ['services/registry/x.ts', "import { a } from '../search/a.ts';"],
      ['services/identity/x.ts', "import type { A } from '../gateway/gateway.ts';"],
      ['services/newcomer/x.ts', ''],
    ],
  },
  {
    name: 'libraries stay where they were let in',
    breaches: findLibraryBreaches,
    violations: [
      ['inbound/http/x.ts', "import { McpServer } from '@modelcontextprotocol/server';"],
      ['services/gateway/x.ts', "import { Pool } from 'undici';"],
      ['inbound/http/x.ts', "import { Pool } from 'undici';"],
      ['outbound/webhooks/x.ts', "import { fetch } from 'undici';"],
      ['outbound/x.ts', "import { Hono } from 'hono';"],
      ['outbound/x.ts', "import pino from 'pino';"],
      ['outbound/x.ts', "const c = await import('chokidar');"],
      ['domain/x.ts', "import fs from 'node:fs';"],
      ['services/policy/x.ts', "import http from 'node:http';"],
      ['inbound/mcp/x.ts', "import { spawn } from 'node:child_process';"],
      ['outbound/x.ts', "import _ from 'lodash';"],
    ],
  },
  {
    name: 'connections are opened where addresses are guarded',
    breaches: findConnectionBreaches,
    violations: [
      ['services/registry/x.ts', "import { request } from 'node:http';"],
      ['inbound/http/x.ts', "import { createServer, get } from 'node:https';"],
      ['inbound/http/x.ts', "import net from 'node:net';"],
      ['inbound/http/x.ts', "import * as net from 'net';"],
      ['outbound/idp/x.ts', "import { type Socket, createConnection as open } from 'node:net';"],
      ['outbound/webhooks/x.ts', "import { connect } from 'node:tls';"],
      ['outbound/search/x.ts', "import { lookup } from 'node:dns/promises';"],
      ['app.ts', "const http = await import('node:http');"],
      ['cli/x.ts', "export { request } from 'node:https';"],
    ],
  },
  {
    name: 'the environment, the clock, the exit and the console have one owner each',
    breaches: findPhraseBreaches,
    violations: [
      ['cli/x.ts', 'const a = process.env.HOME;'],
      ['services/gateway/x.ts', 'const t = Date.now();'],
      ['outbound/x.ts', 'const t = performance.now();'],
      ['inbound/x.ts', 'const t = new Date();'],
      ['cli/x.ts', 'process.exit(1);'],
      ['app.ts', "console.log('hello');"],
      ['outbound/downstream/x.ts', 'await fetch(url);'],
      ['outbound/fetch/x.ts', 'const load = globalThis.fetch;'],
      ['services/registry/x.ts', 'const socket = new WebSocket(url);'],
      ['outbound/x.ts', "const net = process.getBuiltinModule('node:net');"],
    ],
  },
  {
    name: 'no import leads back to where it came from',
    breaches: findCycles,
    violations: [['domain/x.ts', "import { x } from './x.ts';"]],
  },
  {
    name: 'nothing exported is called getX',
    breaches: findGetters,
    violations: [
      ['domain/x.ts', 'export function getName() {}'],
      ['domain/x.ts', 'export const getName = () => 1;'],
    ],
  },
  {
    name: 'long files have a reason',
    breaches: files => findLengthBreaches(files, LONG_FOR_A_REASON),
    violations: [['domain/x.ts', '\n'.repeat(401)]],
  },
];

describe.each(RULES)('$name', ({ breaches, violations }) => {
  it('holds', () => {
    expect(breaches(sources)).toEqual([]);
  });

  it.each(violations.map(([path, text]) => ({ path, text: text.slice(0, 60) || '(empty)', whole: text })))(
    'would notice $text in $path',
    ({ path, whole }) => {
      const known = new Set(breaches(sources));
      expect(breaches(planted(path, whole)).filter(breach => !known.has(breach))).toHaveLength(1);
    },
  );
});

it('notices a circle through several files', () => {
  const circle = [
    toSource('domain/a.ts', "import { b } from './b.ts';"),
    toSource('domain/b.ts', "export { c } from './c.ts';"),
    toSource('domain/c.ts', "const a = await import('./a.ts');"),
  ];
  expect(findCycles(circle)).toEqual(['domain/a.ts -> domain/b.ts -> domain/c.ts -> domain/a.ts']);
});

describe('names', () => {
  const paths = ['src', 'tests', 'scripts'].flatMap(folder => listFiles(folder));

  it('tell where a line lives: no folder or file is called utils, helpers, common, core, shared or lib', () => {
    expect(paths.length).toBeGreaterThan(50);
    expect(findHomelessNames(paths)).toEqual([]);
    expect(findHomelessNames(['src/utils/a.ts', 'src/domain/helpers.ts', 'src/domain/core.test.ts'])).toHaveLength(3);
    expect(findHomelessNames(['src/domain/library.ts', 'src/domain/shared-links.ts'])).toEqual([]);
  });

  it('are written in kebab-case', () => {
    const ours = paths.filter(path => /\.(?:ts|mjs)$/.test(path));
    const segments = ours.flatMap(path => path.split('/').map(segment => segment.replace(/\..*$/, '')));
    expect(segments.filter(segment => !/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(segment))).toEqual([]);
  });
});

describe('the repository', () => {
  const documents = ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'LICENSE', 'Dockerfile', 'package.json'];

  it.each(documents)('has a %s', name => expect(existsSync(join(ROOT, name))).toBe(true));

  it('has a lockfile with which npm ci works on every system (scripts/complete-lockfile.mjs mends it)', () => {
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { version?: string; optionalDependencies?: Record<string, string> }>;
    };
    const wanted = Object.entries(packages).flatMap(([parent, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).map(name => ({ nested: `${parent}/node_modules/${name}`, name })),
    );
    expect(wanted.length).toBeGreaterThan(20);
    const missing = wanted.filter(({ nested, name }) => !packages[nested] && !packages[`node_modules/${name}`]);
    expect(missing.map(({ name }) => name)).toEqual([]);
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
    expect(packages['']?.version).toBe(version);
  });

  it('holds no path of the machine it was written on', () => {
    const files = [
      ...['src', 'tests', 'scripts', 'config'].flatMap(folder => listFiles(folder)),
      ...readdirSync(ROOT, { withFileTypes: true })
        // In a worktree `.git` is a file, and says where the repository is.
        .filter(entry => entry.isFile() && !entry.name.endsWith('.log') && entry.name !== '.git')
        .map(({ name }) => name),
    ];
    expect(files.length).toBeGreaterThan(50);
    expect(files.filter(path => MACHINE.test(readFileSync(join(ROOT, path), 'latin1')))).toEqual([]);
    expect(MACHINE.test(`see /${'wo' + 'rk'}/x`) && MACHINE.test(`/${'ro' + 'ot'}/.npm`)).toBe(true);
    expect(MACHINE.test('a framework/x, a /rooted/y')).toBe(false);
  });
});

/** Folders of whoever wrote a file; put together here so that this file is not its own first finding. */
const MACHINE = new RegExp(
  `(?<![\\w.:-])/(?:${['wo', 'rk'].join('')}|${['ro', 'ot'].join('')}|${['fa', 'rm'].join('')})/`,
);

it('is installed without a compiler: what brings its binaries along says so in the lockfile too', () => {
  const { packages } = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8'));
  expect(packages['node_modules/better-sqlite3']).toMatchObject({ gypfile: false });
});
