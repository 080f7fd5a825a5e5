/**
 * Vectors from an HTTP endpoint: the embeddings API of OpenAI, which LiteLLM, vLLM, Ollama and the Bedrock gateways speak
 * too, and the invoke API of Bedrock's Titan models. The key goes into one header and nowhere else: no error and no log
 * holds it, nor what the endpoint said about it.
 */
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { toLengthOne } from '../../domain/search/latent.ts';
import type { Secret } from '../../domain/secret.ts';
import { type Embedder, EmbedderError } from '../../ports/embedder.ts';
import type { HttpFetch, HttpResponse } from '../../ports/http-fetch.ts';

export interface HttpEmbedderOptions {
  fetch: HttpFetch;
  /** `titan`: one text per request. */
  api: 'openai' | 'titan';
  /** Without a slash at the end. */
  baseUrl: string;
  model: string;
  dimensions: number;
  apiKey: Secret | null;
  /** For one request, its retries not counted. */
  timeoutMs: number;
  /** Before the first retry; doubles with each. */
  retryMs?: number;
}

const BATCH = 64;
/** A text longer than this is cut: the models read 512 to 8,192 tokens of it anyway. */
const MAX_TEXT = 8_000;
const ATTEMPTS = 4;
const LONGEST_WAIT_MS = 30_000;
const MAX_ANSWER = 64 * 1024 * 1024;

const Vector = z.array(z.number());
const OpenAiAnswer = z.object({
  data: z.array(z.object({ index: z.int().nonnegative().optional(), embedding: Vector })),
});
const TitanAnswer = z.object({ embedding: Vector });

export function createHttpEmbedder(options: HttpEmbedderOptions): Embedder {
  const { api, baseUrl, model, dimensions } = options;
  const post = createPost(options);

  async function openAi(texts: readonly string[], signal: AbortSignal): Promise<number[][]> {
    // Only these models take a size; others refuse a request that holds one.
    const sized = model.includes('text-embedding-3') ? { dimensions } : {};
    const answer = await post(
      `${baseUrl}/embeddings`,
      { model, input: texts, encoding_format: 'float', ...sized },
      signal,
    );
    const parsed = OpenAiAnswer.safeParse(answer);
    if (!parsed.success || parsed.data.data.length !== texts.length) throw notUnderstood();
    const vectors = new Array<number[]>(texts.length);
    for (const [place, { index, embedding }] of parsed.data.data.entries()) vectors[index ?? place] = embedding;
    if (vectors.length !== texts.length || vectors.includes(undefined as never)) throw notUnderstood();
    return vectors;
  }

  async function titan(texts: readonly string[], signal: AbortSignal): Promise<number[][]> {
    const sized = model.includes('v2') ? { dimensions, normalize: true } : {};
    const vectors: number[][] = [];
    for (const inputText of texts) {
      const answer = await post(
        `${baseUrl}/model/${encodeURIComponent(model)}/invoke`,
        { inputText, ...sized },
        signal,
      );
      const parsed = TitanAnswer.safeParse(answer);
      if (!parsed.success) throw notUnderstood();
      vectors.push(parsed.data.embedding);
    }
    return vectors;
  }

  return {
    model: `${api}:${model}`,
    dimensions,
    async embed(texts, signal) {
      const found: Float32Array[] = [];
      for (let at = 0; at < texts.length; at += BATCH) {
        // The API refuses an empty text.
        const batch = texts.slice(at, at + BATCH).map(text => text.slice(0, MAX_TEXT).trim() || '-');
        const vectors = api === 'titan' ? await titan(batch, signal) : await openAi(batch, signal);
        for (const vector of vectors) found.push(toVector(vector, dimensions, model));
      }
      return found;
    },
  };
}

function toVector(values: readonly number[], dimensions: number, model: string): Float32Array {
  if (values.length !== dimensions) {
    const message = `${model} gives vectors of ${values.length} values, not ${dimensions}; set search.dimensions (EMBEDDINGS_MODEL_DIMENSIONS) to ${values.length}`;
    throw new EmbedderError(message, { passing: false });
  }
  const vector = Float32Array.from(values);
  toLengthOne(vector);
  return vector;
}

function createPost({ fetch: send, apiKey, timeoutMs, retryMs = 500 }: HttpEmbedderOptions) {
  return async (url: string, body: object, signal: AbortSignal): Promise<unknown> => {
    const headers: Record<string, string> = { 'content-type': 'application/json', accept: 'application/json' };
    if (apiKey !== null) headers.authorization = `Bearer ${apiKey.reveal()}`;
    for (let attempt = 1; ; attempt++) {
      signal.throwIfAborted();
      const outcome = await once(url, headers, JSON.stringify(body));
      if (!(outcome instanceof EmbedderError)) return outcome.answer;
      if (!outcome.passing || attempt === ATTEMPTS) throw outcome;
      const pauseMs = Math.min(waits.get(outcome) ?? retryMs * 2 ** (attempt - 1), LONGEST_WAIT_MS);
      await wait(pauseMs, undefined, { signal });
    }

    async function once(to: string, withHeaders: Record<string, string>, text: string) {
      const timeout = AbortSignal.timeout(timeoutMs);
      try {
        const request = {
          method: 'POST',
          headers: withHeaders,
          body: text,
          signal: AbortSignal.any([signal, timeout]),
        };
        return await read(await send(to, request));
      } catch (cause) {
        signal.throwIfAborted();
        if (cause instanceof EmbedderError) return cause;
        const why = timeout.aborted ? `did not answer within ${timeoutMs} ms` : 'could not be reached';
        return new EmbedderError(`the embeddings endpoint ${why}`, { passing: true, cause });
      }
    }
  };
}

/** How long the endpoint asks to be left alone after this refusal. */
const waits = new WeakMap<EmbedderError, number>();

async function read(response: HttpResponse): Promise<{ answer: unknown } | EmbedderError> {
  const { status } = response;
  const text = await response.text();
  if (status >= 200 && status < 300) {
    if (text.length > MAX_ANSWER) return notUnderstood();
    try {
      return { answer: JSON.parse(text) };
    } catch {
      return notUnderstood();
    }
  }
  const passing = status === 408 || status === 429 || status >= 500;
  const error = new EmbedderError(`the embeddings endpoint refused with status ${status}${ADVICE[status] ?? ''}`, {
    passing,
  });
  const seconds = Number(response.headers.get('retry-after'));
  if (Number.isFinite(seconds) && seconds > 0) waits.set(error, seconds * 1000);
  return error;
}

const ADVICE: Readonly<Record<number, string>> = {
  400: '; check search.model and search.dimensions',
  401: '; check search.apiKey (EMBEDDINGS_API_KEY)',
  403: '; the key may not use this model',
  404: '; check search.baseUrl (EMBEDDINGS_API_BASE) and search.model',
};

function notUnderstood(): EmbedderError {
  const message = 'the embeddings endpoint answered with something that is no list of vectors; check search.baseUrl';
  return new EmbedderError(message, { passing: false });
}
