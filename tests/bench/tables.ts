/**
 * Renders a report as text: one table per case, then start and memory, then the bar, then whatever went wrong.
 */
import { judgeAll } from './bar.ts';
import { CASES } from './cases.ts';
import type { Figure, RunReport } from './figures.ts';
import { callsPerSecond, median, medianOf, ratioOf, spreadOf } from './figures.ts';

const BASES = ['nginx', 'nginx-auth', 'raw-node'];
const MAX_FAILURES = 30;

function show(value: number | null, digits = 2): string {
  if (value === null) return '-';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en-US');
  return value.toFixed(Math.abs(value) >= 10 ? Math.min(digits, 1) : digits);
}

const percent = (value: number | null): string => (value === null ? '-' : `${Math.round(value * 100)}%`);

/** A Markdown table whose columns line up; the first is text, the others are figures. */
export function toTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map(row => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, column) => (column === 0 ? '-'.repeat(width + 2) : `${'-'.repeat(width + 1)}:`));
  return [line(head), `|${rule.join('|')}|`, ...rows.map(line)].join('\n');
}

function caseTable(report: RunReport, name: string): string | null {
  const peers = Object.keys(report.peers).filter(peer =>
    report.samples.some(sample => sample.peer === peer && sample.case === name),
  );
  if (peers.length === 0) return null;
  const bases = BASES.filter(base => peers.includes(base));
  const figures: [string, Figure, number][] = [
    ['p50 ms', sample => sample.p50Ms, 2],
    ['p95 ms', sample => sample.p95Ms, 2],
    ['p99 ms', sample => sample.p99Ms, 2],
    ['CPU us/call', sample => sample.cpuUs, 1],
    ['cores', sample => sample.cores, 2],
    ['RSS MB', sample => (sample.memoryKb === null ? null : sample.memoryKb / 1024), 0],
    ['waited', sample => sample.waited, 2],
  ];
  const rows = peers.map(peer => {
    const side = { peer, case: name };
    const errors = report.samples
      .filter(sample => sample.peer === peer && sample.case === name)
      .reduce((sum, sample) => sum + sample.errors, 0);
    return [
      peer,
      show(medianOf(report, side, callsPerSecond), 0),
      ...bases.map(base => show(ratioOf(report, side, { peer: base, case: name }, callsPerSecond))),
      percent(spreadOf(report, side, callsPerSecond)),
      ...figures.map(([, figure, digits]) => show(medianOf(report, side, figure), digits)),
      String(errors),
    ];
  });
  const head = [
    'peer',
    'calls/s',
    ...bases.map(base => `x ${base}`),
    'spread',
    ...figures.map(([title]) => title),
    'errors',
  ];
  return `### ${name}\n\n${toTable(head, rows)}`;
}

function startTable(report: RunReport): string | null {
  const peers = Object.keys(report.peers).filter(
    peer => report.starts.some(start => start.peer === peer) || report.memory.some(sample => sample.peer === peer),
  );
  if (peers.length === 0) return null;
  const rows = peers.map(peer => {
    const starts = report.starts.filter(start => start.peer === peer && /-1x50$/.test(start.setup));
    const memory = report.memory.filter(sample => sample.peer === peer);
    return [
      peer,
      show(median(starts.map(start => start.startMs)), 0),
      show(median(memory.map(sample => sample.idleKb / 1024)), 1),
      show(median(memory.map(sample => sample.afterCallsKb / 1024)), 1),
      show(median(memory.map(sample => sample.afterCallsKb / sample.idleKb))),
      show(median(memory.map(sample => sample.perSessionKb)), 1),
    ];
  });
  const head = ['peer', 'start to first call ms', 'idle MB', 'after 20,000 calls MB', '/ idle', 'KB per open session'];
  return `### start and memory\n\n${toTable(head, rows)}`;
}

function barTable(report: RunReport): string {
  const rows = judgeAll(report).map(({ row, value, verdict }) => {
    const sign = row.better === 'lower' ? '<=' : '>=';
    const unit = row.unit === '' ? '' : ` ${row.unit}`;
    return [
      row.what,
      `${show(value, row.what === 'errors' ? 0 : 2)}${value === null ? '' : unit}`,
      `${sign} ${row.must}${unit}`,
      `${sign} ${row.aim}${unit}`,
      verdict,
    ];
  });
  const note = report.rounds < 3 ? `\n\n(${report.rounds} round(s): an indication; the bar wants three.)` : '';
  return `### the bar\n\n${toTable(['what', 'measured', 'must', 'aim', 'reached'], rows)}${note}`;
}

function listErrors(report: RunReport): string | null {
  const lines = [
    ...report.failures.map(failure => `- round ${failure.round}, ${failure.peer}: ${failure.what}`),
    ...report.samples.flatMap(sample =>
      Object.entries(sample.errorKinds).map(([kind, count]) => `- ${sample.peer} ${sample.case}: ${count} x ${kind}`),
    ),
  ];
  return lines.length === 0 ? null : `### errors\n\n${lines.slice(0, MAX_FAILURES).join('\n')}`;
}

export function render(report: RunReport): string {
  const pinning = report.isPinned ? 'peers on a core of their own' : 'not pinned';
  const about = `${report.startedAt}, ${report.profile}, ${report.rounds} round(s), node ${report.node}, ${report.cores} x ${report.processor}, ${pinning}`;
  const peers = Object.entries(report.peers).map(([name, version]) => `- ${name}: ${version}`);
  const leftOut = Object.entries(report.leftOut).map(([name, why]) => `- ${name}: left out, ${why}`);
  const cases = CASES.map(one => caseTable(report, one.id));
  const hasSubject = 'gatehouse' in report.peers;
  const sections = [
    about,
    [...peers, ...leftOut].join('\n'),
    ...cases,
    startTable(report),
    hasSubject ? barTable(report) : null,
  ];
  return [...sections, listErrors(report)].filter(section => section !== null).join('\n\n');
}
