/**
 * `npm run bench`: Gatehouse and its peers in one interleaved run on loopback.
 * In a round every setup is staged once, with all peers started; each case is then measured peer after peer, in an order
 * that changes from case to case and round to round, so that the two sides of a ratio are seconds apart.
 */
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { Arena, Contender, LoadOrder, Measured } from './arena.ts';
import { openArena } from './arena.ts';
import { judgeAll } from './bar.ts';
import type { Case, Window } from './cases.ts';
import { chooseCases, MEMORY_CALLS, PROFILES } from './cases.ts';
import type { RunReport } from './figures.ts';
import { callsPerSecond } from './figures.ts';
import { sleep, waitForQuiet } from './machine.ts';
import type { BenchOptions } from './options.ts';
import { readOptions, USAGE } from './options.ts';
import type { Peer } from './peers.ts';
import { listPeers } from './peers.ts';
import { REPORTS } from './places.ts';
import { summarize } from './profile.ts';
import { render } from './tables.ts';

const DISTURBED = 0.1;
const SETTLE_MS = 1000;

const say = (text: string): void => {
  process.stdout.write(`${text}\n`);
};

/** The same values in another order for every turn. */
export function takeTurns<T>(values: readonly T[], turn: number): T[] {
  const from = values.length === 0 ? 0 : turn % values.length;
  const rotated = [...values.slice(from), ...values.slice(0, from)];
  return turn % 2 === 0 ? rotated : rotated.reverse();
}

function toOrder(one: Case, window: Window): LoadOrder {
  const { kind, sessions, bytes } = one.load;
  const { warmUpMs, durationMs } = window;
  return { kind: kind === 'list' ? 'list' : 'call', era: one.era, sessions, bytes, warmUpMs, durationMs };
}

/** How much other programs disturbed a window: they ran, and the peer had to wait. */
const disturbanceOf = (measured: Measured): number => Math.min(measured.foreign ?? 0, measured.waited ?? 0);

/** A disturbed window is taken once more; the quieter of the two counts. */
async function measureQuietly(
  arena: Arena,
  contender: Contender,
  order: LoadOrder,
  quietMs: number,
): Promise<Measured> {
  await waitForQuiet(quietMs);
  const first = await arena.measure(contender, order);
  if (quietMs === 0 || disturbanceOf(first) <= DISTURBED) return first;
  await waitForQuiet(quietMs * 2);
  const second = await arena.measure(contender, order);
  return disturbanceOf(second) < disturbanceOf(first) ? second : first;
}

function describe(peer: string, one: Case, measured: Measured): string {
  const rate = callsPerSecond({ ...measured, round: 0, peer, case: one.id });
  const figures = [
    `${Math.round(rate ?? 0)}/s`.padStart(8),
    `p50 ${measured.p50Ms ?? '-'} p99 ${measured.p99Ms ?? '-'} ms`,
    `${measured.cpuUs?.toFixed(1) ?? '-'} us/call`,
    measured.errors === 0 ? '' : `${measured.errors} errors ${JSON.stringify(measured.errorKinds).slice(0, 160)}`,
  ];
  return `  ${one.id.padEnd(28)} ${peer.padEnd(16)} ${figures.join('  ')}`;
}

class Run {
  readonly #arena: Arena;
  readonly #window: Window;
  readonly #report: RunReport;

  constructor(arena: Arena, window: Window, report: RunReport) {
    this.#arena = arena;
    this.#window = window;
    this.#report = report;
  }

  async playRound(round: number, peers: readonly Peer[], cases: readonly Case[]): Promise<void> {
    const setups = new Map(cases.map(one => [one.setup.key, cases.filter(({ setup }) => setup.key === one.setup.key)]));
    let turn = round - 1;
    for (const here of setups.values()) {
      if (here[0]?.load.kind === 'memory') await this.#measureMemory(round, takeTurns(peers, turn), here[0]);
      else await this.#playSetup(round, takeTurns(peers, turn), here);
      turn += 1;
    }
  }

  async #begin(round: number, peer: Peer, one: Case): Promise<Contender | null> {
    try {
      return await this.#arena.begin(peer, one.setup, `r${round}`);
    } catch (error) {
      const what = error instanceof Error ? error.message : String(error);
      this.#report.failures.push({ round, peer: peer.name, what: `${one.setup.key}: ${what}` });
      say(`  ${what}`);
      return null;
    }
  }

  async #playSetup(round: number, peers: readonly Peer[], cases: readonly Case[]): Promise<void> {
    const contenders: Contender[] = [];
    for (const peer of peers) {
      const fitting = cases.filter(one => peer.fits(one));
      const contender = fitting[0] === undefined ? null : await this.#begin(round, peer, fitting[0]);
      if (contender === null) continue;
      contenders.push(contender);
      const { startMs, setup } = contender;
      if (startMs !== null) this.#report.starts.push({ round, peer: peer.name, setup: setup.key, startMs });
      await this.#preWarm(contender, fitting);
    }
    for (const [index, one] of cases.entries()) {
      for (const contender of takeTurns(contenders, round + index)) {
        if (!contender.peer.fits(one)) continue;
        const measured = await measureQuietly(this.#arena, contender, toOrder(one, this.#window), this.#window.quietMs);
        this.#report.samples.push({ round, peer: contender.peer.name, case: one.id, ...measured });
        say(describe(contender.peer.name, one, measured));
      }
    }
    for (const contender of contenders) await this.#arena.end(contender);
  }

  async #preWarm(contender: Contender, cases: readonly Case[]): Promise<void> {
    if (!contender.peer.isNode) return;
    const durationMs = this.#window.preWarmMs;
    const firstPerEra = new Map(cases.map(one => [one.era, one])).values();
    for (const one of firstPerEra) {
      const order = toOrder(one, { ...this.#window, warmUpMs: 0, durationMs });
      await this.#arena.measure(contender, { ...order, sessions: 16 });
    }
  }

  /** On a fresh process: idle, after many calls, and what each further open session adds. */
  async #measureMemory(round: number, peers: readonly Peer[], one: Case): Promise<void> {
    for (const peer of peers) {
      const contender = peer.fits(one) ? await this.#begin(round, peer, one) : null;
      if (contender === null) continue;
      const read = async (): Promise<number> => {
        await sleep(SETTLE_MS);
        return this.#arena.memoryKb(contender) ?? 0;
      };
      const load = { era: one.era, bytes: 32, warmUpMs: 0 } as const;
      const hold = { ...load, kind: 'hold', durationMs: 500, ends: true } as const;
      const idleKb = await read();
      const calls = { ...load, kind: 'call', sessions: 16, durationMs: 60_000, maxCalls: MEMORY_CALLS } as const;
      const called = await this.#arena.measure(contender, calls);
      const afterCallsKb = await read();
      // Sessions that came and went first: what opening itself needs is not what a session costs.
      await this.#arena.measure(contender, { ...hold, sessions: one.load.sessions });
      const beforeKb = await read();
      const held = await this.#arena.measure(contender, { ...hold, sessions: one.load.sessions });
      const perSessionKb = Math.max(0, ((held.memoryKb ?? 0) - beforeKb) / one.load.sessions);
      const errors = called.errors + held.errors;
      this.#report.memory.push({ round, peer: peer.name, idleKb, afterCallsKb, perSessionKb, errors });
      for (const kind of Object.keys({ ...called.errorKinds, ...held.errorKinds })) {
        this.#report.failures.push({ round, peer: peer.name, what: `memory: ${kind}` });
      }
      const megabytes = [idleKb, afterCallsKb].map(kb => (kb / 1024).toFixed(1)).join(' -> ');
      say(`  ${one.id.padEnd(28)} ${peer.name.padEnd(16)} ${megabytes} MB, ${perSessionKb.toFixed(1)} KB a session`);
      await this.#arena.end(contender);
    }
  }
}

function choosePeers(options: BenchOptions): { peers: Peer[]; leftOut: Record<string, string> } {
  const all = listPeers(options.gatehouse);
  const unknown = [...options.only, ...options.not].filter(name => !all.some(peer => peer.name === name));
  if (unknown.length > 0)
    throw new Error(`no such peer: ${unknown.join(', ')} (${all.map(peer => peer.name).join(', ')})`);
  const wanted = all.filter(
    ({ name }) => (options.only.length === 0 || options.only.includes(name)) && !options.not.includes(name),
  );
  const peers = wanted.filter(peer => peer.missing === null);
  if (peers.length === 0) throw new Error(`nobody to measure: ${wanted.map(peer => peer.missing).join('; ')}`);
  return {
    peers,
    leftOut: Object.fromEntries(wanted.flatMap(({ name, missing }) => (missing === null ? [] : [[name, missing]]))),
  };
}

function save(report: RunReport): string {
  fs.mkdirSync(REPORTS, { recursive: true });
  const file = path.join(REPORTS, `${report.startedAt.replaceAll(':', '-')}.json`);
  const withBar = {
    ...report,
    bar: judgeAll(report).map(({ row, value, verdict }) => ({
      what: row.what,
      must: row.must,
      aim: row.aim,
      value,
      verdict,
    })),
  };
  fs.writeFileSync(file, `${JSON.stringify(withBar, null, 1)}\n`);
  return file;
}

async function main(): Promise<number> {
  const options = readOptions(process.argv.slice(2));
  if (options.isHelp) {
    say(USAGE);
    return 0;
  }
  if (options.print !== null) {
    say(render(JSON.parse(fs.readFileSync(options.print, 'utf8')) as RunReport));
    return 0;
  }
  const profile = PROFILES[options.profile];
  if (profile === undefined) throw new Error(`no profile ${options.profile}`);
  const cases = chooseCases(options.cases ?? profile.cases, options.era);
  if (cases.length === 0) throw new Error('no case of that name and era');
  const { peers, leftOut } = choosePeers(options);
  const window = options.windowMs === null ? profile.window : { ...profile.window, durationMs: options.windowMs };
  const startedAt = new Date().toISOString();
  const profileFolder = options.isProfiling ? path.join(REPORTS, `profile-${startedAt.replaceAll(':', '-')}`) : null;
  const { pin, favour, keepOutput } = options;
  if (profileFolder !== null) fs.mkdirSync(profileFolder, { recursive: true });
  const arena = await openArena({ pin, favour, keepOutput, profileFolder });
  const report: RunReport = {
    startedAt,
    profile: options.profile,
    rounds: options.rounds,
    node: process.versions.node,
    processor: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    kernel: os.release(),
    isPinned: arena.isPinned,
    peers: Object.fromEntries(peers.map(peer => [peer.name, peer.version])),
    leftOut,
    samples: [],
    starts: [],
    memory: [],
    failures: [],
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void arena.close().finally(() => process.exit(130)));
  }
  try {
    const run = new Run(arena, window, report);
    for (let round = 1; round <= options.rounds; round += 1) {
      say(`round ${round} of ${options.rounds}`);
      await run.playRound(round, peers, cases);
    }
  } finally {
    await arena.close();
  }
  const file = save(report);
  say(`\n${render(report)}\n\nreport: ${path.relative(process.cwd(), file)}`);
  if (profileFolder !== null) {
    const own = fs.readdirSync(profileFolder).filter(name => name.startsWith('gatehouse.'));
    const shown = own.length === 0 ? [profileFolder] : own.map(name => path.join(profileFolder, name));
    for (const from of shown) say(`\n${summarize(from)}`);
  }
  const isShort = judgeAll(report).some(({ verdict }) => verdict === 'MISS' || verdict === 'not measured');
  return options.isCheck && isShort ? 1 : 0;
}

main().then(
  code => process.exit(code),
  (error: unknown) => {
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(2);
  },
);
