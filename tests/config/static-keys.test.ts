import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { z } from 'zod';
import { ConfigFile } from '../../src/config/schema.ts';
import { changedStaticKeys, keepStanding } from '../../src/config/static-keys.ts';
import { createDesk, type Desk } from './desk.ts';

const KEY = 'kq7Zt1vXw9Lr4Ns8Pd2Hf6Jb3Mc5Ty0GuEoIa';

let desk: Desk;
beforeEach(() => {
  desk = createDesk();
});
afterEach(() => desk.remove());

const load = (text: string) => {
  desk.write('cwd/gateway.config.yaml', `servers: {a: {command: x}}\n${text}\n`);
  return desk.config();
};
const changed = async (before: string, after: string) => changedStaticKeys(await load(before), await load(after));

describe('a setting that waits for a restart', () => {
  test.each([
    ['transport: http', ['transport']],
    ['listen: {host: 127.0.0.2, port: 1, corsOrigins: ["https://a.example"]}', ['host', 'port', 'corsOrigins']],
    ['listen: {allowedHosts: [a], maxBody: 1MiB, maxInFlight: 7}', ['allowedHosts', 'maxBody', 'maxInFlight']],
    ['exposure: {prefix: none}', ['exposure.prefix']],
    ['sessions: {ttl: 2s, max: 7, maxEvents: 7, maxEventBytes: 7}', ['ttl', 'max', 'maxEvents', 'maxEventBytes']],
    ['parkedTtl: 7s', ['parkedTtl']],
    ['log: {level: error, format: json, slowOperation: 7s}', ['level', 'format', 'slowOperation']],
    ['metrics: false', ['metrics']],
    ['debug: true', ['log.level', 'debug']],
    ['defaultAgent: b', ['defaultAgent']],
  ])('is named as it is written: %s', async (written, keys) => {
    const section = /^(listen|sessions|log):/.exec(written)?.[1];
    expect(await changed('', written)).toEqual(keys.map(key => (section === undefined ? key : `${section}.${key}`)));
  });
});

it('says nothing of what a reload puts in force', async () => {
  const live = `
apiKey: ${KEY}
exposure: {default: agent, autoThreshold: 7, pinned: [b]}
servers: {b: {command: y}}
firstListWait: 7s
drain: 7s`;
  desk.write('cwd/gateway.config.yaml', 'servers: {a: {command: x}}');
  const before = await desk.config();
  desk.write('cwd/gateway.config.yaml', live);
  expect(changedStaticKeys(before, await desk.config())).toEqual([]);
});

test('by whom the door is reached and whom it believes stays as it was started', async () => {
  const keys = JSON.stringify([{ name: 'ci', key: KEY }]);
  const issuers = JSON.stringify([{ issuer: 'https://id.example.test', audiences: ['a'] }]);
  desk.write('cwd/gateway.config.yaml', {
    ...{ servers: {}, transport: 'http', listen: { port: 1 } },
    identity: { publicUrl: 'https://gw.example.test', issuers: JSON.parse(issuers) },
  });
  const started = await desk.config({ ADMIN_PASSWORD: 'x' });
  desk.write('cwd/gateway.config.yaml', { servers: {}, transport: 'stdio', identity: { keys: JSON.parse(keys) } });
  const next = keepStanding(started, await desk.config({ ADMIN_PASSWORD: 'x' }));
  expect(next.listen.port).toBe(1);
  expect(next.identity.issuers).toEqual(started.identity.issuers);
  expect(next.identity.login).toBe(started.identity.login);
  expect(next.identity.login).not.toBeNull();
  expect(next.identity.keys).toMatchObject([{ name: 'ci' }]);
});

it('counts a default that is written out as no change', async () => {
  expect(await changed('', 'listen: {port: 8000, corsOrigins: []}\ndebug: false')).toEqual([]);
});

describe('every key of the configuration is in force with a reload, or warned of', () => {
  const ISSUER = { issuer: 'https://id.example.test', audiences: ['a'] };
  const BASE = {
    servers: { a: { command: 'x' } },
    transport: 'http',
    listen: { tls: { cert: 'cert.pem', key: 'key.pem' } },
    identity: { publicUrl: 'https://gw.example.test', issuers: [ISSUER] },
    search: { provider: 'openai', apiKey: 'one' },
  };
  /** Another value than before, of every key there is; `live`: it is in force at once. */
  const CHANGES: readonly { path: string; to: unknown; live?: true }[] = [
    { path: 'transport', to: 'both' },
    { path: 'listen.host', to: '127.0.0.2' },
    { path: 'listen.port', to: 1 },
    { path: 'listen.corsOrigins', to: ['https://a.example'] },
    { path: 'listen.allowedHosts', to: ['a'] },
    { path: 'listen.maxBody', to: '1MiB' },
    { path: 'listen.maxInFlight', to: 7 },
    { path: 'listen.tls.cert', to: 'other.pem' },
    { path: 'listen.tls.key', to: 'other.pem' },
    { path: 'listen.tls.minVersion', to: '1.3' },
    { path: 'listen.trustedProxies', to: ['10.0.0.1'] },
    { path: 'apiKey', to: KEY, live: true },
    { path: 'exposure.default', to: 'agent', live: true },
    { path: 'exposure.autoThreshold', to: 7, live: true },
    { path: 'exposure.prefix', to: 'none' },
    { path: 'exposure.pinned', to: ['b'], live: true },
    { path: 'sessions.ttl', to: '2s' },
    { path: 'sessions.max', to: 7 },
    { path: 'sessions.maxEvents', to: 7 },
    { path: 'sessions.maxEventBytes', to: 7 },
    { path: 'servers', to: { b: { command: 'y' } }, live: true },
    { path: 'initStrategy', to: 'lazy', live: true },
    { path: 'firstListWait', to: '7s', live: true },
    { path: 'parkedTtl', to: '7s' },
    { path: 'drain', to: '7s', live: true },
    { path: 'log.level', to: 'error' },
    { path: 'log.format', to: 'json' },
    { path: 'log.slowOperation', to: '7s' },
    { path: 'metrics', to: false },
    { path: 'debug', to: true },
    { path: 'defaultAgent', to: 'b' },
    { path: 'identity.publicUrl', to: 'https://other.example.test' },
    { path: 'identity.requiredScopes', to: ['mcp'] },
    { path: 'identity.issuers', to: [{ ...ISSUER, audiences: ['b'] }] },
    { path: 'identity.keys', to: [{ name: 'ci', key: KEY }], live: true },
    { path: 'identity.login.groups', to: ['b'] },
    { path: 'identity.login.ttl', to: '7m' },
    { path: 'policy.enforcement', to: 'shadow', live: true },
    {
      ...{ path: 'policy.conditions', live: true },
      to: [{ server: 'a', tool: 'b', when: 'true', effect: 'deny' }],
    },
    { path: 'policy.actAs', to: { a: ['b'] }, live: true },
    { path: 'policy.localCaller', to: { groups: ['b'] } },
    { path: 'policy.keyHolder', to: { groups: ['b'] } },
    { path: 'audit.enabled', to: false },
    { path: 'audit.path', to: 'b.jsonl' },
    { path: 'audit.onFailure', to: 'open' },
    { path: 'audit.durability', to: 'disk' },
    { path: 'audit.maxFileSize', to: '1MiB' },
    { path: 'audit.keepFiles', to: 7 },
    { path: 'audit.keepDays', to: 7 },
    { path: 'audit.index', to: false },
    { path: 'limits.perCaller', to: { calls: 7 }, live: true },
    { path: 'limits.perAgent', to: { calls: 7 }, live: true },
    { path: 'limits.perServer', to: { calls: 7 }, live: true },
    { path: 'limits.perCallerAndServer', to: { calls: 7 }, live: true },
    { path: 'limits.rules', to: [{ by: 'caller', calls: 7 }], live: true },
    { path: 'limits.quotas', to: [{ by: 'caller', calls: 7 }], live: true },
    { path: 'limits.concurrency', to: { perCaller: 7 }, live: true },
    { path: 'limits.refusalsPerAddress', to: { calls: 7 }, live: true },
    { path: 'limits.sessionsPerCaller', to: 7, live: true },
    { path: 'limits.streamsPerCaller', to: 7, live: true },
    { path: 'limits.streams', to: 7, live: true },
    { path: 'limits.quarantineFile', to: 'q.json' },
    { path: 'tokens.enabled', to: false },
    { path: 'tokens.perHour', to: 7 },
    { path: 'tokens.maxHours', to: 7 },
    { path: 'tokens.keyFile', to: 'k.json' },
    { path: 'definitions.onDrift', to: 'serve' },
    { path: 'health.interval', to: '7s' },
    { path: 'health.concurrency', to: 7 },
    { path: 'health.failuresToUnhealthy', to: 7 },
    { path: 'outbound.allow', to: ['localhost'], live: true },
    { path: 'outbound.allowHttp', to: true, live: true },
    { path: 'registry.allowCommands', to: ['npx'] },
    { path: 'registry.allowEnv', to: ['B'] },
    { path: 'storage.backend', to: 'memory' },
    { path: 'storage.path', to: 'b.db' },
    { path: 'storage.namespace', to: 'b' },
    { path: 'search.provider', to: 'builtin' },
    { path: 'search.model', to: 'text-embedding-3-large' },
    { path: 'search.dimensions', to: 7 },
    { path: 'search.baseUrl', to: 'https://b.example.test' },
    { path: 'search.apiKey', to: 'two' },
    { path: 'search.modelFolder', to: 'b' },
    { path: 'search.timeout', to: '7s' },
    { path: 'search.vectorsFile', to: 'b.db' },
    { path: 'search.weights', to: { lexical: 0.25, vector: 0.75 } },
  ];

  const read = (content: unknown) => {
    desk.write('cwd/gateway.config.yaml', content);
    return desk.config({ ADMIN_PASSWORD: 'correct horse battery' });
  };

  function withChange(section: object, [key = '', ...rest]: readonly string[], to: unknown): object {
    const inner: unknown = Reflect.get(section, key) ?? {};
    return { ...section, [key]: rest.length === 0 ? to : withChange(inner as object, rest, to) };
  }

  /** Paths of everything that can be written, by the shape of the file. */
  function writable(schema: z.ZodType, path: readonly string[] = []): string[] {
    const inner = schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema;
    if (!(inner instanceof z.ZodObject)) return [path.join('.')];
    return Object.entries(inner.shape).flatMap(([key, part]) => writable(part as z.ZodType, [...path, key]));
  }

  it('and none is left out here', () => {
    const isHere = (key: string) => CHANGES.some(({ path }) => key === path || key.startsWith(`${path}.`));
    const all = writable(ConfigFile);
    expect(all).toContain('listen.tls.minVersion');
    expect(all.filter(key => !isHere(key))).toEqual([]);
  });

  test.each(CHANGES)('$path', async ({ path, to, live = false }) => {
    const before = await read(BASE);
    const after = await read(withChange(BASE, path.split('.'), to));
    const named = changedStaticKeys(before, after);
    if (live) {
      expect(after).not.toEqual(before);
      expect(named.filter(key => !isByDefault(path, key))).toEqual([]);
    } else expect(named.some(key => path === key || path.startsWith(`${key}.`))).toBe(true);
  });

  /** Callers of different names have tokens, unless something else is written. */
  const isByDefault = (path: string, key: string) => path === 'identity.keys' && key === 'tokens.enabled';
});
