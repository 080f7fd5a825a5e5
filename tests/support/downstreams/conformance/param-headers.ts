/**
 * Arguments mirrored in `Mcp-Param-*` headers (SEP-2243): checked before the request is served. The SDK checks them
 * only for tools of its own registry, which this fixture does not use.
 */
import { isJsonObject, type JsonObject, objectOrEmpty, stringOrNull } from '../../../../src/domain/json.ts';
import { RPC } from '../../../../src/domain/rpc.ts';
import { listTools } from './tools.ts';
import type { World } from './world.ts';

const SENTINEL = /^=\?base64\?(.*)\?=$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** A refusal, or null when every mirrored argument agrees with its header. */
export async function refuseBadParamHeaders(request: Request, world: World): Promise<Response | null> {
  if (request.method !== 'POST' || request.headers.get('mcp-method') !== 'tools/call') return null;
  const body = await readBody(request.clone());
  const params = objectOrEmpty(body?.params);
  const tool = listTools(world).find(({ name }) => name === params.name);
  const properties = objectOrEmpty(objectOrEmpty(tool?.inputSchema).properties);
  for (const [argument, schema] of Object.entries(properties)) {
    const name = stringOrNull(objectOrEmpty(schema)['x-mcp-header']);
    if (name === null) continue;
    const value = objectOrEmpty(params.arguments)[argument];
    const header = request.headers.get(`mcp-param-${name}`);
    const expected = value === undefined || value === null ? null : String(value);
    if (decode(header) !== expected) {
      const error = { code: RPC.headerMismatch, message: `Mcp-Param-${name} does not agree with the argument` };
      return Response.json({ jsonrpc: '2.0', id: body?.id ?? null, error }, { status: 400 });
    }
  }
  return null;
}

/** Undefined for a sentinel around something that is not base64: it then equals nothing. */
function decode(header: string | null): string | null | undefined {
  const encoded = header === null ? undefined : SENTINEL.exec(header)?.[1];
  if (encoded === undefined) return header;
  return BASE64.test(encoded) ? Buffer.from(encoded, 'base64').toString() : undefined;
}

async function readBody(request: Request): Promise<JsonObject | null> {
  try {
    const body: unknown = await request.json();
    return isJsonObject(body) ? body : null;
  } catch {
    return null;
  }
}
