/**
 * JSON-RPC 2.0 frames as MCP uses them. Ids are strings or integers; `null` ids appear only in errors that
 * answer something unreadable. Frames are forwarded as parsed JSON: unknown members survive.
 */
import { isJsonObject, type Json } from './json.ts';

export type RpcId = string | number;

export interface RpcError {
  code: number;
  message: string;
  data?: Json;
}

/** Standard codes (JSON-RPC 2.0, section 5.1) and the ones MCP assigns; see domain/error.ts for ours. */
export const RPC = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  internalError: -32603,
  /** MCP <= 2025-11-25: resource not found. */
  resourceNotFound: -32002,
  /** MCP 2026-07-28. */
  headerMismatch: -32020,
  missingClientCapability: -32021,
  unsupportedProtocolVersion: -32022,
  /** MCP 2025-11-25 only: the client must first visit a URL. */
  urlElicitationRequired: -32042,
} as const;

/** An id that may be echoed and used as a map key without loss: a string, or a safe integer. */
export function isRpcId(value: unknown): value is RpcId {
  return typeof value === 'string' || (typeof value === 'number' && Number.isSafeInteger(value));
}

export function isRpcError(value: unknown): value is RpcError {
  return isJsonObject(value) && typeof value.code === 'number' && typeof value.message === 'string';
}
