import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import { diffDefinitions, hashDefinition } from '../../../src/domain/tool-definition.ts';
import { createPins, type DriftEvent, type OnDrift } from '../../../src/services/catalog/pins.ts';
import { createDefinitionStore, type DefinitionStore } from '../../support/definition-store.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';

const tool = (name: string, more: JsonObject = {}): JsonObject => ({
  name,
  description: `does ${name}`,
  inputSchema: { type: 'object', properties: { text: { type: 'string' } } },
  ...more,
});
const BEFORE = tool('send');
const REWORDED = tool('send', { description: 'does send, and a little more' });
const OTHER = tool('read');
const OTHER_REWORDED = tool('read', { description: 'does read, and more' });
const REBUILT = tool('send', { inputSchema: { type: 'object', properties: { to: { type: 'string' } } } });

const APPROVE_ALL = { tool: null, hash: null };

function start(onDrift: OnDrift = 'hold', store = createDefinitionStore()) {
  const events: DriftEvent[] = [];
  const pins = createPins({ store, onDrift, report: event => void events.push(event), clock: createFrozenClock() });
  return { pins, events, store };
}

const swapped = async <A, B>(one: Promise<A>, other: Promise<B>): Promise<[B, A]> => {
  const [a, b] = await Promise.all([one, other]);
  return [b, a];
};

describe('a tool that changes its definition after it was seen', () => {
  test.each([
    { now: REWORDED, effect: 'quarantine', because: 'what a model reads has changed' },
    { now: REBUILT, effect: 'block', because: 'what it takes has changed' },
    {
      now: tool('send', { annotations: { readOnlyHint: true } }),
      effect: 'block',
      because: 'what it claims has changed',
    },
  ])('is shown as it was and not called: $because', async ({ now, effect }) => {
    const { pins, events } = start();
    await pins.screen('mail', [BEFORE]);
    expect(await pins.screen('mail', [now])).toEqual([BEFORE]);
    expect(pins.isHeld('mail', 'send')).toBe(true);
    expect(pins.isHeld('mail', 'other')).toBe(false);
    expect(events).toMatchObject([{ server: 'mail', tool: 'send', effect, isHeld: true }]);
  });

  test('is told of once, however often it is listed', async () => {
    const { pins, events, store } = start();
    await pins.screen('mail', [BEFORE]);
    for (let n = 0; n < 5; n++) await pins.screen('mail', [REWORDED]);
    expect([events.length, store.writes]).toEqual([1, 2]);
  });

  test.each([
    { first: 'the approval', approved: REWORDED, answer: 'approved' },
    { first: 'the listing', approved: BEFORE, answer: 'failure' },
  ])(
    'is held with what it says while it is approved, whichever comes first: $first',
    async ({ first, ...expected }) => {
      const { pins, store } = start();
      await pins.screen('mail', [BEFORE]);
      await pins.screen('mail', [REWORDED]);
      const approve = () => pins.approve('mail', { tool: 'send', hash: hashDefinition(REWORDED) }, 'ada');
      const list = () => pins.screen('mail', [REBUILT]);
      const [approval] =
        first === 'the approval' ? await Promise.all([approve(), list()]) : await swapped(list(), approve());
      expect(approval.kind).toBe(expected.answer);
      expect(await store.list('mail')).toMatchObject([
        { approved: expected.approved, pending: { hash: hashDefinition(REBUILT) } },
      ]);
      expect(pins.isHeld('mail', 'send')).toBe(true);
    },
  );

  test('is held where it was approved before versions were told apart, and in no other version', async () => {
    const { pins, store } = start();
    await pins.screen('mail', [BEFORE]);
    expect(await pins.screen('mail@v1', [REWORDED], 'mail')).toEqual([BEFORE]);
    expect(await store.list('mail')).toEqual([]);
    expect(await pins.screen('mail@v2', [REWORDED], 'mail')).toEqual([REWORDED]);
    expect([pins.isHeld('mail@v1', 'send'), pins.isHeld('mail@v2', 'send')]).toEqual([true, false]);
  });

  test('is free again once it says what was approved', async () => {
    const { pins } = start();
    await pins.screen('mail', [BEFORE]);
    await pins.screen('mail', [REWORDED]);
    expect(await pins.screen('mail', [BEFORE])).toEqual([BEFORE]);
    expect([pins.isHeld('mail', 'send'), pins.heldCount()]).toEqual([false, 0]);
  });

  test('is shown as it is now, and called, once somebody approves it', async () => {
    const { pins, store } = start();
    const told: string[] = [];
    pins.onApproved(server => void told.push(server));
    await pins.screen('mail', [BEFORE]);
    await pins.screen('mail', [REWORDED]);
    expect(await pins.approve('mail', { tool: null, hash: null }, 'ops')).toEqual({
      ...{ kind: 'approved', tools: [await store.find('mail', 'send')] },
    });
    expect(pins.isHeld('mail', 'send')).toBe(false);
    expect(await pins.screen('mail', [REWORDED])).toEqual([REWORDED]);
    expect(told).toEqual(['mail']);
    expect(await store.find('mail', 'send')).toMatchObject({ approvedBy: 'ops', pending: null });
  });

  test('is approved by its hash as it was looked at, and not as it is since', async () => {
    const { pins, store } = start();
    await pins.screen('mail', [BEFORE]);
    await pins.screen('mail', [REWORDED]);
    const seen = { tool: 'send', hash: hashDefinition(REWORDED) };
    await pins.screen('mail', [REBUILT]);
    const kept = await store.find('mail', 'send');
    expect(await pins.approve('mail', seen, 'ops')).toMatchObject({ kind: 'failure', code: 'STALE' });
    expect(await store.find('mail', 'send')).toEqual(kept);
    expect(pins.isHeld('mail', 'send')).toBe(true);

    const now = { tool: 'send', hash: hashDefinition(REBUILT) };
    expect(await pins.approve('mail', now, 'ops')).toMatchObject({ kind: 'approved', tools: [{ hash: now.hash }] });
    expect(await pins.screen('mail', [REBUILT])).toEqual([REBUILT]);
    // It is approved already, and there is nothing to approve.
    expect(await pins.approve('mail', now, 'ops')).toMatchObject({ kind: 'failure', code: 'NOT_FOUND' });
  });

  test('stays held over a restart', async () => {
    const { pins, store } = start();
    await pins.screen('mail', [BEFORE]);
    await pins.screen('mail', [REWORDED]);
    const next = start('hold', store);
    expect(await next.pins.screen('mail', [REWORDED])).toEqual([BEFORE]);
    expect(next.pins.isHeld('mail', 'send')).toBe(true);
    expect(next.events).toEqual([]);
  });
});

test('a change while nobody looked is found at the next start', async () => {
  const { pins, store } = start();
  await pins.screen('mail', [BEFORE]);
  const next = start('hold', store);
  expect(await next.pins.screen('mail', [REBUILT])).toEqual([BEFORE]);
  expect(next.events).toHaveLength(1);
});

test('another order of members is no change, and the object that was listed is passed on', async () => {
  const { pins, events } = start();
  await pins.screen('mail', [BEFORE]);
  const turned = Object.fromEntries(Object.entries(BEFORE).reverse());
  const [shown] = await pins.screen('mail', [turned]);
  expect(shown).toBe(turned);
  expect(events).toEqual([]);
});

test('new tools of a known server are approved when they are first seen, and gone ones are no event', async () => {
  const { pins, events } = start();
  await pins.screen('mail', [BEFORE]);
  expect(await pins.screen('mail', [tool('read')])).toEqual([tool('read')]);
  expect(events).toEqual([]);
});

test('the same name twice in one list counts once, so it cannot bring a second definition', async () => {
  const { pins, events } = start();
  expect(await pins.screen('mail', [BEFORE, REBUILT])).toEqual([BEFORE]);
  expect(events).toEqual([]);
});

test('the same tool of another server is another tool', async () => {
  const { pins, events } = start();
  await pins.screen('mail', [BEFORE]);
  expect(await pins.screen('post', [REBUILT])).toEqual([REBUILT]);
  expect(events).toEqual([]);
});

test('`serve` shows what was approved and lets calls go on; `off` passes everything on', async () => {
  const serve = start('serve');
  await serve.pins.screen('mail', [BEFORE]);
  expect(await serve.pins.screen('mail', [REWORDED])).toEqual([BEFORE]);
  expect(serve.pins.isHeld('mail', 'send')).toBe(false);
  expect(serve.events).toMatchObject([{ isHeld: false }]);
  const off = start('off');
  await off.pins.screen('mail', [BEFORE]);
  expect(await off.pins.screen('mail', [REWORDED])).toEqual([REWORDED]);
  expect(off.store.writes).toBe(0);
});

test('a store that cannot be asked approves nothing', async () => {
  const { pins, store, events } = start();
  store.failures = Number.POSITIVE_INFINITY;
  await expect(pins.screen('mail', [BEFORE])).rejects.toThrow('disk I/O error');
  store.failures = 0;
  await pins.screen('mail', [BEFORE]);
  store.failures = Number.POSITIVE_INFINITY;
  await expect(pins.screen('mail', [REWORDED])).rejects.toThrow('disk I/O error');
  // In force although it could not be written down, and written down as soon as that is possible.
  expect(pins.isHeld('mail', 'send')).toBe(true);
  store.failures = 0;
  expect(await pins.screen('mail', [REWORDED])).toEqual([BEFORE]);
  expect(await store.listPending()).toMatchObject([{ tool: 'send' }]);
  expect(events).toHaveLength(1);
});

/** As another process does it that found the server gone from its file, or removed it. */
async function takeAway(store: DefinitionStore, server: string): Promise<void> {
  for (const { tool: name } of (await store.list(server)) ?? []) await store.remove(server, name);
  store.gone.add(server);
}

describe('a server that is gone for others and goes on here', () => {
  test('is known as it was until it goes here, too, and nothing is written of it', async () => {
    const { pins, store } = start();
    await pins.screen('mail', [BEFORE]);
    await pins.screen('other', [BEFORE]);
    await takeAway(store, 'mail');
    // A tool that nobody has seen before is not shown: it could not be kept.
    expect(await pins.screen('mail', [REWORDED, OTHER])).toEqual([BEFORE]);
    expect(pins.isHeld('mail', 'send')).toBe(true);
    expect(await pins.approve('mail', { tool: null, hash: null }, 'ada')).toMatchObject({ code: 'NOT_FOUND' });
    expect(await pins.amend('mail', 'send', kept => kept)).toBeNull();
    expect([await store.listPending(), pins.isHeld('mail', 'send')]).toEqual([[], true]);
    pins.keepOnly(new Set(['other']));
    expect([pins.isHeld('mail', 'send'), pins.find('mail', 'send'), pins.find('other', 'send')?.tool]).toEqual([
      false,
      null,
      'send',
    ]);
    // Nothing is shown of one that only a late reading knows of.
    await expect(pins.screen('mail', [REWORDED])).rejects.toThrow('does not know the server any more');
    store.gone.clear();
    expect(await pins.screen('mail', [REWORDED])).toEqual([REWORDED]);
  });

  test('is not trusted anew when it is there again before it went here: what was known is kept again, all of it', async () => {
    const { pins, store } = start();
    await pins.screen('mail', [BEFORE, OTHER]);
    await takeAway(store, 'mail');
    store.gone.clear();
    expect(await pins.screen('mail', [REWORDED, OTHER])).toEqual([BEFORE, OTHER]);
    expect(await store.listPending()).toMatchObject([{ server: 'mail', tool: 'send' }]);
    expect((await store.list('mail'))?.map(({ tool: name }) => name)).toEqual(['send', 'read']);
    expect(await pins.approve('mail', { tool: null, hash: null }, 'ada')).toMatchObject({ kind: 'approved' });
    expect(await pins.screen('mail', [REWORDED, OTHER_REWORDED])).toEqual([REWORDED, OTHER]);
  });

  test('that goes while its list is being read leaves nothing behind', async () => {
    const { pins, store } = start();
    const { list } = store;
    store.list = async server => {
      const found = await list(server);
      store.gone.add(server);
      return found;
    };
    expect(await pins.screen('mail', [BEFORE])).toEqual([]);
    expect([pins.find('mail', 'send'), await store.find('mail', 'send')]).toEqual([null, null]);
  });
});

test('what is held stays so while a reading does not list it, for clients may still be shown it', async () => {
  const { pins, store, events } = start();
  await pins.screen('mail', [BEFORE]);
  await pins.screen('mail', [REWORDED]);
  expect(await pins.screen('mail', [])).toEqual([]);
  expect([pins.isHeld('mail', 'send'), pins.heldCount()]).toEqual([true, 1]);
  store.failures = Number.POSITIVE_INFINITY;
  await expect(pins.screen('mail', [OTHER])).rejects.toThrow('disk I/O error');
  expect(pins.isHeld('mail', 'send')).toBe(true);
  store.failures = 0;
  expect(await pins.screen('mail', [BEFORE])).toEqual([BEFORE]);
  expect([pins.isHeld('mail', 'send'), events.length]).toEqual([false, 1]);
});

test('words that could not be written down as gone are not those that are heard', async () => {
  const { pins, store } = start();
  await pins.screen('mail', [BEFORE]);
  await pins.screen('mail', [REWORDED]);
  const { put } = store;
  store.put = async () => {
    throw new Error('disk I/O error');
  };
  await expect(pins.screen('mail', [BEFORE])).rejects.toThrow('disk I/O error');
  store.put = put;
  // Somebody approves what waits in the store; the server has said other words since.
  expect(await pins.approve('mail', { tool: null, hash: null }, 'ada')).toMatchObject({ kind: 'approved' });
  expect(pins.isHeld('mail', 'send')).toBe(true);
});

test('a server without tools that is gone for others has none', async () => {
  const { pins, store } = start();
  await pins.screen('mail', []);
  store.gone.add('mail');
  expect(await pins.screen('mail', [])).toEqual([]);
});

describe('what another process does, which has a server of its own', () => {
  async function startTwo() {
    const { pins, store } = start();
    const elsewhere = start('hold', store).pins;
    const told: string[] = [];
    pins.onApproved(server => void told.push(server));
    for (const each of [pins, elsewhere]) {
      await each.screen('mail', [BEFORE]);
      await each.screen('mail', [REWORDED]);
    }
    return { pins, elsewhere, store, told, isHeld: () => pins.isHeld('mail', 'send') };
  }

  test('is told once it is caught up with, and in force when the server has been read again', async () => {
    const { pins, elsewhere, told, isHeld } = await startTwo();
    await pins.catchUp(0);
    expect([isHeld(), told]).toEqual([true, []]);
    await elsewhere.approve('mail', APPROVE_ALL, 'ada');
    await pins.catchUp(0);
    expect([isHeld(), told]).toEqual([true, ['mail']]);
    expect(await pins.approve('mail', APPROVE_ALL, 'bo')).toMatchObject({ code: 'NOT_FOUND' });
    expect(await pins.pending()).toEqual([]);
    expect(await pins.screen('mail', [REWORDED])).toEqual([REWORDED]);
    expect([isHeld(), pins.heldCount()]).toEqual([false, 0]);
  });

  test('is told, too, where nothing is held', async () => {
    const { pins, store } = start('serve');
    const elsewhere = start('serve', store).pins;
    const told: string[] = [];
    pins.onApproved(server => void told.push(server));
    for (const each of [pins, elsewhere]) for (const list of [[BEFORE], [REWORDED]]) await each.screen('mail', list);
    await elsewhere.screen('mail', [BEFORE]);
    // It waits for this process alone.
    expect(await pins.pending()).toMatchObject([{ tool: 'send', pending: { definition: REWORDED } }]);
    await elsewhere.screen('mail', [REWORDED]);
    await elsewhere.approve('mail', APPROVE_ALL, 'ada');
    await pins.catchUp(0);
    expect([told, pins.isHeld('mail', 'send'), pins.heldCount()]).toEqual([['mail'], false, 0]);
  });

  test('lets nothing go here whose own server says something else', async () => {
    const { pins, elsewhere, store, told, isHeld } = await startTwo();
    await pins.screen('mail', [REBUILT]);
    await elsewhere.approve('mail', { tool: 'send', hash: hashDefinition(REBUILT) }, 'ada');
    expect((await store.find('mail', 'send'))?.approved).toEqual(REBUILT);
    await elsewhere.screen('mail', [REBUILT]);
    await pins.screen('mail', [REWORDED]);
    await elsewhere.screen('mail', [REBUILT]);
    // The other one has heard the approved words, and nothing waits in the store.
    expect((await store.find('mail', 'send'))?.pending).toBeNull();
    await pins.catchUp(0);
    await pins.screen('other', [BEFORE]);
    // Nobody reads again for that: two of them would do so in turns, for ever.
    expect([isHeld(), told]).toEqual([true, []]);
    expect(await pins.pending()).toMatchObject([
      { server: 'mail', tool: 'send', approved: REBUILT, pending: { definition: REWORDED } },
    ]);
    expect(await elsewhere.pending()).toEqual([]);
    expect(await pins.screen('mail', [REWORDED])).toEqual([REBUILT]);
    expect([isHeld(), (await store.listPending()).map(({ tool: name }) => name)]).toEqual([true, ['send']]);
  });

  test('does not let go what waits here by approving something else', async () => {
    const { pins, elsewhere, store, isHeld } = await startTwo();
    await elsewhere.screen('mail', [REBUILT]);
    await elsewhere.approve('mail', APPROVE_ALL, 'ada');
    await pins.catchUp(0);
    await pins.screen('other', [BEFORE]);
    expect(isHeld()).toBe(true);
    expect(await pins.amend('mail', 'send', kept => kept)).toMatchObject({ approved: REBUILT });
    expect(isHeld()).toBe(true);
    expect(await pins.pending()).toMatchObject([{ pending: { definition: REWORDED } }]);
    await elsewhere.screen('mail', [BEFORE]);
    await elsewhere.screen('mail', [REBUILT]);
    await pins.amend('mail', 'send', kept => kept);
    expect(await pins.pending()).toMatchObject([{ pending: { definition: REWORDED } }]);
    expect(await pins.screen('mail', [REWORDED])).toEqual([REBUILT]);
    const [waiting] = await store.listPending();
    // What has changed is told against what is approved by now.
    expect(waiting?.pending?.changes).toEqual(diffDefinitions(REBUILT, REWORDED));
  });

  test('and what waits here can be approved here, whatever the other one heard', async () => {
    const { pins, elsewhere, isHeld } = await startTwo();
    await elsewhere.screen('mail', [BEFORE]);
    expect(await pins.approve('mail', APPROVE_ALL, 'bo')).toMatchObject({ kind: 'approved' });
    expect(isHeld()).toBe(false);
  });

  test('is asked for again where it could not be read', async () => {
    const { pins, store, isHeld } = await startTwo();
    store.find = async () => {
      throw new Error('disk I/O error');
    };
    await expect(pins.catchUp(0)).rejects.toThrow('disk I/O error');
    expect(isHeld()).toBe(true);
  });
});

test('what is kept in another place from now on counts as it is there, and holds until it is read', async () => {
  const { pins, store, events } = start();
  await pins.screen('mail', [BEFORE]);
  await pins.screen('mail', [REWORDED]);
  await store.remove('mail', 'send');
  pins.moved('mail');
  expect(pins.isHeld('mail', 'send')).toBe(true);
  expect(await pins.screen('mail', [REBUILT])).toEqual([REBUILT]);
  expect(await store.find('mail', 'send')).toMatchObject({ approved: REBUILT, pending: null });
  expect(events.length).toBe(1);
  expect(pins.isHeld('mail', 'send')).toBe(false);
  // Read there once, it is as anywhere.
  await store.remove('mail', 'send');
  expect(await pins.screen('mail', [BEFORE])).toEqual([REBUILT]);
});

test('of a server that is gone nothing is remembered, not even what could not be stored', async () => {
  const { pins, store } = start();
  await pins.screen('mail', [BEFORE]);
  store.failures = Number.POSITIVE_INFINITY;
  await expect(pins.screen('mail', [REWORDED])).rejects.toThrow('disk I/O error');
  store.failures = 0;
  pins.keepOnly(new Set(['mail@v2']));
  await store.remove('mail', 'send');
  pins.keepOnly(new Set(['mail', 'mail@v2']));
  expect(await pins.screen('mail', [REBUILT])).toEqual([REBUILT]);
  expect(pins.isHeld('mail', 'send')).toBe(false);
});

test('what could not be stored of a server that was gone for a while does not stand in the way of what others approve', async () => {
  const { pins, store } = start();
  await pins.screen('mail', [BEFORE]);
  store.failures = Number.POSITIVE_INFINITY;
  await expect(pins.screen('mail', [REWORDED])).rejects.toThrow('disk I/O error');
  store.failures = 0;
  pins.keepOnly(new Set());
  pins.keepOnly(new Set(['mail']));
  expect(await pins.screen('mail', [BEFORE])).toEqual([BEFORE]);
  const elsewhere = createPins({ ...{ store, onDrift: 'hold', report() {} }, clock: createFrozenClock() });
  await elsewhere.screen('mail', [REWORDED]);
  await elsewhere.approve('mail', { tool: null, hash: null }, 'ada');
  expect(await pins.screen('mail', [REWORDED])).toEqual([REWORDED]);
});

test('a reading that ends after its server went keeps nothing in mind', async () => {
  const { pins } = start();
  pins.keepOnly(new Set());
  await pins.screen('mail', [BEFORE]);
  expect(pins.find('mail', 'send')).toBeNull();
});

test('a version that was removed and is registered anew is another one', async () => {
  const { pins, store } = start();
  await pins.screen('mail@v2', [BEFORE]);
  await store.remove('mail@v2', 'send');
  expect(await pins.screen('mail@v2', [REWORDED])).toEqual([REWORDED]);
  expect(pins.isHeld('mail@v2', 'send')).toBe(false);
});

describe('where two gateways hear different words of one tool', () => {
  const hashOf = ({ pending }: { pending: { hash: string } | null }) => pending?.hash;
  async function startTwo() {
    const { pins, store } = start();
    const { pins: elsewhere, events } = start('hold', store);
    for (const one of [pins, elsewhere]) await one.screen('mail', [BEFORE, OTHER]);
    await pins.screen('mail', [REWORDED, OTHER]);
    await elsewhere.screen('mail', [REBUILT, OTHER]);
    return { pins, elsewhere, store, events };
  }
  const byHash = (tool: JsonObject) => ({ tool: 'send', hash: hashDefinition(tool) });

  test('both wait, and each can be approved by its hash', async () => {
    for (const chosen of [REWORDED, REBUILT]) {
      const { pins, elsewhere, store } = await startTwo();
      expect((await pins.pending()).map(hashOf)).toEqual([hashDefinition(REWORDED), hashDefinition(REBUILT)]);
      expect((await elsewhere.pending()).map(hashOf)).toEqual([hashDefinition(REBUILT)]);
      expect(await pins.approve('mail', byHash(chosen), 'ada')).toMatchObject({ kind: 'approved' });
      expect(store.peek('mail', 'send')?.approved).toEqual(chosen);
      expect(pins.isHeld('mail', 'send')).toBe(chosen !== REWORDED);
      expect(await pins.approve('mail', byHash(OTHER), 'ada')).toMatchObject({
        code: chosen === REWORDED ? 'NOT_FOUND' : 'STALE',
      });
    }
  });

  test('without a hash what is said here is approved', async () => {
    const { pins, store } = await startTwo();
    await pins.approve('mail', APPROVE_ALL, 'ada');
    expect([store.peek('mail', 'send')?.approved, pins.isHeld('mail', 'send')]).toEqual([REWORDED, false]);
  });

  test('what is taken back at one is held at the other at once, and read again', async () => {
    const { pins, elsewhere, store, events } = await startTwo();
    const told: string[] = [];
    elsewhere.onApproved(server => void told.push(server));
    await pins.approve('mail', byHash(REBUILT), 'ada');
    await elsewhere.screen('mail', [REBUILT, OTHER]);
    expect([pins.isHeld('mail', 'send'), elsewhere.isHeld('mail', 'send')]).toEqual([true, false]);
    const since = store.revision();
    await pins.screen('mail', [BEFORE, OTHER]);
    await pins.approve('mail', byHash(BEFORE), 'ada');
    await elsewhere.catchUp(since);
    expect([elsewhere.isHeld('mail', 'send'), elsewhere.isHeld('mail', 'read'), told]).toEqual([true, false, ['mail']]);
    // Held whether its server answers that reading or not, said once, and it can be approved.
    expect(events.length).toBe(2);
    expect((await elsewhere.pending()).map(hashOf)).toEqual([hashDefinition(REBUILT)]);
    expect(await elsewhere.screen('mail', [REBUILT, OTHER])).toEqual([BEFORE, OTHER]);
    expect([elsewhere.isHeld('mail', 'send'), elsewhere.isHeld('mail', 'read')]).toEqual([true, false]);
    expect((await elsewhere.pending()).map(hashOf)).toEqual([hashDefinition(REBUILT)]);
    expect(events.length).toBe(2);
    told.length = 0;
    await elsewhere.catchUp(store.revision());
    expect(told).toEqual([]);
  });

  test('what one of them never lists is nothing it could hold', async () => {
    const { elsewhere, store } = await startTwo();
    const third = start('hold', store).pins;
    await third.screen('mail', [OTHER]);
    await elsewhere.approve('mail', byHash(REBUILT), 'ada');
    await third.catchUp(0);
    expect(third.heldCount()).toBe(0);
    await third.approve('mail', byHash(REWORDED), 'ada');
    expect([third.heldCount(), await third.pending()]).toEqual([0, []]);
  });

  test('what is not listed any more is held by nothing once others have approved what was said', async () => {
    const { pins, elsewhere } = await startTwo();
    await pins.screen('mail', [OTHER]);
    expect([pins.isHeld('mail', 'send'), (await pins.pending()).map(hashOf)]).toEqual([
      true,
      [hashDefinition(REWORDED), hashDefinition(REBUILT)],
    ]);
    await elsewhere.screen('mail', [REWORDED, OTHER]);
    await elsewhere.approve('mail', byHash(REWORDED), 'ada');
    await pins.screen('mail', [OTHER]);
    expect([pins.heldCount(), await pins.pending()]).toEqual([0, []]);
  });
});

test('what could not be written and is not listed any more can be approved all the same', async () => {
  const { pins, store } = start();
  await pins.screen('mail', [BEFORE, OTHER]);
  store.put = async () => {
    throw new Error('disk I/O error');
  };
  const { put } = createDefinitionStore();
  await expect(pins.screen('mail', [REWORDED, OTHER])).rejects.toThrow('disk I/O error');
  store.put = put;
  await pins.screen('mail', [OTHER]);
  expect([pins.heldCount(), (await pins.pending()).length]).toEqual([1, 1]);
});

test('a tool without a name is none, and hides no other', async () => {
  const { pins } = start();
  expect(await pins.screen('mail', [tool(''), BEFORE, { description: 'nameless' }])).toEqual([BEFORE]);
});

describe('approvals of a time that did not tell versions apart', () => {
  const kept = (...names: string[]) =>
    names.map(name => ({
      ...{ server: 'mail', tool: name, approved: BEFORE, hash: hashDefinition(BEFORE), approvedAtMs: 1 },
      ...{ approvedBy: 'ada', pending: null, acknowledged: [] },
    }));

  test('are taken over once, and not over newer ones', async () => {
    const { pins, store } = start();
    await store.put(kept('send'));
    await store.put([{ ...kept('send')[0], server: 'mail@v1', approvedBy: 'newer' } as ReturnType<typeof kept>[0]]);
    await pins.screen('mail@v1', [BEFORE], 'mail');
    expect(store.peek('mail@v1', 'send')).toMatchObject({ approvedBy: 'newer' });
    expect(store.peek('mail', 'send')).not.toBeNull();
  });

  test('stay where they are when they could not be copied', async () => {
    const { pins, store } = start();
    await store.put(kept('send'));
    const { put } = store;
    store.put = async () => 'gone';
    await pins.screen('mail@v1', [BEFORE], 'mail').catch(() => {});
    store.put = put;
    expect(store.peek('mail', 'send')).not.toBeNull();
  });

  test('count after a first reading that failed, too', async () => {
    const { pins, store } = start();
    await store.put(kept('send'));
    store.failures = 1;
    await expect(pins.screen('mail@v1', [REWORDED], 'mail')).rejects.toThrow('disk I/O error');
    expect(await pins.screen('mail@v1', [REWORDED], 'mail')).toEqual([BEFORE]);
  });
});

test('what was approved and is not listed just now is written again where a file’s server was named anew', async () => {
  const { pins, store } = start();
  await pins.screen('mail', [BEFORE, OTHER]);
  await store.remove('mail', 'send');
  await store.remove('mail', 'read');
  await pins.screen('mail', [BEFORE]);
  expect([store.peek('mail', 'send'), store.peek('mail', 'read')]).toMatchObject([{}, { approved: OTHER }]);
});

test('an approval of what is gone by the time it is written is none, and so is what is looked at', async () => {
  const { pins, store } = start();
  await pins.screen('mail', [BEFORE]);
  await pins.screen('mail', [REWORDED]);
  store.meanwhile = async () => void store.gone.add('mail');
  expect(await pins.approve('mail', APPROVE_ALL, 'ada')).toMatchObject({ code: 'NOT_FOUND' });
  expect(pins.isHeld('mail', 'send')).toBe(true);
  store.gone.clear();
  store.meanwhile = async () => void store.gone.add('mail');
  expect(await pins.amend('mail', 'send', kept => kept)).toBeNull();
});

test('a move that is made while another is read counts for the next reading', async () => {
  const { pins, store } = start();
  await pins.screen('mail', [BEFORE]);
  pins.moved('mail');
  const { list } = store;
  store.list = async server => {
    const found = await list(server);
    store.list = list;
    pins.moved('mail');
    await store.remove('mail', 'send');
    return found;
  };
  await pins.screen('mail', [BEFORE]);
  // Where it is kept now nothing is kept of it: it is seen there for the first time.
  expect(await pins.screen('mail', [REWORDED])).toEqual([REWORDED]);
});

describe('what somebody else writes between a reading and what it writes itself counts', () => {
  async function startTwo() {
    const { pins, store } = start();
    const elsewhere = start('hold', store).pins;
    await pins.screen('mail', [BEFORE]);
    await elsewhere.screen('mail', [BEFORE]);
    return { pins, elsewhere, store };
  }
  test('an approval is not set back by a server that goes on saying the old words', async () => {
    const { pins, elsewhere, store } = await startTwo();
    await elsewhere.screen('mail', [REWORDED]);
    store.meanwhile = () => elsewhere.approve('mail', APPROVE_ALL, 'ada');
    expect(await pins.screen('mail', [BEFORE])).toEqual([REWORDED]);
    expect(store.peek('mail', 'send')).toMatchObject({ approvedBy: 'ada', hash: hashDefinition(REWORDED) });
    expect(pins.isHeld('mail', 'send')).toBe(true);
  });

  test('of two that see a server first, one is believed', async () => {
    const { pins, store } = start();
    const elsewhere = start('hold', store).pins;
    store.meanwhile = () => elsewhere.screen('mail', [REWORDED]);
    expect(await pins.screen('mail', [BEFORE])).toEqual([REWORDED]);
    expect([pins.isHeld('mail', 'send'), elsewhere.isHeld('mail', 'send')]).toEqual([true, false]);
  });

  test('an approval is of the words that were looked at, or of none', async () => {
    const { pins, elsewhere, store } = await startTwo();
    await elsewhere.screen('mail', [REWORDED]);
    store.meanwhile = () => elsewhere.screen('mail', [REBUILT]);
    const wish = { tool: 'send', hash: hashDefinition(REWORDED) };
    expect(await pins.approve('mail', wish, 'ada')).toMatchObject({ code: 'STALE' });
    expect(store.peek('mail', 'send')).toMatchObject({ hash: hashDefinition(BEFORE) });
  });

  test('what is looked at once is not forgotten by a reading under way', async () => {
    const { pins, elsewhere, store } = await startTwo();
    const look = { kind: 'look-alike', other: { server: 'post', tool: null }, by: 'ada', atMs: 1 } as const;
    store.meanwhile = () => elsewhere.amend('mail', 'send', kept => ({ ...kept, acknowledged: [look] }));
    await pins.screen('mail', [REWORDED]);
    expect(store.peek('mail', 'send')).toMatchObject({ acknowledged: [look], pending: { definition: REWORDED } });
  });

  test('a server that others write of all the time is not compared, and what it says is held', async () => {
    const { pins, store } = await startTwo();
    store.put = async () => 'stale';
    await expect(pins.screen('mail', [REWORDED])).rejects.toThrow('all the time');
    expect(pins.isHeld('mail', 'send')).toBe(true);
    expect(await pins.approve('mail', APPROVE_ALL, 'ada')).toMatchObject({ code: 'STALE' });
  });
});
