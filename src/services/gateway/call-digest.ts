/** What makes two requests the same request: server, method and parameters, in one digest. `_meta` may differ. */
import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject } from '../../domain/json.ts';
import type { ServerKey } from '../../domain/server.ts';

export function digestCall(subject: string, server: ServerKey, method: string, params: JsonObject): string {
  const { _meta, ...essential } = params;
  return createHash('sha256')
    .update(JSON.stringify([subject, server, method, sorted(essential)]))
    .digest('base64');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(
    Object.keys(value)
      .sort()
      .map(key => [key, sorted(value[key])]),
  );
}
