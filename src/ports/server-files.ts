/** The files of the operator that name servers of this gateway, as they are at the moment of asking. */
import type { ServerKey } from '../domain/server.ts';

export interface ServerFiles {
  /** Absolute; the one that wins where two name one server first. May be empty. */
  all(): readonly string[];
  /** Servers that any of them names. */
  named(): Iterable<ServerKey>;
  /** Null: no file names this server. */
  fileOf(server: ServerKey): string | null;
  /** Also where another file counts. */
  isNamedIn(file: string, server: ServerKey): boolean;
}
