/**
 * Adds to package-lock.json the platform packages that npm left out because its registry did not offer them for other
 * systems. Without them `npm ci` stops on every machine, and other systems would miss their binaries. Entries made here
 * carry no integrity: regenerate the lockfile against the public registry before a release.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const file = new URL('../package-lock.json', import.meta.url);
const lock = JSON.parse(readFileSync(file, 'utf8'));
const { packages } = lock;

const SYSTEMS = 'aix|android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|win32';
const PLATFORM = new RegExp(`(?:^|[-/])(${SYSTEMS})-([a-z0-9]+?)(?:-(gnu|musl|msvc|gnueabihf|eabi))?$`);

// npm forgets that a package brings its binaries along, and would then compile it wherever it is installed.
let isMended = false;
for (const [key, entry] of Object.entries(packages)) {
  const manifest = new URL(`../${key}/package.json`, import.meta.url);
  if (key === '' || !existsSync(manifest)) continue;
  if (JSON.parse(readFileSync(manifest, 'utf8')).gypfile !== false || entry.gypfile === false) continue;
  entry.gypfile = false;
  isMended = true;
}

const added = [];
for (const parent of Object.values(packages)) {
  for (const [name, version] of Object.entries(parent.optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (packages[key] !== undefined) continue;
    const [, os, cpu, libc] = PLATFORM.exec(name) ?? [];
    if (os === undefined) continue;
    packages[key] = {
      version,
      cpu: [cpu],
      ...(parent.dev ? { dev: true } : {}),
      ...(libc === 'musl' ? { libc: ['musl'] } : libc === 'gnu' ? { libc: ['glibc'] } : {}),
      optional: true,
      os: [os],
    };
    added.push(name);
  }
}

lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
if (added.length > 0 || isMended) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(added.length === 0 ? 'Nothing was missing.' : `Added ${added.length}: ${added.join(', ')}`);
