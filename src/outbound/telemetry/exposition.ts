/** Prometheus text exposition format 0.0.4: HELP and TYPE once per metric, one sample per line, `\n` at every end. */
import type { Sample } from '../../ports/metrics.ts';
import { BOUNDS_S, type Buckets } from './histogram.ts';

export type Labels = Readonly<Record<string, string>>;

export class Exposition {
  #text = '';

  family(name: string, type: 'counter' | 'gauge' | 'histogram', help: string): void {
    this.#text += `# HELP ${name} ${escapeHelp(help)}\n# TYPE ${name} ${type}\n`;
  }

  sample(name: string, labels: Labels, value: number): void {
    this.#text += `${name}${printLabels(labels)} ${printValue(value)}\n`;
  }

  samples(name: string, type: 'counter' | 'gauge', help: string, samples: readonly Sample[]): void {
    this.family(name, type, help);
    for (const { labels, value } of samples) this.sample(name, labels, value);
  }

  histogram(name: string, labels: Labels, buckets: Buckets): void {
    const pairs = printPairs(labels);
    const head = `${name}_bucket{${pairs}${pairs === '' ? '' : ','}le="`;
    const counts = buckets.cumulative();
    BOUNDS_S.forEach((bound, i) => {
      this.#text += `${head}${bound}"} ${counts[i] ?? 0}\n`;
    });
    this.#text += `${head}+Inf"} ${buckets.count}\n`;
    this.sample(`${name}_sum`, labels, buckets.sumMs / 1000);
    this.sample(`${name}_count`, labels, buckets.count);
  }

  text(): string {
    return this.#text;
  }
}

function printLabels(labels: Labels): string {
  const pairs = printPairs(labels);
  return pairs === '' ? '' : `{${pairs}}`;
}

function printPairs(labels: Labels): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(value)}"`)
    .join(',');
}

function escapeLabel(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function printValue(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}
