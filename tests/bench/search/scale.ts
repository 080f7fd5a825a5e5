/** What a catalog of some size costs: time to take it in, event loop meanwhile, memory, time per search. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { SearchDocument } from '../../../src/domain/search/document.ts';
import { readQueries, readTools, toDocument } from './corpus.ts';
import { createEngine, warmUp } from './engine.ts';

const QUERIES = 200;

export async function measureScale(count: number): Promise<string> {
  const memory = () => {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return (heapUsed + arrayBuffers) / 2 ** 20;
  };
  const before = memory();
  const documents = documentsOf(count);
  const lag = monitorEventLoopDelay({ resolution: 5 });
  const engine = createEngine();

  lag.enable();
  const start = performance.now();
  engine.replace('tool', documents);
  await engine.settled();
  const indexed = performance.now();
  await warmUp(engine);
  const trained = performance.now();
  lag.disable();
  const used = memory() - before;

  const queries = [...readQueries('livemcp-agent'), ...readQueries('livemcp-step'), ...readQueries('toole')].slice(
    0,
    QUERIES,
  );
  const ask = async () => {
    const times: number[] = [];
    const cpu = process.cpuUsage();
    for (const { query } of queries) {
      const asked = performance.now();
      await engine.search({ query, limit: 10, isVisible: () => true });
      times.push(performance.now() - asked);
    }
    const { user, system } = process.cpuUsage(cpu);
    times.sort((a, b) => a - b);
    const at = (share: number) => (times[Math.floor(times.length * share)] ?? 0).toFixed(1);
    return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, CPU ${((user + system) / 1000 / queries.length).toFixed(1)} ms`;
  };
  // A gateway just started, whose code is not compiled yet, and one that has been asked before.
  const first = await ask();
  const again = await ask();
  await engine.close();
  return [
    `${String(count).padStart(6)} tools: index ${(indexed - start).toFixed(0)} ms, model ${(trained - indexed).toFixed(0)} ms,`,
    `event loop held at most ${(lag.max / 1e6).toFixed(0)} ms (99 %: ${(lag.percentile(99) / 1e6).toFixed(0)} ms), ${used.toFixed(0)} MiB,`,
    `search ${again} (the first ${queries.length}: ${first})`,
  ].join(' ');
}

/** Real tools of public servers; beyond what there is, again under other names. Nothing else of them is kept. */
function documentsOf(count: number): SearchDocument[] {
  const tools = [...readTools('livemcp'), ...readTools('toucan')];
  return Array.from({ length: count }, (_, at) => {
    const tool = tools[at % tools.length] as (typeof tools)[number];
    return toDocument(at < tools.length ? tool : { ...tool, id: `${tool.id} ${at}` });
  });
}
