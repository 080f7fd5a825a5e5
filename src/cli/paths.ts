/**
 * `gatehouse --print-config-paths`: which files are read, where else we looked, and why these; then every other file that
 * a gateway with this configuration would read or write. Makes none of them.
 */
import type { Overrides } from '../config/load.ts';
import {
  type Located,
  locateConfig,
  locateProviders,
  locateRules,
  locateScopes,
  locateServers,
  locateVault,
} from '../config/locate.ts';
import { listUsedFiles, type UsedFile, vaultFiles } from '../config/used-files.ts';
import type { Host } from './host.ts';
import { loadWhole } from './load.ts';
import { reportProblems } from './report.ts';

export async function printPaths(host: Host, overrides: Overrides): Promise<number> {
  const places = { ...host, ...overrides };
  printSearch(host, 'configuration', locateConfig(places));
  printSearch(host, 'servers file', locateServers(places));
  printSearch(host, 'rules', locateRules(host));
  printSearch(host, 'scopes', locateScopes(host));
  printSearch(host, 'OAuth providers', locateProviders(host));

  const loaded = await loadWhole(host, overrides);
  for (const file of loaded.ok ? listUsedFiles(loaded.config) : vaultFiles(locateVault(host))) printFile(host, file);
  if (!loaded.ok) {
    host.stderr.line('Where the rest is cannot be said:');
    reportProblems(host.stderr, loaded.problems);
  }
  // What was asked is answered; whether the files are right is another question.
  return 0;
}

function printSearch({ stdout }: Host, what: string, { chosen, places }: Located): void {
  stdout.line(`${what}: ${chosen ?? 'none'}`);
  for (const place of places) {
    const mark = place.path === chosen ? '>' : ' ';
    stdout.line(`  ${mark} ${place.path}  (${place.because}${place.exists ? '' : ', does not exist'})`);
  }
}

function printFile({ stdout }: Host, { name, path, because, exists }: UsedFile): void {
  if (path === null) stdout.line(`${name}: none  (${because})`);
  else stdout.line(`${name}: ${path}  (${exists ? 'exists' : 'does not exist yet'})`);
}
