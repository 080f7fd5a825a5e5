/**
 * The whole gateway as a child process on a port of its own, for stories: started from a servers file, asked through
 * its public doors, ended in good order. Stopping checks what every stop promises: exit 0 and no process left.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '../../src/domain/json.ts';
import { listProcesses, type ProcessFacts } from './children/observe.ts';
import { COMPILED } from './compiled.ts';

const ENTRY = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
const START_MS = 20_000;

/** Slow in full: by default a story shows its promise with fewer rounds. */
export const IS_FULL = process.env.GATEHOUSE_FULL === '1';

export interface GatewaySetup {
  /** `mcpServers` of the servers file. */
  servers?: Readonly<Record<string, JsonObject>>;
  /** Where the servers file is, for a gateway that starts again: it stays. Otherwise in a folder that goes at the end. */
  serversFile?: string;
  /** The gateway's own configuration file (JSON is YAML); none when left out. */
  settings?: JsonObject;
  env?: Readonly<Record<string, string>>;
  nodeArgs?: readonly string[];
}

export interface GatewayProcess {
  readonly pid: number;
  /** `http://127.0.0.1:<port>`; the MCP door is `/mcp` below it. */
  readonly origin: string;
  readonly serversFile: string;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
  stderr(): string;
  /** Lines of its log, parsed. */
  logged(): JsonObject[];
  get(path: string, accept?: string): Promise<{ status: number; text: string }>;
  /** Samples of /metrics by name and labels, as written there. */
  samples(): Promise<Map<string, number>>;
  writeServers(servers: Readonly<Record<string, JsonObject>> | string, how?: 'in place' | 'by rename'): void;
  signal(name: NodeJS.Signals): void;
  /** Processes below it, all generations. */
  offspring(): ProcessFacts[];
  /** Memory in use by the process, in bytes, as the system counts it. */
  residentBytes(): number;
  descriptors(): number;
  /** SIGTERM, and waits for the end it promises. Rejects when it ends otherwise. */
  stop(): Promise<void>;
  /** For the end of a test that ended it already, or failed to. */
  discard(): void;
}

export async function startGateway(setup: GatewaySetup): Promise<GatewayProcess> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-story-'));
  const serversFile = setup.serversFile ?? join(folder, 'mcp.json');
  const settingsFile = join(folder, 'gateway.config.yaml');
  const write = (
    servers: Readonly<Record<string, JsonObject>> | string,
    how: 'in place' | 'by rename' = 'in place',
  ) => {
    const text = typeof servers === 'string' ? servers : JSON.stringify({ mcpServers: servers });
    if (how === 'in place') return writeFileSync(serversFile, text);
    writeFileSync(`${serversFile}.new`, text);
    renameSync(`${serversFile}.new`, serversFile);
  };
  write(setup.servers ?? {});
  if (setup.settings !== undefined) writeFileSync(settingsFile, JSON.stringify(setup.settings));

  const child = spawn(process.execPath, [...(setup.nodeArgs ?? []), ENTRY, 'serve'], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      ...COMPILED,
      GATEWAY_CONFIG: setup.settings === undefined ? '' : settingsFile,
      GATEWAY_MCP_CONFIG: serversFile,
      GATEWAY_HTTP_PORT: '0',
      GATEWAY_EXPOSURE: 'direct',
      ...setup.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const pid = child.pid ?? -1;
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', chunk => {
    stdout += chunk;
  });
  child.stderr.setEncoding('utf8').on('data', chunk => {
    stderr += chunk;
  });
  let isOver = false;
  const ended = new Promise<number | NodeJS.Signals | null>(resolve => {
    child.once('close', (code, signal) => {
      isOver = true;
      process.off('exit', killNow);
      resolve(code ?? signal);
    });
  });
  const killNow = () => child.kill('SIGKILL');
  process.on('exit', killNow);

  const origin = await waitFor(() => {
    if (isOver) throw new Error(`the gateway ended before it listened:\n${stdout}\n${stderr}`);
    return /listens at (http:\/\/\S+)\/mcp/.exec(stdout)?.[1] ?? null;
  }, 'it listens');

  const gateway: GatewayProcess = {
    pid,
    origin,
    serversFile,
    ended,
    stderr: () => stderr,
    logged: () => stderr.split('\n').flatMap(parseLine),
    get: (path, accept = 'application/json') => fetchText(origin + path, accept),
    async samples() {
      const { text } = await fetchText(`${origin}/metrics`, 'text/plain');
      const lines = text.split('\n').filter(line => line !== '' && !line.startsWith('#'));
      return new Map(lines.map(line => [line.slice(0, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]));
    },
    writeServers: write,
    signal: name => void child.kill(name),
    offspring: () => descendantsOf(pid),
    residentBytes: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) * 1024,
    descriptors: () => readdirSync(`/proc/${pid}/fd`).length,
    async stop() {
      const below = descendantsOf(pid);
      child.kill('SIGTERM');
      const how = await ended;
      rmSync(folder, { recursive: true, force: true });
      if (how !== 0) throw new Error(`the gateway ended with ${how}:\n${stderr.slice(-4000)}`);
      await waitFor(() => (below.some(isStillThere) ? null : true), 'no child process is left');
    },
    discard() {
      if (!isOver) child.kill('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
  const configured =
    Object.keys(setup.servers ?? {}).length + Object.keys((setup.settings?.servers as object) ?? {}).length;
  if (configured > 0)
    await waitFor(async () => ((await gateway.get('/ready')).status === 200 ? true : null), 'it is ready');
  return gateway;
}

/** Polls: what other processes do is not told in time by anything else. */
export async function waitFor<T>(
  look: () => T | null | Promise<T | null>,
  what: string,
  withinMs = START_MS,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const found = await look();
    if (found !== null) return found;
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await sleep(15);
  }
}

/** The same process, not one that was given its number since. */
export function isStillThere(it: ProcessFacts): boolean {
  const now = listProcesses().find(({ pid }) => pid === it.pid);
  return now !== undefined && now.state !== 'Z' && now.commandLine === it.commandLine;
}

function descendantsOf(pid: number): ProcessFacts[] {
  const all = listProcesses();
  const found: ProcessFacts[] = [];
  const below = (parent: number) => {
    for (const it of all) {
      if (it.parent !== parent || found.includes(it)) continue;
      found.push(it);
      below(it.pid);
    }
  };
  below(pid);
  return found;
}

function parseLine(line: string): JsonObject[] {
  if (!line.startsWith('{')) return [];
  try {
    return [JSON.parse(line) as JsonObject];
  } catch {
    return [];
  }
}

function fetchText(url: string, accept: string): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = get(url, { headers: { accept }, agent: false }, response => {
      let text = '';
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    request.on('error', reject);
  });
}
