/**
 * What drives one HTTP request to a server and hears of it, in the shape that undici's dispatcher calls, less what nobody
 * uses: the lean client (http1/) and undici drive the same handlers. Refused here: what the answer means.
 */

export interface HttpController {
  /** Before the first byte the request is never sent; later its connection is given up. The handler may yet be told of an error. */
  abort(reason: Error): void;
}

/** Names in lower case; the lean client keeps only what the handlers read. */
export type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

export interface HttpHandler {
  /** It stands in line or waits for a connection: nothing has left. Lean client only. */
  onRequestWaiting?(controller: HttpController): void;
  /** The first byte leaves next; after an abort in here it does not. */
  onRequestStart(controller: HttpController): void;
  onResponseStart(controller: HttpController, status: number, headers: ResponseHeaders): void;
  /** The chunk is lent: its memory is used again when this returns. */
  onResponseData(controller: HttpController, chunk: Buffer): void;
  onResponseEnd(controller: HttpController): void;
  onResponseError(controller: HttpController | null, error: Error): void;
}
