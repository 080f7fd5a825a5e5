/**
 * The tools of the tasks scenarios (SEP-2663). Where a task is not possible they do their work at once, unless the
 * scenario wants a refusal for exactly that.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { TASKS_EXTENSION } from '../../../../src/domain/era.ts';
import { type JsonObject, objectOrEmpty } from '../../../../src/domain/json.ts';
import { RPC } from '../../../../src/domain/rpc.ts';
import { elicitation } from './asks.ts';
import type { TaskRun } from './tasks.ts';
import type { FixtureTool } from './tools.ts';
import type { Turn } from './turn.ts';

const LONGEST_TASK_MS = 60_000;
/** Nobody waits a minute for an answer; where no task is possible the work is cut short. */
const LONGEST_WAIT_MS = 1000;

const schema = (properties: JsonObject = {}): JsonObject => ({ type: 'object', properties });
const text = (value: string, isError = false): JsonObject => ({
  content: [{ type: 'text', text: value }],
  ...(isError ? { isError } : {}),
});
const confirmation = (question: string) => elicitation(question, { confirm: { type: 'boolean' } });
const extension = { extensions: { [TASKS_EXTENSION]: {} } };

/** As a task where the client takes tasks, else at once; both ways ask through the same two methods. */
function asTaskOrNow(turn: Turn, work: (run: Pick<TaskRun, 'signal' | 'ask'>) => Promise<JsonObject>) {
  return turn.tasks === null ? work(turn) : turn.tasks.start(work);
}

export const TASK_TOOLS: FixtureTool[] = [
  {
    name: 'greet',
    description: 'Greets; never a task',
    inputSchema: schema({ name: { type: 'string' } }),
    run: ({ name }) => text(`Hello, ${name ?? 'World'}!`),
  },
  {
    name: 'slow_compute',
    description: 'Computes for some seconds; a task unless that is 0',
    inputSchema: schema({ seconds: { type: 'number' }, label: { type: 'string' } }),
    run: ({ seconds, label }, turn) => {
      const longest = turn.tasks === null ? LONGEST_WAIT_MS : LONGEST_TASK_MS;
      const waitMs = Math.min(Math.max(Number(seconds ?? 0), 0) * 1000, longest);
      const compute = async ({ signal }: Pick<TaskRun, 'signal'>) => {
        await sleep(waitMs, undefined, { signal });
        return text(`Computed ${label ?? 'it'} in ${seconds ?? 0} s`);
      };
      return waitMs === 0 ? compute(turn) : asTaskOrNow(turn, compute);
    },
  },
  {
    name: 'failing_job',
    description: 'Always fails as a tool; needs a client that takes tasks',
    inputSchema: schema(),
    run: (_args, turn) => {
      turn.require(extension);
      return asTaskOrNow(turn, async ({ signal }) => {
        await sleep(1000, undefined, { signal });
        return text('The job failed', true);
      });
    },
  },
  {
    name: 'protocol_error_job',
    description: 'Always fails as a protocol error',
    inputSchema: schema(),
    run: (_args, turn) =>
      asTaskOrNow(turn, async () => {
        throw Object.assign(new Error('The job broke'), { code: RPC.internalError });
      }),
  },
  {
    name: 'confirm_delete',
    description: 'Asks before it deletes',
    inputSchema: schema({ filename: { type: 'string' } }),
    run: ({ filename }, turn) =>
      asTaskOrNow(turn, async run => {
        const { confirm } = await run.ask({ confirm: confirmation(`Delete ${filename ?? 'it'}?`) });
        const agreed = objectOrEmpty(confirm?.content).confirm === true;
        return text(agreed ? `Deleted ${filename ?? 'it'}` : 'Kept');
      }),
  },
  {
    name: 'multi_input',
    description: 'Asks two things at once',
    inputSchema: schema(),
    run: (_args, turn) =>
      asTaskOrNow(turn, async run => {
        const answers = await run.ask({ first: confirmation('First?'), second: confirmation('Second?') });
        return text(`Answers: ${JSON.stringify(answers)}`);
      }),
  },
  {
    name: 'test_tool_with_task',
    description: 'Asks first, then goes on as a task',
    inputSchema: schema(),
    run: async (_args, turn) => {
      turn.require(extension);
      const form = elicitation('What is your name?', { name: { type: 'string' } });
      const { user_name } = await turn.ask({ user_name: form });
      const name = objectOrEmpty(user_name?.content).name ?? 'stranger';
      return asTaskOrNow(turn, async () => text(`Task done for ${name}`));
    },
  },
];
