/**
 * Resources, the template and the prompts the official scenarios ask for by name. Facts only; the serving side
 * decides the era.
 */
import { ProtocolError } from '@modelcontextprotocol/server';
import { type JsonObject, objectOrEmpty, stringOrNull } from '../../../../src/domain/json.ts';
import { RPC } from '../../../../src/domain/rpc.ts';
import { elicitation } from './asks.ts';
import { PNG_BASE64 } from './media.ts';
import type { Turn } from './turn.ts';
import type { World } from './world.ts';

export const WATCHED_URI = 'test://watched-resource';
const TEMPLATE = /^test:\/\/template\/([^/]+)\/data$/;

export const RESOURCES: JsonObject[] = [
  { uri: 'test://static-text', name: 'static-text', description: 'A fixed text', mimeType: 'text/plain' },
  { uri: 'test://static-binary', name: 'static-binary', description: 'A fixed picture', mimeType: 'image/png' },
  { uri: WATCHED_URI, name: 'watched', description: 'A text that can be subscribed to', mimeType: 'text/plain' },
];

export const TEMPLATES: JsonObject[] = [
  {
    uriTemplate: 'test://template/{id}/data',
    name: 'template-data',
    description: 'JSON made from the id in the address',
    mimeType: 'application/json',
  },
];

export function readResource(uri: string, era: Turn['era']): JsonObject {
  const contents = contentsOf(uri);
  if (contents !== null) return { contents: [{ uri, ...contents }] };
  // -32002 until 2025-11-25, -32602 since 2026-07-28 (SEP-2164).
  const code = era === 'modern' ? RPC.invalidParams : RPC.resourceNotFound;
  throw new ProtocolError(code, `Resource not found: ${uri}`, { uri });
}

function contentsOf(uri: string): JsonObject | null {
  const id = TEMPLATE.exec(uri)?.[1];
  if (id !== undefined) {
    const data = { id, templateTest: true, data: `Data for ID: ${id}` };
    return { mimeType: 'application/json', text: JSON.stringify(data) };
  }
  switch (uri) {
    case 'test://static-text':
      return { mimeType: 'text/plain', text: 'This is the content of the static text resource.' };
    case 'test://static-binary':
      return { mimeType: 'image/png', blob: PNG_BASE64 };
    case WATCHED_URI:
      return { mimeType: 'text/plain', text: 'Watched resource content' };
    default:
      return null;
  }
}

interface FixturePrompt {
  definition: JsonObject;
  get(args: JsonObject, turn: Turn): Promise<JsonObject> | JsonObject;
}

const PROMPTS: FixturePrompt[] = [
  {
    definition: { name: 'test_simple_prompt', description: 'A prompt without arguments' },
    get: () => says({ type: 'text', text: 'This is a simple prompt for testing.' }),
  },
  {
    definition: {
      name: 'test_prompt_with_arguments',
      description: 'A prompt that repeats its arguments',
      arguments: [
        { name: 'arg1', description: 'First test argument', required: true },
        { name: 'arg2', description: 'Second test argument', required: true },
      ],
    },
    get: ({ arg1, arg2 }) => says({ type: 'text', text: `Prompt with arguments: arg1='${arg1}', arg2='${arg2}'` }),
  },
  {
    definition: {
      name: 'test_prompt_with_embedded_resource',
      description: 'A prompt that carries a resource',
      arguments: [{ name: 'resourceUri', description: 'Address of the resource to embed', required: true }],
    },
    get: ({ resourceUri }) => ({
      messages: [
        message({
          type: 'resource',
          resource: {
            uri: String(resourceUri),
            mimeType: 'text/plain',
            text: 'Embedded resource content for testing.',
          },
        }),
        message({ type: 'text', text: 'Please process the embedded resource above.' }),
      ],
    }),
  },
  {
    definition: { name: 'test_prompt_with_image', description: 'A prompt that carries a picture' },
    get: () => ({
      messages: [
        message({ type: 'image', data: PNG_BASE64, mimeType: 'image/png' }),
        message({ type: 'text', text: 'Please analyze the image above.' }),
      ],
    }),
  },
  {
    definition: { name: 'test_input_required_result_prompt', description: 'A prompt that must ask first' },
    get: async (_args, turn) => {
      const { user_context } = await turn.ask({
        user_context: elicitation('What context should the prompt use?', { context: { type: 'string' } }),
      });
      const context = stringOrNull(objectOrEmpty(user_context?.content).context) ?? 'none';
      return says({ type: 'text', text: `Prompt with context: ${context}` });
    },
  },
];

const EXTRA_PROMPT: FixturePrompt = {
  definition: { name: 'test_extra_prompt', description: 'There only between two calls of test_trigger_prompt_change' },
  get: () => says({ type: 'text', text: 'extra' }),
};

function promptsNow(world: World): FixturePrompt[] {
  return world.extraPrompt ? [...PROMPTS, EXTRA_PROMPT] : PROMPTS;
}

export function listPrompts(world: World): JsonObject[] {
  return promptsNow(world).map(({ definition }) => definition);
}

export async function getPrompt(world: World, name: string, args: JsonObject, turn: Turn): Promise<JsonObject> {
  const prompt = promptsNow(world).find(({ definition }) => definition.name === name);
  if (prompt === undefined) throw new ProtocolError(RPC.invalidParams, `Unknown prompt: ${name}`);
  return prompt.get(args, turn);
}

const COMPLETIONS: Record<string, string[]> = {
  'test_prompt_with_arguments/arg1': ['paris', 'park', 'party', 'testValue1'],
  'test://template/{id}/data/id': ['1', '12', '123'],
};

export function complete(params: JsonObject): JsonObject {
  const ref = objectOrEmpty(params.ref);
  const argument = objectOrEmpty(params.argument);
  const begun = stringOrNull(argument.value) ?? '';
  const all = COMPLETIONS[`${ref.name ?? ref.uri}/${argument.name}`] ?? [];
  const values = all.filter(value => value.startsWith(begun));
  return { completion: { values, total: values.length, hasMore: false } };
}

function message(content: JsonObject): JsonObject {
  return { role: 'user', content };
}

function says(content: JsonObject): JsonObject {
  return { messages: [message(content)] };
}
