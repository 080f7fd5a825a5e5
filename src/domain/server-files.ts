/**
 * The operator's files that name servers of one gateway, and which servers each of them names. The order counts: where two
 * files name one server, the first is the one that says what it is.
 */
import type { ServerKey } from './server.ts';

/** By absolute path. A file that names no server is there, too. */
export type ServerFiles = ReadonlyMap<string, ReadonlySet<ServerKey>>;

export const NO_FILES: ServerFiles = new Map();

/** Null: no file names this server. */
export function fileOf(files: ServerFiles, server: ServerKey): string | null {
  for (const [file, names] of files) if (names.has(server)) return file;
  return null;
}
