/**
 * The gateway in this process with a registry, callers in every role of the documents, and one server of its own file: for
 * stories of servers that are registered while it runs. Every answer is held against the document it prints of itself.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type App, createApp } from '../../src/app.ts';
import type { Era } from '../../src/domain/era.ts';
import type { Json, JsonObject } from '../../src/domain/json.ts';
import { openSqliteRegistry } from '../../src/outbound/sqlite/registry-storage.ts';
import { createSealer } from '../../src/outbound/vault/sealer.ts';
import { createDesk } from '../config/desk.ts';
import { type StartedScripted, startScripted } from './downstreams/start.ts';
import { type Client, openClient } from './mcp-client.ts';
import { fetchHeld } from './openapi-check.ts';

/** One caller per role; `lob` is of a line of business, `stranger` of no group that counts. */
export const CALLERS = {
  admin: 'Zp3Wd8Rk1Qs6Lx0Vb5Nt9Jc4Mg7Yh2FuAeOiTr',
  user: 'kq7Zt1vXw9Lr4Ns8Pd2Hf6Jb3Mc5Ty0GuEoIa',
  developer: 'Tx5Gb9Wq2Zn7Lk4Rv8Ms1Hd6Fy3Jc0PiOuEaQ',
  operator: 'n4Rf8sKd2Lw9Zx6Qv1Bm7Tg3Yh5Jc0PeUaWiLk',
  lob: 'b8Vd3Hs6Kx1Qw5Zn9Mt4Rg7Lp2Yc0FjAuEoIsD',
  stranger: 'h2Jm6Wx9Tq4Ld8Vs1Zb5Nk7Rp3Gf0CyOuAeIwX',
} as const;
export type Caller = keyof typeof CALLERS;

const METHODS = ['initialize', 'notifications/initialized', 'ping', 'tools/list', 'tools/call', 'resources/read'];

/** The roles of the documents: a user sees, a developer registers, an operator operates, an administrator does it all. */
export const ROLE_SCOPES: JsonObject = {
  'UI-Scopes': {
    admins: {
      ...{ list_service: ['all'], register_service: ['all'], health_check_service: ['all'] },
      ...{ toggle_service: ['all'], modify_service: ['all'] },
      ...{
        list_agents: ['all'],
        get_agent: ['all'],
        publish_agent: ['all'],
        modify_agent: ['all'],
        delete_agent: ['all'],
      },
    },
    users: { list_service: ['all'] },
    developers: { list_service: ['all'], register_service: ['all'], health_check_service: ['all'] },
    operators: { list_service: ['all'], health_check_service: ['all'], toggle_service: ['all'] },
    'lob-only': { list_service: ['everyday'] },
  },
  group_mappings: {
    'registry-admins': ['admins', 'unrestricted'],
    'registry-users': ['users', 'unrestricted'],
    'registry-developers': ['developers', 'unrestricted'],
    'registry-operators': ['operators', 'unrestricted'],
    'registry-lob': ['lob-only'],
  },
  unrestricted: [{ server: '*', methods: METHODS, tools: '*' }],
  'lob-only': [{ server: 'everyday', methods: METHODS, tools: ['echo'] }],
};

export interface Answer {
  status: number;
  headers: Headers;
  body: JsonObject;
}

export interface RegistryGateway {
  origin(): string;
  /** The file that the registry is kept in. */
  readonly database: string;
  /** Of everything that is kept of the registry, as bytes. */
  storedText(): string;
  /** What `everyday`, the server of the gateway's file, is reached at. */
  ofFile: StartedScripted;
  send(
    method: string,
    path: string,
    caller: Caller | null,
    body?: Json | URLSearchParams,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  post(path: string, caller: Caller | null, body?: Json | URLSearchParams): Promise<Answer>;
  read(path: string, caller: Caller | null): Promise<Answer>;
  open(era: Era, caller: Caller, path?: string): Promise<Client>;
  write(settings: JsonObject): void;
  reload(): Promise<void>;
  start(): Promise<void>;
  stop(): Promise<void>;
  remove(): Promise<void>;
}

export async function openRegistryGateway(settings: JsonObject = {}): Promise<RegistryGateway> {
  const desk = createDesk();
  const ofFile = await startScripted();
  const scopes = desk.write('scopes.yml', ROLE_SCOPES);
  const place = { path: join(desk.folder, 'vault.json'), keyPath: join(desk.folder, 'vault.key'), keys: null };
  const sealer = createSealer({ ...place, mayMakeKey: true });
  const env = {
    ...{ GATEWAY_SCOPES: scopes, GATEWAY_EXPOSURE: 'direct' },
    GATEWAY_AUDIT_LOG: join(desk.folder, 'book', 'audit.jsonl'),
  };
  const overrides = { transport: 'http', port: 0 } as const;
  const groups: Record<Caller, string[]> = {
    ...{ admin: ['registry-admins'], user: ['registry-users'], developer: ['registry-developers'] },
    ...{ operator: ['registry-operators'], lob: ['registry-lob'], stranger: [] },
  };
  const keys = Object.entries(CALLERS).map(([name, key]) => ({ name, key, groups: groups[name as Caller] }));
  const database = join(desk.folder, 'registry.db');
  let app: App | null = null;
  let origin = '';

  const gateway: RegistryGateway = {
    ...{ database, ofFile },
    origin: () => origin,
    storedText: () =>
      readdirSync(desk.folder)
        .filter(name => name.startsWith('registry.db'))
        .map(name => readFileSync(join(desk.folder, name), 'latin1'))
        .join(''),
    write: more =>
      void desk.write('cwd/gateway.config.yaml', {
        log: { level: 'silent' },
        servers: { everyday: { url: ofFile.url, description: 'Echoes and counts' } },
        identity: { keys },
        // Every server of a test is on this machine.
        outbound: { allow: ['127.0.0.0/8'], allowHttp: true },
        ...more,
      }),
    async reload() {
      const { ok, problems } = (await app?.reload()) ?? { ok: false, problems: ['not started'] };
      if (!ok) throw new Error(problems.join('\n'));
    },
    async start() {
      app = createApp({
        ...{ config: await desk.config(env, overrides), serve: { http: true, stdio: false }, version: '9.9.9' },
        ...{ env: { GREETING: 'hello' }, warnings: [], loadAgain: () => desk.load(env, overrides) },
        registry: { storage: openSqliteRegistry({ path: database, namespace: 'default' }), sealer },
      });
      origin = ((await app.start()).url ?? '').replace(/\/mcp$/, '');
    },
    async stop() {
      await app?.stop(0);
      app = null;
    },
    async send(method, path, caller, body, headers = {}) {
      const isForm = body instanceof URLSearchParams;
      const reply = await fetchHeld(origin + path, {
        method,
        headers: {
          ...(caller === null ? {} : { authorization: `Bearer ${CALLERS[caller]}` }),
          ...(body === undefined || isForm ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }),
      });
      const text = await reply.text();
      return {
        status: reply.status,
        headers: reply.headers,
        body: text === '' ? {} : (JSON.parse(text) as JsonObject),
      };
    },
    post: (path, caller, body) => gateway.send('POST', path, caller, body),
    read: (path, caller) => gateway.send('GET', path, caller),
    open: (era, caller, path = '/mcp') =>
      openClient(origin, era, { path, headers: { authorization: `Bearer ${CALLERS[caller]}` } }),
    async remove() {
      await gateway.stop();
      await ofFile.close();
      desk.remove();
    },
  };
  gateway.write(settings);
  await gateway.start();
  return gateway;
}
