/**
 * Frames as text on their way out. A frame is a head, perhaps bytes that were kept as they came, and a tail:
 * large answers and ready lists are written without being put together first.
 */
import type { JsonObject } from '../../domain/json.ts';
import type { RpcError, RpcId } from '../../domain/rpc.ts';

export interface Frame {
  head: string;
  /** The serialised `result`, or null when `head` is the whole frame. */
  bytes: Uint8Array | null;
  tail: string;
}

export const textFrame = (head: string): Frame => ({ head, bytes: null, tail: '' });

export function resultFrame(id: RpcId, result: JsonObject): Frame {
  return textFrame(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${JSON.stringify(result)}}`);
}

/** `prefix` stands before the bytes inside the result, e.g. a member added in front of the others. */
export function bytesFrame(id: RpcId, prefix: string, bytes: Uint8Array): Frame {
  return { head: `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${prefix}`, bytes, tail: '}' };
}

/** An error that answers nothing readable carries no id (2026-07-28 and JSON-RPC's null; legacy clients expect null). */
export function errorFrame(id: RpcId | null, error: RpcError): Frame {
  return textFrame(
    `{"jsonrpc":"2.0","id":${id === null ? 'null' : JSON.stringify(id)},"error":${JSON.stringify(error)}}`,
  );
}

export function notificationText(method: string, params: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', method, params });
}

export function requestText(id: RpcId, method: string, params: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', id, method, params });
}

export function byteLength(frame: Frame): number {
  return Buffer.byteLength(frame.head) + (frame.bytes?.length ?? 0) + Buffer.byteLength(frame.tail);
}

/** One line of text: where a line break would end the message (stdio, event streams). JSON needs none between tokens. */
export function toLine(frame: Frame): string {
  if (frame.bytes === null) return frame.head + frame.tail;
  const text = Buffer.from(frame.bytes.buffer, frame.bytes.byteOffset, frame.bytes.length).toString('utf8');
  const oneLine = text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]+/g, ' ') : text;
  return frame.head + oneLine + frame.tail;
}
