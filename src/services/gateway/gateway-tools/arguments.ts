/** Arguments of the gateway's own tools, checked once. A bad one yields a sentence that says what to send. */
import * as z from 'zod';
import { type Failure, failure } from '../../../domain/error.ts';
import { sayIssue } from '../../../domain/input-mistake.ts';
import { isJsonObject, type JsonObject } from '../../../domain/json.ts';

const agentId = z.string().nullish();
const timeoutMs = z.int().positive().max(86_400_000).nullish();
/** Only forwarded, so only looked at: the tool's own server checks what is inside. */
const args = z.custom<JsonObject>(isJsonObject, 'must be an object');

export const ListServersArguments = z.object({ agent_id: agentId, include_metadata: z.boolean().nullish() });

export const GetServerToolsArguments = z.object({
  agent_id: agentId,
  server: z.string().min(1),
  names: z
    .union([
      z.string().transform(text =>
        text
          .split(',')
          .map(name => name.trim())
          .filter(Boolean),
      ),
      z.array(z.string()),
    ])
    .nullish(),
  pattern: z.string().max(200).nullish(),
  max_schema_tokens: z.int().nonnegative().nullish(),
});

export const ExecuteToolArguments = z.object({
  agent_id: agentId,
  server: z.string().min(1),
  tool: z.string().min(1),
  args: args.nullish(),
  timeout_ms: timeoutMs,
});

export const FindToolsArguments = z
  .object({
    agent_id: agentId,
    query: z.string().min(1).max(2000).optional(),
    natural_language_query: z.string().min(1).max(2000).optional(),
    limit: z.int().min(1).max(50).optional(),
    top_n_tools: z.int().min(1).max(50).optional(),
    server: z.string().nullish(),
  })
  .transform(({ query, natural_language_query, limit, top_n_tools, server, agent_id }) => ({
    agent_id,
    query: query ?? natural_language_query,
    limit: limit ?? top_n_tools ?? 5,
    server,
  }));

const howMany = z.int().min(1).max(50).nullish();

/**
 * Every spelling the finder of the registry's documents ever had. Credentials among the arguments (`username`, `password`,
 * `session_cookie`) are not looked at: who calls was settled before.
 */
export const DocumentedFinderArguments = z
  .object({
    natural_language_query: z.string().min(1).max(2000).nullish(),
    query: z.string().min(1).max(2000).nullish(),
    top_k_services: howMany,
    top_n_tools: howMany,
    top_n: howMany,
    limit: howMany,
    tags: z.array(z.string().max(200)).max(50).nullish(),
    server: z.string().nullish(),
  })
  .transform(({ natural_language_query, query, top_k_services, top_n_tools, top_n, limit, tags, server }) => ({
    query: natural_language_query ?? query ?? undefined,
    limit: top_n_tools ?? top_n ?? limit ?? 1,
    maxServers: top_k_services ?? 3,
    tags: tags ?? [],
    server: server ?? null,
  }));

export const CallToolArguments = z.object({
  agent_id: agentId,
  name: z.string().min(1).optional(),
  server_name: z.string().min(1).optional(),
  /** As the finder spells the server. */
  service_path: z.string().min(1).optional(),
  tool_name: z.string().min(1).optional(),
  arguments: args.nullish(),
  mcp_registry_url: z.string().nullish(),
  timeout_ms: timeoutMs,
});

export function parseArguments<T>(schema: z.ZodType<T>, given: unknown): { kind: 'ok'; value: T } | Failure {
  const parsed = schema.safeParse(given ?? {});
  if (parsed.success) return { kind: 'ok', value: parsed.data };
  const problems = parsed.error.issues.map(issue =>
    issue.path.length > 0 ? `${issue.path.join('.')}: ${sayIssue(issue)}` : sayIssue(issue),
  );
  const data: JsonObject = { problems };
  return failure('INVALID_PARAMS', data, { say: `Invalid arguments. ${problems.join('; ')}` });
}
