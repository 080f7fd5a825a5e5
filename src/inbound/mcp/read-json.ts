/** Bytes -> JSON, the same for every transport: what nests too deeply, or could be read in two ways, is refused. */
import { type Failure, failure } from '../../domain/error.ts';
import type { Json } from '../../domain/json.ts';
import { isAmbiguous } from './ambiguous-members.ts';
import { isTooDeep } from './json-depth.ts';

export function readJson(bytes: Buffer): { kind: 'json'; value: Json } | Failure {
  if (isTooDeep(bytes)) return failure('INVALID_REQUEST', {}, { say: 'The message nests too deeply.' });
  const text = bytes.toString('utf8');
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    return failure('PARSE_ERROR');
  }
  if (isAmbiguous(text)) return failure('INVALID_REQUEST', {}, { say: 'A member occurs twice, or in two spellings.' });
  return { kind: 'json', value };
}

/** With or without parameters; anything else could be sent by a web page without asking (CSRF). */
export function isJsonType(contentType: string | undefined): boolean {
  return contentType === 'application/json' || /^application\/json\s*(?:;|$)/i.test(contentType ?? '');
}
