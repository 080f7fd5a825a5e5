import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
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
