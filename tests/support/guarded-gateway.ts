/**
 * The real gateway with a guard at its door: rules, scopes, an issuer of its own whose tokens a story writes as it likes,
 * and the ledger to read back. Everything in a folder of its own that goes with it.
 */
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Era } from '../../src/domain/era.ts';
import type { JsonObject } from '../../src/domain/json.ts';
import { type GatewayProcess, type GatewaySetup, startGateway, waitFor } from './gateway-process.ts';
import { type Client, openClient } from './mcp-client.ts';
import { createEcKey, signToken } from './token-issuer.ts';

export const ISSUER = 'https://idp.example.test';
export const AUDIENCE = 'gatehouse';

const KEY = createEcKey('story');

/** A token of the story's issuer, good for an hour unless `claims` say otherwise. */
export function tokenOf(sub: string, claims: JsonObject = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const payload = { iss: ISSUER, aud: AUDIENCE, sub, iat: now, exp: now + 3600, ...claims };
  return signToken({ alg: 'ES256', kid: KEY.kid, typ: 'at+jwt' }, payload, KEY.privateKey, 'ES256');
}

export interface GuardedSetup extends GatewaySetup {
  rules?: JsonObject;
  scopes?: JsonObject;
  /** Added to the one entry of `identity.issuers`; false: no issuer at all. */
  issuer?: JsonObject | false;
}

export interface GuardedGateway extends GatewayProcess {
  readonly folder: string;
  readonly rulesFile: string;
  readonly scopesFile: string;
  readonly auditFile: string;
  writeRules(rules: JsonObject | string, how?: 'in place' | 'by rename'): void;
  writeScopes(scopes: JsonObject | string): void;
  /** Lines of every ledger, parsed, once there are that many: what was done is written soon after it, not before. */
  book(count: number): Promise<JsonObject[]>;
  /** The same as text. */
  bookText(): string;
  /** `token` null: shows nothing. */
  open(era: Era, token: string | null, path?: string): Promise<Client>;
}

export async function startGuarded(setup: GuardedSetup): Promise<GuardedGateway> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-guarded-'));
  const [rulesFile, scopesFile] = [join(folder, 'rules.json'), join(folder, 'scopes.yml')];
  const auditFile = join(folder, 'audit', 'audit.jsonl');
  const write = (path: string, content: JsonObject | string, how: 'in place' | 'by rename' = 'in place') => {
    const text = typeof content === 'string' ? content : JSON.stringify(content);
    if (how === 'in place') return writeFileSync(path, text);
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  if (setup.rules !== undefined) write(rulesFile, setup.rules);
  if (setup.scopes !== undefined) write(scopesFile, setup.scopes);
  const { identity, ...settings } = setup.settings ?? {};
  const issuer = { issuer: ISSUER, kind: 'oidc', jwks: { keys: [KEY.jwk as JsonObject] }, audiences: [AUDIENCE] };
  const claims = { claims: { agent: 'agent_id', groups: 'groups' } };
  const issuers =
    setup.issuer === false ? {} : { issuers: [{ ...issuer, algorithms: ['ES256'], ...claims, ...setup.issuer }] };
  const gateway = await startGateway({
    ...setup,
    settings: {
      ...settings,
      identity: { publicUrl: 'https://gw.example.test', ...issuers, ...(identity as JsonObject | undefined) },
    },
    env: {
      ...(setup.rules === undefined ? {} : { GATEWAY_RULES: rulesFile }),
      ...(setup.scopes === undefined ? {} : { GATEWAY_SCOPES: scopesFile }),
      GATEWAY_AUDIT_LOG: auditFile,
      ...setup.env,
    },
  }).catch((cause: unknown) => {
    rmSync(folder, { recursive: true, force: true });
    throw cause;
  });
  const bookText = () =>
    readdirSync(join(folder, 'audit'))
      .filter(name => name.endsWith('.jsonl'))
      .sort()
      .map(name => readFileSync(join(folder, 'audit', name), 'utf8'))
      .join('');
  return {
    ...gateway,
    folder,
    rulesFile,
    scopesFile,
    auditFile,
    writeRules: (rules, how) => write(rulesFile, rules, how),
    writeScopes: scopes => write(scopesFile, scopes),
    bookText,
    book: count =>
      waitFor(() => {
        const lines = bookText().split('\n');
        // The last one is empty, or not yet whole.
        return lines.length <= count ? null : lines.slice(0, -1).map(line => JSON.parse(line) as JsonObject);
      }, `${count} lines in the book`),
    open: (era, token, path = '/mcp') =>
      openClient(gateway.origin, era, {
        path,
        ...(token === null ? {} : { headers: { authorization: `Bearer ${token}` } }),
      }),
    async stop() {
      await gateway.stop();
      rmSync(folder, { recursive: true, force: true });
    },
    discard() {
      gateway.discard();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
