/**
 * The gateway in this process with two servers behind it, named keys, an issuer and a file of scopes: for stories of tokens
 * that callers get for a part of their own rights. Its files outlive it, so that it can be started again.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type App, createApp } from '../../src/app.ts';
import type { Config } from '../../src/config/config.ts';
import type { Era } from '../../src/domain/era.ts';
import type { Json, JsonObject } from '../../src/domain/json.ts';
import { createDesk } from '../config/desk.ts';
import { type StartedScripted, startScripted } from './downstreams/start.ts';
import { type Client, openClient } from './mcp-client.ts';
import { fetchHeld } from './openapi-check.ts';
import { createEcKey, signToken } from './token-issuer.ts';

export const KEYS = {
  ci: 'kq7Zt1vXw9Lr4Ns8Pd2Hf6Jb3Mc5Ty0GuEoIa',
  ops: 'Zp3Wd8Rk1Qs6Lx0Vb5Nt9Jc4Mg7Yh2FuAeOiTr',
  lob: 'n4Rf8sKd2Lw9Zx6Qv1Bm7Tg3Yh5Jc0PeUaWi',
  next: 'Tx5Gb9Wq2Zn7Lk4Rv8Ms1Hd6Fy3Jc0PiOuEaQ',
} as const;
export const ISSUER = 'https://idp.example.test';

const METHODS = ['initialize', 'notifications/initialized', 'ping', 'tools/list', 'tools/call', 'resources/read'];
export const SCOPES: JsonObject = {
  'UI-Scopes': { admins: { modify_service: ['all'] } },
  group_mappings: {
    team: ['everywhere', 'api-tokens', 'echo-only all'],
    operators: ['admins', 'everywhere', 'api-tokens'],
  },
  everywhere: [{ server: '*', methods: METHODS, tools: '*' }],
  'echo-only': [{ server: '*', methods: METHODS, tools: ['echo'] }],
  // No word of OAuth: in a token it would read as two.
  'echo-only all': [{ server: '*', methods: METHODS, tools: '*' }],
  'api-tokens': [{ server: 'api', methods: ['tokens'], tools: [] }],
};

const SIGNER = createEcKey('story');

/** `header` is laid over the issuer's own. */
export function issuerToken(sub: string, claims: JsonObject = {}, header: JsonObject = {}): string {
  const now = Math.floor(Date.now() / 1000);
  const payload = { iss: ISSUER, aud: 'gatehouse', sub, iat: now, exp: now + 3600, ...claims };
  return signToken({ alg: 'ES256', kid: SIGNER.kid, typ: 'at+jwt', ...header }, payload, SIGNER.privateKey, 'ES256');
}

export const key = (name: string, secret: string, more: JsonObject = {}): JsonObject => ({
  name,
  key: secret,
  ...more,
});
export const USUAL_KEYS: Json[] = [
  key('ci', KEYS.ci, { groups: ['team'], scopes: ['echo-only'], agent: 'builder' }),
  key('ops', KEYS.ops, { groups: ['operators'] }),
  key('lob', KEYS.lob, { scopes: ['echo-only'] }),
];

export interface Answer {
  status: number;
  headers: Headers;
  body: JsonObject;
}

export interface VendingGateway {
  origin(): string;
  config(): Config;
  /** The gateway that runs. */
  app(): App;
  /** Path of a file beside the ledger. */
  file(name: string): string;
  book(): JsonObject[];
  write(settings: JsonObject): void;
  writeScopes(scopes: JsonObject): void;
  reload(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  post(path: string, token: string | null, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** A token for `token`'s holder; throws when it gets none. */
  vend(token: string, body?: JsonObject): Promise<{ token: string; jti: string; body: JsonObject }>;
  open(era: Era, token: string, path?: string): Promise<Client>;
  remove(): Promise<void>;
}

export async function openVendingGateway(
  settings: JsonObject = {},
  variables: Record<string, string> = {},
): Promise<VendingGateway> {
  const desk = createDesk();
  const servers: StartedScripted[] = await Promise.all([startScripted(), startScripted()]);
  const [alpha, beta] = servers.map(({ url }) => ({ url }));
  const auditLog = join(desk.folder, 'book', 'audit.jsonl');
  const scopesFile = join(desk.folder, 'scopes.yml');
  /** `variables` may change between two starts. */
  const env = () => ({
    GATEWAY_SCOPES: scopesFile,
    GATEWAY_AUDIT_LOG: auditLog,
    GATEWAY_EXPOSURE: 'direct',
    ...variables,
  });
  const overrides = { transport: 'http', port: 0 } as const;
  const issuers = [
    {
      ...{ issuer: ISSUER, kind: 'oidc', jwks: { keys: [SIGNER.jwk as unknown as JsonObject] }, algorithms: ['ES256'] },
      ...{ audiences: ['gatehouse'], claims: { groups: 'groups', agent: 'agent_id' } },
    },
  ];
  let app: App | null = null;
  let origin = '';
  let config: Config | null = null;

  const write = (more: JsonObject) =>
    void desk.write('cwd/gateway.config.yaml', {
      log: { level: 'silent' },
      servers: { alpha, beta },
      ...more,
      identity: { publicUrl: 'https://gw.example.test', issuers, keys: USUAL_KEYS, ...(more.identity as JsonObject) },
    });
  const writeScopes = (scopes: JsonObject) => void desk.write('scopes.yml', scopes);
  write(settings);
  writeScopes(SCOPES);

  const gateway: VendingGateway = {
    origin: () => origin,
    config: () => {
      if (config === null) throw new Error('it was never started');
      return config;
    },
    app: () => {
      if (app === null) throw new Error('it is not started');
      return app;
    },
    file: name => join(dirname(auditLog), name),
    write,
    writeScopes,
    book: () =>
      readdirSync(dirname(auditLog))
        .filter(name => name.endsWith('.jsonl'))
        .flatMap(name => readFileSync(join(dirname(auditLog), name), 'utf8').split('\n'))
        .filter(line => line !== '')
        .map(line => JSON.parse(line) as JsonObject),
    async reload() {
      const { ok, problems } = (await app?.reload()) ?? { ok: false, problems: ['not started'] };
      if (!ok) throw new Error(problems.join('\n'));
    },
    async start() {
      config = await desk.config(env(), overrides);
      app = createApp({
        ...{ config, serve: { http: true, stdio: false }, version: '9.9.9', env: {}, warnings: [] },
        loadAgain: () => desk.load(env(), overrides),
      });
      origin = ((await app.start()).url ?? '').replace(/\/mcp$/, '');
    },
    async stop() {
      await app?.stop(0);
      app = null;
    },
    async post(path, token, body, headers = {}) {
      const authorization: Record<string, string> = token === null ? {} : { authorization: `Bearer ${token}` };
      const reply = await fetchHeld(origin + path, {
        method: 'POST',
        headers: { 'content-type': 'application/json', ...authorization, ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      });
      return { status: reply.status, headers: reply.headers, body: (await reply.json()) as JsonObject };
    },
    async vend(token, body = {}) {
      const reply = await gateway.post('/api/tokens/generate', token, body);
      if (reply.status !== 200) throw new Error(`no token: ${reply.status} ${JSON.stringify(reply.body)}`);
      const { access_token: vended, jti } = reply.body.token_data as { access_token: string; jti: string };
      return { token: vended, jti, body: reply.body };
    },
    open: (era, token, path = '/mcp') =>
      openClient(origin, era, { path, headers: { authorization: `Bearer ${token}` } }),
    async remove() {
      await gateway.stop();
      await Promise.all(servers.map(server => server.close()));
      desk.remove();
    },
  };
  await gateway.start();
  return gateway;
}
