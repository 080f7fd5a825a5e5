/**
 * Which era, which kind of message, well-formed? Decided once, purely, at the edge (MCP 2026-07-28, dual-era servers):
 * an envelope claim makes a request modern; without one it is legacy, and a modern header alone upgrades nothing.
 */
import {
  type Era,
  isLegacyRevision,
  isLogLevel,
  isModernRevision,
  type LogLevel,
  META,
  MODERN_REVISIONS,
  type ModernRevision,
} from '../../domain/era.ts';
import { type Failure, failure } from '../../domain/error.ts';
import { isJsonObject, type Json, type JsonObject, objectOrEmpty } from '../../domain/json.ts';
import { decodeHeaderValue, findNameParam } from '../../domain/param-headers.ts';
import { isRpcError, isRpcId, type RpcId } from '../../domain/rpc.ts';

/** One inbound message, recognised. `params` is always an object. */
export type Message =
  | { kind: 'request'; id: RpcId; method: string; params: JsonObject }
  | { kind: 'notification'; method: string; params: JsonObject }
  | {
      kind: 'response';
      id: RpcId;
      answer: { kind: 'result'; result: JsonObject } | { kind: 'error'; error: { code: number; message: string } };
    };

/** What a modern request says about itself, taken out of its `_meta`. */
export interface Envelope {
  revision: ModernRevision;
  clientCapabilities: JsonObject;
  clientInfo: JsonObject | null;
  logLevel: LogLevel | null;
}

export interface Refused {
  kind: 'refused';
  id: RpcId | null;
  failure: Failure;
}

/** Reads one JSON-RPC object. The id is kept for the refusal where it can be read. */
export function readMessage(value: Json): Message | Refused {
  if (!isJsonObject(value)) return refuse(null, failure('INVALID_REQUEST'));
  const id = isRpcId(value.id) ? value.id : null;
  if (value.jsonrpc !== '2.0') return refuse(id, failure('INVALID_REQUEST', {}, { say: 'jsonrpc must be "2.0".' }));
  const { method, params } = value;
  if (typeof method === 'string') {
    if (params !== undefined && !isJsonObject(params)) {
      return refuse(id, failure('INVALID_PARAMS', {}, { say: 'params must be an object.' }));
    }
    if (value.id === undefined) return { kind: 'notification', method, params: params ?? {} };
    if (id === null) return refuse(null, failure('INVALID_REQUEST', {}, { say: 'id must be a string or an integer.' }));
    return { kind: 'request', id, method, params: params ?? {} };
  }
  if (method === undefined && id !== null) {
    if (isJsonObject(value.result)) return { kind: 'response', id, answer: { kind: 'result', result: value.result } };
    if (isRpcError(value.error)) return { kind: 'response', id, answer: { kind: 'error', error: value.error } };
  }
  return refuse(id, failure('INVALID_REQUEST'));
}

/** Whether a message claims the modern era; stdio has no header. */
export function eraOf(message: Message, versionHeader: string | undefined): Era {
  if (message.kind === 'response') return 'legacy';
  const meta = objectOrEmpty(message.params._meta);
  // A header that claims a modern revision, or one nobody knows, on something that is no handshake: answered as modern,
  // so that the client learns what is missing or which versions there are.
  if (META.protocolVersion in meta) return 'modern';
  return message.method !== 'initialize' && versionHeader !== undefined && isModernRevision(versionHeader)
    ? 'modern'
    : 'legacy';
}

/** Of a message that could not be read; legacy clients have no such header. */
export function eraOfHeaders(headers: Readonly<Record<string, string | string[] | undefined>>): Era {
  return typeof headers['mcp-method'] === 'string' ? 'modern' : 'legacy';
}

/** What a refusal is told under: the id of a response is not the sender's. */
export function idOf(message: Message): RpcId | null {
  return message.kind === 'request' ? message.id : null;
}

/**
 * Takes the envelope out of `params`. Shape: `params` without envelope keys and progress token; `_meta` is gone when
 * nothing else was in it.
 */
export function readEnvelope(
  id: RpcId | null,
  params: JsonObject,
  versionHeader: string | null | undefined,
): { kind: 'envelope'; envelope: Envelope; params: JsonObject; progressToken: RpcId | null } | Refused {
  const meta = objectOrEmpty(params._meta);
  const version = meta[META.protocolVersion];
  const capabilities = meta[META.clientCapabilities];
  if (typeof version !== 'string') {
    return refuse(id, failure('INVALID_PARAMS', {}, { say: `params._meta["${META.protocolVersion}"] is required.` }));
  }
  // null: a transport without headers.
  if (versionHeader !== null && versionHeader !== version) {
    return refuse(
      id,
      failure(
        'HEADER_MISMATCH',
        {},
        { say: 'The MCP-Protocol-Version header must equal the version in the envelope.' },
      ),
    );
  }
  if (!isModernRevision(version)) {
    return refuse(id, failure('UNSUPPORTED_VERSION', { supported: [...MODERN_REVISIONS], requested: version }));
  }
  if (!isJsonObject(capabilities)) {
    return refuse(
      id,
      failure('INVALID_PARAMS', {}, { say: `params._meta["${META.clientCapabilities}"] is required.` }),
    );
  }
  const level = meta[META.logLevel];
  const info = meta[META.clientInfo];
  const { rest, progressToken } = withoutEnvelope(params);
  return {
    kind: 'envelope',
    envelope: {
      revision: version,
      clientCapabilities: capabilities,
      clientInfo: isJsonObject(info) ? info : null,
      logLevel: isLogLevel(level) ? level : null,
    },
    params: rest,
    progressToken,
  };
}

const ENVELOPE_KEYS: ReadonlySet<string> = new Set([
  META.protocolVersion,
  META.clientCapabilities,
  META.clientInfo,
  META.logLevel,
  'progressToken',
]);

/** Keys of the hop are the gateway's own; what else a client put into `_meta` travels on. */
export function withoutEnvelope(params: JsonObject): { rest: JsonObject; progressToken: RpcId | null } {
  if (!isJsonObject(params._meta)) return { rest: params, progressToken: null };
  const { _meta, ...bare } = params;
  const token = _meta.progressToken;
  let kept = null as JsonObject | null;
  for (const key of Object.keys(_meta)) {
    const value = _meta[key];
    // Defined, not assigned: a member may be called `__proto__`.
    if (!ENVELOPE_KEYS.has(key) && value !== undefined)
      kept = kept === null ? { [key]: value } : { ...kept, [key]: value };
  }
  const rest = kept === null ? bare : { ...bare, _meta: kept };
  return { rest, progressToken: isRpcId(token) || typeof token === 'number' ? token : null };
}

/** The standard headers of a modern request must say what its body says (SEP-2243); the body decides what is done. */
export function checkStandardHeaders(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  method: string,
  params: JsonObject,
): Failure | null {
  const said = headers['mcp-method'];
  if (typeof said !== 'string' || said.trim() !== method) {
    return failure('HEADER_MISMATCH', {}, { say: 'The Mcp-Method header must equal the method.' });
  }
  const member = findNameParam(method);
  if (member === null) return null;
  const name = headers['mcp-name'];
  if (typeof name !== 'string' || decodeHeaderValue(name) !== params[member]) {
    return failure('HEADER_MISMATCH', {}, { say: `The Mcp-Name header must equal params.${member}.` });
  }
  return null;
}

/** The legacy header, after the handshake: absent is fine (2025-03-26 had none), unknown is not. */
export function isAcceptableLegacyHeader(value: string | undefined): boolean {
  return value === undefined || isLegacyRevision(value);
}

function refuse(id: RpcId | null, no: Failure): Refused {
  return { kind: 'refused', id, failure: no };
}
