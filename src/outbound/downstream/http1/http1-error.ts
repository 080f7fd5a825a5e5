/**
 * What the lean client itself finds wrong; errors of sockets and TLS pass as they are. Told apart by code alone.
 */

export type Http1Code =
  /** The answer breaks the rules of HTTP/1.1; its connection is not used again. */
  | 'HTTP1_INVALID'
  /** No response head in time. */
  | 'HTTP1_HEADERS_TIMEOUT'
  /** The other side ended the connection before the answer was complete. */
  | 'HTTP1_CLOSED'
  /** Our side is closed. */
  | 'HTTP1_STOPPED'
  /** A header or path of the request cannot be written. */
  | 'HTTP1_REQUEST';

export class Http1Error extends Error {
  readonly code: Http1Code | 'ETIMEDOUT';

  constructor(code: Http1Code | 'ETIMEDOUT', message: string) {
    super(message);
    this.name = 'Http1Error';
    this.code = code;
  }
}

export function invalid(what: string): Http1Error {
  return new Http1Error('HTTP1_INVALID', what);
}
