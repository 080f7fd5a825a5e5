/**
 * What the fault fixture lists: the tools every proof of the contract assumes, generic ones by the hundred,
 * resources, templates, prompts. Facts only; unknown members are on purpose and must survive a gateway.
 */
import type { JsonObject } from '../../../../src/domain/json.ts';

const closed = (properties: JsonObject = {}, required: string[] = Object.keys(properties)): JsonObject => ({
  type: 'object',
  properties,
  required,
  additionalProperties: false,
});
const open: JsonObject = { type: 'object', properties: {} };

function tool(
  name: string,
  description: string,
  inputSchema: JsonObject = closed(),
  more: JsonObject = {},
): JsonObject {
  return { name, description, inputSchema, ...more };
}

export const DEFAULT_TOOLS: readonly JsonObject[] = [
  tool('echo', 'Answers with the given text', closed({ text: { type: 'string', description: 'What to say' } })),
  tool('add', 'Adds two numbers', closed({ a: { type: 'number' }, b: { type: 'number' } })),
  tool('get_time', 'Tells the time', closed(), { annotations: { readOnlyHint: true } }),
  tool('delete_all', 'Deletes everything', closed(), { annotations: { destructiveHint: true } }),
  tool('delete_one', 'Deletes one thing', closed({ id: { type: 'string' } }, []), {
    annotations: { destructiveHint: true },
  }),
  tool('slow', 'Works for some milliseconds, with progress', closed({ ms: { type: 'number' } })),
  tool('fail', 'Always fails'),
  tool('image', 'Answers with a picture'),
  tool('structured', 'Answers with everything a client may not know', closed(), {
    title: 'Structured',
    outputSchema: { type: 'object', properties: { answer: { type: 'number' } }, 'x-unknown-keyword': [1, 2] },
    annotations: { title: 'Structured', readOnlyHint: true, 'x-unknown-hint': true },
    icons: [{ src: 'https://example.test/icon.png', mimeType: 'image/png', sizes: ['48x48'] }],
    _meta: { 'example.test/note': { keep: 'me' } },
    'x-unknown-member': { deep: [null, false, 0, ''] },
  }),
  tool('counter', 'Counts the calls of one connection'),
  tool('whoami', 'Tells what it sees of its caller'),
  tool('ask', 'Asks the user a question', closed({ mode: { type: 'string', enum: ['form', 'url'] } }, [])),
  tool('sample', 'Asks the model of the client', closed({ prompt: { type: 'string' } }, [])),
  tool('roots', 'Asks for the roots of the client'),
  tool('log', 'Logs once at every level'),
  tool('touch', 'Changes the watched resource'),
  tool('toggle', 'Adds a tool to the list, or takes it away again'),
  tool('big', 'Answers with so many bytes of text', closed({ bytes: { type: 'number' } })),
  tool('effect', 'Has an effect that is counted by its key', closed({ key: { type: 'string' } })),
  tool('json', 'Answers with the JSON it is given, member by member', open),
  tool('__stats', 'What this server has seen', open),
];

export const EXTRA_TOOL = tool('extra', 'There only between two calls of toggle');

/** N tools of about 0.7 KB each, all different, all echoing their arguments. */
export function genericTools(count: number): JsonObject[] {
  return Array.from({ length: count }, (_, i) => {
    const n = String(i + 1).padStart(4, '0');
    return tool(
      `tool_${n}`,
      `Generic tool ${n}. It takes a subject and a few options and answers with what it was given, so that a caller can check that call and answer belong together.`,
      closed(
        {
          subject: { type: 'string', description: `What tool ${n} is to work on`, minLength: 1, maxLength: 200 },
          limit: { type: 'integer', description: 'The most results to give', minimum: 1, maximum: 100, default: 10 },
          order: { type: 'string', description: 'How to sort', enum: ['newest', 'oldest', 'relevance'] },
        },
        ['subject'],
      ),
      { annotations: { readOnlyHint: i % 2 === 0, idempotentHint: true } },
    );
  });
}

export const WATCHED = 'test://watched';

export const RESOURCES: readonly JsonObject[] = [
  { uri: 'test://text', name: 'text', mimeType: 'text/plain', size: 11, annotations: { priority: 0.5 } },
  { uri: 'test://blob', name: 'blob', mimeType: 'application/octet-stream', 'x-unknown-member': true },
  { uri: WATCHED, name: 'watched', mimeType: 'text/plain' },
];

export const TEMPLATES: readonly JsonObject[] = [
  { uriTemplate: 'test://item/{id}', name: 'item', mimeType: 'application/json' },
];

export const PROMPTS: readonly JsonObject[] = [
  { name: 'plain', description: 'A prompt without arguments' },
  {
    name: 'greet',
    description: 'A greeting',
    arguments: [{ name: 'name', description: 'Whom to greet', required: true }],
  },
];

const ITEM = /^test:\/\/item\/(.+)$/;

export function readContents(uri: string, version: number): JsonObject | null {
  const item = ITEM.exec(uri)?.[1];
  if (item !== undefined) return { uri, mimeType: 'application/json', text: JSON.stringify({ id: item }) };
  switch (uri) {
    case 'test://text':
      return { uri, mimeType: 'text/plain', text: 'hello world' };
    case 'test://blob':
      return { uri, mimeType: 'application/octet-stream', blob: Buffer.from([0, 1, 2, 254, 255]).toString('base64') };
    case WATCHED:
      return { uri, mimeType: 'text/plain', text: `version ${version}` };
    default:
      return null;
  }
}

const NAMES = ['ada', 'alan', 'grace'];

export function complete(begun: string): JsonObject {
  const values = NAMES.filter(name => name.startsWith(begun));
  return { completion: { values, total: values.length, hasMore: false } };
}
