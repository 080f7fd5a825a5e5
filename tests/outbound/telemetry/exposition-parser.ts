/**
 * A strict reader of the Prometheus text format 0.0.4, written from the format's description and sharing nothing
 * with the writer: throws on anything a scraper might refuse.
 */
export interface Family {
  type: string;
  help: string;
  samples: { name: string; labels: Record<string, string>; value: number }[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^[a-zA-Z_][a-zA-Z0-9_]*/;
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|NaN|\+Inf|-Inf)$/;

export function parseExposition(text: string): Map<string, Family> {
  if (text === '' || !text.endsWith('\n')) throw new Error('the last line must end with a line feed');
  const families = new Map<string, Family>();
  const seen = new Set<string>();
  let current: { name: string; family: Family } | null = null;
  for (const line of text.slice(0, -1).split('\n')) {
    if (line.includes('\r')) throw new Error(`carriage return in: ${line}`);
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    if (comment !== null) {
      const [, kind, name = '', rest = ''] = comment;
      if (NAME.exec(name)?.[0] !== name) throw new Error(`bad name: ${line}`);
      if (kind === 'HELP') {
        if (families.has(name)) throw new Error(`family twice: ${name}`);
        if (!/^(?:[^\\]|\\[\\n])*$/.test(rest)) throw new Error(`bad escape: ${line}`);
        current = { name, family: { type: 'untyped', help: rest, samples: [] } };
        families.set(name, current.family);
      } else {
        if (current?.name !== name || current.family.samples.length > 0) throw new Error(`TYPE out of place: ${line}`);
        if (!['counter', 'gauge', 'histogram', 'summary', 'untyped'].includes(rest))
          throw new Error(`bad type: ${line}`);
        current.family.type = rest;
      }
      continue;
    }
    if (line.startsWith('#') || line.trim() === '') throw new Error(`neither sample nor HELP nor TYPE: ${line}`);
    const sample = parseSample(line);
    if (current === null || !belongs(sample.name, current.name, current.family.type)) {
      throw new Error(`sample outside its family: ${line}`);
    }
    const identity = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`;
    if (seen.has(identity)) throw new Error(`series twice: ${line}`);
    seen.add(identity);
    if (current.family.type === 'counter' && !(sample.value >= 0)) throw new Error(`counter below zero: ${line}`);
    current.family.samples.push(sample);
  }
  for (const [name, family] of families) if (family.type === 'histogram') checkHistogram(name, family);
  return families;
}

function belongs(sample: string, family: string, type: string): boolean {
  if (type !== 'histogram') return sample === family;
  return ['_bucket', '_sum', '_count'].some(suffix => sample === family + suffix);
}

function parseSample(line: string) {
  const name = NAME.exec(line)?.[0];
  if (name === undefined) throw new Error(`no name: ${line}`);
  let rest = line.slice(name.length);
  const labels: Record<string, string> = {};
  if (rest.startsWith('{')) {
    rest = rest.slice(1);
    while (!rest.startsWith('}')) {
      const label = LABEL.exec(rest)?.[0];
      if (label === undefined || Object.hasOwn(labels, label)) throw new Error(`bad label: ${line}`);
      rest = rest.slice(label.length);
      const value = /^="((?:[^"\\]|\\[\\"n])*)"/.exec(rest);
      if (value === null) throw new Error(`bad label value: ${line}`);
      const plain = { '\\\\': '\\', '\\"': '"', '\\n': '\n' } as Record<string, string>;
      labels[label] = (value[1] ?? '').replace(/\\[\\"n]/g, pair => plain[pair] ?? pair);
      rest = rest.slice(value[0].length);
      if (rest.startsWith(',')) rest = rest.slice(1);
      else if (!rest.startsWith('}')) throw new Error(`no comma: ${line}`);
    }
    rest = rest.slice(1);
  }
  const number = rest.slice(1);
  if (!rest.startsWith(' ') || !NUMBER.test(number)) throw new Error(`bad value: ${line}`);
  return { name, labels, value: number.endsWith('Inf') ? Number(number.replace('Inf', 'Infinity')) : Number(number) };
}

function checkHistogram(name: string, family: Family): void {
  const groups = new Map<string, { buckets: [number, number][]; sum: number | null; count: number | null }>();
  for (const sample of family.samples) {
    const { le, ...labels } = sample.labels;
    const key = JSON.stringify(Object.entries(labels).sort());
    const group = groups.get(key) ?? { buckets: [], sum: null, count: null };
    groups.set(key, group);
    if (sample.name.endsWith('_bucket')) group.buckets.push([le === '+Inf' ? Infinity : Number(le), sample.value]);
    else if (sample.name.endsWith('_sum')) group.sum = sample.value;
    else group.count = sample.value;
  }
  for (const [key, { buckets, sum, count }] of groups) {
    if (sum === null || count === null) throw new Error(`${name}${key}: no sum or count`);
    buckets.forEach(([bound, value], i) => {
      const [lower, before] = buckets[i - 1] ?? [-Infinity, 0];
      if (!(bound > lower) || value < before) throw new Error(`${name}${key}: buckets out of order`);
    });
    const last = buckets.at(-1);
    if (last?.[0] !== Infinity || last[1] !== count) throw new Error(`${name}${key}: +Inf is not the count`);
  }
}
