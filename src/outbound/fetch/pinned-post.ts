/**
 * Requests to the one origin an operator configured, with a body. Refused here: every other origin (before a socket is
 * opened), and bodies beyond a cap. No redirect is followed: it could carry a key to somebody else.
 */
import { Agent, type Dispatcher, request } from 'undici';
import type { HttpFetch } from '../../ports/http-fetch.ts';

const MAX_BYTES = 64 * 1024 * 1024;

/** `origin`: as `URL.origin` says it. */
export function createPinnedPost(origin: string, maxBytes = MAX_BYTES): HttpFetch {
  const dispatcher = new Agent({ pipelining: 0 });
  return async (url, { method, headers, body, signal }) => {
    if (!URL.canParse(url) || new URL(url).origin !== origin) throw new Error('not the configured origin');
    const answer = await request(url, {
      dispatcher,
      method: method as Dispatcher.HttpMethod,
      headers: { ...headers },
      body,
      signal,
    });
    // A body that is thrown away before its end says so as an error, which nobody else would take.
    answer.body.on('error', () => {});
    return {
      status: answer.statusCode,
      headers: { get: name => firstOf(answer.headers[name.toLowerCase()]) },
      text: () => readText(answer.body, maxBytes),
    };
  };
}

function firstOf(value: string | string[] | undefined): string | null {
  return Array.isArray(value) ? (value[0] ?? null) : (value ?? null);
}

async function readText(body: Dispatcher.ResponseData['body'], maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    const bytes = chunk as Buffer;
    size += bytes.length;
    if (size > maxBytes) {
      body.destroy();
      throw new Error('the answer is too large');
    }
    chunks.push(bytes);
  }
  return Buffer.concat(chunks).toString('utf8');
}
