/**
 * The tasks extension (SEP-2663) by hand: the SDK has its wire words only. Tasks live in memory for their TTL;
 * a task may stop for input and goes on when every question is answered. Modern era only.
 */
import { randomUUID } from 'node:crypto';
import { ProtocolError } from '@modelcontextprotocol/server';
import { isJsonObject, type JsonObject, objectOrEmpty } from '../../../../src/domain/json.ts';
import { RPC } from '../../../../src/domain/rpc.ts';
import type { Ask } from './turn.ts';

export interface TaskRun {
  readonly signal: AbortSignal;
  /** Parks the task in `input_required` until `tasks/update` has brought every answer. */
  ask(asks: Record<string, Ask>): Promise<Record<string, JsonObject>>;
}

export interface TaskBoard {
  /** Starts the work and returns the `CreateTaskResult`; a thrown error becomes a failed task. */
  start(work: (run: TaskRun) => Promise<JsonObject>): JsonObject;
  find(taskId: unknown): JsonObject;
  answer(taskId: unknown, responses: unknown): void;
  cancel(taskId: unknown): void;
}

interface Task {
  id: string;
  status: 'working' | 'input_required' | 'completed' | 'failed' | 'cancelled';
  createdAt: string;
  lastUpdatedAt: string;
  outcome: JsonObject;
  pending: Map<string, { ask: Ask; resolve: (answer: JsonObject) => void }>;
  abort: AbortController;
}

const TTL_MS = 300_000;
const POLL_INTERVAL_MS = 200;
const MOST_TASKS = 1000;

export function createTaskBoard(): TaskBoard {
  const tasks = new Map<string, Task>();

  const touch = (task: Task, status: Task['status'], outcome: JsonObject = {}): void => {
    if (isSettled(task)) return;
    Object.assign(task, { status, outcome, lastUpdatedAt: new Date().toISOString() });
  };

  const requireTask = (id: unknown): Task => {
    const task = typeof id === 'string' ? tasks.get(id) : undefined;
    if (task === undefined) throw new ProtocolError(RPC.invalidParams, 'No such task');
    return task;
  };

  const runOf = (task: Task): TaskRun => ({
    signal: task.abort.signal,
    ask: asks => {
      const answers = Object.entries(asks).map(
        ([key, ask]) =>
          new Promise<[string, JsonObject]>((resolve, reject) => {
            task.abort.signal.addEventListener('abort', () => reject(new Error('cancelled')), { once: true });
            task.pending.set(key, { ask, resolve: answer => resolve([key, answer]) });
          }),
      );
      touch(task, 'input_required');
      return Promise.all(answers).then(Object.fromEntries);
    },
  });

  return {
    start(work) {
      if (tasks.size >= MOST_TASKS) throw new ProtocolError(RPC.internalError, 'Too many tasks');
      const now = new Date().toISOString();
      const task: Task = {
        id: randomUUID(),
        status: 'working',
        createdAt: now,
        lastUpdatedAt: now,
        outcome: {},
        pending: new Map(),
        abort: new AbortController(),
      };
      tasks.set(task.id, task);
      setTimeout(() => tasks.delete(task.id), TTL_MS).unref();
      const created = { resultType: 'task', ...describe(task) };
      work(runOf(task)).then(
        result => touch(task, 'completed', { result }),
        error => touch(task, 'failed', { error: { code: RPC.internalError, message: messageOf(error) } }),
      );
      return created;
    },

    find(taskId) {
      const task = requireTask(taskId);
      const questions = [...task.pending].map(([key, { ask }]) => [key, { method: ask.method, params: ask.params }]);
      const inputRequests = task.status === 'input_required' ? { inputRequests: Object.fromEntries(questions) } : {};
      return { ...describe(task), ...task.outcome, ...inputRequests };
    },

    answer(taskId, responses) {
      const task = requireTask(taskId);
      for (const [key, answer] of Object.entries(objectOrEmpty(responses))) {
        const question = task.pending.get(key);
        if (question === undefined || !isJsonObject(answer)) continue;
        task.pending.delete(key);
        question.resolve(answer);
      }
      if (task.status === 'input_required' && task.pending.size === 0) touch(task, 'working');
    },

    cancel(taskId) {
      const task = requireTask(taskId);
      touch(task, 'cancelled');
      task.abort.abort();
    },
  };
}

function describe(task: Task): JsonObject {
  return {
    taskId: task.id,
    status: task.status,
    createdAt: task.createdAt,
    lastUpdatedAt: task.lastUpdatedAt,
    ttlMs: TTL_MS,
    pollIntervalMs: POLL_INTERVAL_MS,
  };
}

function isSettled(task: Task): boolean {
  return task.status === 'completed' || task.status === 'failed' || task.status === 'cancelled';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
