/** Figures of the process itself, under the names that Prometheus dashboards for Node look for. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Clock } from '../../ports/clock.ts';
import type { MetricsReader } from '../../ports/metrics.ts';

const LAG_RESOLUTION_MS = 20;

/** Offers memory, CPU, event-loop lag and start time; returns what stops the measuring. Keeps no process alive. */
export function offerProcessGauges(metrics: MetricsReader, clock: Clock): () => void {
  const startedSeconds = clock.wallMs() / 1000 - process.uptime();
  const lag = monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.enable();
  const one = (value: number) => [{ labels: {}, value }];

  metrics.gauge('process_start_time_seconds', 'Start of the process, in Unix seconds.', () => one(startedSeconds));
  metrics.gauge('process_resident_memory_bytes', 'Resident memory.', () => one(process.memoryUsage.rss()));
  metrics.gauge('nodejs_heap_size_used_bytes', 'Heap in use.', () => one(process.memoryUsage().heapUsed));
  metrics.gauge('nodejs_external_memory_bytes', 'Memory of buffers outside the heap.', () =>
    one(process.memoryUsage().external),
  );
  metrics.gauge('nodejs_active_resources', 'Open handles and requests of the event loop.', () =>
    one(process.getActiveResourcesInfo().length),
  );
  metrics.counter('process_cpu_seconds_total', 'CPU time, user and system.', () => {
    const { user, system } = process.cpuUsage();
    return one((user + system) / 1e6);
  });
  metrics.gauge('nodejs_eventloop_lag_p99_seconds', 'Lag of the event loop since the last reading, p99.', () => {
    // The sampling interval itself is part of every sample.
    const seconds = lag.count === 0 ? 0 : Math.max(0, lag.percentile(99) / 1e9 - LAG_RESOLUTION_MS / 1000);
    lag.reset();
    return one(seconds);
  });
  return () => lag.disable();
}
