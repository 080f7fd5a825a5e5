/**
 * Starts the fixture, peers and loads, measures a window, and stops all of it again.
 * One fixture process serves all HTTP variants; a started peer is called a contender.
 */
import type { ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Era } from '../../src/domain/era.ts';
import type { Setup } from './cases.ts';
import type { Order, Outcome, Report } from './load.ts';
import {
  findCores,
  findFreePort,
  findTree,
  isAlive,
  pinned,
  readBusyMs,
  readMachineBusyMs,
  readMemoryKb,
  readWaitedMs,
  sleep,
  start,
  stop,
} from './machine.ts';
import type { DownstreamSpec, Peer, Stage } from './peers.ts';
import { nameServers } from './peers.ts';
import { BENCH, REPORTS } from './places.ts';
import { BenchClient } from './wire/client.ts';
import { toEcho, toList } from './wire/messages.ts';

const READY_WITHIN_MS = 30_000;
const POLL_MS = 10;
const LOAD_LIMIT_MS = 150_000;
const STDIO_FIXTURE = path.join(BENCH, 'fixture', 'stdio.ts');

export interface ArenaOptions {
  pin: boolean;
  favour: boolean;
  /** Keep what the peers print, beside the reports. */
  keepOutput: boolean;
  profileFolder: string | null;
}

export interface Contender {
  peer: Peer;
  setup: Setup;
  stage: Stage;
  children: readonly ChildProcess[];
  /** From spawn until initialize, the full list and one call per server had succeeded; null for `direct`. */
  startMs: number | null;
}

export interface Measured extends Outcome {
  /** Processor time of the peer's processes per call. */
  cpuUs: number | null;
  /** Share of one core the peer had. */
  cores: number | null;
  memoryKb: number | null;
  /** While the window ran: the peer's main thread had to wait for a core; programs not ours ran. Shares of the window. */
  waited: number | null;
  foreign: number | null;
}

export type LoadOrder = Pick<Order, 'kind' | 'era' | 'sessions' | 'bytes' | 'warmUpMs' | 'durationMs'> &
  Partial<Pick<Order, 'maxCalls' | 'ends'>>;

export interface Arena {
  /** Starts a peer and waits until it serves everything. Yields an error when it does not in time. */
  begin(peer: Peer, setup: Setup, label: string): Promise<Contender>;
  measure(contender: Contender, order: LoadOrder): Promise<Measured>;
  memoryKb(contender: Contender): number | null;
  end(contender: Contender): Promise<void>;
  close(): Promise<void>;
  isPinned: boolean;
}

const isStdioFixture = (commandLine: string): boolean => commandLine.split('\0')[1] === STDIO_FIXTURE;

const pidsOf = (children: readonly ChildProcess[]): number[] => children.flatMap(child => child.pid ?? []);

/** The parent's environment without anything that would configure a gateway. */
function cleanEnv(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !name.startsWith('GATEWAY_') && name !== 'NODE_OPTIONS'),
  );
}

function startFixture(options: {
  core: number | null;
  favour: boolean;
}): Promise<{ child: ChildProcess; port: number }> {
  const argv = [process.execPath, path.join(BENCH, 'fixture', 'http.ts')];
  const child = start(argv, { ...options, env: cleanEnv(), cwd: BENCH, stdio: ['pipe', 'pipe', 'inherit'] });
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the fixture ended at once')));
    child.stdout?.once('data', (line: Buffer) => resolve({ child, port: Number(line.toString()) }));
  });
}

async function tryOnce(contender: Contender): Promise<void> {
  const { peer, setup, stage } = contender;
  // A gateway is asked in the legacy era, which all of them speak; a proxy in its downstream's.
  const era: Era = peer.kind === 'gateway' ? 'legacy' : setup.era;
  const client = new BenchClient({ url: peer.urlOf(stage), era, headers: peer.headers, timeoutMs: 2000 });
  try {
    await client.open();
    const { tools } = (await client.ask(toList(era, client.nextId()))) as { tools?: unknown[] };
    const expected = setup.servers * setup.tools;
    if ((tools?.length ?? 0) < expected) throw new Error(`${tools?.length ?? 0} of ${expected} tools`);
    for (const server of nameServers(setup)) {
      const result = await client.ask(toEcho(era, client.nextId(), peer.toolOf(server), 'ready?'));
      if (!JSON.stringify(result).includes('"ready?"')) throw new Error(JSON.stringify(result).slice(0, 160));
    }
    await client.end();
  } finally {
    client.close();
  }
}

async function waitUntilReady(contender: Contender): Promise<void> {
  const endsAt = performance.now() + READY_WITHIN_MS;
  for (;;) {
    try {
      return await tryOnce(contender);
    } catch (cause) {
      const isOver = !contender.children.every(isAlive);
      if (isOver || performance.now() > endsAt) throw new Error(isOver ? 'it ended' : 'not ready', { cause });
      await sleep(POLL_MS);
    }
  }
}

export async function openArena(options: ArenaOptions): Promise<Arena> {
  const cores = options.pin ? findCores() : null;
  const loadCore = cores?.load ?? null;
  const peerCore = cores?.peer ?? null;
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'gatehouse-bench-'));
  // nginx drops to another account and must still reach its folder.
  fs.chmodSync(scratch, 0o755);
  const live = new Set<ChildProcess>();
  const guard = start([process.execPath, path.join(BENCH, 'guard.ts'), scratch], {
    ...{ core: loadCore, favour: false, env: cleanEnv(), cwd: BENCH },
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  guard.stdin?.on('error', () => {});
  const watch = (child: ChildProcess): void => {
    live.add(child);
    if (child.pid === undefined) return;
    guard.stdin?.write(`+${child.pid}\n`);
    child.once('exit', () => guard.stdin?.write(`-${child.pid}\n`));
  };
  const fixture = await startFixture({ core: loadCore, favour: options.favour });
  watch(fixture.child);
  let folders = 0;

  function toDownstreams(setup: Setup): DownstreamSpec[] {
    return nameServers(setup).map(name => {
      if (setup.downstream === 'http') {
        const variant = `${setup.era}/${setup.framing}/${setup.tools}/${name}`;
        return { name, url: `http://127.0.0.1:${fixture.port}/${variant}/mcp` };
      }
      const argv = pinned([process.execPath, STDIO_FIXTURE, setup.era, String(setup.tools)], loadCore);
      const [command = '', ...args] = argv;
      return { name, command, args };
    });
  }

  function profileArgs(peer: Peer, setup: Setup, label: string): string[] {
    if (options.profileFolder === null || !peer.isNode) return [];
    const name = `${peer.name}.${setup.key}.${label}.cpuprofile`;
    return ['--cpu-prof', '--cpu-prof-dir', options.profileFolder, '--cpu-prof-name', name];
  }

  function outputOf(peer: Peer): 'ignore' | number {
    if (!options.keepOutput) return 'ignore';
    fs.mkdirSync(REPORTS, { recursive: true });
    return fs.openSync(path.join(REPORTS, `${peer.name}.log`), 'a');
  }

  async function begin(peer: Peer, setup: Setup, label: string): Promise<Contender> {
    folders += 1;
    const folder = path.join(scratch, `${folders}-${peer.name}`);
    fs.mkdirSync(folder);
    const stage: Stage = {
      port: await findFreePort(),
      sidePort: await findFreePort(),
      folder,
      downstreams: toDownstreams(setup),
      nodeArgs: profileArgs(peer, setup, label),
    };
    const programs = peer.programs(stage);
    const output = outputOf(peer);
    const startedAt = performance.now();
    const children = programs.map(({ argv, env }) =>
      start(argv, {
        core: peerCore,
        env: { ...cleanEnv(), ...env },
        cwd: folder,
        // A pipe nobody writes to: the auth server ends when this process does.
        stdio: ['pipe', output, output],
        favour: options.favour,
      }),
    );
    if (output !== 'ignore') fs.closeSync(output);
    for (const child of children) watch(child);
    const contender: Contender = { peer, setup, stage, children, startMs: null };
    try {
      await waitUntilReady(contender);
    } catch (error) {
      await end(contender);
      const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
      throw new Error(`${peer.name} did not start (${error instanceof Error ? error.message : ''}${cause})`);
    }
    return { ...contender, startMs: children.length === 0 ? null : performance.now() - startedAt };
  }

  async function end(contender: Contender): Promise<void> {
    for (const child of contender.children) {
      await stop(child);
      live.delete(child);
    }
  }

  const peerPids = (contender: Contender): number[] => findTree(pidsOf(contender.children), isStdioFixture);

  function memoryKb(contender: Contender): number | null {
    return contender.children.length === 0 ? null : readMemoryKb(peerPids(contender));
  }

  function measure(contender: Contender, wanted: LoadOrder): Promise<Measured> {
    const { peer, setup, stage } = contender;
    const order: Order = {
      maxCalls: 1_000_000,
      ends: false,
      ...wanted,
      url: peer.urlOf(stage),
      headers: peer.headers,
      timeoutMs: 20_000,
      tools: nameServers(setup).map(server => peer.toolOf(server)),
      listed: setup.servers * setup.tools,
    };
    const load = start([process.execPath, path.join(BENCH, 'load.ts'), JSON.stringify(order)], {
      core: loadCore,
      env: cleanEnv(),
      cwd: BENCH,
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      favour: options.favour,
    });
    watch(load);
    const takeReading = () => {
      const own = peerPids(contender);
      const rest = pidsOf([...live].filter(child => !contender.children.includes(child)));
      return {
        atMs: performance.now(),
        peer: readBusyMs(own),
        waited: readWaitedMs(own),
        ours: (readBusyMs([...own, ...findTree(rest), process.pid]) ?? 0) + stdioBusyMs(contender),
        machine: readMachineBusyMs(),
      };
    };
    return new Promise((resolve, reject) => {
      let before: ReturnType<typeof takeReading> | null = null;
      let after: ReturnType<typeof takeReading> | null = null;
      let heldKb: number | null = null;
      let outcome: Outcome | null = null;
      const limit = setTimeout(() => load.kill('SIGKILL'), LOAD_LIMIT_MS);
      load.on('message', (message: Report) => {
        if (message.at === 'begun') before = takeReading();
        else if (message.at === 'ended') after = takeReading();
        else if (message.at === 'held') heldKb = memoryKb(contender);
        else outcome = message.outcome;
      });
      load.once('exit', () => {
        clearTimeout(limit);
        live.delete(load);
        if (outcome === null) return reject(new Error('the load generator died'));
        resolve({ ...outcome, ...compare(before, after, outcome, contender), memoryKb: heldKb ?? memoryKb(contender) });
      });
    });
  }

  function stdioBusyMs(contender: Contender): number {
    if (contender.setup.downstream !== 'stdio') return 0;
    const own = new Set(peerPids(contender));
    return readBusyMs(findTree(pidsOf(contender.children)).filter(pid => !own.has(pid))) ?? 0;
  }

  async function close(): Promise<void> {
    for (const child of live) await stop(child, 1000);
    live.clear();
    const guardGone = new Promise(resolve => guard.once('exit', resolve));
    guard.stdin?.end();
    await Promise.race([guardGone, sleep(2000)]);
  }

  return { begin, measure, memoryKb, end, close, isPinned: cores !== null };
}

interface Reading {
  atMs: number;
  peer: number | null;
  waited: number | null;
  ours: number;
  machine: number;
}

function compare(
  before: Reading | null,
  after: Reading | null,
  outcome: Outcome,
  contender: Contender,
): Pick<Measured, 'cpuUs' | 'cores' | 'waited' | 'foreign'> {
  if (before === null || after === null) return { cpuUs: null, cores: null, waited: null, foreign: null };
  const wallMs = after.atMs - before.atMs;
  const foreign = Math.max(0, (after.machine - before.machine - (after.ours - before.ours)) / wallMs);
  const isMeasurable = before.peer !== null && after.peer !== null && contender.children.length > 0;
  if (!isMeasurable || outcome.calls === 0) return { cpuUs: null, cores: null, waited: null, foreign };
  const busyMs = (after.peer ?? 0) - (before.peer ?? 0);
  const waited = ((after.waited ?? 0) - (before.waited ?? 0)) / wallMs;
  return { cpuUs: (busyMs * 1000) / outcome.calls, cores: busyMs / wallMs, waited, foreign };
}
