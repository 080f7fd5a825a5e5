/**
 * Gatehouse as it stands in front of strangers: an issuer whose key is pinned in the configuration, a signed token on every
 * request, rules for its agent and a scope for its group, so that policy decides and the book names a caller.
 */
import fs from 'node:fs';
import path from 'node:path';
import { createEcKey, signToken } from '../support/token-issuer.ts';

const ISSUER = 'https://idp.bench.test';
const AUDIENCE = 'gatehouse';
const LIFETIME_S = 12 * 3600;

export interface Guard {
  headers: Readonly<Record<string, string>>;
  /** Writes what the gateway reads into its folder; the environment that names it. */
  write(folder: string): Record<string, string>;
}

const METHODS = ['initialize', 'notifications/initialized', 'ping', 'server/discover', 'tools/list', 'tools/call'];

export function createGuard(wallMs: number): Guard {
  const key = createEcKey('bench');
  const issuedAt = Math.floor(wallMs / 1000);
  const claims = { sub: 'bench', client_id: 'bench', agent_id: 'bencher', groups: ['benchers'] };
  const payload = { iss: ISSUER, aud: AUDIENCE, iat: issuedAt, exp: issuedAt + LIFETIME_S, ...claims };
  const token = signToken({ alg: 'ES256', kid: key.kid, typ: 'at+jwt' }, payload, key.privateKey, 'ES256');
  const issuer = { issuer: ISSUER, kind: 'oidc', jwks: { keys: [key.jwk] }, audiences: [AUDIENCE] };
  const files = {
    GATEWAY_CONFIG: {
      identity: {
        publicUrl: 'https://gateway.bench.test',
        issuers: [{ ...issuer, algorithms: ['ES256'], claims: { agent: 'agent_id', groups: 'groups' } }],
      },
    },
    GATEWAY_RULES: {
      agents: { bencher: { allow: { servers: ['bench*'] }, deny: { tools: { '*': ['delete_*', 'drop_*'] } } } },
      defaults: { deny_on_missing_agent: true },
    },
    GATEWAY_SCOPES: {
      group_mappings: { benchers: ['bench/execute'] },
      'bench/execute': [{ server: '*', methods: METHODS, tools: '*' }],
    },
  };
  return {
    headers: { authorization: `Bearer ${token}` },
    write(folder) {
      const named = Object.entries(files).map(([name, content]) => {
        // What is JSON is YAML too.
        const file = path.join(folder, `${name.toLowerCase()}.${name === 'GATEWAY_RULES' ? 'json' : 'yaml'}`);
        fs.writeFileSync(file, JSON.stringify(content));
        return [name, file] as const;
      });
      return Object.fromEntries(named);
    },
  };
}
