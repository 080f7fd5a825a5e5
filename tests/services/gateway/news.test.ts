import { describe, expect, test } from 'vitest';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import { createNewsDesk, type News } from '../../../src/services/gateway/news.ts';
import { tool } from '../../support/fake-downstreams.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { createStaircase, settle } from '../../support/staircase.ts';

describe('list changes', () => {
  const desk = () => {
    const clock = createFrozenClock();
    const news = createNewsDesk(clock);
    const heard: News[] = [];
    const stop = news.subscribe(one => void heard.push(one));
    return { clock, news, heard, stop };
  };

  test('of a burst are told once, a moment later', () => {
    const { clock, news, heard } = desk();
    for (let i = 0; i < 10; i++) news.listsChanged(['tools']);
    expect(heard).toEqual([]);
    clock.advance(250);
    expect(heard).toEqual([{ kind: 'list-changed', what: 'tools' }]);
    clock.advance(10_000);
    expect(heard).toHaveLength(1);
  });

  test('of templates are told as changes of resources: the protocol has no other word', () => {
    const { clock, news, heard } = desk();
    news.listsChanged(['templates', 'resources', 'prompts']);
    clock.advance(250);
    expect(heard.map(one => one.kind === 'list-changed' && one.what)).toEqual(['resources', 'prompts']);
  });

  test('that are none set no timer', () => {
    const { clock, news } = desk();
    news.listsChanged([]);
    expect(clock.pending()).toBe(0);
  });

  test('are told to nobody after stop', () => {
    const { clock, news, heard } = desk();
    news.listsChanged(['tools']);
    news.stop();
    clock.advance(1_000);
    expect(heard).toEqual([]);
  });

  test('may unsubscribe a listener while it is told', () => {
    const { clock, news, heard } = desk();
    const stops = [() => {}];
    stops.push(news.subscribe(() => stops.forEach(stop => void stop())));
    news.listsChanged(['tools']);
    clock.advance(250);
    expect(heard).toHaveLength(1);
  });
});

describe('what downstreams announce', () => {
  async function house() {
    const made = await createStaircase({
      a: { lists: { tools: [tool('x')], resources: [{ uri: 'file:///x', name: 'x' }] } },
      b: { lists: { resources: [{ uri: 'file:///x', name: 'x' }] } },
    });
    made.clock.advance(1_000);
    const heard: News[] = [];
    made.news.subscribe(one => void heard.push(one));
    return { ...made, heard };
  }

  test('is told under the URI clients know', async () => {
    const { downstreams, subscriptions, heard } = await house();
    await subscriptions.add({ who: LOCAL_CALLER }, { server: 'b', own: 'file:///x', uri: 'b+file:///x' });
    downstreams.emit({
      kind: 'resource-updated',
      server: 'b',
      uri: 'file:///x',
      params: { uri: 'file:///x', title: 't' },
    });
    expect(heard).toMatchObject([{ kind: 'resource-updated', params: { uri: 'b+file:///x', title: 't' } }]);
  });

  test('is not told when nobody watches it', async () => {
    const { downstreams, heard } = await house();
    downstreams.emit({ kind: 'resource-updated', server: 'a', uri: 'file:///x', params: { uri: 'file:///x' } });
    expect(heard).toEqual([]);
  });

  test('of a task is told to nobody: whose it is cannot be known', async () => {
    const { downstreams, heard } = await house();
    const params = { taskId: '1', status: 'completed' };
    downstreams.emit({ kind: 'notification', server: 'a', partition: 'main', method: 'notifications/tasks', params });
    expect(heard).toEqual([]);
  });

  test('of ten servers that come back at once is one change of a list', async () => {
    const keys = Array.from({ length: 10 }, (_, i) => `s${i}`);
    const made = await createStaircase(Object.fromEntries(keys.map(key => [key, { lists: { tools: [tool('x')] } }])));
    const heard: News[] = [];
    made.news.subscribe(one => void heard.push(one));
    for (const key of keys) made.downstreams.relist(key, { tools: [tool('y')] });
    await settle();
    made.clock.advance(1_000);
    expect(heard).toMatchObject([{ kind: 'list-changed', what: 'tools' }]);
  });
});
