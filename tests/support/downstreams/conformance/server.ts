/**
 * The fixture as an SDK server: one factory for both eras. Handlers are registered with a pass-through schema and
 * without the SDK's result validation, so that what a tool returns is what goes out.
 */
import { ProtocolError, Server, type ServerContext } from '@modelcontextprotocol/server';
import { type Era, TASKS_EXTENSION } from '../../../../src/domain/era.ts';
import { type JsonObject, objectOrEmpty } from '../../../../src/domain/json.ts';
import { RPC } from '../../../../src/domain/rpc.ts';
import { complete, getPrompt, listPrompts, RESOURCES, readResource, TEMPLATES } from './lists.ts';
import { listTools, requireTool } from './tools.ts';
import { anyObject, createTurn, declaredCapabilities, NeedsInput, type Turn } from './turn.ts';
import type { World } from './world.ts';

type Handler = (params: JsonObject, ctx: ServerContext) => Promise<JsonObject> | JsonObject;

/** `input_required` and task results are ours; the SDK's typed parsing of them is switched off. */
class RawServer extends Server {
  protected override _wrapHandler(_method: string, handler: Parameters<Server['_wrapHandler']>[1]) {
    return handler;
  }
}

export function createFixtureServer(world: World, era: Era): Server {
  const modern = era === 'modern';
  const server = new RawServer(
    { name: 'conformance-fixture', version: '1.0.0' },
    {
      capabilities: {
        tools: { listChanged: true },
        prompts: { listChanged: true },
        resources: { subscribe: true, listChanged: true },
        logging: {},
        completions: {},
        ...(modern ? { extensions: { [TASKS_EXTENSION]: {} } } : {}),
      },
      instructions: 'A server for the official MCP conformance scenarios.',
    },
  );
  const on = (method: string, handle: Handler) =>
    server.setRequestHandler(method, { params: anyObject }, (params, ctx) => Promise.resolve(handle(params, ctx)));

  const turnFor = (subject: string, ctx: ServerContext): Turn =>
    createTurn({
      era,
      subject,
      ctx,
      declared: declaredCapabilities(era, ctx, server.getClientCapabilities()),
      board: world.board,
    });

  on('tools/list', () => ({ tools: listTools(world) }));
  on('resources/list', () => ({ resources: RESOURCES }));
  on('resources/templates/list', () => ({ resourceTemplates: TEMPLATES }));
  on('prompts/list', () => ({ prompts: listPrompts(world) }));
  on('completion/complete', complete);
  on('resources/read', ({ uri }) => readResource(String(uri), era));
  on('prompts/get', ({ name, arguments: args }, ctx) =>
    orQuestions(() => getPrompt(world, String(name), objectOrEmpty(args), turnFor(`prompt ${name}`, ctx))),
  );
  on('tools/call', ({ name, arguments: args }, ctx) => {
    const tool = requireTool(world, String(name));
    return orQuestions(() => runTool(() => tool.run(objectOrEmpty(args), turnFor(`tool ${name}`, ctx), world)));
  });
  if (modern) serveTasks(on, turnFor);
  else serveSubscriptions(on, server, world);
  return server;
}

async function orQuestions(work: () => Promise<JsonObject>): Promise<JsonObject> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof NeedsInput) return error.result;
    throw error;
  }
}

/** A failing tool is a good answer with `isError`; only protocol errors and questions pass as they are. */
async function runTool(run: () => Promise<JsonObject> | JsonObject): Promise<JsonObject> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof NeedsInput || error instanceof ProtocolError) throw error;
    return { content: [{ type: 'text', text: error instanceof Error ? error.message : String(error) }], isError: true };
  }
}

function serveTasks(
  on: (method: string, handle: Handler) => void,
  turnFor: (subject: string, ctx: ServerContext) => Turn,
): void {
  const boardFor = (ctx: ServerContext) => {
    const turn = turnFor('tasks', ctx);
    turn.require({ extensions: { [TASKS_EXTENSION]: {} } });
    if (turn.tasks === null) throw new ProtocolError(RPC.internalError, 'Tasks are not available');
    return turn.tasks;
  };
  on('tasks/get', ({ taskId }, ctx) => boardFor(ctx).find(taskId));
  on('tasks/cancel', ({ taskId }, ctx) => {
    boardFor(ctx).cancel(taskId);
    return {};
  });
  on('tasks/update', ({ taskId }, ctx) => {
    boardFor(ctx).answer(taskId, ctx.mcpReq.inputResponses);
    return {};
  });
}

function serveSubscriptions(on: (method: string, handle: Handler) => void, server: Server, world: World): void {
  const watched = new Set<string>();
  on('resources/subscribe', ({ uri }) => {
    watched.add(String(uri));
    return {};
  });
  on('resources/unsubscribe', ({ uri }) => {
    watched.delete(String(uri));
    return {};
  });
  hear(server, world, uri => watched.has(uri));
}

/** Sends the world's changes to one long-lived connection until it closes. */
export function hear(server: Server, world: World, isWatched: (uri: string) => boolean): void {
  const stop = world.listen(change => {
    // A connection that is just closing may refuse the message; the change is then nobody's loss.
    if (change === 'tools') server.sendToolListChanged().catch(() => undefined);
    else if (change === 'prompts') server.sendPromptListChanged().catch(() => undefined);
    else if (isWatched(change.resource)) server.sendResourceUpdated({ uri: change.resource }).catch(() => undefined);
  });
  const before = server.onclose;
  server.onclose = () => {
    stop();
    before?.();
  };
}
