#!/usr/bin/env node
/**
 * The process entry: checks that this Node can run the gateway, hands the process to the command line, and is the only
 * place that ends it. Nothing may be imported here statically that needs a newer Node than the check refuses.
 */
import { holdMemoryGrowth } from './cli/memory-growth.ts';

const OLDEST = [22, 22];

function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [needMajor = 0, needMinor = 0] = OLDEST;
  return major < needMajor || (major === needMajor && minor < needMinor);
}

if (isTooOld(process.versions.node)) {
  process.stderr.write(
    `Gatehouse needs Node ${OLDEST.join('.')} or newer; this is Node ${process.versions.node}. ` +
      'Install Node 24 from https://nodejs.org. In a clone "npm start" brings one along, and so does ' +
      '"npm run -s gatehouse -- <command>".\n',
  );
  process.exit(1);
}

holdMemoryGrowth([...process.execArgv, process.env.NODE_OPTIONS ?? '']);
const [{ runCommandLine }, { createHost }] = await Promise.all([import('./cli/program.ts'), import('./cli/host.ts')]);
process.exit(await runCommandLine(createHost(process, process.env)));
