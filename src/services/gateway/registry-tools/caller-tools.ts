/** The tools that tell a caller about itself. What it showed to be let in is in none of them. */
import { z } from 'zod';
import { usernameOf } from '../../../domain/identity.ts';
import { evaluatedScopes } from '../../../domain/policy.ts';
import { done } from '../../registry/desk.ts';
import { describeCaller } from '../describe-caller.ts';
import { defineTool, type RegistryTool } from './registry-tool.ts';

const NOT_HERE = 'Headers are not available over this transport.';

export const CALLER_TOOLS: readonly RegistryTool[] = [
  defineTool({
    ...{ name: 'debug_auth_context', title: 'Who the gateway takes you for', needs: { kind: 'self' } },
    description:
      'Tells who the gateway takes you for and what you may do: subject, method, agent, groups, scopes, and which scopes count here. Use it when a call is denied and should not be. No credential is in the answer.',
    args: z.strictObject({}),
    run({ policy, servers, defaultAgent }, { who, acting }) {
      const rights = describeCaller(policy(), who, servers(), defaultAgent);
      return done({
        ...{ subject: who.subject, username: usernameOf(who), auth_method: who.method, issuer: who.issuer },
        ...{ client_id: who.client, agent_id: acting.agent, agent_verified: acting.agentVerified },
        ...{ groups: [...who.groups], scopes: [...who.scopes], evaluated_scopes: [...evaluatedScopes(policy(), who)] },
        ...{ is_admin: rights.isAdmin, can_modify_servers: rights.mayModifyServers },
        ui_permissions: Object.fromEntries([...rights.ui].map(([action, resources]) => [action, [...resources]])),
        ...{ accessible_servers: [...rights.servers], bound_server: who.boundServer },
        expires_at: Number.isFinite(who.expiresAtMs) ? new Date(who.expiresAtMs).toISOString() : null,
      });
    },
  }),
  defineTool({
    ...{ name: 'get_http_headers', title: 'Headers of your request', needs: { kind: 'self' } },
    description:
      'Shows which HTTP headers of your request reached the gateway. Credentials are masked; over stdio there are no headers.',
    args: z.strictObject({}),
    run(_means, { line }) {
      const shown = line.shownHeaders?.() ?? null;
      if (shown === null) return done({ available: false, headers: {}, message: NOT_HERE });
      return done({ available: true, headers: shown, message: 'Whatever is a credential is masked.' });
    },
  }),
];
