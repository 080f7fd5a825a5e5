/**
 * What is measured, as data: setups (which downstreams a gateway is given) and cases (which load it is put under).
 * The name of a case says the client's era, the downstream's where it differs, the load and the number of sessions.
 */
import type { Era } from '../../src/domain/era.ts';

export interface Setup {
  key: string;
  downstream: 'http' | 'stdio';
  /** The era the downstreams speak; they refuse the other. */
  era: Era;
  /** How HTTP downstreams frame their answers. */
  framing: 'json' | 'sse';
  servers: number;
  /** Per server. */
  tools: number;
}

export type Load =
  | { kind: 'call'; sessions: number; bytes: number }
  | { kind: 'list'; sessions: number; bytes: 0 }
  /** A fresh process: memory idle, after many calls, and per open session. */
  | { kind: 'memory'; sessions: number; bytes: 0 };

export interface Case {
  id: string;
  /** The id without the eras. */
  name: string;
  era: Era;
  setup: Setup;
  load: Load;
}

export interface Window {
  /** After a start: calls nobody measures, for the compiler of the peer. */
  preWarmMs: number;
  warmUpMs: number;
  durationMs: number;
  /** Before each window: how long to wait for the rest of the machine to be quiet. */
  quietMs: number;
}

export const SMALL_BYTES = 32;
export const LARGE_BYTES = 100_000;
export const MEMORY_CALLS = 20_000;
export const MEMORY_SESSIONS = 1_000;

const MANY_SERVERS = 10;

function toSetup(era: Era, change: Partial<Omit<Setup, 'key' | 'era'>> = {}): Setup {
  const setup = { downstream: 'http', framing: 'json', servers: 1, tools: 50, ...change, era } as const;
  const { downstream, framing, servers, tools } = setup;
  return { ...setup, key: `${era}-${downstream}-${framing}-${servers}x${tools}` };
}

const call = (sessions: number, bytes = SMALL_BYTES): Load => ({ kind: 'call', sessions, bytes });
const list = (sessions: number): Load => ({ kind: 'list', sessions, bytes: 0 });

function toCase(name: string, client: Era, setup: Setup, load: Load): Case {
  const eras = client === setup.era ? client : `${client}-to-${setup.era}`;
  return { id: `${eras}/${name}`, name, era: client, setup, load };
}

function casesOfEra(era: Era): Case[] {
  return [
    ...[1, 16, 64, 128].map(sessions => toCase(`call-c${sessions}`, era, toSetup(era), call(sessions))),
    toCase('call100k-c16', era, toSetup(era), call(16, LARGE_BYTES)),
    ...[50, 500, 2000].map(tools => toCase(`list${tools}-c16`, era, toSetup(era, { tools }), list(16))),
    toCase('ten-c64', era, toSetup(era, { servers: MANY_SERVERS }), call(64)),
    toCase('stdio-c64', era, toSetup(era, { downstream: 'stdio' }), call(64)),
    toCase('sse-c64', era, toSetup(era, { framing: 'sse' }), call(64)),
  ];
}

function casesAcross(client: Era, downstream: Era): Case[] {
  return [
    toCase('call-c64', client, toSetup(downstream), call(64)),
    toCase('call100k-c16', client, toSetup(downstream), call(16, LARGE_BYTES)),
    toCase('list500-c16', client, toSetup(downstream, { tools: 500 }), list(16)),
  ];
}

const MEMORY_SETUP: Setup = { ...toSetup('legacy'), key: 'memory' };

export const CASES: readonly Case[] = [
  ...casesOfEra('legacy'),
  ...casesOfEra('modern'),
  ...casesAcross('modern', 'legacy'),
  ...casesAcross('legacy', 'modern'),
  { ...toCase('memory', 'legacy', MEMORY_SETUP, { kind: 'memory', sessions: MEMORY_SESSIONS, bytes: 0 }) },
];

export interface Profile {
  window: Window;
  /** Ids of cases; a `*` stands for anything. */
  cases: readonly string[];
}

/**
 * `standard` has every row of the bar; `quick` the ones that move with the hot path; `smoke` only asks whether all
 * start; `full` adds SSE.
 */
export const PROFILES: Readonly<Record<string, Profile>> = {
  smoke: {
    window: { preWarmMs: 400, warmUpMs: 200, durationMs: 600, quietMs: 0 },
    cases: [
      'legacy/call-c1',
      'legacy/call-c64',
      'legacy/call100k-c16',
      'legacy/list50-c16',
      '*/call-c64',
      '*/stdio-c64',
    ],
  },
  quick: {
    window: { preWarmMs: 1200, warmUpMs: 300, durationMs: 1000, quietMs: 750 },
    cases: [
      'legacy/call-c1',
      '*/call-c64',
      'legacy/call100k-c16',
      'legacy/list*',
      'legacy/ten-c64',
      'legacy/stdio-c64',
      '*/memory',
    ],
  },
  standard: {
    window: { preWarmMs: 1500, warmUpMs: 500, durationMs: 1500, quietMs: 1500 },
    cases: ['*/call*', '*/list*', '*/ten-c64', '*/stdio-c64', '*/memory'],
  },
  full: { window: { preWarmMs: 2000, warmUpMs: 800, durationMs: 4000, quietMs: 1500 }, cases: ['*'] },
};

export const ERAS = ['legacy', 'modern', 'cross', 'all'] as const;
export type EraChoice = (typeof ERAS)[number];

function isOfEra(one: Case, choice: EraChoice): boolean {
  if (choice === 'all') return true;
  return choice === 'cross' ? one.era !== one.setup.era : one.era === choice && one.setup.era === choice;
}

/** A pattern without an era ("call-c64", "list*") matches in every era. */
function isNamed(one: Case, pattern: string): boolean {
  const expression = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*');
  return new RegExp(`^${expression}$`).test(pattern.includes('/') ? one.id : one.name);
}

export function chooseCases(patterns: readonly string[], era: EraChoice): Case[] {
  return CASES.filter(one => isOfEra(one, era) && patterns.some(pattern => pattern === '*' || isNamed(one, pattern)));
}
