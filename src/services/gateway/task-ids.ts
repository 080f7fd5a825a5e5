/**
 * Task ids that clients know: sealed for the caller whose task it is, with the server and its own id inside, so a task
 * needs no table here and another caller's id is as unknown as a random one.
 * Shape: `gt.<handle>`; anything else is not a task of ours.
 */
import { isJsonObject, type JsonObject } from '../../domain/json.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { Seal } from '../../ports/seal.ts';

const PREFIX = 'gt.';
const PURPOSE = 'task';

export interface TaskRef {
  server: ServerKey;
  own: string;
}

export function publicTaskId(seal: Seal, subject: string, { server, own }: TaskRef): string {
  return PREFIX + seal.seal(PURPOSE, subject, JSON.stringify([server, own]));
}

export function readTaskId(seal: Seal, subject: string, id: unknown): TaskRef | null {
  if (typeof id !== 'string' || !id.startsWith(PREFIX)) return null;
  const opened = seal.open(PURPOSE, subject, id.slice(PREFIX.length));
  if (opened === null) return null;
  const [server, own] = JSON.parse(opened) as [ServerKey, string];
  return { server, own };
}

/**
 * A result that names a task, with the id its caller knows; the same object when it names none. `shown`: the id the
 * caller asked about, which it is told again, because two handles for one task differ.
 */
export function withPublicTaskId(
  seal: Seal,
  subject: string,
  server: ServerKey,
  result: JsonObject,
  shown: { id: string; own: unknown } | null = null,
): JsonObject {
  const publicId = (own: string) =>
    shown !== null && shown.own === own ? shown.id : publicTaskId(seal, subject, { server, own });
  if (typeof result.taskId === 'string') return { ...result, taskId: publicId(result.taskId) };
  if (isJsonObject(result.task) && typeof result.task.taskId === 'string') {
    return { ...result, task: { ...result.task, taskId: publicId(result.task.taskId) } };
  }
  return result;
}

export function namesTask(params: JsonObject): boolean {
  return typeof params.taskId === 'string' || (isJsonObject(params.task) && typeof params.task.taskId === 'string');
}
