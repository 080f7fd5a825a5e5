/**
 * Bundles src into dist with esbuild: the gateway (split, so that what a command does not need is not read) and the
 * server that ships with it; copies the page that shows the API. Run by scripts/run.mjs with the right Node; rewrites
 * dist as a whole.
 */
import { chmod, copyFile, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = new URL('..', import.meta.url);
const dist = new URL('dist/', root);

/** Has a letter outside ASCII in its code: as an entry that nobody starts it gets a file of its own. */
const APART = '@marcbachmann/cel-js';
/** What a file may weigh that V8 keeps at two bytes a letter, because not all of them are ASCII. */
const MAX_WIDE_BYTES = 200_000;

await rm(dist, { recursive: true, force: true });
await build({
  absWorkingDir: fileURLToPath(root),
  entryPoints: {
    main: 'src/main.ts',
    'demo/currenttime': 'src/demo/currenttime.ts',
    'audit-index-worker': 'src/outbound/sqlite/audit-index-worker.ts',
    'latent-worker': 'src/outbound/search/latent-worker.ts',
    'parts/cel': APART,
  },
  // Brings native code along.
  external: ['better-sqlite3', 'sqlite-vec'],
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  // Comments go with it, and with them most letters outside ASCII.
  minifyWhitespace: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node22',
  sourcemap: 'linked',
  legalComments: 'linked',
  logLevel: 'warning',
  // CommonJS packages inside an ES module bundle look for a require of their own.
  banner: {
    js: "import { createRequire as bundleRequire } from 'node:module';\nconst require = bundleRequire(import.meta.url);",
  },
});
await copyFile(new URL('src/outbound/search/word-vectors.bin', root), new URL('word-vectors.bin', dist));
for (const name of await readdir(dist, { recursive: true })) {
  if (!name.endsWith('.js')) continue;
  const code = await readFile(new URL(name, dist));
  if (code.length > MAX_WIDE_BYTES && code.some(byte => byte > 0x7f))
    throw new Error(`dist/${name} is large and not all ASCII: V8 would keep it in memory at twice its size`);
}
await chmod(new URL('main.js', dist), 0o755);

// The page that shows the API, as it comes; its licences go along.
const page = new URL('node_modules/swagger-ui-dist/', root);
const docs = new URL('docs/', dist);
await mkdir(docs);
for (const name of [
  'swagger-ui.css',
  'swagger-ui-bundle.js',
  'swagger-ui-bundle.js.LICENSE.txt',
  'LICENSE',
  'NOTICE',
]) {
  await copyFile(new URL(name, page), new URL(name, docs));
}
