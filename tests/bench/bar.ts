/**
 * The bar: what Gatehouse must reach and aims for, row by row, against the peers of the same run.
 * A row that could not be computed says so and is never a pass.
 */
import type { Figure, RunReport, Side } from './figures.ts';
import { callsPerSecond, median, medianRatio, ratioOf } from './figures.ts';

const SUBJECT = 'gatehouse';

interface Limits {
  better: 'lower' | 'higher';
  must: number;
  aim: number;
}

export interface Row extends Limits {
  what: string;
  unit: '' | 'MB' | 'KB';
  find(report: RunReport): number | null;
}

export interface Judged {
  row: Row;
  value: number | null;
  verdict: 'aim' | 'must' | 'MISS' | 'not measured';
}

const atMost = (must: number, aim: number): Limits => ({ better: 'lower', must, aim });
const atLeast = (must: number, aim: number): Limits => ({ better: 'higher', must, aim });
const own = (name: string): Side => ({ peer: SUBJECT, case: name });
const cpu: Figure = sample => sample.cpuUs;
const p50: Figure = sample => sample.p50Ms;

function ratio(what: string, figure: Figure, side: Side, base: Side, limits: Limits): Row {
  return { ...limits, what, unit: '', find: report => ratioOf(report, side, base, figure) };
}

/** Gatehouse against a peer in the same case. */
function against(peer: string, name: string, what: string, figure: Figure, limits: Limits): Row {
  return ratio(`${what} / ${peer}`, figure, own(name), { peer, case: name }, limits);
}

function startRatio(report: RunReport): number | null {
  const startsOf = (peer: string): Map<number, number> =>
    new Map(
      report.starts
        .filter(start => start.peer === peer && start.setup === 'legacy-http-json-1x50')
        .map(start => [start.round, start.startMs]),
    );
  return medianRatio(startsOf(SUBJECT), startsOf('sdk-naive'));
}

function memoryRow(
  what: string,
  unit: Row['unit'],
  limits: Limits,
  read: (sample: RunReport['memory'][number]) => number,
): Row {
  const find = (report: RunReport): number | null =>
    median(report.memory.filter(sample => sample.peer === SUBJECT).map(read));
  return { ...limits, what, unit, find };
}

function countErrors(report: RunReport): number | null {
  const samples = report.samples.filter(sample => sample.peer === SUBJECT);
  if (samples.length === 0) return null;
  const inMemory = report.memory.filter(sample => sample.peer === SUBJECT);
  const failures = report.failures.filter(failure => failure.peer === SUBJECT);
  return [...samples, ...inMemory].reduce((sum, sample) => sum + sample.errors, failures.length);
}

const ERA_PAIRS = ['modern', 'modern-to-legacy', 'legacy-to-modern'] as const;

export const ROWS: readonly Row[] = [
  against('raw-node', 'legacy/call-c64', 'small calls, 64 sessions: CPU per call', cpu, atMost(0.75, 0.45)),
  against('nginx-auth', 'legacy/call-c64', 'small calls, 64 sessions: calls/s', callsPerSecond, atLeast(0.65, 1)),
  against('raw-node', 'legacy/call-c1', '1 session: p50', p50, atMost(1.25, 1)),
  against('raw-node', 'legacy/call100k-c16', '100 KB, 16 sessions: calls/s', callsPerSecond, atLeast(0.7, 1)),
  ...[50, 500, 2000].map(tools =>
    against('nginx', `legacy/list${tools}-c16`, `tools/list of ${tools}: lists/s`, callsPerSecond, atLeast(1, 3)),
  ),
  ratio(
    'ten downstreams / one: calls/s',
    callsPerSecond,
    own('legacy/ten-c64'),
    own('legacy/call-c64'),
    atLeast(0.85, 0.95),
  ),
  ...ERA_PAIRS.map(pair =>
    ratio(
      `${pair} / legacy: calls/s`,
      callsPerSecond,
      own(`${pair}/call-c64`),
      own('legacy/call-c64'),
      atLeast(0.8, 1),
    ),
  ),
  ratio(
    'stdio downstream: calls/s / sdk-naive-stdio',
    callsPerSecond,
    own('legacy/stdio-c64'),
    { peer: 'sdk-naive-stdio', case: 'legacy/stdio-c64' },
    atLeast(2, 4),
  ),
  { ...atMost(1.5, 0.7), what: 'start to first call, 50 tools / sdk-naive', unit: '', find: startRatio },
  memoryRow('memory idle', 'MB', atMost(130, 90), sample => sample.idleKb / 1024),
  memoryRow('memory per open session', 'KB', atMost(10, 4), sample => sample.perSessionKb),
  memoryRow('memory after 20,000 calls / idle', '', atMost(1.3, 1.1), sample => sample.afterCallsKb / sample.idleKb),
  { ...atMost(0, 0), what: 'errors', unit: '', find: countErrors },
];

export function judge(row: Row, report: RunReport): Judged {
  const value = row.find(report);
  if (value === null) return { row, value, verdict: 'not measured' };
  const reaches = (limit: number): boolean => (row.better === 'lower' ? value <= limit : value >= limit);
  return { row, value, verdict: reaches(row.aim) ? 'aim' : reaches(row.must) ? 'must' : 'MISS' };
}

export const judgeAll = (report: RunReport): Judged[] => ROWS.map(row => judge(row, report));
