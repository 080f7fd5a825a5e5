/**
 * The commands and options of `gatehouse`, and what they answer to a slip of the finger: exit 2 for arguments that make
 * no sense, exit 1 for a configuration that does not, 0 otherwise. What a command does lives in its own file and is
 * loaded only when it is run.
 */
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import packageFacts from '../../package.json' with { type: 'json' };
import type { Overrides } from '../config/load.ts';
import { didYouMean } from '../config/problem.ts';
import { addGatewayCommands } from './gateway-commands.ts';
import type { Host } from './host.ts';
import { addOperatorCommands } from './operator-commands.ts';

export const VERSION: string = packageFacts.version;

const EXIT_FAILURE = 1;
const EXIT_MISUSE = 2;

const COMMANDS = [
  ...['serve', 'stdio', 'validate', 'audit', 'quarantine', 'secret', 'policy', 'test-policy'],
  ...['generate-config', 'token', 'server', 'service', 'tools', 'test-registry-api'],
];

interface GlobalOptions {
  config?: string;
  mcpConfig?: string;
  debug?: boolean;
  init?: boolean;
  printConfigPaths?: boolean;
}

interface ServeOptions {
  host?: string;
  port?: number;
  stdio?: boolean;
}

const EXAMPLES = `
Examples:
  gatehouse serve                            one MCP endpoint at http://127.0.0.1:8000/mcp
  gatehouse serve --port 9000                the same on another port
  gatehouse stdio                            MCP on stdin and stdout, for clients that launch their servers
  gatehouse validate                         check the configuration without starting anything
  gatehouse policy explain agent github push may this agent call it, and which rule says so
  gatehouse audit tail --follow              who does what, as it happens
  gatehouse token generate                   a short-lived token from a running gateway
  gatehouse --init                           write a first configuration to ~/.config/agent-mcp-gateway

  claude mcp add --transport http gatehouse http://127.0.0.1:8000/mcp
  claude mcp add gatehouse -- gatehouse stdio

Without a command, GATEWAY_TRANSPORT (stdio, http or both) decides; stdio when it is not set.`;

/** Runs one command to its end. Yields the exit code. */
export async function runCommandLine(host: Host): Promise<number> {
  let exitCode = 0;
  const run = async (command: Promise<number>) => {
    exitCode = await command;
  };

  const program = new Command('gatehouse')
    .description('One door to every MCP server.')
    .version(VERSION, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'print this help')
    .helpCommand(false)
    .option('--config <file>', 'configuration file (GATEWAY_CONFIG)')
    .option('--mcp-config <file>', 'servers file (GATEWAY_MCP_CONFIG)')
    .option('--debug', 'log more and offer get_gateway_status (GATEWAY_DEBUG)')
    .option('--init', 'write example files to ~/.config/agent-mcp-gateway')
    .option(
      '--print-config-paths',
      'show every file that would be read or written, where it was looked for, and if it exists',
    )
    .addHelpText('after', EXAMPLES)
    .configureOutput({
      writeOut: text => host.stdout.line(text.trimEnd()),
      writeErr: text => host.stderr.line(text.trimEnd()),
      getOutHasColors: () => host.stdout.isTerminal,
      getErrHasColors: () => host.stderr.isTerminal,
    })
    .showSuggestionAfterError()
    .showHelpAfterError('Run "gatehouse --help" for all commands and options.')
    .exitOverride()
    // Checked by hand below: commander would call an unknown command "too many arguments".
    .allowExcessArguments(true);

  const overrides = (more: Overrides = {}): Overrides => {
    const { config, mcpConfig, debug } = program.opts<GlobalOptions>();
    return { configPath: config, serversPath: mcpConfig, debug, ...more };
  };

  program.action(async () => {
    const [unknown] = program.args;
    if (unknown !== undefined) {
      const meant = didYouMean(unknown, COMMANDS);
      program.error(`error: unknown command '${unknown}'${meant === null ? '' : `\n(${meant})`}`);
    }
    const { init, printConfigPaths } = program.opts<GlobalOptions>();
    if (init) await run(import('./init.ts').then(({ writeExamples }) => writeExamples(host)));
    else if (printConfigPaths) await run(import('./paths.ts').then(({ printPaths }) => printPaths(host, overrides())));
    else await run(import('./run.ts').then(({ runGateway }) => runGateway(host, overrides(), VERSION)));
  });

  program
    .command('serve')
    .description('serve MCP over HTTP')
    .addOption(new Option('--host <address>', 'address to listen on (GATEWAY_HTTP_HOST)'))
    .addOption(new Option('--port <number>', 'port to listen on (GATEWAY_HTTP_PORT)').argParser(toPort))
    .option('--stdio', 'serve on stdin and stdout as well')
    .allowExcessArguments(false)
    .action(async ({ host: address, port, stdio }: ServeOptions) => {
      const more: Overrides = { host: address, port, transport: stdio ? 'both' : 'http' };
      await run(import('./run.ts').then(({ runGateway }) => runGateway(host, overrides(more), VERSION)));
    });

  program
    .command('stdio')
    .description('serve MCP on stdin and stdout')
    .allowExcessArguments(false)
    .action(async () => {
      await run(
        import('./run.ts').then(({ runGateway }) => runGateway(host, overrides({ transport: 'stdio' }), VERSION)),
      );
    });

  program
    .command('validate')
    .description('check the configuration and say every mistake in it')
    .allowExcessArguments(false)
    .action(async () => {
      await run(import('./validate.ts').then(({ validate }) => validate(host, overrides())));
    });

  addOperatorCommands(program, host, overrides, run);
  addGatewayCommands(program, host, run);

  try {
    await program.parseAsync([...host.args], { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : EXIT_MISUSE;
    // What the system refuses (a folder that cannot be written to) is no mistake of ours: a sentence, not a trace.
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    host.stderr.line(`error: ${error.message}`);
    return EXIT_FAILURE;
  }
}

function toPort(written: string): number {
  if (/^\d{1,5}$/.test(written) && Number(written) <= 65_535) return Number(written);
  throw new InvalidArgumentError('It must be a whole number from 0 to 65535.');
}
