/** What is written in an operator's file is changed there; whoever tries it here is told where. */
import { type Failure, failure } from '../../domain/error.ts';
import type { RegisteredServer } from '../../domain/registered-server.ts';

/** Null: the server may be changed here. */
export function ownedByFile({ source }: Pick<RegisteredServer, 'source'>): Failure | null {
  if (source.kind === 'live') return null;
  if (source.kind === 'federated') {
    const say = `This server is a copy of one at ${source.from}, and is changed there.`;
    return failure('CONFLICT', {}, { say });
  }
  return failure('CONFLICT', {}, { say: `This server is written in ${nameOf(source.file)}, and is changed there.` });
}

/** The folders before it are nobody's business. */
export function nameOf(file: string): string {
  return file.split(/[\\/]/).at(-1) ?? file;
}
