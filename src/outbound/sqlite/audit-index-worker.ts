/** The thread of the audit index: takes questions, catches up with the ledger first, answers. One question at a time. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Answer, Question } from './audit-index.ts';
import { openAuditIndexStore } from './audit-index-store.ts';

const store = openAuditIndexStore((workerData as { path: string }).path);

parentPort?.on('message', (question: Question) => {
  parentPort?.postMessage(answer(question));
});

function answer(question: Question): Answer {
  try {
    const taken = store.catchUp();
    return { ok: true, id: question.id, taken, found: find(question) };
  } catch (cause) {
    return { ok: false, id: question.id, message: cause instanceof Error ? cause.message : String(cause) };
  }
}

function find(question: Question): Extract<Answer, { ok: true }>['found'] {
  switch (question.kind) {
    case 'follow':
      return null;
    case 'query':
      return store.query(question.filter, question.page);
    case 'statistics':
      return store.statistics(question.filter);
    case 'options':
      return store.options();
  }
}
