import { describe, expect, test } from 'vitest';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { OPEN_POLICY } from '../../../src/domain/policy.ts';
import { compileScopeRules } from '../../../src/domain/scope-rules.ts';
import { tool } from '../../support/fake-downstreams.ts';
import { policyOf } from '../../support/policies.ts';
import { createStaircase, doorOf, EVERYTHING, type Staircase, settle } from '../../support/staircase.ts';

const SERVERS = {
  a: { lists: { tools: [tool('x', { execution: { taskSupport: 'optional' } }), tool('y')], prompts: [{ name: 'p' }] } },
  b: { lists: { tools: [tool('z')], resources: [{ uri: 'r://1', name: 'r' }] } },
};
const DIRECT = ['a__x', 'a__y', 'b__z'];
const AGENT = ['list_servers', 'get_server_tools', 'execute_tool'];

const toolsOf = (house: Staircase, door = EVERYTHING) =>
  house.visible.list(LOCAL_CALLER, door, 'tools', 'legacy').result.tools as JsonObject[];
const names = (house: Staircase, door = EVERYTHING) => toolsOf(house, door).map(({ name }) => name);

describe('tools/list shows', () => {
  test.each([
    { options: { exposure: 'direct' }, shown: DIRECT, because: 'every permitted tool' },
    { options: { exposure: 'agent' }, shown: AGENT, because: 'exactly the three tools of document 2' },
    {
      options: { exposure: 'agent', debug: true },
      shown: [...AGENT, 'get_gateway_status'],
      because: 'a fourth in debug',
    },
    {
      options: { exposure: 'discovery' },
      shown: ['find_tools', 'call_tool'],
      because: 'the two tools to find the others',
    },
    {
      options: { exposure: 'discovery', pinned: ['b__z', 'ghost__t'] },
      shown: ['find_tools', 'call_tool', 'b__z'],
      because: 'and what is pinned',
    },
    { options: { exposure: 'auto', autoThreshold: 3 }, shown: DIRECT, because: 'three are not more than three' },
    {
      options: { exposure: 'auto', autoThreshold: 2 },
      shown: ['find_tools', 'call_tool'],
      because: 'three are more than two',
    },
  ] as const)('with $options: $because', async ({ options, shown }) => {
    expect(names(await createStaircase(SERVERS, options))).toEqual(shown);
  });

  test.each([
    { exposure: 'direct', shown: DIRECT },
    { exposure: 'agent', shown: AGENT },
    { exposure: 'discovery', shown: ['find_tools', 'call_tool'] },
  ] as const)('what the door /mcp/$exposure says, whatever is configured', async ({ exposure, shown }) => {
    for (const configured of ['direct', 'agent', 'discovery', 'auto'] as const) {
      const house = await createStaircase(SERVERS, { exposure: configured });
      expect(names(house, { server: null, exposure })).toEqual(shown);
    }
  });

  test('what find_tools says of itself, with something behind it and with nothing', async () => {
    const saysOf = (house: Staircase) => toolsOf(house).find(({ name }) => name === 'find_tools')?.description;
    const full = await createStaircase(SERVERS, { exposure: 'discovery' });
    expect(saysOf(full)).toContain('among 3 tools of 2 servers');
    expect(saysOf(await createStaircase({}, { exposure: 'discovery' }))).toContain(
      'there is none here that you may use',
    );
  });

  test('a server’s own names behind its door, in every exposure', async () => {
    const house = await createStaircase(SERVERS, { exposure: 'agent' });
    expect(names(house, doorOf('a'))).toEqual(['x', 'y']);
    expect(names(house, doorOf('ghost'))).toEqual([]);
  });
});

const ALL_GRANT = { server: null, methods: 'all', tools: 'all', place: 0 } as const;
const SEES_ALL = compileScopeRules({ mappings: new Map(), servers: new Map([['all', [ALL_GRANT]]]), ui: new Map() });

describe('a list', () => {
  test('in the modern era says it is complete, fresh and for this caller alone, and announces no legacy tasks', async () => {
    const house = await createStaircase(SERVERS);
    const { result, bytes } = house.visible.list(LOCAL_CALLER, EVERYTHING, 'tools', 'modern');
    expect(result).toMatchObject({ resultType: 'complete', ttlMs: 0, cacheScope: 'private' });
    expect(JSON.stringify(result)).not.toContain('taskSupport');
    expect(JSON.parse(Buffer.from(bytes ?? []).toString())).toEqual(result);
  });

  test('in the legacy era has none of that, and keeps what a server said of tasks', async () => {
    const house = await createStaircase(SERVERS);
    const { result } = house.visible.list(LOCAL_CALLER, EVERYTHING, 'tools', 'legacy');
    expect(Object.keys(result)).toEqual(['tools']);
    expect(JSON.stringify(result)).toContain('taskSupport');
  });

  test('is made once, until the catalog changes', async () => {
    const house = await createStaircase(SERVERS);
    const list = () => house.visible.list(LOCAL_CALLER, EVERYTHING, 'tools', 'legacy');
    const first = list();
    expect(list()).toBe(first);
    house.downstreams.fail('a', 'gone');
    expect(list(), 'a status is no other list').toBe(first);
    house.downstreams.connect('a');
    house.downstreams.relist('a', { tools: [tool('fresh')] });
    await settle();
    expect(list()).not.toBe(first);
  });

  test('changes with the policy at once', async () => {
    const house = await createStaircase(SERVERS);
    const list = () => house.visible.list(LOCAL_CALLER, EVERYTHING, 'tools', 'legacy');
    const first = list();
    house.policy.swap({ ...OPEN_POLICY, version: 2 });
    expect(list()).not.toBe(first);
  });

  test('of one caller is not handed to another', async () => {
    const house = await createStaircase(SERVERS);
    const mine = house.visible.list(LOCAL_CALLER, EVERYTHING, 'tools', 'legacy');
    expect(house.visible.list({ ...LOCAL_CALLER, subject: 'bob' }, EVERYTHING, 'tools', 'legacy')).not.toBe(mine);
  });

  test('of two callers with the same rights differs where a server is only one’s own', async () => {
    const house = await createStaircase(SERVERS);
    const restricted = new Map([['a', { owner: 'https://idp|alice', groups: new Set<string>() }]]);
    house.policy.swap({ ...OPEN_POLICY, mode: 'closed', version: 2, restricted, scopes: SEES_ALL });
    const caller = { ...LOCAL_CALLER, method: 'jwt', scopes: new Set(['all']) } as const;
    const namesOf = (subject: string) =>
      house.visible.entries({ ...caller, subject }, EVERYTHING, 'tools').filter(({ server }) => server === 'a').length;
    expect(namesOf('https://idp|alice')).toBeGreaterThan(0);
    expect(namesOf('https://idp|bob')).toBe(0);
  });

  const same = (subject: string) => ({ ...LOCAL_CALLER, method: 'jwt', scopes: new Set(['all']), subject }) as const;

  test.each([
    {
      when: 'args.x == caller.subject',
      isShared: true,
      because: 'what looks at arguments takes nothing out of a list',
    },
    { when: '"ops" in caller.groups', isShared: true, because: 'groups are rights' },
    { when: 'caller.subject == "ann"', isShared: false, because: 'it tells them apart' },
  ])('is one for callers with the same rights, $isShared, under a condition: $because', async ({ when, isShared }) => {
    const house = await createStaircase(SERVERS);
    const scopes = { all: [{ server: '*', methods: 'all', tools: '*' }] };
    house.policy.swap(policyOf({ scopes, conditions: [{ when }] }));
    const [ann, bob] = ['ann', 'bob'].map(subject => house.visible.entries(same(subject), EVERYTHING, 'tools'));
    expect(ann === bob).toBe(isShared);
    expect([ann, bob].map(list => list?.length)).toEqual(when.includes('subject ==') ? [0, 3] : [3, 3]);
  });

  test('is not decided by the order in which a credential says its groups', async () => {
    const scopes = { all: [{ server: '*', methods: 'all', tools: '*' }] };
    for (const when of ['caller.groups[0] == "admin"', 'caller.groups == ["admin", "guest"]']) {
      const lengths = [];
      for (const first of [0, 1]) {
        const house = await createStaircase(SERVERS);
        house.policy.swap(policyOf({ scopes, conditions: [{ when, effect: 'require' }] }));
        const callers = [
          ['admin', 'guest'],
          ['guest', 'admin'],
        ].map(groups => ({ ...same('x'), groups: new Set(groups) }));
        if (first === 1) callers.reverse();
        lengths.push(callers.map(who => house.visible.entries(who, EVERYTHING, 'tools').length));
      }
      expect(lengths).toEqual([
        [3, 3],
        [3, 3],
      ]);
    }
  });

  test('is one for callers with the same rights who own nothing that is hidden', async () => {
    const house = await createStaircase(SERVERS);
    const restricted = new Map([
      ['a', { owner: 'ann', groups: new Set<string>() }],
      ['b', { owner: 'eve', groups: new Set(['ops']) }],
    ]);
    house.policy.swap({ ...OPEN_POLICY, mode: 'closed', version: 2, restricted, scopes: SEES_ALL });
    const listOf = (subject: string, ...groups: string[]) =>
      house.visible.entries({ ...same(subject), groups: new Set(groups) }, EVERYTHING, 'tools');
    expect(listOf('bob')).toBe(listOf('bert'));
    expect(listOf('bob', 'ops')).toBe(listOf('bert', 'ops'));
    const shown = [listOf('bob'), listOf('bob', 'ops'), listOf('ann'), listOf('eve'), listOf('ann', 'ops')];
    expect(shown.map(list => list.map(({ name }) => name))).toEqual([
      [],
      ['b__z'],
      ['a__x', 'a__y'],
      ['b__z'],
      ['a__x', 'a__y', 'b__z'],
    ]);
  });

  test('of 10,000 callers does not stay in memory for each: the newest are served all the same', async () => {
    const house = await createStaircase(SERVERS);
    for (let i = 0; i < 10_000; i++)
      house.visible.list({ ...LOCAL_CALLER, subject: `s${i}` }, EVERYTHING, 'tools', 'legacy');
    expect(names(house)).toEqual(DIRECT);
  });

  test('of many callers does not stay in memory for each, however long it is', async () => {
    const long = Array.from({ length: 40 }, (_, i) => tool(`t${i}`, { description: 'x'.repeat(100_000) }));
    const house = await createStaircase({ a: { lists: { tools: long } } });
    const listFor = (i: number) =>
      house.visible.list({ ...LOCAL_CALLER, subject: `s${i}` }, EVERYTHING, 'tools', 'legacy');
    const first = listFor(0);
    expect(listFor(0)).toBe(first);
    // Of four megabytes each.
    for (let i = 1; i < 40; i++) listFor(i);
    const again = listFor(0);
    expect(again).not.toBe(first);
    expect(again).toEqual(first);
  });

  test('of a server that only a client named is not kept: its name may be megabytes long', async () => {
    const house = await createStaircase(SERVERS);
    const first = house.visible.entries(LOCAL_CALLER, doorOf('x'.repeat(1_000)), 'tools');
    expect(first).toEqual([]);
    expect(house.visible.entries(LOCAL_CALLER, doorOf('y'.repeat(1_000)), 'tools')).toBe(first);
  });
});
