/**
 * MCP over our own stdin and stdout, both eras. The opening message settles the era: an envelope or `server/discover`
 * makes the client modern. One message a line; nothing but JSON-RPC ever goes to stdout.
 */
import type { Readable, Writable } from 'node:stream';
import type { Door } from '../../domain/call.ts';
import { type Era, LATEST_LEGACY } from '../../domain/era.ts';
import { type Failure, failure, toRpcError } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import type { RpcId } from '../../domain/rpc.ts';
import { type Arrival, overThePipe } from './arrival.ts';
import { eraOf, type Message, readEnvelope, readMessage } from './classify.ts';
import type { McpDeps } from './deps.ts';
import { errorFrame, type Frame, toLine } from './frames.ts';
import { dispatchLegacy } from './legacy-dispatch.ts';
import { dispatchModern, type Running } from './modern-dispatch.ts';
import type { Outlet } from './outlet.ts';
import { readJson } from './read-json.ts';
import { toFrame } from './respond.ts';
import { Session } from './session.ts';

const NEWLINE = 0x0a;
/** A client that does not read is told no more: this many bytes may wait for it. */
const MAX_WAITING_BYTES = 64 * 1024 * 1024;
/** After the end of input: whoever pipes requests in waits for their answers, a client that died does not. */
const LAST_ANSWERS_MS = 30_000;

export interface StdioDoor {
  /** Resolves when the client closed stdin and every answer it waits for was written. */
  readonly finished: Promise<void>;
  readonly session: Session;
  finish(): void;
  /** Resolves when no request is under way. */
  quiet(): Promise<void>;
}

export function serveStdio(deps: McpDeps, who: Identity, streams: { input: Readable; output: Writable }): StdioDoor {
  const { input, output } = streams;
  const door: Door = { server: null, exposure: null };
  const session = new Session({ id: 'stdio', who, door, revision: LATEST_LEGACY, nowMs: deps.clock.monotonicMs() });
  const running = new Map<RpcId, Running>();
  let era: Era | null = null;
  let ended = false;
  const quiets: (() => void)[] = [];
  let settle = () => {};
  const finished = new Promise<void>(resolve => {
    settle = resolve;
  });

  function write(text: string): boolean {
    if (output.destroyed || output.writableLength > MAX_WAITING_BYTES) return false;
    output.write(`${text}\n`);
    return true;
  }

  const outlet: Outlet = { message: write, answer: (frame: Frame) => void write(toLine(frame)) };
  /** Legacy answers count down `session.uses`; the last one after the end of input lets the process go. */
  const legacyOutlet: Outlet = {
    message: write,
    answer(frame) {
      write(toLine(frame));
      leaveWhenDone();
    },
  };

  const isQuiet = () => session.uses === 0 && running.size === 0;

  function leaveWhenDone(): void {
    if (!isQuiet()) return;
    for (const tell of quiets.splice(0)) tell();
    if (ended) settle();
  }

  function take(line: Buffer): void {
    const message = read(line);
    if (message === null) return;
    const claims = eraOf(message, undefined);
    era ??=
      claims === 'modern' || (message.kind === 'request' && message.method === 'server/discover') ? 'modern' : 'legacy';
    // A request with an envelope is modern whatever came first: hosts probe with server/discover and then fall back.
    if (claims === 'modern' || (era === 'modern' && !(message.kind === 'request' && message.method === 'initialize')))
      takeModern(message);
    else {
      era = 'legacy';
      // Only now: a modern client hears nothing that it did not ask for with subscriptions/listen.
      session.standalone = write;
      dispatchLegacy(deps, session, message, legacyOutlet, overThePipe(deps.nextRequestId()));
    }
  }

  function read(line: Buffer): Message | null {
    const parsed = readJson(line);
    const message = parsed.kind === 'json' ? readMessage(parsed.value) : parsed;
    if (message.kind !== 'failure' && message.kind !== 'refused') return message;
    const [id, no] = message.kind === 'failure' ? [null, message] : [message.id, message.failure];
    refuseUnread(id, no);
    return null;
  }

  function refuseUnread(id: RpcId | null, no: Failure): void {
    turnAway(overThePipe(deps.nextRequestId()), 'message', no);
    write(toLine(errorFrame(id, toRpcError('legacy', no))));
  }

  function turnAway(arrival: Arrival, method: string, no: Failure): void {
    deps.turnedAway({ ...arrival, who, method }, no);
  }

  function takeModern(message: Message): void {
    if (message.kind === 'notification' && message.method === 'notifications/cancelled') {
      const { requestId } = message.params;
      if (typeof requestId === 'string' || typeof requestId === 'number')
        running.get(requestId)?.cancel('cancelled by the client');
      return;
    }
    if (message.kind !== 'request') return;
    const { id, method } = message;
    const arrival = overThePipe(deps.nextRequestId());
    const refuse = (no: Failure) => {
      turnAway(arrival, method, no);
      outlet.answer(toFrame('modern', id, method, no), no);
    };
    const envelope = readEnvelope(id, message.params, null);
    if (envelope.kind === 'refused') return refuse(envelope.failure);
    if (running.has(id)) return refuse(failure('INVALID_REQUEST', {}, { say: 'A request with this id is under way.' }));
    let finishedAtOnce = false;
    const request = {
      ...message,
      params: envelope.params,
      envelope: envelope.envelope,
      progressToken: envelope.progressToken,
      argumentBytes: null,
      arrival,
      who,
      door,
    };
    const started = dispatchModern(deps, request, outlet, () => {
      finishedAtOnce = true;
      running.delete(id);
      setImmediate(leaveWhenDone);
    });
    if (!finishedAtOnce) running.set(id, started);
  }

  readLines(input, deps.maxBodyBytes * 4, take, () => refuseUnread(null, failure('TOO_LARGE')));
  input.once('end', () => {
    ended = true;
    session.stopHearing();
    for (const one of running.values()) one.finish();
    deps.clock.after(LAST_ANSWERS_MS, settle);
    leaveWhenDone();
  });
  input.once('error', () => settle());
  output.once('error', () => settle());

  return {
    finished,
    session,
    finish() {
      for (const one of [...running.values()]) one.finish();
    },
    quiet: () => (isQuiet() ? Promise.resolve() : new Promise(resolve => quiets.push(resolve))),
  };
}

/** Splits a stream into lines without copying more than once; a line beyond the cap is thrown away and reported. */
function readLines(input: Readable, maxBytes: number, line: (bytes: Buffer) => void, tooLong: () => void): void {
  let parts: Buffer[] = [];
  let size = 0;
  let skipping = false;
  input.on('data', (chunk: Buffer) => {
    let from = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
      const last = chunk.subarray(from, at);
      from = at + 1;
      if (!skipping && size + last.length > 0) line(parts.length === 0 ? last : Buffer.concat([...parts, last]));
      parts = [];
      size = 0;
      skipping = false;
    }
    const rest = chunk.subarray(from);
    if (rest.length === 0 || skipping) return;
    parts.push(rest);
    size += rest.length;
    if (size <= maxBytes) return;
    parts = [];
    size = 0;
    skipping = true;
    tooLong();
  });
}
