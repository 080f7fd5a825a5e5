/**
 * Task ids that carry their owner: the public id names the server, so routing survives a restart.
 * Shape: `gt.<server, base64url>.<own id>`; anything else is not a task of ours.
 */
import { isJsonObject, type JsonObject } from '../../domain/json.ts';
import type { ServerKey } from '../../domain/server.ts';

export function publicTaskId(server: ServerKey, own: string): string {
  return `gt.${Buffer.from(server).toString('base64url')}.${own}`;
}

export function readTaskId(id: unknown): { server: ServerKey; own: string } | null {
  const parts = typeof id === 'string' ? /^gt\.([A-Za-z0-9_-]+)\.(.+)$/s.exec(id) : null;
  if (parts?.[1] === undefined || parts[2] === undefined) return null;
  return { server: Buffer.from(parts[1], 'base64url').toString(), own: parts[2] };
}

/** A result or notification that names a task, with the id clients know; the same object when it names none. */
export function withPublicTaskId(server: ServerKey, result: JsonObject): JsonObject {
  if (typeof result.taskId === 'string') return { ...result, taskId: publicTaskId(server, result.taskId) };
  if (isJsonObject(result.task) && typeof result.task.taskId === 'string') {
    return { ...result, task: { ...result.task, taskId: publicTaskId(server, result.task.taskId) } };
  }
  return result;
}
