/**
 * The names under which clients look for the registry's own tools. Nobody registers them any more, since a server that few
 * may see would shut that door to all others; what was registered before this rule stays, and the operator is told at the
 * start. An operator's own file may have the name, and then means it.
 */
import { type Failure, failure } from '../../domain/error.ts';
import { keyOfPath } from '../../domain/registry-path.ts';
import { isRegistryName } from '../../domain/resource.ts';
import type { RegistryDesk } from './desk.ts';

/** Null: the path is anybody's. */
export function findKeptName(path: string): Failure | null {
  if (!isRegistryName(keyOfPath(path))) return null;
  const say = "path: is kept for the registry's own tools, which clients look for there: choose another";
  return failure('INVALID_PARAMS', {}, { say });
}

export function warnOfKeptNames({ current, log }: RegistryDesk): void {
  for (const { path, source } of current().servers.values()) {
    if (source.kind === 'file' || findKeptName(path) === null) continue;
    log.warn('a server is registered where clients look for the tools of the registry, and stands in their way', {
      server: path,
      hint: 'register it under another path and remove it here; until then the registry is at /mcp/registry',
    });
  }
}
