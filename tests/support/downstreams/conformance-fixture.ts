/**
 * The server behind the gateway when the official conformance scenarios run; also runnable on its own:
 * `node conformance-fixture.ts --transport stdio|http --era legacy|modern|dual [--port N]`.
 * `legacy` knows no `server/discover`, `modern` no `initialize`. Over HTTP it prints `listening <url>`.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { StdioServerTransport, serveStdio } from '@modelcontextprotocol/server/stdio';
import { type FixtureEra, startFixtureHttp } from './conformance/http.ts';
import { createFixtureServer, hear } from './conformance/server.ts';
import { createWorld } from './conformance/world.ts';

export { type FixtureEra, type RunningFixture, startFixtureHttp } from './conformance/http.ts';
export { INPUT_KEY_META } from './conformance/turn.ts';

const ERAS: readonly string[] = ['legacy', 'modern', 'dual'];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      transport: { type: 'string', default: 'stdio' },
      era: { type: 'string', default: 'dual' },
      port: { type: 'string', default: '0' },
    },
  });
  if (!ERAS.includes(values.era)) throw new Error(`--era must be one of ${ERAS.join(', ')}`);
  const era = values.era as FixtureEra;
  if (values.transport === 'stdio') return startFixtureStdio(era);
  const running = await startFixtureHttp(era, Number(values.port));
  process.stdout.write(`listening ${running.url}\n`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.once(signal, () => running.close().then(() => process.exit(0)));
}

async function startFixtureStdio(era: FixtureEra): Promise<void> {
  const world = createWorld();
  if (era === 'legacy') return createFixtureServer(world, 'legacy').connect(new StdioServerTransport());
  serveStdio(
    ({ era: opened }) => {
      const server = createFixtureServer(world, opened);
      // In the modern era the entry sends these on to the streams that asked for them; legacy servers listen already.
      if (opened === 'modern') hear(server, world, () => true);
      return server;
    },
    { legacy: era === 'modern' ? 'reject' : 'serve' },
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
