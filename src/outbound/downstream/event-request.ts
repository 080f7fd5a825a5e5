/**
 * One GET that opens an event stream: the standing stream of Streamable HTTP, the resumption of a broken one, or the one
 * stream of HTTP+SSE. It ends once, by itself or by `abort`; whoever opened it decides about opening it again.
 */
import { createEventStreamReader, type EventStreamReader, type StreamEvent } from './event-stream.ts';
import { type Fault, fault, fromHttpError } from './fault.ts';
import { type HttpClient, headerOf, mediaType } from './http-client.ts';
import type { HttpController, ResponseHeaders } from './http-handler.ts';

export interface EventRequestEvents {
  opened(): void;
  event(event: StreamEvent): void;
  /** `status`: of an answer that is no stream; null: the stream ended, or the connection did. */
  ended(how: { status: number | null; fault: Fault; lastId: string | null; retryMs: number | null }): void;
}

const ABORTED = new Error('no longer wanted');

/** Returns what aborts it; `ended` is not called then. */
export function openEventRequest(
  http: HttpClient,
  request: { path: string; headers: string[]; lastEventId: string | null; maxEventBytes: number },
  events: EventRequestEvents,
): () => void {
  const { lastEventId } = request;
  let controller: HttpController | null = null;
  let reader: EventStreamReader | null = null;
  let isOver = false;

  function end(status: number | null, no: Fault): void {
    if (isOver) return;
    isOver = true;
    controller?.abort(ABORTED);
    events.ended({ status, fault: no, lastId: reader?.lastId ?? lastEventId, retryMs: reader?.retryMs ?? null });
  }

  const headers = ['accept', 'text/event-stream', 'cache-control', 'no-cache', ...request.headers];
  if (lastEventId !== null) headers.push('last-event-id', lastEventId);
  http.send({ method: 'GET', path: request.path, headers, body: null }, 'stream', {
    onRequestStart(given) {
      controller = given;
      if (isOver) given.abort(ABORTED);
    },
    onResponseStart(_controller, status, received: ResponseHeaders) {
      if (status < 200 || isOver) return;
      const type = mediaType(headerOf(received, 'content-type'));
      if (status !== 200 || type !== 'text/event-stream') {
        end(status, fault('refused', 'it opened no event stream', { detail: `HTTP ${status} ${type}` }));
        return;
      }
      reader = createEventStreamReader(request.maxEventBytes, lastEventId, event => {
        if (!isOver) events.event(event);
      });
      events.opened();
    },
    onResponseData(_controller, chunk) {
      if (!isOver && reader?.push(chunk) === false) end(null, fault('bad-answer', 'its event is too large'));
    },
    onResponseEnd() {
      end(null, fault('lost', 'it ended the event stream'));
    },
    onResponseError(_controller, error) {
      end(null, fromHttpError(error, controller !== null));
    },
  });
  return () => {
    isOver = true;
    controller?.abort(ABORTED);
  };
}
