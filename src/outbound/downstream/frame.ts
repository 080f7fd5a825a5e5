/**
 * JSON-RPC frames as text and bytes: building requests without a second serialisation, and finding the exact bytes of a
 * large result in the frame it came in, so that it can be sent on unread. Nothing is validated here but JSON itself.
 */
import { isUtf8 } from 'node:buffer';
import { isJsonObject, type Json, type JsonObject } from '../../domain/json.ts';
import type { RpcError } from '../../domain/rpc.ts';
import type { Exchange } from './exchange.ts';

/** Below it re-serialising is as cheap as keeping bytes. */
export const LARGE_FRAME_BYTES = 8 * 1024;

/** A request as text, or as pieces to be written one after the other: large arguments are not copied. */
export type RequestText = string | readonly Uint8Array[];

/**
 * A request under an id of ours. Large arguments that were kept as bytes are put in as they are; the frame is then bytes
 * too. Same arguments otherwise as `paramsText`.
 */
export function requestFrame(
  { id, method, params, argumentBytes }: Pick<Exchange, 'id' | 'method' | 'params' | 'argumentBytes'>,
  added: string,
  owned: ReadonlySet<string>,
): RequestText {
  const head = `{"jsonrpc":"2.0","id":${id},"method":${JSON.stringify(method)},"params":`;
  if (argumentBytes === null) return `${head}${paramsText(params, added, owned)}}`;
  const text = paramsText(params, added, owned);
  const open = text === '{}' ? '{' : `${text.slice(0, -1)},`;
  return [Buffer.from(`${head}${open}"arguments":`), argumentBytes, CLOSE_BOTH];
}

export function notificationText(method: string, params: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', method, params });
}

export function resultText(id: Json, result: JsonObject): string {
  return JSON.stringify({ jsonrpc: '2.0', id, result });
}

export function errorText(id: Json, error: RpcError): string {
  return JSON.stringify({ jsonrpc: '2.0', id, error });
}

/**
 * `params` as text, with members added to its `_meta`. `added` is text too: `"key":value` pairs, or empty. Names in
 * `owned` are ours in every request of the hop and are dropped from what the caller sent.
 */
export function paramsText(params: JsonObject, added: string, owned: ReadonlySet<string>): string {
  const meta = params._meta;
  if (meta === undefined) {
    const text = JSON.stringify(params);
    return added === '' ? text : withMeta(text, added);
  }
  const { _meta: _, ...rest } = params;
  let keptText = '';
  if (isJsonObject(meta)) {
    // From entries, not by assignment: a member called `__proto__` stays a member.
    const kept = Object.fromEntries(Object.entries(meta).filter(([key]) => !owned.has(key)));
    keptText = JSON.stringify(kept).slice(1, -1);
  }
  return withMeta(JSON.stringify(rest), keptText !== '' && added !== '' ? `${keptText},${added}` : keptText + added);
}

function withMeta(object: string, inner: string): string {
  return `${object.length === 2 ? '{' : `${object.slice(0, -1)},`}"_meta":{${inner}}}`;
}

/** Yields undefined when the bytes are not JSON. */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

export interface LargeAnswer {
  id: number;
  result: JsonObject;
  /** A view of the frame: exactly the result. */
  bytes: Buffer;
}

const CLOSE_BOTH = Buffer.from('}}');
const HEAD = Buffer.from('{"jsonrpc":"2.0","id":');
const RESULT = Buffer.from(',"result":');
const RESULT_FIRST = Buffer.from('{"result":');
const TAIL = Buffer.from(',"jsonrpc":"2.0","id":');
const BRACE_CLOSE = 125;
const MAX_ID_DIGITS = 15;

/**
 * Reads `{"jsonrpc":"2.0","id":N,"result":R}` or `{"result":R,"jsonrpc":"2.0","id":N}`, written exactly so. Only R is
 * parsed: what surrounds it is compared byte by byte, and R parses alone, so it is one value and nothing hides beside it.
 * null: another layout; the caller parses the whole.
 */
export function readLargeAnswer(frame: Buffer): LargeAnswer | null {
  let end = frame.length;
  while (end > 0 && isSpace(frame[end - 1])) end -= 1;
  if (frame[end - 1] !== BRACE_CLOSE) return null;
  end -= 1;
  return readIdFirst(frame, end) ?? readResultFirst(frame, end);
}

function readIdFirst(frame: Buffer, end: number): LargeAnswer | null {
  if (!startsAt(frame, HEAD, 0)) return null;
  let at = HEAD.length;
  while (isDigit(frame[at])) at += 1;
  const digits = at - HEAD.length;
  if (digits === 0 || digits > MAX_ID_DIGITS || !startsAt(frame, RESULT, at)) return null;
  return finish(Number(frame.toString('latin1', HEAD.length, at)), frame.subarray(at + RESULT.length, end));
}

function readResultFirst(frame: Buffer, end: number): LargeAnswer | null {
  if (!startsAt(frame, RESULT_FIRST, 0)) return null;
  let at = end;
  while (isDigit(frame[at - 1])) at -= 1;
  const digits = end - at;
  const tail = at - TAIL.length;
  if (digits === 0 || digits > MAX_ID_DIGITS || tail < RESULT_FIRST.length || !startsAt(frame, TAIL, tail)) return null;
  return finish(Number(frame.toString('latin1', at, end)), frame.subarray(RESULT_FIRST.length, tail));
}

function finish(id: number, bytes: Buffer): LargeAnswer | null {
  // Bytes that are sent on unread must be what a strict reader accepts; text decoding would have repaired them.
  if (!isUtf8(bytes)) return null;
  const result = parseJson(bytes);
  return isJsonObject(result) ? { id, result, bytes } : null;
}

function startsAt(frame: Buffer, part: Buffer, at: number): boolean {
  return frame.length >= at + part.length && part.compare(frame, at, at + part.length) === 0;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 48 && byte <= 57;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 32 || byte === 10 || byte === 13 || byte === 9;
}
