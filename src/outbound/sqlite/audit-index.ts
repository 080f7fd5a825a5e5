/**
 * The audit index behind ports/audit.ts: a thread that follows the ledger file by itself, so that the event loop pays
 * nothing for it. It costs 40 MB while it lives, so it is started by the first question and ended when there was none
 * for a while; what it missed meanwhile it reads when it is started again.
 */
import { Worker } from 'node:worker_threads';
import type { AuditFilter } from '../../domain/audit.ts';
import type { AuditIndex, AuditLedger, AuditOptions, AuditPage, AuditStatistics } from '../../ports/audit.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';

export type Question = { id: number } & (
  | { kind: 'follow' }
  | { kind: 'query'; filter: AuditFilter; page: { limit: number; before: number | null } }
  | { kind: 'statistics'; filter: AuditFilter }
  | { kind: 'options' }
);

type Asked = Question extends infer Q ? (Q extends Question ? Omit<Q, 'id'> : never) : never;

export type Answer =
  /** What was asked for; null: nothing was. */
  | { ok: true; id: number; taken: number; found: AuditPage | AuditStatistics | AuditOptions | null }
  | { ok: false; id: number; message: string };

export interface AuditIndexDeps {
  /** The ledger that is written, once it is known; null: none is open. */
  path: () => string | null;
  /** Has the ledger write what it still gathers, in front of each question. */
  settle: AuditLedger['settle'];
  clock: Clock;
  log: Log;
  /** The thread's program; beside this file unless the house was bundled. */
  worker?: URL;
}

export interface FollowingIndex extends AuditIndex {
  /** Lines were written: read before long, many at once, while somebody asks questions; otherwise with the next one. */
  follow(): void;
}

const FOLLOW_MS = 5_000;
const IDLE_MS = 30_000;
const MAX_QUESTIONS = 64;
const QUERY_MS = 60_000;

interface Open {
  resolve: (found: Extract<Answer, { ok: true }>['found']) => void;
  reject: (cause: Error) => void;
  cancelTimer: () => void;
}

export function createAuditIndex(deps: AuditIndexDeps): FollowingIndex {
  const { path, settle, clock, log, worker = findWorker() } = deps;
  const open = new Map<number, Open>();
  let thread: Worker | null = null;
  let lastId = 0;
  let isFollowSet = false;
  let lastUseMs = 0;
  let isClosed = false;

  function start(): Worker | null {
    const ledger = path();
    if (isClosed || ledger === null) return null;
    if (thread !== null) return thread;
    const started = new Worker(worker, { workerData: { path: ledger }, name: 'audit-index' });
    started.unref();
    started.on('message', take);
    started.on('error', cause => end(started, cause));
    started.on('exit', () => end(started, new Error('the audit index ended')));
    thread = started;
    endWhenIdle(started);
    return started;
  }

  function take(answer: Answer): void {
    if (!answer.ok) log.warn('audit index could not be read', { detail: answer.message });
    const question = open.get(answer.id);
    if (question === undefined) return;
    open.delete(answer.id);
    question.cancelTimer();
    lastUseMs = clock.monotonicMs();
    if (answer.ok) question.resolve(answer.found);
    else question.reject(new Error(answer.message));
  }

  function end(ended: Worker, cause: Error): void {
    if (thread !== ended) return;
    thread = null;
    for (const { reject, cancelTimer } of open.values()) {
      cancelTimer();
      reject(cause);
    }
    open.clear();
  }

  function endWhenIdle(started: Worker): void {
    clock.after(IDLE_MS, () => {
      if (thread !== started) return;
      if (open.size > 0 || clock.monotonicMs() - lastUseMs < IDLE_MS) return endWhenIdle(started);
      thread = null;
      void started.terminate();
    });
  }

  async function ask<T extends AuditPage | AuditStatistics | AuditOptions>(asked: Asked): Promise<T> {
    // Who was answered before this question finds the answer in the book.
    await settle();
    const started = start();
    // Nothing known is not nothing done.
    if (started === null) throw new Error('no audit ledger is open');
    if (open.size >= MAX_QUESTIONS) throw new Error('too many questions to the audit index');
    lastId += 1;
    const id = lastId;
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const cancelTimer = clock.after(QUERY_MS, () => {
      open.delete(id);
      reject(new Error('the audit index did not answer in time'));
    });
    // The thread answers what it was asked.
    open.set(id, { resolve: found => resolve(found as T), reject, cancelTimer });
    lastUseMs = clock.monotonicMs();
    started.postMessage({ ...asked, id } satisfies Question);
    return promise;
  }

  return {
    follow() {
      if (isFollowSet || thread === null) return;
      isFollowSet = true;
      clock.after(FOLLOW_MS, () => {
        isFollowSet = false;
        thread?.postMessage({ kind: 'follow', id: 0 } satisfies Question);
      });
    },
    query: (filter, page) => ask({ kind: 'query', filter, page }),
    statistics: filter => ask({ kind: 'statistics', filter }),
    options: () => ask({ kind: 'options' }),
    async close() {
      isClosed = true;
      await thread?.terminate();
    },
  };
}

/** From source it lies beside this file; a bundle has it at its root, and us in a folder of pieces. */
function findWorker(): URL {
  const isSource = import.meta.url.endsWith('.ts');
  return new URL(isSource ? './audit-index-worker.ts' : '../audit-index-worker.js', import.meta.url);
}
