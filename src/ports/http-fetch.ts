/** One HTTP request to an address that an operator configured. Whoever provides it decides what may be reached. */
export interface HttpRequest {
  method: string;
  headers: Readonly<Record<string, string>>;
  body: string;
  signal: AbortSignal;
}

/** The part of a response that callers here read; the global `Response` is one. */
export interface HttpResponse {
  status: number;
  headers: { get(name: string): string | null };
  text(): Promise<string>;
}

export type HttpFetch = (url: string, request: HttpRequest) => Promise<HttpResponse>;
