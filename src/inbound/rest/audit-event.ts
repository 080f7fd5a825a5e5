/**
 * A line of the ledger as the audit API shows it: the line as it stands, and beside it the same facts under the names that
 * readers of the older registry's events look for. What the ledger does not keep (headers, sizes, groups) is not made up.
 */
import { z } from 'zod';
import type { AuditEvent } from '../../domain/audit.ts';

const text = z.string().nullable();

/** The first part is the line; it may hold more. */
export const ShownEvent = z
  .looseObject({
    seq: z.int(),
    timestamp: z.iso.datetime(),
    request_id: text,
    agent_id: text,
    subject: text,
    operation: z.string(),
    decision: z.enum(['ALLOW', 'DENY', 'ERROR']),
    latency_ms: z.number(),
    server: text,
    tool: text,
    rule: text,
    outcome: z.string(),
    error_code: text,
    log_type: z.enum(['registry_api_access', 'mcp_server_access']),
    version: z.literal('1.0'),
    correlation_id: text,
    identity: z.object({ username: text, auth_method: text, provider: text, scopes: z.array(z.string()) }),
    action: z.object({ operation: z.string(), resource_type: text, resource_id: text, description: text }),
    authorization: z.object({
      decision: z.enum(['ALLOW', 'DENY', 'ERROR']),
      required_permission: text,
      evaluated_scopes: z.array(z.string()),
    }),
    mcp_server: z.object({ name: z.string() }).optional(),
    mcp_request: z.object({ method: z.string(), tool_name: text, resource_uri: text, mcp_session_id: text }).optional(),
    mcp_response: z.object({ status: z.string(), duration_ms: z.number(), error_code: text }).optional(),
    response: z.object({ duration_ms: z.number() }).optional(),
  })
  .meta({ id: 'AuditEvent' });
export type ShownEvent = z.output<typeof ShownEvent>;

/** `isRest`: whether an operation is one of the REST API. */
export function showEvent(event: AuditEvent, isRest: (operation: string) => boolean): ShownEvent {
  const { operation, decision, server, tool, rule, outcome, latency_ms: duration, error_code: code } = event;
  const target = tool ?? textOf(event.target);
  const scopes = Array.isArray(event.scopes) ? event.scopes.map(String) : [];
  const isRegistry = isRest(operation);
  return {
    ...event,
    log_type: isRegistry ? 'registry_api_access' : 'mcp_server_access',
    version: '1.0',
    correlation_id: event.request_id,
    identity: {
      username: event.subject,
      auth_method: textOf(event.method),
      provider: textOf(event.issuer),
      scopes,
    },
    action: {
      operation,
      resource_type: tool !== null ? 'tool' : server !== null ? 'server' : null,
      resource_id: target ?? server,
      description: null,
    },
    authorization: { decision, required_permission: rule, evaluated_scopes: scopes },
    ...(isRegistry
      ? { response: { duration_ms: duration } }
      : {
          ...(server === null ? {} : { mcp_server: { name: server } }),
          mcp_request: {
            method: operation,
            tool_name: tool,
            resource_uri: operation.startsWith('resources/') ? textOf(event.target) : null,
            mcp_session_id: textOf(event.session_id),
          },
          mcp_response: { status: outcome, duration_ms: duration, error_code: code },
        }),
  };
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}
