/**
 * The commands an operator keeps the gateway with: its book, its quarantine, its policy, its first files. Only their
 * words and options; what they do is loaded when they are run.
 */
import { userInfo } from 'node:os';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { VaultDesk } from '../app/vault-desk.ts';
import type { Overrides } from '../config/load.ts';
import { locateVault } from '../config/locate.ts';
import type { ExportOptions, ReadOptions, TailOptions } from './audit.ts';
import type { VerifyOptions } from './audit-verify.ts';
import { CONFIG_KINDS, type ConfigKind } from './generate-config.ts';
import type { Host } from './host.ts';
import type { ExplainOptions, PolicyFiles } from './policy.ts';
import type { SimulateOptions } from './policy-simulate.ts';
import type { QuarantineDesk } from './quarantine.ts';

type Run = (command: Promise<number>) => Promise<void>;

export function addOperatorCommands(program: Command, host: Host, overrides: () => Overrides, run: Run): void {
  addAudit(program, host, overrides, run);
  addQuarantine(program, host, overrides, run);
  addSecret(program, host, run);
  addPolicy(program, host, overrides, run);
  addFirstFiles(program, host, run);
}

/** The configured ledger; where the configuration cannot be read, the variable's or the usual one. */
async function withLedger<T extends { file?: string | undefined }>(host: Host, overrides: Overrides, options: T) {
  if (options.file !== undefined) return options;
  const { loadWhole } = await import('./load.ts');
  const loaded = await loadWhole(host, overrides);
  return loaded.ok ? { ...options, file: loaded.config.audit.path } : options;
}

function addAudit(program: Command, host: Host, overrides: () => Overrides, run: Run): void {
  const audit = program.command('audit').description('read the audit ledger, and prove that it is whole');
  audit.addHelpText(
    'after',
    `
Examples:
  gatehouse audit verify                              walk the chain of hashes, name the first broken line
  gatehouse audit tail --follow --decision deny       refusals as they happen
  gatehouse audit export --format csv --out book.csv --since 2026-01-01`,
  );
  audit
    .command('verify')
    .description('check every line; exit 1 at the first that was changed, removed or added')
    .option('--file <ledger>', 'the ledger (default: the configured one)')
    .option('--expect <line:hash>', 'a line and its hash that were noted elsewhere')
    .allowExcessArguments(false)
    .action(async (options: VerifyOptions) => {
      const { verifyAudit } = await import('./audit.ts');
      await run(verifyAudit(host, await withLedger(host, overrides(), options)));
    });
  addFilters(audit.command('tail').description('the last lines'))
    .addOption(new Option('-n, --lines <number>', 'how many').default(20).argParser(toCount))
    .option('-f, --follow', 'go on with what comes')
    .option('--json', 'as they stand in the ledger')
    .allowExcessArguments(false)
    .action(async (options: TailOptions) => {
      const { tailAudit } = await import('./audit.ts');
      await run(tailAudit(host, await withLedger(host, overrides(), options)));
    });
  addFilters(audit.command('export').description('all lines that match'))
    .addOption(new Option('--format <format>', 'how').choices(['jsonl', 'csv']).default('jsonl'))
    .option('--out <file>', 'a new file (default: stdout)')
    .allowExcessArguments(false)
    .action(async (options: ExportOptions) => {
      const { exportAudit } = await import('./audit.ts');
      await run(exportAudit(host, await withLedger(host, overrides(), options)));
    });
}

function addFilters(command: Command): Command {
  return command
    .option('--file <ledger>', 'the ledger (default: the configured one)')
    .option('--decision <word>', 'allow, deny or error')
    .option('--agent <id>', 'of this agent')
    .option('--subject <subject>', 'of this caller')
    .option('--server <name>', 'on this server')
    .option('--tool <name>', 'of this tool')
    .option('--since <time>', 'from this time on (ISO 8601)')
    .option('--until <time>', 'before this time (ISO 8601)') satisfies Command & { opts(): ReadOptions };
}

function addQuarantine(program: Command, host: Host, overrides: () => Overrides, run: Run): void {
  const quarantine = program.command('quarantine').description('shut out a caller, an agent, a server or a tool, now');
  quarantine.addHelpText(
    'after',
    `
Examples:
  gatehouse quarantine add server github --reason "leaks tokens" --for 24h
  gatehouse quarantine add tool mail/send --reason spam
  gatehouse quarantine list
  gatehouse quarantine remove server github

A running gateway acts on it within a second.`,
  );
  const atDesk = async (act: (desk: QuarantineDesk) => Promise<number>): Promise<number> => {
    const { loadWhole } = await import('./load.ts');
    const loaded = await loadWhole(host, overrides());
    if (!loaded.ok) {
      // Elsewhere than where the gateway looks it would shut out nobody.
      const { reportProblems } = await import('./report.ts');
      reportProblems(host.stderr, loaded.problems);
      return 1;
    }
    const { openQuarantine } = await import('../app/quarantine-desk.ts');
    const { limits, servers } = loaded.config;
    const names = servers.map(({ key }) => key);
    return act({ ...openQuarantine(limits.quarantineFile), operator: findOperator(host), servers: names });
  };
  quarantine
    .command('add <kind> <name>')
    .description('kind: caller, agent, server or tool (<server>/<tool>)')
    .requiredOption('--reason <text>', 'why; it is kept for other operators')
    .option('--for <duration>', 'such as 30m or 24h (default: until removed)')
    .allowExcessArguments(false)
    .action(async (kind: string, name: string, options: { reason: string; for?: string }) => {
      const { addToQuarantine } = await import('./quarantine.ts');
      await run(atDesk(desk => addToQuarantine(host, desk, { kind, name, ...options })));
    });
  quarantine
    .command('list')
    .description('who and what is shut out, since when, by whom and why')
    .allowExcessArguments(false)
    .action(async () => {
      const { listQuarantine } = await import('./quarantine.ts');
      await run(atDesk(desk => listQuarantine(host, desk)));
    });
  quarantine
    .command('remove <kind> <name>')
    .description('let in again')
    .allowExcessArguments(false)
    .action(async (kind: string, name: string) => {
      const { removeFromQuarantine } = await import('./quarantine.ts');
      await run(atDesk(desk => removeFromQuarantine(host, desk, { kind, name })));
    });
}

function addSecret(program: Command, host: Host, run: Run): void {
  const secret = program.command('secret').description('keep secrets sealed, for the configuration to refer to');
  secret.addHelpText(
    'after',
    `
Examples:
  gatehouse secret set github                         asks for the value and does not show it
  gatehouse secret set github < token.txt             or reads it from stdin; never from the command line
  gatehouse secret list                               names and dates
  gatehouse secret remove github
  gatehouse secret rotate-key                         a new key, and everything sealed anew

The vault is GATEWAY_VAULT, else ~/.config/agent-mcp-gateway/vault.json. Its key is GATEWAY_VAULT_KEY, else the file
GATEWAY_VAULT_KEY_FILE, else vault.key beside the vault. A running gateway acts on changes within a second.`,
  );
  const atDesk = async (act: (desk: VaultDesk) => Promise<number>): Promise<number> => {
    const { openVaultDesk } = await import('../app/vault-desk.ts');
    return act(openVaultDesk(locateVault(host)));
  };
  secret
    .command('set <name>')
    .description('keep a value, or replace it')
    .allowExcessArguments(true)
    .action(async (name: string, _options: unknown, { args }: Command) => {
      // Checked by hand: commander would repeat what may be the value.
      if (args.length > 1) program.error('error: only a name is taken; the value is read from stdin, or asked for');
      const { setSecret } = await import('./secret.ts');
      await run(atDesk(desk => setSecret(host, desk, name)));
    });
  secret
    .command('list')
    .description('names, and when each was last set')
    .allowExcessArguments(false)
    .action(async () => {
      const { listSecrets } = await import('./secret.ts');
      await run(atDesk(desk => listSecrets(host, desk)));
    });
  secret
    .command('remove <name>')
    .description('forget it')
    .allowExcessArguments(false)
    .action(async (name: string) => {
      const { removeSecret } = await import('./secret.ts');
      await run(atDesk(desk => removeSecret(host, desk, name)));
    });
  secret
    .command('rotate-key')
    .description('put a new key before the older ones and seal everything anew with it')
    .option('--give-up-older', 'and remove the older ones: what only they open is lost')
    .allowExcessArguments(false)
    .action(async ({ giveUpOlder }: { giveUpOlder?: boolean }) => {
      const { rotateVaultKey } = await import('./secret.ts');
      await run(atDesk(desk => rotateVaultKey(host, desk, giveUpOlder === true)));
    });
}

const EXPECTATIONS = `
<file> is YAML or JSON: a list of calls, each with the answer it is to get. "server", "tool" and "expect" (allow or deny)
are required; who calls is an "agent", or what is in a token: "groups", "scopes", "subject". "args" are the call's own.

  - agent: researcher
    server: brave
    tool: web_search
    expect: allow
  - agent: backend
    server: postgres
    tool: drop_table
    args: { table: users }
    expect: deny
  - groups: [developers]
    server: time
    tool: get_time
    expect: allow`;

function addPolicy(program: Command, host: Host, overrides: () => Overrides, run: Run): void {
  const policy = program.command('policy').description('ask the policy, test it, try another one');
  policy.addHelpText(
    'after',
    `
Examples:
  gatehouse policy explain researcher github create_issue
  gatehouse policy explain - github create_issue --groups developers --args '{"repo":"a/b"}'
  gatehouse policy test expectations.yaml             a list of {agent, server, tool, expect: allow|deny}
  gatehouse policy lint                               what in it was probably not meant
  gatehouse policy simulate --rules new-rules.json    what would have been decided otherwise`,
  );
  const withFiles = (command: Command) =>
    command.option('--rules <file>', 'other rules than those in force').allowExcessArguments(false);
  withFiles(policy.command('explain <agent> <server> <tool>'))
    .description('may this caller call this tool, and why; agent "-": none. Exit 0: yes, 1: no')
    .option('--args <json>', 'arguments of the call')
    .option('--groups <a,b>', 'groups in its token', toList)
    .option('--scopes <a,b>', 'scopes in its token', toList)
    .option('--subject <subject>', 'the subject of its token')
    .option('--json', 'for programs')
    .action(async (agent: string, server: string, tool: string, options) => {
      const { scopes, ...more }: Omit<ExplainOptions, 'scopes'> & { scopes?: readonly string[] } = options;
      const { explainPolicy } = await import('./policy.ts');
      await run(explainPolicy(host, overrides(), { agent, server, tool }, { ...more, scopesHeld: scopes }));
    });
  withFiles(policy.command('test <file>'))
    .description('compare answers with a list of expectations; exit 1 on a difference')
    .option('--scopes <file>', 'another scopes file than the one in force')
    .addHelpText('after', EXPECTATIONS)
    .action(async (file: string, options: PolicyFiles) => {
      const { testPolicy } = await import('./policy.ts');
      await run(testPolicy(host, overrides(), file, options));
    });
  withFiles(policy.command('lint'))
    .description('entries that never decide, names that nobody has, lists wider than they look; exit 1 if any')
    .option('--scopes <file>', 'another scopes file than the one in force')
    .action(async (options: PolicyFiles) => {
      const { lintPolicyFiles } = await import('./policy.ts');
      await run(lintPolicyFiles(host, overrides(), options));
    });
  withFiles(policy.command('simulate'))
    .description('decide the calls in the ledger again, by a candidate; exit 1 if any differ (--config: its settings)')
    .option('--scopes <file>', "the candidate's scopes file")
    .option('--ledger <file>', 'the ledger (default: the configured one)')
    .action(async (options: SimulateOptions) => {
      const { simulatePolicy } = await import('./policy-simulate.ts');
      await run(simulatePolicy(host, overrides(), options));
    });
  program
    .command('test-policy <agent> <server> <tool>')
    .description('server access, tool access and the rule that decides; exit 0: allowed, 1: denied')
    .option('--rules <file>', 'the rules (default: those in force)')
    .allowExcessArguments(false)
    .action(async (agent: string, server: string, tool: string, options: PolicyFiles) => {
      const { explainPolicy } = await import('./policy.ts');
      await run(explainPolicy(host, overrides(), { agent, server, tool }, options));
    });
}

function addFirstFiles(program: Command, host: Host, run: Run): void {
  program
    .command('generate-config')
    .description('write a servers file and a rules file that start as they are')
    .addOption(new Option('--type <kind>', 'for one agent or several').choices([...CONFIG_KINDS]).makeOptionMandatory())
    .requiredOption('--output <folder>', 'where to')
    .option('--force', 'overwrite what is there')
    .allowExcessArguments(false)
    .action(async (wish: { type: ConfigKind; output: string; force?: boolean }) => {
      const { generateConfig } = await import('./generate-config.ts');
      await run(generateConfig(host, wish));
    });
}

function toCount(written: string): number {
  if (/^\d{1,6}$/.test(written)) return Number(written);
  throw new InvalidArgumentError('It must be a whole number from 0 to 999999.');
}

function toList(written: string): string[] {
  return written.split(',').flatMap(item => item.trim() || []);
}

function findOperator({ env }: Host): string {
  try {
    return userInfo().username;
  } catch {
    // Containers run as numbers that have no name.
    return env.USER || 'unknown';
  }
}
