/**
 * What the fault fixture's tools do. A tool sees its Call: arguments, peer, wire, the abort signal, and one way to
 * ask the client that works in both eras.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { LOG_LEVELS } from '../../../../src/domain/era.ts';
import { type JsonObject, objectOrEmpty } from '../../../../src/domain/json.ts';
import { PNG_BASE64 } from '../conformance/media.ts';
import type { Peer, Wire } from './wire.ts';

export interface Call {
  readonly args: JsonObject;
  readonly peer: Peer;
  readonly wire: Wire;
  readonly signal: AbortSignal;
  readonly meta: JsonObject;
  /** Puts a question to the client and gives its result; throws what the client refused with. */
  ask(key: string, method: string, params: JsonObject): Promise<JsonObject>;
  progress(progress: number, total?: number): void;
  log(level: string, data: string): void;
}

/** What tools may change or read of the whole server. */
export interface Surroundings {
  touch(): number;
  toggle(): boolean;
  record(tool: string, key: string): void;
  stats(): JsonObject;
  describeCaller(call: Call): JsonObject;
}

export type ToolRun = (call: Call, around: Surroundings) => Promise<JsonObject> | JsonObject;

export function text(value: string): JsonObject {
  return { content: [{ type: 'text', text: value }] };
}

const PROGRESS_EVERY_MS = 100;

const slow: ToolRun = async call => {
  const ms = Number(call.args.ms ?? 0);
  const until = performance.now() + ms;
  let done = 0;
  while (performance.now() < until) {
    await sleep(Math.min(PROGRESS_EVERY_MS, Math.max(until - performance.now(), 1)), undefined, {
      signal: call.signal,
    });
    done = Math.min(done + PROGRESS_EVERY_MS, ms);
    call.progress(done, ms);
  }
  return text(`slept ${ms} ms`);
};

const structured: ToolRun = () => ({
  content: [
    { type: 'text', text: 'see the structured content', annotations: { audience: ['user'], 'x-unknown': 1 } },
    { type: 'hologram', beam: { colour: 'blue' }, 'x-unknown': [true, null] },
    { type: 'resource_link', uri: 'test://text', name: 'text', 'x-unknown': 'kept' },
  ],
  structuredContent: { answer: 42, nested: { list: [1, 'two', null, { three: 3 }] } },
  _meta: { 'example.test/trace': 'abc', 'example.test/nested': { deep: [1] } },
  'x-unknown-member': { kept: true },
});

const ask: ToolRun = async call => {
  const form = {
    message: 'What is your name?',
    requestedSchema: { type: 'object', properties: { name: { type: 'string', title: 'Name' } }, required: ['name'] },
  };
  const visit = { mode: 'url', message: 'Please visit', url: 'https://example.test/form', elicitationId: 'e-1' };
  const answer = await call.ask('question', 'elicitation/create', call.args.mode === 'url' ? visit : form);
  return text(JSON.stringify(answer));
};

const sample: ToolRun = async call => {
  const prompt = String(call.args.prompt ?? 'Say hello');
  const messages = [{ role: 'user', content: { type: 'text', text: prompt } }];
  return text(JSON.stringify(await call.ask('sample', 'sampling/createMessage', { messages, maxTokens: 50 })));
};

export const TOOL_RUNS: Readonly<Record<string, ToolRun>> = {
  echo: ({ args }) => text(String(args.text ?? '')),
  add: ({ args }) => text(String(Number(args.a) + Number(args.b))),
  get_time: () => text(new Date().toISOString()),
  delete_all: (_call, around) => {
    around.record('delete_all', '*');
    return text('deleted everything');
  },
  delete_one: ({ args }, around) => {
    around.record('delete_one', String(args.id ?? ''));
    return text(`deleted ${args.id ?? 'one'}`);
  },
  slow,
  fail: () => ({ ...text('this tool always fails'), isError: true }),
  image: () => ({ content: [{ type: 'image', data: PNG_BASE64, mimeType: 'image/png' }] }),
  structured,
  counter: ({ peer }) => {
    peer.count += 1;
    return text(String(peer.count));
  },
  whoami: (call, around) => {
    const seen = around.describeCaller(call);
    return { ...text(JSON.stringify(seen)), structuredContent: seen };
  },
  ask,
  sample,
  roots: async call => text(JSON.stringify(await call.ask('roots', 'roots/list', {}))),
  log: call => {
    for (const level of LOG_LEVELS) call.log(level, `a ${level} message`);
    return text('logged');
  },
  touch: (_call, around) => text(`version ${around.touch()}`),
  toggle: (_call, around) => text(around.toggle() ? 'added' : 'removed'),
  big: ({ args }) => text('x'.repeat(Math.min(Number(args.bytes ?? 0), 64 * 1024 * 1024))),
  effect: ({ args }, around) => {
    around.record('effect', String(args.key ?? ''));
    return text(`done ${args.key ?? ''}`);
  },
  extra: () => text('extra'),
  // Spread, not assigned: an own `__proto__` member must stay a member.
  json: ({ args }) => ({ ...objectOrEmpty(args.result) }),
  __stats: (_call, around) => {
    const seen = around.stats();
    return { ...text(JSON.stringify(seen)), structuredContent: seen };
  },
};

export const echoArguments: ToolRun = ({ args }) => text(JSON.stringify(args));
