/**
 * Sums up V8 processor profiles: where the busy time went, by kind of code and by function.
 *   node tests/bench/profile.ts <folder or .cpuprofile> ... [--top 40]
 * Positions in a bundle are led back to their sources where a source map lies beside it.
 */
import fs from 'node:fs';
import { SourceMap } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ROOT } from './places.ts';

interface Frame {
  functionName: string;
  url: string;
  /** From 0. */
  lineNumber: number;
  columnNumber: number;
}

interface Profile {
  nodes: { id: number; callFrame: Frame; children?: number[] }[];
  samples?: number[];
  /** Microseconds before each sample. */
  timeDeltas?: number[];
}

const DEFAULT_TOP = 40;

/** First match wins; tried on the place a function's code came from. */
const KINDS: readonly (readonly [RegExp, string])[] = [
  [/^node:internal\/deps\/undici/, 'fetch (built in)'],
  [/^node:internal\/webstreams/, 'web streams'],
  [/node_modules\/((?:@[^/]+\/)?[^/]+)/, '$1'],
  [/^node:(_http|http|internal\/http)/, 'node:http'],
  [/^node:(net|_?stream|internal\/(stream_base|streams|js_stream))/, 'sockets and streams'],
  [/^node:(internal\/)?(timers|process\/task_queues|process\/promises|async_)/, 'timers, promises, async hooks'],
  [/^node:/, 'node, other'],
  [/^(src\/[^/]+(?:\/[^/]+)?)\//, '$1'],
];

function kindOf(place: string): string {
  for (const [pattern, name] of KINDS) {
    const match = pattern.exec(place);
    if (match !== null) return name.replace('$1', match[1] ?? '');
  }
  return place;
}

const maps = new Map<string, SourceMap | null>();

function findMap(file: string): SourceMap | null {
  const known = maps.get(file);
  if (known !== undefined) return known;
  const beside = `${file}.map`;
  const map = fs.existsSync(beside) ? new SourceMap(JSON.parse(fs.readFileSync(beside, 'utf8'))) : null;
  maps.set(file, map);
  return map;
}

/** File and line as a reader knows them: relative to the root, out of the bundle. */
function locate(frame: Frame): { file: string; line: number } {
  if (!frame.url.startsWith('file:')) return { file: frame.url, line: frame.lineNumber + 1 };
  const file = fileURLToPath(frame.url);
  const entry = findMap(file)?.findEntry(frame.lineNumber, frame.columnNumber);
  if (entry !== undefined && 'originalSource' in entry) {
    const source = path.resolve(path.dirname(file), entry.originalSource);
    return { file: path.relative(ROOT, source), line: entry.originalLine + 1 };
  }
  return { file: path.relative(ROOT, file), line: frame.lineNumber + 1 };
}

interface Totals {
  busyUs: number;
  kinds: Map<string, number>;
  functions: Map<string, number>;
}

const add = (sums: Map<string, number>, key: string, us: number): void => {
  sums.set(key, (sums.get(key) ?? 0) + us);
};

function selfTimes(profile: Profile): Map<number, number> {
  const self = new Map<number, number>();
  for (const [index, id] of (profile.samples ?? []).entries()) {
    self.set(id, (self.get(id) ?? 0) + (profile.timeDeltas?.[index] ?? 0));
  }
  return self;
}

function sumUp(profile: Profile): Totals {
  const parents = new Map(profile.nodes.flatMap(node => (node.children ?? []).map(child => [child, node] as const)));
  const self = selfTimes(profile);
  const totals: Totals = { busyUs: 0, kinds: new Map(), functions: new Map() };
  for (const node of profile.nodes) {
    const us = self.get(node.id) ?? 0;
    const name = node.callFrame.functionName || '(anonymous)';
    if (us <= 0 || name === '(idle)' || name === '(root)') continue;
    totals.busyUs += us;
    if (name === '(garbage collector)' || name === '(program)') {
      const label = name === '(program)' ? '(program): kernel and native input/output' : name;
      add(totals.kinds, label, us);
      add(totals.functions, label, us);
      continue;
    }
    // Built-in functions have no place of their own; they count for the nearest script above them.
    let scripted: typeof node | undefined = node;
    while (scripted !== undefined && scripted.callFrame.url === '') scripted = parents.get(scripted.id);
    const { file, line } = scripted === undefined ? { file: 'native', line: 0 } : locate(scripted.callFrame);
    add(totals.kinds, kindOf(file), us);
    const isOwn = scripted === node;
    add(totals.functions, `${name}  ${isOwn ? `${file}:${line}` : `(built in, from ${file}:${line})`}`, us);
  }
  return totals;
}

function toLines(sums: ReadonlyMap<string, number>, busyUs: number, top: number): string {
  const sorted = [...sums].sort(([, a], [, b]) => b - a).slice(0, top);
  return sorted.map(([key, us]) => `${((us / busyUs) * 100).toFixed(1).padStart(6)} %  ${key}`).join('\n');
}

function summarizeFile(file: string, top: number): string {
  const totals = sumUp(JSON.parse(fs.readFileSync(file, 'utf8')) as Profile);
  const head = `${path.basename(file)}: busy ${(totals.busyUs / 1e6).toFixed(2)} s`;
  const kinds = toLines(totals.kinds, totals.busyUs, top);
  return `${head}\n\n${kinds}\n\n${toLines(totals.functions, totals.busyUs, top)}`;
}

/** `from` is a profile or a folder of them. */
export function summarize(from: string, top = DEFAULT_TOP): string {
  if (!fs.existsSync(from)) return `no profile was written to ${from}: did the peer end by itself?`;
  const files = fs.statSync(from).isDirectory()
    ? fs
        .readdirSync(from)
        .filter(name => name.endsWith('.cpuprofile'))
        .map(name => path.join(from, name))
    : [from];
  return files.map(file => summarizeFile(file, top)).join('\n\n');
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { top: { type: 'string' } } });
  const top = Number(values.top ?? DEFAULT_TOP);
  for (const from of positionals) process.stdout.write(`${summarize(from, top)}\n\n`);
}
