import { describe, expect, test } from 'vitest';
import type { Door } from '../../../src/domain/call.ts';
import { type Catalog, EMPTY_CATALOG } from '../../../src/domain/catalog.ts';
import { type Identity, LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import type { PolicySet } from '../../../src/domain/policy.ts';
import type { QuarantineEntry } from '../../../src/domain/quarantine.ts';
import { createListRelevance } from '../../../src/services/gateway/list-relevance.ts';
import type { News } from '../../../src/services/gateway/news.ts';
import { tool } from '../../support/fake-downstreams.ts';
import { policyOf } from '../../support/policies.ts';
import { createEmptyQuarantine } from '../../support/quiet-house.ts';
import { scopedPolicy } from '../../support/scoped-policy.ts';
import { createStaircase, doorOf, EVERYTHING, resultOf, settle } from '../../support/staircase.ts';

const caller = (subject: string, ...scopes: string[]): Identity => ({
  ...LOCAL_CALLER,
  subject,
  method: 'jwt',
  scopes: new Set(scopes),
});
const [ann, bob, nobody] = [caller('ann', 'git'), caller('bob', 'git', 'mail'), caller('nobody')];
const FIRST = scopedPolicy({ git: { git: ['push'] }, mail: { mail: 'all' } });

async function house(policy: PolicySet = FIRST) {
  const made = await createStaircase({
    git: { lists: { tools: [tool('push'), tool('pull')], prompts: [{ name: 'review' }] } },
    mail: { lists: { tools: [tool('send')], resources: [{ uri: 'mail://1', name: 'one' }] } },
  });
  made.policy.swap(policy);
  made.news.rulesChanged();
  made.clock.advance(1_000);
  const heard: News[] = [];
  made.news.subscribe(news => void heard.push(news));
  return {
    ...made,
    describe(server: string, description: string) {
      const specs = made.downstreams.states().map(({ spec }) => spec);
      made.refresh.follow(specs.map(spec => (spec.key === server ? { ...spec, description } : spec)));
    },
    /** Whom the news since then concern, by kind of list. */
    async concerned(...callers: Identity[]) {
      await settle();
      made.clock.advance(1_000);
      return Object.fromEntries(
        heard
          .splice(0)
          .flatMap(news => (news.kind === 'list-changed' ? [news] : []))
          .map(({ what, concerns }) => [
            what,
            callers.filter(who => concerns?.(who, EVERYTHING)).map(({ subject }) => subject),
          ]),
      );
    },
    heard,
  };
}

const push = (more: JsonObject = {}) => tool('push', more);

describe('a changed catalog concerns', () => {
  test.each([
    { tools: [push(), tool('pull', { title: 'new' })], tells: [], because: 'what changed is seen by none of them' },
    { tools: [push({ title: 'new' }), tool('pull')], tells: ['ann', 'bob'], because: 'what they see was changed' },
    { tools: [tool('pull')], tells: ['ann', 'bob'], because: 'what they saw is gone' },
    { tools: [push(), tool('pull'), tool('extra')], tells: [], because: 'what came is not for them' },
    { tools: [push(), tool('pull')], tells: [], because: 'it was read again and found the same' },
  ])('$tells: $because', async ({ tools, tells }) => {
    const made = await house();
    made.downstreams.relist('git', { tools });
    const { tools: told = [] } = await made.concerned(ann, bob, nobody);
    expect(told).toEqual(tells);
  });

  test('those alone who may use the server', async () => {
    const made = await house();
    made.downstreams.relist('mail', { tools: [tool('send'), tool('read')] });
    expect(await made.concerned(ann, bob, nobody)).toMatchObject({ tools: ['bob'] });
  });

  test('nobody behind the door of another server', async () => {
    const made = await house();
    made.downstreams.relist('mail', { tools: [tool('read')] });
    await settle();
    made.clock.advance(1_000);
    const [news] = made.heard;
    if (news?.kind !== 'list-changed') throw new Error('no news');
    expect([doorOf('git'), doorOf('mail'), EVERYTHING].map(door => news.concerns?.(bob, door))).toEqual([
      false,
      true,
      true,
    ]);
  });
});

describe('a list that is as it was', () => {
  const changed = [push({ title: 'new' }), tool('pull')];
  const asBefore = [push(), tool('pull')];

  async function thereAndBack(between: (made: Awaited<ReturnType<typeof house>>) => Promise<unknown>) {
    const made = await house();
    made.downstreams.relist('git', { tools: changed });
    await settle();
    await between(made);
    made.downstreams.relist('git', { tools: asBefore });
    return made;
  }

  test('is no news when nobody read it in between', async () => {
    const made = await thereAndBack(async () => {});
    expect((await made.concerned(ann, bob, nobody)).tools).toEqual([]);
  });

  test('is news to whom it may concern when somebody did, once', async () => {
    const made = await thereAndBack(({ handle }) => handle('tools/list', {}, { who: ann }));
    expect((await made.concerned(ann, bob, nobody)).tools).toEqual(['ann', 'bob']);
    made.news.rulesChanged();
    expect((await made.concerned(ann, bob, nobody)).tools).toEqual([]);
  });

  test('is news also when it is another by then', async () => {
    const made = await thereAndBack(({ handle }) => handle('tools/list', {}, { who: ann }));
    made.downstreams.relist('mail', { tools: [tool('read')] });
    expect((await made.concerned(ann, bob, nobody)).tools).toEqual(['ann', 'bob']);
  });

  test('is news when rights came and went', async () => {
    const made = await house();
    made.policy.swap(scopedPolicy({ git: { git: ['push'] } }, 3));
    made.rightsChanged.ofEverybody();
    await made.handle('resources/list', {}, { who: bob });
    made.policy.swap(FIRST);
    made.rightsChanged.ofEverybody();
    expect(await made.concerned(ann, bob, nobody)).toEqual({ tools: ['bob'], resources: ['bob'], prompts: [] });
  });

  test('read 1,000 times while nothing changes but the state of a server, is compared once', () => {
    let compared = 0;
    const anew = (): Catalog => ({
      ...EMPTY_CATALOG,
      get tools() {
        compared++;
        return EMPTY_CATALOG.tools;
      },
    });
    const versions = new Map();
    const relevance = createListRelevance({
      catalog: { all: () => ({ current: anew(), versions }) },
      policy: { current: () => FIRST },
      quarantine: createEmptyQuarantine(),
      exposure: () => ({ default: 'direct', autoThreshold: 40, pinned: [] }),
      defaultAgent: null,
    });
    for (let i = 0; i < 1_000; i++) relevance.given();
    compared = 0;
    relevance.take()('tools')(ann, EVERYTHING);
    expect(compared).toBe(2);
  });
});

describe('whoever is shut out, and what,', () => {
  const entry = (kind: QuarantineEntry['kind'], name: string): QuarantineEntry => ({
    ...{ kind, name, reason: '', by: 'ops', sinceMs: 0, untilMs: null },
  });

  test.each([
    { kind: 'tool', name: 'mail/send', tells: { tools: ['bob'], resources: [] } },
    { kind: 'tool', name: 'git/pull', tells: { tools: [], resources: [] } },
    { kind: 'server', name: 'mail', tells: { tools: ['bob'], resources: ['bob'] } },
    { kind: 'caller', name: 'bob', tells: { tools: ['bob'], resources: ['bob'] } },
  ] as const)('concerns those who saw it: $kind $name', async ({ kind, name, tells }) => {
    const made = await house();
    await made.quarantine.add(entry(kind, name));
    expect(await made.concerned(ann, bob, nobody)).toMatchObject(tells);
    await made.quarantine.remove(kind, name);
    expect(await made.concerned(ann, bob, nobody)).toMatchObject(tells);
  });

  test('is told apart from others with the same rights, whose list stays', async () => {
    const made = await house();
    const twin = caller('bert', 'git', 'mail');
    const names = async (who: Identity) => resultOf(await made.handle('tools/list', {}, { who })).tools;
    const before = await names(twin);
    await made.quarantine.add(entry('caller', 'bob'));
    expect(await made.concerned(twin, bob)).toMatchObject({ tools: ['bob'], resources: ['bob'] });
    expect([await names(bob), await names(twin)]).toEqual([[], before]);
  });

  test('watches nothing any more', async () => {
    const made = await house();
    const subscriber = { who: bob };
    await made.gateway.watch(bob, EVERYTHING, ['mail://1'], subscriber);
    await made.quarantine.add(entry('caller', 'eve'));
    expect(made.gateway.isWatching(subscriber, 'mail', 'mail://1')).toBe(true);
    await made.quarantine.add(entry('caller', 'bob'));
    expect(made.gateway.isWatching(subscriber, 'mail', 'mail://1')).toBe(false);
    expect([...(await made.gateway.watch(bob, EVERYTHING, ['mail://1'], subscriber))]).toEqual([]);
    expect([...(await made.gateway.watch(caller('eric', 'mail'), EVERYTHING, ['mail://1'], { who: bob }))]).toEqual([
      ['mail://1', 'mail'],
    ]);
  });
});

/** At the doors that show something else than a server's own list. */
describe('behind the doors of everything', () => {
  const PLAIN: readonly Door[] = [null, 'direct', 'auto', 'discovery', 'agent', 'registry'].map(exposure => ({
    server: null,
    exposure: exposure as Door['exposure'],
  }));

  /** At which doors a caller is told of other tools. */
  async function toldAt(made: Awaited<ReturnType<typeof house>>, who: Identity = ann): Promise<(string | null)[]> {
    await settle();
    made.clock.advance(1_000);
    const told = made.heard.splice(0).flatMap(news => (news.kind === 'list-changed' ? [news] : []));
    for (const { what, concerns } of told) {
      if (what !== 'tools') continue;
      expect(concerns?.(who, doorOf('nothing'))).toBe(false);
      return PLAIN.filter(door => concerns?.(who, door)).map(({ exposure }) => exposure);
    }
    return [];
  }

  test.each([
    { tools: [push({ title: 'new' }), tool('pull')], at: [null, 'direct', 'auto'], because: 'only its item differs' },
    { tools: [tool('pull')], at: [null, 'direct', 'auto', 'discovery', 'registry'], because: 'one fewer is counted' },
    { tools: [push(), tool('pull', { title: 'new' })], at: [], because: 'it is for others' },
  ])('a changed tool is told at $at: $because', async ({ tools, at }) => {
    const made = await house();
    made.downstreams.relist('git', { tools });
    expect(await toldAt(made)).toEqual(at);
  });

  test('a pinned tool that changed is told where it stands beside the search', async () => {
    const made = await house();
    made.expose({ ...made.rules(), pinned: ['git__push'] });
    made.rightsChanged.ofEverybody();
    await toldAt(made);
    made.downstreams.relist('git', { tools: [push({ title: 'new' }), tool('pull')] });
    expect(await toldAt(made)).toEqual([null, 'direct', 'auto', 'discovery']);
  });

  test('what a server says of itself is told where the search repeats it, to whom it shows something', async () => {
    const made = await house();
    for (const [who, at] of [
      [ann, ['auto', 'discovery', 'registry']],
      [nobody, []],
    ] as const) {
      made.describe('git', `for ${who.subject}`);
      expect(await toldAt(made, who)).toEqual(at);
    }
    const said = async () =>
      JSON.stringify(await made.handle('tools/list', {}, { who: ann, door: { server: null, exposure: 'discovery' } }));
    expect(await said()).toContain('for nobody');
    made.describe('git', 'something new');
    expect(await said()).toContain('something new');
  });

  test.each([
    { rules: { default: 'discovery' }, at: [null], because: 'the others say themselves what they show' },
    { rules: { autoThreshold: 1 }, at: ['auto'], because: 'it counts there alone' },
    { rules: { pinned: ['git__push'] }, at: ['auto', 'discovery'], because: 'they show what is pinned' },
    { rules: {}, at: [], because: 'it says the same in other words' },
  ] as const)('another exposure, $rules, is told at $at: $because', async ({ rules, at }) => {
    const made = await house();
    made.expose({ ...made.rules(), pinned: [...made.rules().pinned], ...rules });
    // Who lists at once has the new one; the others do not.
    await made.handle('tools/list', {}, { who: bob });
    made.rightsChanged.ofEverybody();
    expect(await toldAt(made)).toEqual(at);
  });

  test('another exposure is told nobody at the door of a server', async () => {
    const made = await house();
    made.expose({ ...made.rules(), default: 'discovery' });
    made.rightsChanged.ofEverybody();
    await settle();
    made.clock.advance(1_000);
    const told = made.heard.flatMap(news => (news.kind === 'list-changed' ? [news] : []));
    expect(told.filter(({ concerns }) => concerns?.(ann, doorOf('git')))).toEqual([]);
  });
});

describe('a changed policy concerns', () => {
  test('the one whose scope was taken away, in the lists that differ', async () => {
    const made = await house();
    made.policy.swap(scopedPolicy({ git: { git: ['push'] } }, 3));
    made.rightsChanged.ofEverybody();
    expect(await made.concerned(ann, bob, nobody)).toEqual({ tools: ['bob'], resources: ['bob'], prompts: [] });
  });

  test('those who were given more', async () => {
    const made = await house();
    made.policy.swap(scopedPolicy({ git: { git: ['push', 'pull'] }, mail: { mail: 'all' } }, 3));
    made.rightsChanged.ofEverybody();
    expect(await made.concerned(ann, bob, nobody)).toEqual({ tools: ['ann', 'bob'], resources: [], prompts: [] });
  });

  test('whoever acts as another agent by it', async () => {
    const rules = (agents: Record<string, string[]>) =>
      policyOf({
        rules: {
          agents: Object.fromEntries(Object.entries(agents).map(([id, servers]) => [id, { allow: { servers } }])),
          defaults: { deny_on_missing_agent: false },
        },
      });
    const worker: Identity = { ...ann, agent: 'worker', agentVerified: true };
    const made = await house(rules({ worker: ['git'], default: ['mail'] }));
    made.policy.swap(rules({ default: ['mail'] }));
    made.rightsChanged.ofEverybody();
    // By the old rules it was no stand-in, which would have seen the same before.
    expect(await made.concerned(worker)).toEqual({ tools: ['ann'], resources: ['ann'], prompts: ['ann'] });
  });

  test('nobody when it says the same in other words', async () => {
    const made = await house();
    made.policy.swap(scopedPolicy({ git: { git: ['push'], none: [] }, mail: { mail: ['send'] } }, 3));
    made.rightsChanged.ofEverybody();
    expect(await made.concerned(ann, bob, nobody)).toEqual({ tools: [], resources: [], prompts: [] });
  });

  test('nobody a second time: each piece of news is measured against the last', async () => {
    const made = await house();
    made.policy.swap(scopedPolicy({ git: { git: ['pull'] } }, 3));
    made.rightsChanged.ofEverybody();
    expect((await made.concerned(ann)).tools).toEqual(['ann']);
    made.rightsChanged.ofEverybody();
    expect((await made.concerned(ann)).tools).toEqual([]);
  });
});

test('a session that shows a lesser credential watches less, and is told of its other lists', async () => {
  const made = await house();
  const subscribers = [{ who: bob }, { who: caller('eve', 'mail') }];
  for (const subscriber of subscribers) {
    const honoured = await made.gateway.watch(subscriber.who, EVERYTHING, ['mail://1'], subscriber);
    expect([...honoured.keys()]).toEqual(['mail://1']);
  }
  const [first, second] = subscribers;
  if (first === undefined || second === undefined) throw new Error('two subscribers');
  second.who = caller('eve', 'git');
  made.rightsChanged.of(second);
  const told = made.heard.flatMap(news => (news.kind === 'list-changed' ? [news] : []));
  expect(told.map(({ what }) => what)).toEqual(['tools', 'resources', 'prompts']);
  const others = [bob, caller('eve', 'git')];
  for (const { concerns } of told)
    expect([second.who, ...others].map(who => concerns?.(who, EVERYTHING))).toEqual([true, false, false]);
  const watching = () => subscribers.map(one => made.gateway.isWatching(one, 'mail', 'mail://1'));
  expect(watching()).toEqual([true, false]);
  made.policy.swap(scopedPolicy({ git: { git: 'all' } }, 3));
  made.rightsChanged.ofEverybody();
  expect(watching()).toEqual([false, false]);
  await settle();
  expect([...(made.downstreams.watched.get('mail') ?? [])]).toEqual([]);
});

test('asking for 2,000 callers with the same rights decides once', async () => {
  const tools = Array.from({ length: 500 }, (_, i) => tool(`t${i}`));
  const made = await createStaircase({ git: { lists: { tools } } });
  made.policy.swap(scopedPolicy({ git: { git: 'all' } }));
  made.news.rulesChanged();
  const heard: News[] = [];
  made.news.subscribe(news => void heard.push(news));
  made.clock.advance(1_000);
  let looked = 0;
  const watchedScopes = (): ReadonlySet<string> =>
    new Proxy(new Set(['git']), {
      get(set, member) {
        looked += 1;
        const value: unknown = Reflect.get(set, member);
        return typeof value === 'function' ? value.bind(set) : value;
      },
    });
  const [news] = heard;
  if (news?.kind !== 'list-changed') throw new Error('no news');
  const groups = new Set<string>();
  const ask = (subject: string) => news.concerns?.({ ...caller(subject), scopes: watchedScopes(), groups }, EVERYTHING);
  ask('first');
  const once = looked;
  for (let i = 0; i < 2_000; i++) ask(`caller-${i}`);
  // Each further caller costs reading its scopes, not a decision per tool.
  expect((looked - once) / 2_000).toBeLessThan(5);
});

test('other rights in the registry are another list of tools behind its own door, and behind no other', async () => {
  const withUi = (actions: Record<string, string[]>) =>
    policyOf({
      scopes: { 'UI-Scopes': { git: actions }, git: [{ server: 'git', methods: ['tools/call'], tools: ['push'] }] },
    });
  const made = await house(withUi({ list_service: ['all'] }));
  made.policy.swap(withUi({ list_service: ['all'], toggle_service: ['all'] }));
  made.news.rulesChanged();
  await settle();
  made.clock.advance(1_000);
  const [told] = made.heard.flatMap(news => (news.kind === 'list-changed' && news.what === 'tools' ? [news] : []));
  expect(told?.concerns?.(ann, { server: null, exposure: 'registry' })).toBe(true);
  expect(told?.concerns?.(nobody, { server: null, exposure: 'registry' })).toBe(false);
  expect(told?.concerns?.(ann, EVERYTHING)).toBe(false);
});
