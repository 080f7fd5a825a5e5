/** The MCP Inspector's command line against the default configuration of real servers: both eras, three transports. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GatewayProcess, startGateway } from '../support/gateway-process.ts';
import { copyDefaultServers, type DefaultServers, ENTRY } from './default-servers.ts';
import { ensureInspector, type Inspected, inspect } from './inspector.ts';

const missing = await ensureInspector();
if (missing !== null) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== null)('the MCP Inspector', () => {
  let servers: DefaultServers;
  let gateway: GatewayProcess;

  beforeAll(async () => {
    servers = copyDefaultServers();
    gateway = await startGateway({ env: { GATEWAY_CONFIG: servers.config, GATEWAY_EXPOSURE: '' } });
  });
  afterAll(async () => {
    await gateway?.stop();
    servers?.remove();
  });

  const ask = (path: string, transport: 'http' | 'sse', era: string, ...args: string[]) =>
    inspect(
      [gateway.origin + path, '--transport', transport, '--protocol-era', era, '--format', 'json', ...args],
      servers.folder,
    );
  const askStdio = (era: string, ...args: string[]) =>
    inspect(
      [
        ...['--transport', 'stdio', '--protocol-era', era, '--cwd', servers.folder, '--format', 'json', '-q'],
        ...['-e', `GATEWAY_CONFIG=${servers.config}`, ...args, '--', process.execPath, ENTRY, 'stdio'],
      ],
      servers.folder,
    );
  const LIST = ['--method', 'tools/list'];
  const call = (tool: string, ...args: string[]) => [
    ...['--method', 'tools/call', '--tool-name', tool],
    ...args.flatMap(arg => ['--tool-arg', arg]),
  ];
  const names = ({ result }: Inspected) => {
    const tools = result?.tools;
    return Array.isArray(tools) ? tools.map(tool => (tool as { name: string }).name) : [];
  };
  const text = ({ result, error }: Inspected) => JSON.stringify(result ?? error);

  describe.each(['legacy', 'modern'])('in the %s era', era => {
    test('lists and calls over HTTP', async () => {
      expect(names(await ask('/mcp', 'http', era, ...LIST))).toEqual(
        expect.arrayContaining(['everything__echo', 'memory__read_graph', 'currenttime__current_time_by_timezone']),
      );
      expect(text(await ask('/mcp', 'http', era, ...call('everything__echo', 'message=hi')))).toContain('Echo: hi');
      const listing = call('filesystem__list_directory', `path=${servers.files}`);
      expect(text(await ask('/mcp', 'http', era, ...listing))).toContain(servers.fileNames[0]);
      const time = await ask('/currenttime/mcp', 'http', era, ...call('current_time_by_timezone', 'tz_name=UTC'));
      expect(text(time)).toContain('UTC');
    });

    test('reads a resource and gets a prompt', async () => {
      const uri = 'demo://resource/static/document/features.md';
      const read = await ask('/everything/mcp', 'http', era, '--method', 'resources/read', '--uri', uri);
      expect(text(read)).toContain('Everything Server');
      const prompt = ['--method', 'prompts/get', '--prompt-name', 'everything__args-prompt', '--prompt-args'];
      expect(text(await ask('/mcp', 'http', era, ...prompt, 'city=Paris'))).toContain('Paris');
    });

    test('calls over stdio', async () => {
      expect(text(await askStdio(era, ...call('everything__get-sum', 'a=2', 'b=3')))).toContain('5');
    });
  });

  test('finds the era itself, over HTTP', async () => {
    expect(names(await ask('/mcp', 'http', 'auto', ...LIST))).toContain('everything__echo');
    expect(text(await ask('/mcp', 'http', 'auto', ...call('everything__echo', 'message=hi')))).toContain('Echo: hi');
  });

  test('finds the era itself, over stdio', async () => {
    expect(names(await askStdio('auto', ...LIST))).toContain('everything__echo');
  });

  test('lists and calls over the old HTTP+SSE', async () => {
    expect(names(await ask('/sse', 'sse', 'legacy', ...LIST))).toContain('everything__echo');
    const echoed = await ask('/everything/sse', 'sse', 'legacy', ...call('echo', 'message=hi'));
    expect(text(echoed)).toContain('Echo: hi');
  });

  test('finds no error in the schemas of the tools it is shown', async () => {
    for (const path of ['/mcp', '/mcp/agent', '/mcp/discovery']) {
      expect(await ask(path, 'http', 'auto', ...LIST, '--strict')).toMatchObject({ code: 0 });
    }
  });

  test('is told readably that there is no such tool', async () => {
    const { code, error } = await ask('/mcp', 'http', 'modern', ...call('nope'));
    expect(code).not.toBe(0);
    expect(error?.message).toContain('nope');
  });
});
