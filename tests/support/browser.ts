/** As much of a browser as a form needs: it keeps the cookies it is given, follows nothing, and says where it stands. */
import { fetchHeld } from './openapi-check.ts';

export interface Page {
  status: number;
  headers: Headers;
  location: string | null;
  text: string;
  json: unknown;
}

export interface Browser {
  /** `name=value` as it is sent; empty: none. */
  cookie: string;
  get(path: string, headers?: Record<string, string>): Promise<Page>;
  /** As a form is sent by a page of the same origin. */
  submit(path: string, fields: Record<string, string>, headers?: Record<string, string>): Promise<Page>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Page>;
}

export function openBrowser(origin: string): Browser {
  async function ask(path: string, init: RequestInit): Promise<Page> {
    const headers = new Headers(init.headers);
    if (browser.cookie !== '') headers.set('cookie', browser.cookie);
    const reply = await fetchHeld(origin + path, { ...init, headers });
    for (const line of reply.headers.getSetCookie()) browser.cookie = toKept(line);
    const text = await reply.text();
    const isJson = reply.headers.get('content-type')?.startsWith('application/json') === true;
    const location = reply.headers.get('location');
    return { status: reply.status, headers: reply.headers, location, text, json: isJson ? JSON.parse(text) : null };
  }
  const browser: Browser = {
    cookie: '',
    get: (path, headers = {}) => ask(path, { headers }),
    submit: (path, fields, headers = {}) =>
      ask(path, { method: 'POST', body: new URLSearchParams(fields), headers: { origin, ...headers } }),
    post: (path, body, headers = {}) =>
      ask(path, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: { 'content-type': 'application/json', ...headers },
      }),
  };
  return browser;
}

function toKept(setCookie: string): string {
  const [pair = ''] = setCookie.split(';');
  return /;\s*max-age=0/i.test(setCookie) ? '' : pair;
}
