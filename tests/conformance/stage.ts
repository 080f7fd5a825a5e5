/**
 * What a conformance run needs beside the tool: the fixture, and the gateway in front of it, as child processes on
 * free loopback ports. Everything that is started here is stopped by its own process id.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ROOT } from './suites.ts';

export type Column = 'http' | 'stdio';
export type Era = 'legacy' | 'modern' | 'dual';

export interface Stage {
  url: string;
  stop(): Promise<void>;
}

const FIXTURE = fileURLToPath(new URL('../support/downstreams/conformance-fixture.ts', import.meta.url));
const READY_WITHIN_MS = 30_000;
const STOP_WITHIN_MS = 5000;
const running = new Set<ChildProcess>();

process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export async function startFixture(era: Era): Promise<Stage> {
  const child = spawn(process.execPath, [FIXTURE, '--transport', 'http', '--era', era], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  running.add(child);
  const url = await new Promise<string>((resolve, reject) => {
    let said = '';
    child.stdout.on('data', chunk => {
      said += String(chunk);
      const found = /listening (\S+)/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once('error', reject);
    child.once('exit', code => reject(new Error(`the fixture ended with ${code} before it listened`)));
  });
  return { url, stop: () => stop(child) };
}

/** The gateway with the fixture as its only server, names unprefixed, everything shown. */
export async function startGateway(column: Column, era: Era, entry: string, logFile: string): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), 'gatehouse-conformance-'));
  await mkdir(join(logFile, '..'), { recursive: true });
  const fixture = column === 'http' ? await startFixture(era) : null;
  const server =
    fixture === null
      ? { command: process.execPath, args: [FIXTURE, '--transport', 'stdio', '--era', era] }
      : { url: fixture.url };
  const servers = join(folder, '.mcp.json');
  await writeFile(servers, JSON.stringify({ mcpServers: { fixture: server } }));
  const port = await findFreePort();
  const log = openSync(logFile, 'w');
  const child = spawn(process.execPath, [join(ROOT, entry), 'serve'], {
    // Not the project's folder: its own configuration must not be found.
    cwd: folder,
    stdio: ['ignore', log, log],
    env: {
      ...without(process.env, 'GATEWAY_'),
      GATEWAY_CONFIG: '',
      GATEWAY_MCP_CONFIG: servers,
      GATEWAY_AUDIT_LOG: join(folder, 'audit.jsonl'),
      GATEWAY_TOOL_PREFIX: 'none',
      GATEWAY_EXPOSURE: 'direct',
      GATEWAY_HTTP_HOST: '127.0.0.1',
      GATEWAY_HTTP_PORT: String(port),
    },
  });
  running.add(child);
  const tidy = async (): Promise<void> => {
    await stop(child);
    await fixture?.stop();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await untilReady(`http://127.0.0.1:${port}/ready`, child, logFile);
  } catch (error) {
    await tidy();
    throw error;
  }
  return { url: `http://127.0.0.1:${port}/mcp`, stop: tidy };
}

async function untilReady(url: string, child: ChildProcess, logFile: string): Promise<void> {
  const giveUpAt = performance.now() + READY_WITHIN_MS;
  while (performance.now() < giveUpAt) {
    if (child.exitCode !== null) throw new Error(`the gateway ended with ${child.exitCode}:\n${await tail(logFile)}`);
    const answer = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => null);
    await answer?.body?.cancel();
    if (answer?.ok === true) return;
    await sleep(100);
  }
  throw new Error(`the gateway was not ready within ${READY_WITHIN_MS} ms:\n${await tail(logFile)}`);
}

async function tail(file: string): Promise<string> {
  return (await readFile(file, 'utf8')).split('\n').slice(-20).join('\n');
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const gone = once(child, 'exit');
    child.kill('SIGTERM');
    const late = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
    await gone;
    clearTimeout(late);
  }
  running.delete(child);
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

function without(environment: NodeJS.ProcessEnv, prefix: string): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith(prefix)));
}
