import { describe, expect, onTestFinished, test } from 'vitest';
import type { ServerSpec } from '../../../src/domain/server.ts';
import { type ScriptedSetup, startScripted } from '../../support/downstreams/start.ts';
import { type Names, openFakeNetwork, openGuardKit, rulesOf } from '../fetch/guard-kit.ts';
import { http, openPool, QUICK, spec, textOf, untilStatus } from './pool-kit.ts';

const PUBLIC = '93.184.215.14';

const KINDS = [
  { kind: 'legacy', setup: { era: 'legacy' } },
  { kind: 'modern', setup: { era: 'modern' } },
  { kind: 'sse', setup: { transport: 'sse' } },
] as const satisfies readonly { kind: string; setup: ScriptedSetup }[];

async function start(setup: ScriptedSetup) {
  const server = await startScripted(setup);
  onTestFinished(() => server.close());
  return { ...server, at: new URL(server.url) };
}

function foreign(url: string): ServerSpec['link'] {
  const link = http(url);
  return link.kind === 'http' ? { ...link, isForeign: true } : link;
}

describe.each(KINDS)('a server that somebody registered ($kind)', ({ setup }) => {
  test('is called at its checked address, and is down, without a socket, once its name leads inside', async () => {
    const network = openFakeNetwork();
    const server = await start(setup);
    let where = [PUBLIC];
    const names: Names = {
      get 'mcp.test'() {
        return where;
      },
    };
    network.ways.set(`${PUBLIC} 80`, Number(server.at.port));
    // A server of the house that would answer anybody who got as far.
    const inner = await start(setup);
    network.ways.set('127.0.0.1 80', Number(inner.at.port));
    const { guard } = openGuardKit({ names, rules: rulesOf([], true) });
    const specs = [spec('a', foreign(`http://mcp.test${server.at.pathname}`), { start: 'eager' })];
    const { pool, call } = openPool(specs, QUICK, guard);
    pool.start();
    await untilStatus(pool, 'a', 'ready');
    expect(textOf(await call('a', 'echo', { text: 'hello' }))).toBe('hello');

    where = ['127.0.0.1'];
    server.crash();
    expect(await call('a', 'echo', { text: 'again' })).toMatchObject({ kind: 'failure' });
    await untilStatus(pool, 'a', 'down');
    expect(await call('a', 'echo', { text: 'again' })).toMatchObject({ code: 'SERVER_UNAVAILABLE' });
    expect(new Set(network.tried)).toEqual(new Set([`${PUBLIC} 80`]));
    expect(inner.stats()).not.toHaveProperty('opened');

    // What moved back is good again.
    const revived = await start(setup);
    network.ways.set(`${PUBLIC} 80`, Number(revived.at.port));
    where = [PUBLIC];
    await untilStatus(pool, 'a', 'ready');
    expect(new Set(network.tried)).toEqual(new Set([`${PUBLIC} 80`]));
  });

  test('at an address inside is never connected to', async () => {
    const server = await start(setup);
    const { guard } = openGuardKit({ names: { 'inner.test': ['10.0.0.7'] }, rules: rulesOf([], true) });
    const inside = [server.url, 'http://[::1]:8080/mcp', 'http://inner.test/mcp', 'http://169.254.169.254/mcp'];
    const network = openFakeNetwork();
    const { call } = openPool(
      inside.map((url, i) => spec(`s${i}`, foreign(url))),
      QUICK,
      guard,
    );
    const replies = await Promise.all(inside.map((_, i) => call(`s${i}`, 'echo', { text: 'x' })));
    expect(replies.map(reply => reply.kind === 'failure' && reply.data.reason)).toEqual(
      inside.map(() => 'its address may not be used'),
    );
    expect(network.tried).toEqual([]);
    expect(server.stats()).not.toHaveProperty('opened');
  });

  test('inside is called once an operator allowed it', async () => {
    const server = await start(setup);
    const { guard } = openGuardKit({ rules: rulesOf(['127.0.0.0/8']) });
    const { call } = openPool([spec('a', foreign(server.url))], QUICK, guard);
    expect(textOf(await call('a', 'echo', { text: 'hello' }))).toBe('hello');
  });
});

test('what the operator wrote is called as it stands', async () => {
  const server = await start({});
  const { guard, asked } = openGuardKit();
  const { call } = openPool([spec('a', http(server.url))], QUICK, guard);
  expect(textOf(await call('a', 'echo', { text: 'hello' }))).toBe('hello');
  expect(asked).toEqual([]);
});

test('without a guard of its own the pool lets nothing registered inside', async () => {
  const server = await start({});
  const { call } = openPool([spec('a', foreign(server.url))]);
  expect(await call('a', 'echo', { text: 'x' })).toMatchObject({ data: { reason: 'its address may not be used' } });
  expect(server.stats()).not.toHaveProperty('opened');
});

test('a server that becomes somebody else’s is connected anew', async () => {
  const server = await start({});
  const { guard } = openGuardKit();
  const { pool, call } = openPool([spec('a', http(server.url))], QUICK, guard);
  await call('a', 'echo', { text: 'x' });
  expect(pool.apply([spec('a', foreign(server.url))]).updated).toEqual(['a']);
  expect(await call('a', 'echo', { text: 'x' })).toMatchObject({ kind: 'failure', code: 'SERVER_UNAVAILABLE' });
});
