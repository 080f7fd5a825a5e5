/**
 * The commands that talk to a running gateway. Only their words and options; what they do is loaded when they are run.
 * Each takes `withGateway`'s options: where the gateway is, and the file of a credential.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { WARNING_KINDS } from '../domain/name-warning.ts';
import type { GatewayOptions } from './gateway.ts';
import type { Host } from './host.ts';
import type { Part, SelfTestOptions } from './registry-self-test.ts';
import type { ListOptions } from './server.ts';
import type { RefreshWish, TokenWish } from './token.ts';
import type { AcknowledgeOptions, ApproveOptions, DiffOptions } from './tools.ts';

type Run = (command: Promise<number>) => Promise<void>;

export function addGatewayCommands(program: Command, host: Host, run: Run): void {
  addServers(program, host, run);
  addTokens(program, host, run);
  addTools(program, host, run);
  addSelfTest(program, host, run);
}

function addSelfTest(program: Command, host: Host, run: Run): void {
  const parts = ['list-servers', 'get-server', 'all'] satisfies Part[];
  withGateway(program.command('test-registry-api'))
    .description('check that a registry keeps what its API (v0.1) promises; reads only')
    .addOption(new Option('--test <part>', 'what to check').choices(parts).default('all'))
    .addHelpText(
      'after',
      `
Examples:
  gatehouse test-registry-api --token-file key.txt                        every check; exit 0 only if all pass
  gatehouse test-registry-api --test get-server --token-file key.txt      one server and its versions
  gatehouse test-registry-api --url https://gateway.example.com --token-file agent-sre-agent-m2m-token.json`,
    )
    .action(async (options: SelfTestOptions) =>
      run((await import('./registry-self-test.ts')).testRegistryApi(host, options)),
    );
}

function addServers(program: Command, host: Host, run: Run): void {
  const server = program.command('server').alias('service').description('servers of a running gateway’s registry');
  server.addHelpText(
    'after',
    `
Examples:
  gatehouse server add github.json          register what the file says: name, description, path, proxy_pass_url ...
  gatehouse server list --query issues      path, health and number of tools of those the credential may see
  gatehouse server disable /team/github     gone from every list until it is enabled again`,
  );
  const load = () => import('./server.ts');
  withGateway(server.command('add <file>'))
    .description('register the server that a JSON file describes')
    .action(async (file: string, options: GatewayOptions) => run((await load()).addServer(host, file, options)));
  withGateway(server.command('list').alias('monitor'))
    .description('the servers that the credential may see, and how they are')
    .option('--query <words>', 'those that hold every word')
    .option('--json', 'whole cards, for programs')
    .action(async (options: ListOptions) => run((await load()).listServers(host, options)));
  withGateway(server.command('show <path>'))
    .description('one card')
    .action(async (path: string, options: GatewayOptions) => run((await load()).showServer(host, path, options)));
  for (const word of ['enable', 'disable']) {
    withGateway(server.command(`${word} <path>`))
      .description(`switch a server ${word === 'enable' ? 'on' : 'off'}`)
      .action(async (path: string, options: GatewayOptions) =>
        run((await load()).switchServer(host, path, word === 'enable', options)),
      );
  }
  withGateway(server.command('remove <path>').alias('delete'))
    .description('take a server out, with everything that is kept of it')
    .action(async (path: string, options: GatewayOptions) => run((await load()).removeServer(host, path, options)));
  withGateway(server.command('refresh <path>'))
    .description('connect to a server and read its tools anew')
    .action(async (path: string, options: GatewayOptions) => run((await load()).refreshServer(host, path, options)));
}

function addTools(program: Command, host: Host, run: Run): void {
  const tools = program.command('tools').description('definitions of tools that changed since they were approved');
  tools.addHelpText(
    'after',
    `
Examples:
  gatehouse tools diff                      what has changed, field by field; exit 1 when something waits
  gatehouse tools approve github            everything that waits on a server
  gatehouse tools approve github push       one tool
  gatehouse tools approve github push --hash 9f86d0...   only what "tools diff" showed, not what came since
  gatehouse tools acknowledge github push   its warnings are in order, until it is approved with other words`,
  );
  withGateway(tools.command('diff [server]'))
    .description('what servers say of their tools now, beside what was approved')
    .option('--json', 'whole definitions, for programs')
    .option('--all', 'warnings that were acknowledged too')
    .action(async (server: string | undefined, options: DiffOptions) =>
      run((await import('./tools.ts')).diffTools(host, server, options)),
    );
  withGateway(tools.command('approve <server> [tool]'))
    .description('show and call what a server says of its tools now')
    .option(
      '--hash <sha256>',
      'of the definition that "tools diff" showed: refused if the tool says something else by now',
    )
    .action(async (server: string, tool: string | undefined, options: ApproveOptions) =>
      run((await import('./tools.ts')).approveTools(host, server, tool, options)),
    );
  withGateway(tools.command('acknowledge <server> <tool>'))
    .description('say that the warnings of a tool are in order')
    .addOption(new Option('--kind <kind>', 'one kind of them alone').choices(WARNING_KINDS))
    .action(async (server: string, tool: string, options: AcknowledgeOptions) =>
      run((await import('./tools.ts')).acknowledgeWarnings(host, server, tool, options)),
    );
}

/** Options of every command that asks a running gateway. */
export function withGateway(command: Command): Command {
  return command
    .option('--url <address>', 'of the gateway (GATEWAY_URL; default: http://127.0.0.1:8000)')
    .option('--token-file <file>', 'a file with a key or token, or what "token refresh" wrote (else GATEWAY_TOKEN)')
    .option('--plain-http', 'show the credential without encryption to another machine')
    .allowExcessArguments(false);
}

function addTokens(program: Command, host: Host, run: Run): void {
  const token = program.command('token').description('short-lived tokens of a running gateway');
  token.addHelpText(
    'after',
    `
Examples:
  gatehouse token generate --token-file key.txt --scopes files/read --hours 2
  gatehouse token generate --server github --json       good for one server, and everything said of it
  gatehouse token refresh --agent-id sre-agent          writes agent-sre-agent-m2m-token.json for its owner alone
  gatehouse token revoke 3q2-7w...                      the jti that was said with the token

--scopes names scopes of scopes.yml that the credential has. A gateway that asks for no credential gives out no tokens.
The credential is read from --token-file or GATEWAY_TOKEN, never from an argument.`,
  );
  const withWishes = (command: Command) =>
    withGateway(command)
      .option('--scopes <a,b>', 'a part of what the credential may do (default: all of it)', toList)
      .addOption(new Option('--hours <number>', 'how long, 1 to 24').argParser(toHours))
      .option('--server <name>', 'good for this server alone');
  withWishes(token.command('generate'))
    .description('get a token; it alone is written to stdout')
    .option('--description <text>', 'what it is for')
    .option('--json', 'the whole answer, for programs')
    .action(async (options: TokenWish & { json?: boolean }) => {
      const { generateToken } = await import('./token.ts');
      await run(generateToken(host, options));
    });
  withWishes(token.command('refresh'))
    .description('get a token for an agent and write it to agent-<id>-m2m-token.json')
    .requiredOption('--agent-id <id>', 'the agent; the credential shown must be its own')
    .option('--out <folder>', 'where to', '.')
    .action(async (options: RefreshWish) => {
      const { refreshAgentToken } = await import('./token.ts');
      await run(refreshAgentToken(host, options));
    });
  withGateway(token.command('revoke <jti>'))
    .description('end a token before its time')
    .action(async (jti: string, options: GatewayOptions) => {
      const { revokeToken } = await import('./token.ts');
      await run(revokeToken(host, jti, options));
    });
}

function toHours(written: string): number {
  if (/^\d{1,2}$/.test(written) && Number(written) >= 1 && Number(written) <= 24) return Number(written);
  throw new InvalidArgumentError('It must be a whole number from 1 to 24.');
}

function toList(written: string): string[] {
  return written.split(',').flatMap(item => item.trim() || []);
}
