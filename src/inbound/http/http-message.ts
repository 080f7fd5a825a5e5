/**
 * What guards and doors use of a request and of the answer to it. Node's own objects have all of it; so have those of
 * plain posts, which are made without a parser and a stream each.
 */
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';

export interface HttpRequest
  extends Pick<IncomingMessage, 'headers' | 'rawHeaders' | 'httpVersion' | 'complete' | 'destroyed' | 'readableEnded'> {
  readonly method?: string | undefined;
  /** In origin form once the guard has seen it. */
  url?: string | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly socket: { readonly remoteAddress?: string | undefined };
  /** The body, where all of it came along with the head and nobody has begun to read. */
  readonly wholeBody?: Buffer | null;
  on(event: 'data', listener: (chunk: Buffer) => void): unknown;
  on(event: 'end' | 'close', listener: () => void): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  off(event: 'data', listener: (chunk: Buffer) => void): unknown;
  pause(): unknown;
  resume(): unknown;
}

export interface HttpResponse
  extends Pick<
    ServerResponse,
    'headersSent' | 'destroyed' | 'writableEnded' | 'writableLength' | 'flushHeaders' | 'cork' | 'uncork'
  > {
  readonly req: Pick<HttpRequest, 'url'>;
  setHeader(name: string, value: string): unknown;
  writeHead(status: number, headers?: Readonly<Record<string, string | number>>): HttpResponse;
  write(chunk: string | Uint8Array): boolean;
  end(chunk?: string | Uint8Array): unknown;
  destroy(): unknown;
  /** Whatever became of the answer: nothing more will be done for it. */
  on(event: 'close', listener: () => void): unknown;
  once(event: 'close', listener: () => void): unknown;
}
