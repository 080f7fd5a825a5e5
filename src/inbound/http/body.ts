/**
 * Reading a request's body into one buffer under a cap, and closing in good order when it is not read.
 * Refused here: encodings (a 4 MB cap means nothing to a 4 KB archive), more than the cap, and more than all requests
 * together may hold. What the bytes mean is the caller's to find out.
 */
import { type Failure, failure } from '../../domain/error.ts';
import type { HttpRequest, HttpResponse } from './http-message.ts';

/** Bytes that the bodies being read hold together. */
export interface BodyBudget {
  readonly limitBytes: number;
  usedBytes: number;
}

/** The cap alone would let `maxInFlight` slow senders hold `maxInFlight x maxBytes`; memory is one for the process. */
const PROCESS_BUDGET: BodyBudget = { limitBytes: 256 * 1024 * 1024, usedBytes: 0 };

const EMPTY = Buffer.alloc(0);

/**
 * Calls `done` exactly once, possibly before it returns: with the whole body, or TOO_LARGE, UNSUPPORTED_MEDIA,
 * OVERLOADED, CANCELLED (the sender went away). After a failure the request is not read any further: answer it with
 * `connection: close` through `endLingering`.
 */
export function readBody(
  req: HttpRequest,
  maxBytes: number,
  done: (body: Buffer | Failure) => void,
  budget: BodyBudget = PROCESS_BUDGET,
): void {
  const encoding = req.headers['content-encoding'];
  if (encoding !== undefined && encoding !== '' && encoding.toLowerCase() !== 'identity') {
    done(failure('UNSUPPORTED_MEDIA'));
    return;
  }
  const declared = req.headers['content-length'];
  if (declared !== undefined && Number(declared) > maxBytes) {
    done(failure('TOO_LARGE', { limit_bytes: maxBytes }));
    return;
  }
  if (req.destroyed && !req.readableEnded) {
    done(failure('CANCELLED'));
    return;
  }

  const { wholeBody } = req;
  if (wholeBody) {
    if (wholeBody.length > maxBytes) done(failure('TOO_LARGE', { limit_bytes: maxBytes }));
    else done(wholeBody);
    return;
  }

  let first: Buffer | null = null;
  let rest: Buffer[] | null = null;
  let size = 0;
  let settled = false;

  const settle = (outcome: Buffer | Failure): void => {
    if (settled) return;
    settled = true;
    budget.usedBytes -= size;
    req.off('data', take);
    // An aborted request emits `error` once more later; without a listener that would end the process.
    first = null;
    rest = null;
    done(outcome);
  };

  const take = (chunk: Buffer): void => {
    size += chunk.length;
    budget.usedBytes += chunk.length;
    if (size > maxBytes) {
      req.pause();
      settle(failure('TOO_LARGE', { limit_bytes: maxBytes }));
    } else if (budget.usedBytes > budget.limitBytes) {
      req.pause();
      settle(failure('OVERLOADED', {}, { retryAfterMs: 1_000 }));
    } else if (first === null) {
      first = chunk;
    } else if (rest === null) {
      rest = [first, chunk];
    } else {
      rest.push(chunk);
    }
  };

  req.on('data', take);
  req.on('end', () => settle(rest === null ? (first ?? EMPTY) : Buffer.concat(rest, size)));
  req.on('error', () => settle(failure('CANCELLED')));
  req.on('close', () => settle(failure('CANCELLED')));
}

const LINGER_MS = 1_000;
const LINGER_BYTES = 8 * 1024 * 1024;

/**
 * Ends a response whose request is still being sent: writes all of it, then swallows what still arrives for a moment
 * before the socket is closed. Closing at once would reset the connection, and the reset can overtake the answer
 * (RFC 9112, 9.6). The head must be written, with `content-length` and `connection: close`.
 */
export function endLingering(req: HttpRequest, res: HttpResponse, payload: string | Buffer): void {
  if (req.complete || req.destroyed) {
    res.end(payload);
    return;
  }
  res.write(payload);
  let left = LINGER_BYTES;
  const finish = (): void => {
    clearTimeout(timer);
    req.off('data', swallow);
    if (!res.writableEnded) res.end();
  };
  const swallow = (chunk: Buffer): void => {
    left -= chunk.length;
    if (left < 0) finish();
  };
  const timer = setTimeout(finish, LINGER_MS);
  timer.unref();
  req.on('error', finish);
  req.on('end', finish);
  req.on('close', finish);
  req.on('data', swallow);
  req.resume();
}
