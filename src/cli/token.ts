/**
 * `gatehouse token generate|refresh|revoke`: short-lived tokens of a running gateway. A token goes to stdout, alone, or
 * into a file that only its owner can read; everything else that is said goes to stderr.
 */
import { mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writePrivateFile } from '../app/gateway-desk.ts';
import { AGENT_ID, MAX_AGENT_ID } from '../domain/agent-rules.ts';
import { atGateway, type Gateway, type GatewayOptions, REFUSED } from './gateway.ts';
import type { Host } from './host.ts';
import { printable } from './report.ts';

export interface TokenWish extends GatewayOptions {
  scopes?: readonly string[] | undefined;
  hours?: number | undefined;
  description?: string | undefined;
  /** Good for this server alone. */
  server?: string | undefined;
}

export interface RefreshWish extends TokenWish {
  agentId: string;
  /** Folder. */
  out?: string | undefined;
}

const DONE = 0;
const MISUSED = 2;

interface Generated {
  /** As the gateway answered it. */
  text: string;
  token: string;
  jti: string;
  agent: string | null;
  scope: string;
  issuedAt: number;
  expiresAt: number;
}

export function generateToken(host: Host, wish: TokenWish & { json?: boolean | undefined }): Promise<number> {
  return atGateway(host, wish, async gateway => {
    const made = await requestToken(host, gateway, wish);
    if (made === null) return REFUSED;
    host.stdout.line(wish.json === true ? made.text : made.token);
    if (wish.json !== true) host.stderr.line(`${made.jti} is good until ${toTime(made.expiresAt)}.`);
    return DONE;
  });
}

export async function refreshAgentToken(host: Host, wish: RefreshWish): Promise<number> {
  const { agentId, out = '.' } = wish;
  // It becomes the name of a file.
  if (agentId.length > MAX_AGENT_ID || !AGENT_ID.test(agentId)) {
    host.stderr.line('error: agent ids hold letters, digits, dots, underscores and hyphens only');
    return MISUSED;
  }
  return atGateway(host, wish, async gateway => {
    const made = await requestToken(host, gateway, { description: `for agent ${agentId}`, ...wish });
    if (made === null) return REFUSED;
    if (made.agent !== null && made.agent !== agentId) {
      // A token that nobody asked for: it shall not live on.
      await gateway.ask({ method: 'POST', path: '/api/tokens/revoke', body: { jti: made.jti } });
      host.stderr.line(`error: this credential is the agent ${printable(made.agent)}'s, not ${agentId}'s`);
      host.stderr.line('Nothing was written. Show the credential of the agent that the token is for.');
      return REFUSED;
    }
    const folder = resolve(host.cwd, out);
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, `agent-${agentId}-m2m-token.json`);
    writePrivateFile(path, `${JSON.stringify(describeToken(made, agentId, gateway.url), null, 2)}\n`);
    host.stdout.line(path);
    if (made.agent === null) host.stderr.line('The credential names no agent, and so does the token.');
    host.stderr.line(`It is good until ${toTime(made.expiresAt)}.`);
    return DONE;
  });
}

export function revokeToken(host: Host, jti: string, options: GatewayOptions): Promise<number> {
  return atGateway(host, options, async gateway => {
    const answer = await gateway.ask({ method: 'POST', path: '/api/tokens/revoke', body: { jti } });
    if (answer === null) return REFUSED;
    host.stdout.line(`${printable(jti)} is good for nothing any more.`);
    return DONE;
  });
}

async function requestToken(host: Host, gateway: Gateway, wish: TokenWish): Promise<Generated | null> {
  const { scopes, hours, description, server } = wish;
  const resource = server === undefined ? undefined : { type: 'server', id: server };
  const answer = await gateway.ask({
    ...{ method: 'POST', path: '/api/tokens/generate' },
    body: { requested_scopes: scopes, expires_in_hours: hours, description, resource },
  });
  if (answer === null) return null;
  const made = readGenerated(answer.body, answer.text);
  if (made === null) host.stderr.line(`error: ${gateway.url} answered with something that is no token`);
  return made;
}

function readGenerated(body: unknown, text: string): Generated | null {
  const { token_data: facts } = (body ?? {}) as { token_data?: Record<string, unknown> };
  if (typeof facts !== 'object' || facts === null) return null;
  const { access_token: token, jti, agent = null, scope, issued_at: issuedAt, expires_at: expiresAt } = facts;
  if (typeof token !== 'string' || typeof jti !== 'string' || typeof scope !== 'string') return null;
  if (typeof issuedAt !== 'number' || typeof expiresAt !== 'number') return null;
  if (!/^[\x21-\x7e]+$/.test(token)) return null;
  return { text, token, jti, scope, issuedAt, expiresAt, agent: typeof agent === 'string' ? agent : null };
}

/** What programs of agents read: the same names as a token endpoint's answer (RFC 6749, section 5.1), and where it is for. */
function describeToken({ token, jti, scope, issuedAt, expiresAt }: Generated, agentId: string, url: string) {
  return {
    agent_id: agentId,
    access_token: token,
    token_type: 'Bearer',
    expires_in: expiresAt - issuedAt,
    issued_at: issuedAt,
    expires_at: expiresAt,
    expires_at_iso: toTime(expiresAt),
    scope,
    jti,
    gateway_url: `${url}/mcp`,
  };
}

function toTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString();
}
