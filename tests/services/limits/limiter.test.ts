import { describe, expect, test } from 'vitest';
import { addressKey } from '../../../src/domain/address-key.ts';
import { type Identity, LOCAL_CALLER } from '../../../src/domain/identity.ts';
import { type LimitRule, type LimitRules, UNLIMITED } from '../../../src/domain/limits.ts';
import { createMemoryLimits } from '../../../src/outbound/limits/memory-limits.ts';
import type { LimitStore } from '../../../src/ports/limits.ts';
import { createLimiter } from '../../../src/services/limits/limiter.ts';
import { OpenCounts } from '../../../src/services/limits/open-counts.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';

const person = (subject: string, more: Partial<Identity> = {}): Identity => ({
  ...LOCAL_CALLER,
  method: 'jwt',
  subject,
  ...more,
});
const ana = person('https://issuer.example|ana');
const ben = person('https://issuer.example|ben');
const on = (server: string | null) => ({ method: 'tools/call', server, tool: null });

const rule = (by: LimitRule['by'], calls: number, more: Partial<LimitRule> = {}): LimitRule => ({
  id: by,
  by,
  agents: null,
  groups: null,
  servers: null,
  calls,
  perMs: 60_000,
  ...more,
});

function setUp(rules: Partial<LimitRules>) {
  const clock = createFrozenClock();
  const limiter = createLimiter({ store: createMemoryLimits(clock), rules: { ...UNLIMITED, ...rules } });
  /** How many of `times` got through. */
  const count = (times: number, who: Identity, server: string | null = null, address?: string) => {
    let taken = 0;
    for (let i = 0; i < times; i++) {
      const answer = limiter.take(who, on(server), address);
      if (answer instanceof Promise) throw new Error('asynchronous');
      if (answer.kind === 'allowed') taken++;
    }
    return taken;
  };
  return { clock, limiter, count };
}

describe('what shares a count', () => {
  test('nothing is limited where no rule is written, and nothing is held', () => {
    const { limiter, count } = setUp({});
    expect(count(10_000, ana, 'files')).toBe(10_000);
    expect(limiter.take(ana, on('files'))).toBe(limiter.take(ben, on(null)));
  });

  test('five a minute per agent: the sixth is refused with when to come back, the other agent is not concerned', () => {
    const { limiter, count } = setUp({ rules: [rule('agent', 5)] });
    const agent = (id: string) => person('svc', { agent: id, agentVerified: true });
    expect(count(5, agent('writer'))).toBe(5);
    expect(limiter.take(agent('writer'), on(null))).toEqual({
      kind: 'limited',
      scope: 'agent',
      what: 'rate',
      limit: 5,
      remaining: 0,
      retryAfterMs: 60_000,
      resetMs: 60_000,
    });
    expect(count(6, agent('reader'))).toBe(5);
  });

  test('an agent id nobody vouches for uses up nothing of the agent it names', () => {
    const { count } = setUp({ rules: [rule('agent', 5)] });
    expect(count(9, person('mallory', { agent: 'writer' }))).toBe(5);
    expect(count(9, person('svc', { agent: 'writer', agentVerified: true }))).toBe(5);
    expect(count(9, person('other', { agent: 'writer' }))).toBe(5);
  });

  test('a new token, client or address gives the same principal nothing more', () => {
    const { count } = setUp({ rules: [rule('caller', 5)] });
    let taken = 0;
    for (let i = 0; i < 50; i++) {
      taken += count(1, person(ana.subject, { tokenId: `token ${i}`, client: `client ${i}` }), null, `192.0.2.${i}`);
    }
    expect(taken).toBe(5);
    expect(count(9, ben)).toBe(5);
  });

  test('callers without a credential are told apart by their address, of IPv6 by its /64', () => {
    const { count } = setUp({ rules: [rule('caller', 5)] });
    let taken = 0;
    for (let i = 0; i < 500; i++) taken += count(1, LOCAL_CALLER, null, `2001:db8:1:2:${i.toString(16)}::${i}`);
    expect(taken).toBe(5);
    expect(count(9, LOCAL_CALLER, null, '2001:db8:1:3::1')).toBe(5);
    expect(count(9, LOCAL_CALLER, null, '192.0.2.1')).toBe(5);
  });

  test('per server all callers share, per pair they do not', () => {
    const perServer = setUp({ rules: [rule('server', 5)] });
    expect(perServer.count(3, ana, 'files') + perServer.count(9, ben, 'files')).toBe(5);
    expect(perServer.count(9, ben, 'mail')).toBe(5);
    expect(perServer.count(9, ben, null)).toBe(9);
    const perPair = setUp({ rules: [rule('caller-and-server', 5)] });
    expect(perPair.count(9, ana, 'files')).toBe(5);
    expect(perPair.count(9, ben, 'files')).toBe(5);
    expect(perPair.count(9, ana, 'mail')).toBe(5);
  });

  test('a rule for some agents, groups and servers is for nobody else', () => {
    const { count } = setUp({
      rules: [rule('caller', 2, { agents: ['intern-*'], groups: ['trial', 'guests'], servers: ['prod-*'] })],
    });
    const intern = person('i', { agent: 'intern-7', groups: new Set(['staff', 'guests']) });
    expect(count(9, intern, 'prod-db')).toBe(2);
    expect(count(9, intern, 'prod-mail')).toBe(0);
    expect(count(9, intern, 'test-db')).toBe(9);
    expect(count(9, intern, null)).toBe(9);
    expect(count(9, person('i', { agent: 'intern-7' }), 'prod-db')).toBe(9);
    expect(count(9, person('i', { groups: new Set(['trial']) }), 'prod-db')).toBe(9);
  });

  test('several rules: the fullest decides, and a refusal counts nowhere', () => {
    const { limiter, clock } = setUp({
      rules: [rule('caller', 5), rule('everyone', 100, { id: 'day', perMs: 86_400_000 })],
    });
    const kinds: string[] = [];
    for (let minute = 0; minute < 30; minute++) {
      for (let i = 0; i < 8; i++) {
        const answer = limiter.take(ana, on(null));
        if (!(answer instanceof Promise)) kinds.push(answer.kind === 'limited' ? answer.scope : 'allowed');
      }
      clock.advance(60_000);
    }
    expect(kinds.filter(kind => kind === 'allowed')).toHaveLength(100);
    expect(kinds.slice(0, 8)).toEqual([...new Array(5).fill('allowed'), 'caller', 'caller', 'caller']);
    expect(kinds.at(-1)).toBe('everyone');
  });

  test('an operation taken before its server was known is counted once per rule', () => {
    const { limiter } = setUp({ rules: [rule('caller', 5), rule('server', 3)] });
    const steps: string[] = [];
    for (let i = 0; i < 5; i++) {
      const first = limiter.take(ana, on(null));
      const then = limiter.takeOnServer(ana, on('files'));
      if (!(first instanceof Promise) && !(then instanceof Promise)) steps.push(`${first.kind} ${then.kind}`);
    }
    expect(steps).toEqual([...new Array(3).fill('allowed allowed'), 'allowed limited', 'allowed limited']);
    expect(limiter.take(ana, on(null))).toMatchObject({ kind: 'limited', scope: 'caller' });
  });

  test('changed rules are in force with the next call, and counts of those that stay go on', () => {
    const { limiter, count } = setUp({ rules: [rule('caller', 5)] });
    expect(count(4, ana)).toBe(4);
    limiter.apply({ ...UNLIMITED, rules: [rule('caller', 6)] });
    expect(count(9, ana)).toBe(2);
    limiter.apply(UNLIMITED);
    expect(count(9, ana)).toBe(9);
  });
});

describe('how many at once', () => {
  test('a caller has its places, gets them back, and gives none to others', async () => {
    const { limiter } = setUp({ inFlight: { perCaller: 2, perServer: 3 } });
    const taken = (who: Identity) => {
      const answer = limiter.take(who, on('files'));
      if (answer instanceof Promise) throw new Error('asynchronous');
      return answer;
    };
    const [one, two, three] = [taken(ana), taken(ana), taken(ana)];
    expect([one, two].every(({ kind }) => kind === 'allowed')).toBe(true);
    expect(three).toMatchObject({ kind: 'limited', scope: 'caller', what: 'open', limit: 2, retryAfterMs: 1000 });
    const four = taken(ben);
    expect(four.kind).toBe('allowed');
    expect(taken(ben)).toMatchObject({ kind: 'limited', scope: 'server', limit: 3 });
    for (const answer of [one, one, three, four]) if (answer.kind === 'allowed') limiter.release(answer.slot);
    expect(taken(ana).kind).toBe('allowed');
    expect(taken(ana)).toMatchObject({ kind: 'limited', scope: 'caller' });
    limiter.release(0);
    limiter.release(987_654);
  });

  test('what a rate refuses holds no place', () => {
    const { limiter, clock } = setUp({ rules: [rule('caller', 1)], inFlight: { perCaller: 1, perServer: null } });
    const first = limiter.take(ana, on(null));
    if (first instanceof Promise || first.kind !== 'allowed') throw new Error('refused');
    limiter.release(first.slot);
    for (let i = 0; i < 5; i++) expect(limiter.take(ana, on(null))).toMatchObject({ what: 'rate' });
    clock.advance(60_000);
    expect(limiter.take(ana, on(null))).toMatchObject({ kind: 'allowed' });
  });

  test('sessions and streams are capped per principal; the machine without credentials is not one', () => {
    const { limiter } = setUp({ sessionsPerCaller: 100, streamsPerCaller: 2 });
    const slots: number[] = [];
    for (let i = 0; i < 10_000; i++) {
      const answer = limiter.hold('session', ana);
      if (answer.kind === 'allowed') slots.push(answer.slot);
      else expect(answer).toMatchObject({ scope: 'session', what: 'open', limit: 100 });
    }
    expect(slots).toHaveLength(100);
    expect(limiter.hold('session', ben).kind).toBe('allowed');
    expect(limiter.hold('stream', ana).kind).toBe('allowed');
    for (const slot of slots) limiter.release(slot);
    expect(limiter.hold('session', ana).kind).toBe('allowed');
    for (let i = 0; i < 1_000; i++) expect(limiter.hold('session', LOCAL_CALLER).kind).toBe('allowed');
  });

  test('streams are capped over all callers too, the machine included; a place given back is the next one’s', () => {
    const { limiter } = setUp({ streamsPerCaller: 2, streams: 3 });
    const places = [limiter.hold('stream', ana), limiter.hold('stream', ana), limiter.hold('stream', LOCAL_CALLER)];
    expect(places.map(({ kind }) => kind)).toEqual(['allowed', 'allowed', 'allowed']);
    expect(limiter.hold('stream', ana)).toMatchObject({ scope: 'stream', limit: 2 });
    expect(limiter.hold('stream', ben)).toMatchObject({ scope: 'everyone', what: 'open', limit: 3 });
    expect(limiter.hold('stream', LOCAL_CALLER)).toMatchObject({ scope: 'everyone' });
    expect(limiter.hold('session', ben)).toEqual({ kind: 'allowed', slot: 0 });
    const [first] = places;
    if (first?.kind === 'allowed') for (let twice = 0; twice < 2; twice++) limiter.release(first.slot);
    expect(limiter.hold('stream', ben).kind).toBe('allowed');
    expect(limiter.hold('stream', ana)).toMatchObject({ scope: 'everyone' });
  });

  test('a hundred thousand names that came and went are not kept', () => {
    const counts = new OpenCounts();
    const busy = counts.of('busy');
    busy.open++;
    for (let i = 0; i < 100_000; i++) counts.of(`caller ${i}`);
    expect(counts.names).toBeLessThanOrEqual(1024);
    expect(counts.of('busy')).toBe(busy);
  });
});

describe('credentials that were refused', () => {
  test('are counted per address', () => {
    const { limiter } = setUp({ refusalsPerAddress: { calls: 3, perMs: 60_000 } });
    for (let i = 0; i < 3; i++) expect(limiter.takeRefusal(`2001:db8::${i}`)).toMatchObject({ kind: 'allowed' });
    expect(limiter.takeRefusal('2001:db8::ffff')).toMatchObject({ kind: 'limited', scope: 'address' });
    expect(limiter.takeRefusal('192.0.2.1')).toMatchObject({ kind: 'allowed' });
  });
});

describe('a store that answers later', () => {
  test('holds the place meanwhile and gives it back when it refuses or fails', async () => {
    let answer: (full: boolean) => void = () => {};
    let fail: (cause: Error) => void = () => {};
    const store: LimitStore = {
      take: () =>
        new Promise((resolve, reject) => {
          answer = full => resolve({ fullAt: full ? 0 : -1, limit: 1, remaining: 0, retryAfterMs: 10, resetMs: 20 });
          fail = reject;
        }),
    };
    const rules = { ...UNLIMITED, rules: [rule('caller', 1)], inFlight: { perCaller: 1, perServer: null } };
    const limiter = createLimiter({ store, rules });
    const first = limiter.take(ana, on(null));
    expect(first).toBeInstanceOf(Promise);
    expect(limiter.take(ana, on(null))).toMatchObject({ what: 'open' });
    answer(true);
    expect(await first).toMatchObject({ kind: 'limited', what: 'rate', retryAfterMs: 10 });
    const second = limiter.take(ana, on(null));
    fail(new Error('gone'));
    await expect(second).rejects.toThrow('gone');
    const third = limiter.take(ana, on(null));
    answer(false);
    expect(await third).toMatchObject({ kind: 'allowed' });
  });
});

test.each([
  { address: '192.0.2.7', key: 'address 192.0.2.7' },
  { address: '2001:db8:1:2:3:4:5:6', key: 'address 2001:db8:1:2::/64' },
  { address: '2001:DB8::1', key: 'address 2001:db8:0:0::/64' },
  { address: '2001:db8:0:0:1::', key: 'address 2001:db8:0:0::/64' },
  { address: '::1', key: 'address 0:0:0:0::/64' },
  { address: 'fe80::1%eth0', key: 'address fe80:0:0:0::/64' },
  { address: '64:ff9b::192.0.2.1', key: 'address 64:ff9b:0:0::/64' },
  { address: '2001:0db8:0001:0002::1', key: 'address 2001:db8:1:2::/64' },
])('$address is counted as $key', ({ address, key }) => {
  expect(addressKey(address)).toBe(key);
});
