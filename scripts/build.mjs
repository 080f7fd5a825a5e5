/**
 * Bundles src into dist with esbuild: the gateway (split, so that what a command does not need is not read) and the
 * server that ships with it; copies the page that shows the API. Run by scripts/run.mjs with the right Node; rewrites
 * dist as a whole.
 */
import { chmod, copyFile, mkdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = new URL('..', import.meta.url);
const dist = new URL('dist/', root);

await rm(dist, { recursive: true, force: true });
await build({
  absWorkingDir: fileURLToPath(root),
  entryPoints: {
    main: 'src/main.ts',
    'demo/currenttime': 'src/demo/currenttime.ts',
    'audit-index-worker': 'src/outbound/sqlite/audit-index-worker.ts',
    'latent-worker': 'src/outbound/search/latent-worker.ts',
  },
  // Brings native code along.
  external: ['better-sqlite3', 'sqlite-vec'],
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
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
