/**
 * The official SDK clients, both generations, behind one face: what a test asks of a client, answered by the SDK's own
 * typed methods, so that whatever the SDK refuses is refused here. Both answer sampling and elicitation.
 */
import {
  SSEClientTransport as SseV2,
  StreamableHTTPClientTransport as StreamableV2,
  Client as V2,
} from '@modelcontextprotocol/client';
import { StdioClientTransport as StdioV2 } from '@modelcontextprotocol/client/stdio';
import { Client as V1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport as StdioV1 } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport as StreamableV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport as TransportV1 } from '@modelcontextprotocol/sdk/shared/transport.js';
import { CreateMessageRequestSchema, ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';

export type Sdk = 'v1' | 'v2 legacy' | 'v2 auto';

export type Where =
  | { kind: 'http' | 'sse'; url: string; headers?: Record<string, string> }
  | { kind: 'stdio'; command: string; args: string[]; env: Record<string, string>; cwd: string };

export interface Progress {
  progress: number;
  total?: number | undefined;
}

/** What a tool answered, as far as tests look at it. */
export interface ToolAnswer {
  texts: string[];
  isError: boolean;
  whole: Record<string, unknown>;
}

export interface SdkClient {
  serverName(): string | undefined;
  tools(): Promise<string[]>;
  call(name: string, args?: Record<string, unknown>, onProgress?: (step: Progress) => void): Promise<ToolAnswer>;
  resources(): Promise<string[]>;
  read(uri: string): Promise<string>;
  prompts(): Promise<string[]>;
  prompt(name: string, args: Record<string, string>): Promise<string>;
  complete(prompt: string, argument: string, begun: string): Promise<string[]>;
  close(): Promise<void>;
}

export const SAMPLED = 'words of the model';
export const VISITOR = 'Ada Lovelace';

const ME = { name: 'interop', version: '1.0.0' };
// No roots: the `everything` server asks for them unbidden, soon after its start, and the question then goes to whoever
// happens to have the only call under way.
const CAPABILITIES = { sampling: {}, elicitation: { form: {}, url: {} } };
const PROMPTED = { model: 'none', role: 'assistant' as const, content: { type: 'text' as const, text: SAMPLED } };

export function connectSdk(sdk: Sdk, where: Where): Promise<SdkClient> {
  return sdk === 'v1' ? connectV1(where) : connectV2(where, sdk === 'v2 auto' ? 'auto' : 'legacy');
}

async function connectV1(where: Where): Promise<SdkClient> {
  const client = new V1(ME, { capabilities: CAPABILITIES });
  client.setRequestHandler(CreateMessageRequestSchema, () => PROMPTED);
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => elicited(params));
  // The SDK's classes and its interface disagree on optional members under exactOptionalPropertyTypes.
  await client.connect(transportV1(where) as TransportV1);
  return {
    serverName: () => client.getServerVersion()?.name,
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    async call(name, args = {}, onprogress) {
      const result = await client.callTool(
        { name, arguments: args },
        undefined,
        onprogress === undefined ? {} : { onprogress },
      );
      return readAnswer(result);
    },
    resources: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    read: async uri => textOf((await client.readResource({ uri })).contents[0]),
    prompts: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    async prompt(name, args) {
      const { messages } = await client.getPrompt({ name, arguments: args });
      return messages.map(({ content }) => textOf(content)).join('\n');
    },
    async complete(name, argument, value) {
      const ref = { type: 'ref/prompt' as const, name };
      return (await client.complete({ ref, argument: { name: argument, value } })).completion.values;
    },
    close: () => client.close(),
  };
}

function transportV1(where: Where) {
  if (where.kind === 'stdio') return new StdioV1({ ...where, stderr: 'ignore' });
  const options = where.headers === undefined ? {} : { requestInit: { headers: where.headers } };
  return where.kind === 'http'
    ? new StreamableV1(new URL(where.url), options)
    : new SseV1(new URL(where.url), { ...options, ...eventSourceHeaders(where.headers) });
}

/** The old transport's stream is opened by an EventSource, which takes headers through its own fetch only. */
function eventSourceHeaders(headers: Record<string, string> | undefined) {
  if (headers === undefined) return {};
  return {
    eventSourceInit: {
      fetch: (url: string | URL, init?: RequestInit) =>
        fetch(url, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), ...headers } }),
    },
  };
}

async function connectV2(where: Where, mode: 'legacy' | 'auto'): Promise<SdkClient> {
  const client = new V2(ME, { capabilities: CAPABILITIES, versionNegotiation: { mode } });
  client.setRequestHandler('sampling/createMessage', () => PROMPTED);
  client.setRequestHandler('elicitation/create', ({ params }) => elicited(params));
  await client.connect(transportV2(where));
  return {
    serverName: () => client.getServerVersion()?.name,
    tools: async () => (await client.listTools()).tools.map(({ name }) => name),
    async call(name, args = {}, onprogress) {
      return readAnswer(
        await client.callTool({ name, arguments: args }, onprogress === undefined ? {} : { onprogress }),
      );
    },
    resources: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    read: async uri => textOf((await client.readResource({ uri })).contents[0]),
    prompts: async () => (await client.listPrompts()).prompts.map(({ name }) => name),
    async prompt(name, args) {
      const { messages } = await client.getPrompt({ name, arguments: args });
      return messages.map(({ content }) => textOf(content)).join('\n');
    },
    async complete(name, argument, value) {
      const ref = { type: 'ref/prompt' as const, name };
      return (await client.complete({ ref, argument: { name: argument, value } })).completion.values;
    },
    close: () => client.close(),
  };
}

function transportV2(where: Where) {
  if (where.kind === 'stdio') return new StdioV2({ ...where, stderr: 'ignore' });
  const options = where.headers === undefined ? {} : { requestInit: { headers: where.headers } };
  return where.kind === 'http'
    ? new StreamableV2(new URL(where.url), options)
    : new SseV2(new URL(where.url), { ...options, ...eventSourceHeaders(where.headers) });
}

function elicited(params: object) {
  const visits = 'mode' in params && params.mode === 'url';
  return visits ? { action: 'accept' as const } : { action: 'accept' as const, content: { name: VISITOR } };
}

function readAnswer(result: Record<string, unknown>): ToolAnswer {
  const content = Array.isArray(result.content) ? result.content : [];
  return { texts: content.map(textOf), isError: result.isError === true, whole: result };
}

function textOf(part: unknown): string {
  if (typeof part !== 'object' || part === null) return '';
  return 'text' in part && typeof part.text === 'string' ? part.text : JSON.stringify(part);
}
