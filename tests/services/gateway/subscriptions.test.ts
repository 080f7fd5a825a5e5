import { describe, expect, test } from 'vitest';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import { createSubscriptions } from '../../../src/services/gateway/subscriptions.ts';
import { createFakeDownstreams } from '../../support/fake-downstreams.ts';

const caller = (subject = 'local') => ({ who: { ...LOCAL_CALLER, subject } });
const watch = (server: string, own: string, uri = own) => ({ server, own, uri });

function desk() {
  const downstreams = createFakeDownstreams({ a: {}, b: {} });
  return {
    downstreams,
    subscriptions: createSubscriptions(downstreams),
    watched: (key: string) => [...(downstreams.watched.get(key) ?? [])],
  };
}

test('a server is asked once, however many clients watch a resource, and told when the last one left', async () => {
  const { downstreams, subscriptions, watched } = desk();
  const [one, two] = [caller(), caller()];
  await subscriptions.add(one, watch('a', 'x://1'));
  await subscriptions.add(two, watch('a', 'x://1'));
  expect(downstreams.watchCalls).toEqual(['a']);
  await subscriptions.remove(one, 'x://1');
  expect(watched('a')).toEqual(['x://1']);
  await subscriptions.remove(two, 'x://1');
  expect(watched('a')).toEqual([]);
});

test('subscribing twice counts once', async () => {
  const { subscriptions, watched } = desk();
  const one = caller();
  await subscriptions.add(one, watch('a', 'x://1'));
  await subscriptions.add(one, watch('a', 'x://1'));
  await subscriptions.remove(one, 'x://1');
  expect(watched('a')).toEqual([]);
});

test('what was never subscribed can be removed', async () => {
  const { downstreams, subscriptions } = desk();
  await subscriptions.remove(caller(), 'x://1');
  await subscriptions.removeAll(caller());
  expect(downstreams.watchCalls).toEqual([]);
});

test('a client that left takes all its subscriptions along, and nobody else’s', async () => {
  const { subscriptions, watched } = desk();
  const [one, two] = [caller(), caller()];
  await subscriptions.add(one, watch('a', 'x://1'));
  await subscriptions.add(one, watch('b', 'y://1'));
  await subscriptions.add(two, watch('a', 'x://2'));
  await subscriptions.removeAll(one);
  expect([watched('a'), watched('b')]).toEqual([['x://2'], []]);
  expect(subscriptions.publicUris('a', 'x://1')).toEqual([]);
  expect(subscriptions.publicUris('a', 'x://2')).toEqual(['x://2']);
});

test('two servers with the same URI are two resources: each is asked, and each is let go for itself', async () => {
  // The doors /a/mcp and /b/mcp show the servers' own URIs.
  const { subscriptions, watched } = desk();
  const [atA, atB] = [caller(), caller()];
  await subscriptions.add(atA, watch('a', 'file:///x'));
  await subscriptions.add(atB, watch('b', 'file:///x'));
  expect([watched('a'), watched('b')]).toEqual([['file:///x'], ['file:///x']]);
  await subscriptions.removeAll(atA);
  expect([watched('a'), watched('b')]).toEqual([[], ['file:///x']]);
});

test('one resource known under two URIs stays watched until both are let go', async () => {
  const { subscriptions, watched } = desk();
  const [everywhere, atB] = [caller(), caller()];
  await subscriptions.add(everywhere, watch('b', 'file:///x', 'b+file:///x'));
  await subscriptions.add(atB, watch('b', 'file:///x'));
  expect([...subscriptions.publicUris('b', 'file:///x')].sort()).toEqual(['b+file:///x', 'file:///x']);
  await subscriptions.removeAll(everywhere);
  expect(watched('b')).toEqual(['file:///x']);
});

describe('when rights change', () => {
  test('what may not be watched any more ends, for those concerned alone', async () => {
    const { subscriptions, watched } = desk();
    const [alice, bob] = [caller('alice'), caller('bob')];
    for (const one of [alice, bob]) {
      await subscriptions.add(one, watch('a', 'x://1'));
      await subscriptions.add(one, watch('a', 'x://2'));
    }
    await subscriptions.review((who, { own }) => who.subject === 'alice' || own === 'x://2');
    expect(['x://1', 'x://2'].map(uri => subscriptions.has(alice, 'a', uri))).toEqual([true, true]);
    expect(['x://1', 'x://2'].map(uri => subscriptions.has(bob, 'a', uri))).toEqual([false, true]);
    expect(watched('a').sort()).toEqual(['x://1', 'x://2']);
    await subscriptions.removeAll(alice);
    expect(watched('a')).toEqual(['x://2']);
  });

  test('a caller is judged by whom it has shown itself to be since', async () => {
    const { subscriptions, watched } = desk();
    const bob = caller('bob');
    await subscriptions.add(bob, watch('a', 'x://1'));
    bob.who = { ...bob.who, groups: new Set(['left']) };
    await subscriptions.review(who => !who.groups.has('left'), bob);
    expect(watched('a')).toEqual([]);
  });

  test('the servers are left alone where nothing ends', async () => {
    const { subscriptions, downstreams } = desk();
    await subscriptions.add(caller(), watch('a', 'x://1'));
    await subscriptions.review(() => true);
    expect(downstreams.watchCalls).toEqual(['a']);
  });
});
