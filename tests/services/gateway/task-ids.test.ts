import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createSeal } from '../../../src/outbound/vault/seal.ts';
import { namesTask, publicTaskId, readTaskId, withPublicTaskId } from '../../../src/services/gateway/task-ids.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';

const seal = createSeal(createFrozenClock());

test('a public task id leads its caller, and nobody else, back to its server and own id, whatever they hold', () => {
  const text = fc.string({ minLength: 1, unit: 'grapheme' });
  fc.assert(
    fc.property(text, text, text, text, (server, own, alice, bob) => {
      const id = publicTaskId(seal, alice, { server, own });
      expect(readTaskId(seal, alice, id)).toEqual({ server, own });
      if (alice !== bob) expect(readTaskId(seal, bob, id)).toBeNull();
    }),
  );
});

test('tells nothing of the server or its id', () => {
  const id = publicTaskId(seal, 'alice', { server: 'payroll', own: 'task-of-everybody' });
  expect(id).toMatch(/^gt\.[A-Za-z0-9_-]+$/);
  expect(Buffer.from(id.slice(3), 'base64url').toString('latin1')).not.toMatch(/payroll|everybody/);
});

test.each([undefined, null, 7, '', 'task-1', 'gt.', 'gt.YQ', 'gt.YQ.1', 'gt.Y Q.1', ['gt.YQ.1']])(
  '%j is no task of ours',
  id => expect(readTaskId(seal, 'alice', id)).toBeNull(),
);

test.each([
  { result: { resultType: 'task', taskId: '1', ttlMs: 5 }, at: ['taskId'], because: 'a task as result' },
  { result: { task: { taskId: '1', status: 'working' } }, at: ['task', 'taskId'], because: 'a task inside' },
])('$because is told under its public id, the rest as it was', ({ result }) => {
  const told = JSON.stringify(withPublicTaskId(seal, 'alice', 'a', result));
  const [id = ''] = /gt\.[A-Za-z0-9_-]+/.exec(told) ?? [];
  expect(readTaskId(seal, 'alice', id)).toEqual({ server: 'a', own: '1' });
  expect(JSON.parse(told.replace(id, '1'))).toEqual(result);
});

test('the id that was asked about is told again, another task gets its own', () => {
  const shown = { id: 'gt.shown', own: '1' };
  expect(withPublicTaskId(seal, 'alice', 'a', { taskId: '1' }, shown)).toEqual({ taskId: 'gt.shown' });
  expect(withPublicTaskId(seal, 'alice', 'a', { taskId: '2' }, shown)).not.toEqual({ taskId: 'gt.shown' });
});

test('a result without a task is passed on as the same object', () => {
  for (const result of [{ content: [] }, { taskId: 7 }, { task: null }]) {
    expect(withPublicTaskId(seal, 'alice', 'a', result)).toBe(result);
    expect(namesTask(result)).toBe(false);
  }
});
