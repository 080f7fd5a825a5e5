/** Bytes on a connection that are not HTTP, or not the HTTP of this listener: answered where an answer can still be read. */
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../../ports/clock.ts';
import { type DoorWord, doorSays } from './door-words.ts';

const BAD_CLIENT_LINGER_MS = 500;

/** The response under way on a connection; Node has no public name for it. */
export function currentResponse(socket: Socket): ServerResponse | null {
  return (socket as Socket & { _httpMessage?: ServerResponse | null })._httpMessage ?? null;
}

/**
 * Answers, where an answer can still be put on the wire, and closes. `headersSent`: another one has begun.
 */
export function answerUnreadable(
  error: { code?: string | undefined },
  socket: Socket,
  headersSent: boolean,
  after: Clock['after'],
): void {
  if (error.code === 'ERR_SSL_HTTP_REQUEST') {
    answerPlain(socket);
    return;
  }
  if (error.code === 'ECONNRESET' || !socket.writable || socket.writableEnded) {
    socket.destroy();
    return;
  }
  if (headersSent) {
    // Bytes written into the middle of an answer would be read as its body: what there is of it goes out, then nothing.
    socket.end();
  } else {
    const [status, word] = unreadable(error.code);
    socket.end(lastAnswer(status, word));
  }
  // The rest of what it sends is not looked at; a moment for the answer to arrive before the reset.
  after(BAD_CLIENT_LINGER_MS, () => socket.destroy());
}

/** Plain HTTP where TLS was due. There is no TLS to answer in, so the answer goes around it, to the socket below. */
function answerPlain(socket: Socket): void {
  const below = (socket as Socket & { _parent?: Socket | null })._parent;
  if (below?.writable === true) below.end(lastAnswer('400 Bad Request', 'https_required'));
  socket.destroy();
}

function lastAnswer(status: string, word: DoorWord): string {
  const body = JSON.stringify(doorSays(word));
  return `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
}

function unreadable(code: string | undefined): readonly [string, DoorWord] {
  if (code === 'HPE_HEADER_OVERFLOW') return ['431 Request Header Fields Too Large', 'headers_too_large'];
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return ['408 Request Timeout', 'request_timeout'];
  return ['400 Bad Request', 'invalid_request'];
}
