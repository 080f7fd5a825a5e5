/**
 * The tools the official server scenarios call by name (protocol facts: MCP 2025-11-25 and 2026-07-28; SEP-1034,
 * 1330, 1613, 1699, 2243, 2322). Each is written once against a Turn and so serves both eras.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { ProtocolError } from '@modelcontextprotocol/server';
import { type JsonObject, objectOrEmpty, stringOrNull } from '../../../../src/domain/json.ts';
import { RPC } from '../../../../src/domain/rpc.ts';
import { DEFAULTS_FORM, ENUMS_FORM, elicitation, LIST_ROOTS, sampling } from './asks.ts';
import { PNG_BASE64, WAV_BASE64 } from './media.ts';
import { TASK_TOOLS } from './task-tools.ts';
import type { Turn } from './turn.ts';
import type { World } from './world.ts';

export interface FixtureTool {
  name: string;
  description: string;
  inputSchema: JsonObject;
  run(args: JsonObject, turn: Turn, world: World): Promise<JsonObject> | JsonObject;
}

const NOTHING: JsonObject = { type: 'object', properties: {} };
const image: JsonObject = { type: 'image', data: PNG_BASE64, mimeType: 'image/png' };

export function text(value: string): JsonObject {
  return { content: [{ type: 'text', text: value }] };
}

export function needs(properties: JsonObject): JsonObject {
  return { type: 'object', properties, required: Object.keys(properties) };
}

const SCHEMA_2020_12: JsonObject = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  $defs: {
    address: {
      $anchor: 'addressDef',
      type: 'object',
      properties: { street: { type: 'string' }, city: { type: 'string' } },
    },
  },
  properties: {
    name: { type: 'string' },
    address: { $ref: '#/$defs/address' },
    contactMethod: { type: 'string', enum: ['phone', 'email'] },
    phone: { type: 'string' },
    email: { type: 'string' },
  },
  allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
  // biome-ignore lint/suspicious/noThenProperty: a JSON Schema keyword; nobody awaits this object.
  ...{ if: { properties: { contactMethod: { const: 'phone' } } }, then: { required: ['phone'] } },
  else: { required: ['email'] },
  additionalProperties: false,
};

const CONTENT_TOOLS: FixtureTool[] = [
  {
    name: 'test_simple_text',
    description: 'Answers with a text',
    inputSchema: NOTHING,
    run: () => text('This is a simple text response for testing.'),
  },
  {
    name: 'test_image_content',
    description: 'Answers with a picture',
    inputSchema: NOTHING,
    run: () => ({ content: [image] }),
  },
  {
    name: 'test_audio_content',
    description: 'Answers with a sound',
    inputSchema: NOTHING,
    run: () => ({ content: [{ type: 'audio', data: WAV_BASE64, mimeType: 'audio/wav' }] }),
  },
  {
    name: 'test_embedded_resource',
    description: 'Answers with a resource',
    inputSchema: NOTHING,
    run: () => ({
      content: [embedded('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')],
    }),
  },
  {
    name: 'test_multiple_content_types',
    description: 'Answers with a text, a picture and a resource',
    inputSchema: NOTHING,
    run: () => ({
      content: [
        { type: 'text', text: 'Multiple content types test:' },
        image,
        embedded('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
      ],
    }),
  },
  {
    name: 'test_error_handling',
    description: 'Always fails',
    inputSchema: NOTHING,
    run: () => {
      throw new Error('This tool intentionally returns an error for testing');
    },
  },
  {
    name: 'json_schema_2020_12_tool',
    description: 'Has an input schema full of JSON Schema 2020-12 keywords',
    inputSchema: SCHEMA_2020_12,
    run: args => text(`JSON Schema 2020-12 tool called with: ${JSON.stringify(args)}`),
  },
  {
    name: 'test_x_mcp_header',
    description: 'Has an argument that is mirrored in a request header',
    inputSchema: { type: 'object', properties: { region: { type: 'string', 'x-mcp-header': 'Region' } } },
    run: args => text(`Region: ${args.region ?? 'none'}`),
  },
];

const STREAM_TOOLS: FixtureTool[] = [
  {
    name: 'test_tool_with_logging',
    description: 'Logs three times while it runs',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      await turn.log('info', 'Tool execution started');
      await sleep(50);
      await turn.log('info', 'Tool processing data');
      await sleep(50);
      await turn.log('info', 'Tool execution completed');
      return text('Tool with logging executed successfully');
    },
  },
  {
    name: 'test_logging_tool',
    description: 'Logs; a request that asked for no logs must see none',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      await turn.log('info', 'A log message');
      return text('Logged');
    },
  },
  {
    name: 'test_tool_with_progress',
    description: 'Reports progress 0, 50 and 100 of 100',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      for (const step of [0, 50, 100]) {
        await turn.progress(step, 100);
        if (step < 100) await sleep(50);
      }
      return text('Tool with progress executed successfully');
    },
  },
  {
    name: 'test_reconnection',
    description: 'Closes its response stream half way; the answer waits for whoever resumes (SEP-1699)',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      await sleep(50);
      turn.closeStream();
      await sleep(100);
      return text('Reconnection test completed successfully.');
    },
  },
];

const CHANGE_TOOLS: FixtureTool[] = [
  {
    name: 'test_trigger_tool_change',
    description: 'Adds a tool to the list, or takes it away again',
    inputSchema: NOTHING,
    run: (_args, _turn, world) => {
      world.extraTool = !world.extraTool;
      world.tell('tools');
      return text('Tool list changed');
    },
  },
  {
    name: 'test_trigger_prompt_change',
    description: 'Adds a prompt to the list, or takes it away again',
    inputSchema: NOTHING,
    run: (_args, _turn, world) => {
      world.extraPrompt = !world.extraPrompt;
      world.tell('prompts');
      return text('Prompt list changed');
    },
  },
];

const ASKING_TOOLS: FixtureTool[] = [
  {
    name: 'test_sampling',
    description: 'Asks the client for a completion',
    inputSchema: needs({ prompt: { type: 'string', description: 'The prompt for the model' } }),
    run: async ({ prompt }, turn) => {
      const { answer } = await turn.ask({ answer: sampling(String(prompt)) });
      return text(`LLM response: ${stringOrNull(objectOrEmpty(answer?.content).text) ?? 'No response'}`);
    },
  },
  {
    name: 'test_elicitation',
    description: 'Asks the user for a name and an address',
    inputSchema: needs({ message: { type: 'string', description: 'What to show the user' } }),
    run: async ({ message }, turn) => {
      const { user } = await turn.ask({
        user: elicitation(String(message), {
          username: { type: 'string', description: "User's response" },
          email: { type: 'string', description: "User's email address" },
        }),
      });
      return text(`User response: ${spell(user)}`);
    },
  },
  {
    name: 'test_elicitation_sep1034_defaults',
    description: 'Asks with a default for each primitive type',
    inputSchema: NOTHING,
    run: async (_args, turn) => text(`Elicitation completed: ${spell((await turn.ask({ form: DEFAULTS_FORM })).form)}`),
  },
  {
    name: 'test_elicitation_sep1330_enums',
    description: 'Asks with the five kinds of choice',
    inputSchema: NOTHING,
    run: async (_args, turn) => text(`Elicitation completed: ${spell((await turn.ask({ form: ENUMS_FORM })).form)}`),
  },
  {
    name: 'test_missing_capability',
    description: 'Works only for a client that can sample',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      turn.require({ sampling: {} });
      await turn.ask({ answer: sampling('Say anything') });
      return text('The client can sample');
    },
  },
  {
    name: 'test_streaming_elicitation',
    description: 'Asks in the middle of its work',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      await turn.progress(1, 2);
      const { confirm } = await turn.ask({ confirm: elicitation('Go on?', { ok: { type: 'boolean' } }) });
      await turn.progress(2, 2);
      return text(`Streaming elicitation: ${spell(confirm)}`);
    },
  },
];

const NAME_FORM = elicitation('What is your name?', { name: { type: 'string' } });
const CONFIRM_FORM = elicitation('Please confirm', { ok: { type: 'boolean' } });

const ROUND_TRIP_TOOLS: FixtureTool[] = [
  {
    name: 'test_input_required_result_elicitation',
    description: 'Needs the name of the user',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      const { user_name } = await turn.ask({ user_name: NAME_FORM });
      return text(`Hello, ${objectOrEmpty(user_name?.content).name ?? 'stranger'}!`);
    },
  },
  {
    name: 'test_input_required_result_sampling',
    description: 'Needs an answer of a model',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      const { capital_question } = await turn.ask({ capital_question: sampling('What is the capital of France?') });
      return text(`Sampling answered: ${objectOrEmpty(capital_question?.content).text ?? ''}`);
    },
  },
  {
    name: 'test_input_required_result_list_roots',
    description: 'Needs the roots of the client',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      const { client_roots } = await turn.ask({ client_roots: LIST_ROOTS });
      return text(`Roots: ${JSON.stringify(client_roots?.roots ?? [])}`);
    },
  },
  {
    name: 'test_input_required_result_request_state',
    description: 'Needs a confirmation and its own state back',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      await turn.ask({ confirm: CONFIRM_FORM }, true);
      return text('Confirmed: state-ok');
    },
  },
  {
    name: 'test_input_required_result_tampered_state',
    description: 'Refuses a state that is not its own',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      await turn.ask({ confirm: CONFIRM_FORM }, true);
      return text('Confirmed: state-ok');
    },
  },
  {
    name: 'test_input_required_result_multiple_inputs',
    description: 'Needs three different things at once',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      const answers = await turn.ask(
        { user_name: NAME_FORM, greeting: sampling('Generate a greeting', 50), client_roots: LIST_ROOTS },
        true,
      );
      return text(`Answers: ${JSON.stringify(answers)}`);
    },
  },
  {
    name: 'test_input_required_result_multi_round',
    description: 'Asks twice, the second time knowing the first answer',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      const form = elicitation('Step 1: What is your name?', { name: { type: 'string' } });
      const { step1 } = await turn.ask({ step1: form }, true);
      const colour = elicitation('Step 2: What is your favorite color?', { color: { type: 'string' } });
      const { step2 } = await turn.ask({ step2: colour }, true);
      return text(`${objectOrEmpty(step1?.content).name} likes ${objectOrEmpty(step2?.content).color}`);
    },
  },
  {
    name: 'test_input_required_result_capabilities',
    description: 'Asks only what the client can answer',
    inputSchema: NOTHING,
    run: async (_args, turn) => {
      const answers = await turn.askWhatIsPossible({ form: CONFIRM_FORM, model: sampling('Say hello') });
      return text(`Answered: ${Object.keys(answers).join(', ') || 'nothing'}`);
    },
  },
];

const EXTRA_TOOL: FixtureTool = {
  name: 'test_extra_tool',
  description: 'There only between two calls of test_trigger_tool_change',
  inputSchema: NOTHING,
  run: () => text('extra'),
};

const TOOLS = [...CONTENT_TOOLS, ...STREAM_TOOLS, ...CHANGE_TOOLS, ...ASKING_TOOLS, ...ROUND_TRIP_TOOLS, ...TASK_TOOLS];

function toolsNow(world: World): FixtureTool[] {
  return world.extraTool ? [...TOOLS, EXTRA_TOOL] : TOOLS;
}

export function listTools(world: World): JsonObject[] {
  return toolsNow(world).map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));
}

export function requireTool(world: World, name: string): FixtureTool {
  const tool = toolsNow(world).find(candidate => candidate.name === name);
  if (tool === undefined) throw new ProtocolError(RPC.invalidParams, `Unknown tool: ${name}`);
  return tool;
}

function embedded(uri: string, mimeType: string, body: string): JsonObject {
  return { type: 'resource', resource: { uri, mimeType, text: body } };
}

function spell(answer: JsonObject | undefined): string {
  return `action=${answer?.action ?? 'none'}, content=${JSON.stringify(answer?.content ?? {})}`;
}
