import fc from 'fast-check';
import { expect, test } from 'vitest';
import { publicTaskId, readTaskId, withPublicTaskId } from '../../../src/services/gateway/task-ids.ts';

test('a public task id leads back to its server and own id, whatever they hold', () => {
  const text = fc.string({ minLength: 1, unit: 'binary' });
  fc.assert(
    fc.property(text, text, (server, own) => {
      expect(readTaskId(publicTaskId(server, own))).toEqual({ server, own });
    }),
  );
});

test('two servers with the same task id have two public ones', () => {
  expect(publicTaskId('a', '1')).not.toBe(publicTaskId('b', '1'));
});

test.each([undefined, null, 7, '', 'task-1', 'gt.', 'gt.YQ', 'gt.YQ.', 'gt..1', 'gt.Y Q.1', ['gt.YQ.1']])(
  '%j is no task of ours',
  id => expect(readTaskId(id)).toBeNull(),
);

test.each([
  {
    result: { resultType: 'task', taskId: '1', ttlMs: 5 },
    becomes: { resultType: 'task', taskId: 'gt.YQ.1', ttlMs: 5 },
    because: 'a task as result',
  },
  {
    result: { task: { taskId: '1', status: 'working' } },
    becomes: { task: { taskId: 'gt.YQ.1', status: 'working' } },
    because: 'a task inside',
  },
  { result: { taskId: 7 }, becomes: { taskId: 7 }, because: 'no text is no id' },
])('$because is told under its public id', ({ result, becomes }) =>
  expect(withPublicTaskId('a', result)).toEqual(becomes),
);

test('a result without a task is passed on as the same object', () => {
  const result = { content: [] };
  expect(withPublicTaskId('a', result)).toBe(result);
});
