/**
 * The latent trainer behind ports/latent-trainer.ts: a thread that is started by the first catalog to be worked out and
 * ended when there was none for a while, because it holds memory while it lives.
 */
import { Worker } from 'node:worker_threads';
import type { LatentInput, LatentModel } from '../../domain/search/latent.ts';
import type { Clock } from '../../ports/clock.ts';
import type { LatentTrainer } from '../../ports/latent-trainer.ts';

export type Trained = { ok: true; model: LatentModel } | { ok: false; message: string };

const IDLE_MS = 10_000;

/** `worker`: the thread's program; beside this file unless the house was bundled. */
export function createLatentThread({ clock, worker = findWorker() }: { clock: Clock; worker?: URL }): LatentTrainer {
  let thread: Worker | null = null;
  let current: { resolve: (model: LatentModel) => void; reject: (cause: Error) => void } | null = null;
  let queue: Promise<unknown> = Promise.resolve();
  let isClosed = false;
  let cancelIdle = () => {};

  function start(): Worker {
    cancelIdle();
    if (thread !== null) return thread;
    const started = new Worker(worker, { name: 'search-model' });
    started.unref();
    started.on('message', (trained: Trained) => {
      if (trained.ok) settle(({ resolve }) => resolve(trained.model));
      else settle(({ reject }) => reject(new Error(trained.message)));
    });
    started.on('error', cause => end(started, cause instanceof Error ? cause : new Error(String(cause))));
    started.on('exit', () => end(started, new Error('the thread of the search model ended')));
    thread = started;
    return started;
  }

  function settle(how: (waiting: NonNullable<typeof current>) => void): void {
    const waiting = current;
    current = null;
    if (waiting !== null) how(waiting);
    cancelIdle = clock.after(IDLE_MS, () => {
      const idle = thread;
      thread = null;
      void idle?.terminate();
    });
  }

  function end(ended: Worker, cause: Error): void {
    if (thread !== ended) return;
    thread = null;
    settle(({ reject }) => reject(cause));
  }

  function run(input: LatentInput): Promise<LatentModel> {
    if (isClosed) return Promise.reject(new Error('the search index is closed'));
    const { promise, resolve, reject } = Promise.withResolvers<LatentModel>();
    current = { resolve, reject };
    const { starts, columnOf, values } = input.matrix;
    const moved = [starts.buffer, columnOf.buffer, values.buffer, input.termOf.buffer] as ArrayBuffer[];
    start().postMessage(input, moved);
    return promise;
  }

  return {
    train(input) {
      const result = queue.then(() => run(input));
      queue = result.catch(() => {});
      return result;
    },
    async close() {
      isClosed = true;
      cancelIdle();
      const ended = thread;
      thread = null;
      const waiting = current;
      current = null;
      waiting?.reject(new Error('the search index is closed'));
      await ended?.terminate();
    },
  };
}

/** From source it lies beside this file; a bundle has it at its root, and us in a folder of pieces. */
function findWorker(): URL {
  const isSource = import.meta.url.endsWith('.ts');
  return new URL(isSource ? './latent-worker.ts' : '../latent-worker.js', import.meta.url);
}
