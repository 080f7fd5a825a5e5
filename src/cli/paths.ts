/** `gatehouse --print-config-paths`: which files would be read, where else we looked, and why these. */
import type { Overrides } from '../config/load.ts';
import { type Located, locateConfig, locateServers } from '../config/locate.ts';
import type { Host } from './host.ts';

export async function printPaths(host: Host, overrides: Overrides): Promise<number> {
  print(host, 'configuration', locateConfig({ ...host, ...overrides }));
  print(host, 'servers file', locateServers({ ...host, ...overrides }));
  return 0;
}

function print({ stdout }: Host, what: string, { chosen, places }: Located): void {
  stdout.line(`${what}: ${chosen ?? 'none'}`);
  for (const place of places) {
    const mark = place.path === chosen ? '>' : ' ';
    stdout.line(`  ${mark} ${place.path}  (${place.because}${place.exists ? '' : ', does not exist'})`);
  }
}
