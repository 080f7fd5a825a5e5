/** An embeddings endpoint over HTTP, as OpenAI and LiteLLM answer, or Bedrock's Titan. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Asked {
  path: string;
  authorization: string | undefined;
  body: { model?: string; input?: string[]; inputText?: string; dimensions?: number; encoding_format?: string };
}

export interface EmbeddingsServer {
  url: string;
  asked: Asked[];
  /** Status codes to be answered before it behaves. */
  refuse: { status: number; headers?: Record<string, string>; body?: string }[];
  /** Whether it never answers. */
  isSilent: boolean;
  /** May take its time. */
  answer: (asked: Asked) => unknown;
  close(): Promise<void>;
}

/** Letters as a direction: texts with the same letters point the same way. */
export function lettersOf(text: string, dimensions: number): number[] {
  const values = new Array<number>(dimensions).fill(0);
  for (const letter of text.toLowerCase()) {
    const at = (letter.codePointAt(0) ?? 0) % dimensions;
    values[at] = (values[at] ?? 0) + 1;
  }
  return values;
}

export const openAiAnswer =
  (dimensions: number) =>
  ({ body }: Asked) => ({
    object: 'list',
    model: body.model,
    // In no order that could be relied on: `index` says whose each is.
    data: (body.input ?? []).map((text, index) => ({ index, embedding: lettersOf(text, dimensions) })).reverse(),
  });

export const titanAnswer =
  (dimensions: number) =>
  ({ body }: Asked) => ({ embedding: lettersOf(body.inputText ?? '', dimensions), inputTextTokenCount: 3 });

export async function startEmbeddingsServer(answer: EmbeddingsServer['answer']): Promise<EmbeddingsServer> {
  const server = createServer(async (request, response) => {
    const asked: Asked = {
      path: request.url ?? '',
      authorization: request.headers.authorization,
      body: JSON.parse(await readBody(request)),
    };
    started.asked.push(asked);
    if (started.isSilent) return;
    const refusal = started.refuse.shift();
    if (refusal !== undefined) {
      response.writeHead(refusal.status, refusal.headers).end(refusal.body ?? '{"error":"no"}');
      return;
    }
    const told = await started.answer(asked);
    response.setHeader('content-type', 'application/json');
    response.end(typeof told === 'string' ? told : JSON.stringify(told));
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const started: EmbeddingsServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: [],
    refuse: [],
    isSilent: false,
    answer,
    close: () =>
      new Promise(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return started;
}

async function readBody(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += chunk;
  return text;
}
