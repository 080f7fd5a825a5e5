/** `gatehouse validate`: reads everything that a start would read, starts nothing, and says what it found. */

import { policyOf } from '../app/policy.ts';
import { type LintFinding, lintConfig } from '../app/policy-desk.ts';
import type { Config } from '../config/config.ts';
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
  const built = policyOf(config, 1);
  const findings = built.ok ? lintConfig(built.policy, config) : [];
  // What loading warned of already is not said twice: of a server that is unknown it does where the rules name one.
  const isSaid = ({ kind, path }: LintFinding) =>
    (kind === 'unknown-server' && path.startsWith('agents.')) || warnings.some(warning => warning.includes(path));
  reportWarnings(
    host.stderr,
    findings.filter(finding => !isSaid(finding)).map(({ path, message }) => `${path}: ${message}`),
  );

  const { stdout } = host;
  stdout.line(stdout.paint.green('The configuration is valid.'));
  stdout.line(`  configuration  ${config.files.config ?? 'none'}`);
  stdout.line(`  servers file   ${config.files.servers ?? 'none'}`);
  stdout.line(`  rules          ${describeRules(config)}`);
  stdout.line(`  scopes         ${config.files.scopes ?? 'none'}`);
  stdout.line(`  listens on     ${config.listen.host}:${config.listen.port} (when serving HTTP)`);
  stdout.line(
    `  TLS            ${config.listen.tls ? `${config.listen.tls.minVersion} and later` : 'none: plain HTTP'}`,
  );
  stdout.line(`  credential     ${describeCredentials(config)}`);
  for (const { issuer } of config.identity.issuers) stdout.line(`    issuer       ${issuer}`);
  stdout.line(`  audit          ${config.audit.enabled ? config.audit.path : 'switched off'}`);
  stdout.line(`  limits         ${config.limits.rules.length === 0 ? 'none' : config.limits.rules.length}`);
  stdout.line(`  exposure       ${config.exposure.default}`);
  stdout.line(`  servers        ${config.servers.length}`);
  const width = Math.max(0, ...config.servers.map(server => server.key.length));
  for (const server of config.servers) stdout.line(`    ${server.key.padEnd(width)}  ${describeServer(server)}`);
  return 0;
}

function describeRules({ files, rules }: Config): string {
  const agents = rules?.agents.size ?? 0;
  return files.rules === null ? 'none' : `${files.rules} (${agents === 1 ? 'one agent' : `${agents} agents`})`;
}

function describeCredentials({ apiKey, identity: { issuers, keys, login } }: Config): string {
  const ways = [
    ...(apiKey === null ? [] : ['API key']),
    ...(keys.length === 0 ? [] : [keys.length === 1 ? 'one named key' : `${keys.length} named keys`]),
    ...(issuers.length === 0 ? [] : [issuers.length === 1 ? 'one issuer' : `${issuers.length} issuers`]),
    ...(login === null ? [] : ['a login for the operator']),
  ];
  return ways.length === 0 ? 'none: loopback only' : ways.join(', ');
}

function describeServer({ link, enabled, start }: ServerSpec): string {
  const kind = link.kind === 'stdio' ? 'stdio' : `http (${link.transport})`;
  return `${kind}, ${enabled ? start : 'disabled'}`;
}
