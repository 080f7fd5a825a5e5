/** `gatehouse validate`: reads everything that a start would read, starts nothing, and says what it found. */
import type { Overrides } from '../config/load.ts';
import type { ServerSpec } from '../domain/server.ts';
import type { Host } from './host.ts';
import { loadWhole } from './load.ts';
import { reportProblems, reportWarnings } from './report.ts';

export async function validate(host: Host, overrides: Overrides): Promise<number> {
  const loaded = await loadWhole(host, overrides);
  if (!loaded.ok) {
    reportProblems(host.stderr, loaded.problems);
    return 1;
  }
  const { config, warnings } = loaded;
  reportWarnings(host.stderr, warnings);

  const { stdout } = host;
  stdout.line(stdout.paint.green('The configuration is valid.'));
  stdout.line(`  configuration  ${config.files.config ?? 'none'}`);
  stdout.line(`  servers file   ${config.files.servers ?? 'none'}`);
  stdout.line(`  rules          ${config.files.rules ?? 'none'}`);
  stdout.line(`  scopes         ${config.files.scopes ?? 'none'}`);
  stdout.line(`  listens on     ${config.listen.host}:${config.listen.port} (when serving HTTP)`);
  stdout.line(`  credential     ${config.apiKey === null ? 'none: loopback only' : 'API key'}`);
  stdout.line(`  exposure       ${config.exposure.default}`);
  stdout.line(`  servers        ${config.servers.length}`);
  const width = Math.max(0, ...config.servers.map(server => server.key.length));
  for (const server of config.servers) stdout.line(`    ${server.key.padEnd(width)}  ${describeServer(server)}`);
  return 0;
}

function describeServer({ link, enabled, start }: ServerSpec): string {
  const kind = link.kind === 'stdio' ? 'stdio' : `http (${link.transport})`;
  return `${kind}, ${enabled ? start : 'disabled'}`;
}
