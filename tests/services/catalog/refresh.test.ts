import { describe, expect, test } from 'vitest';
import { failure } from '../../../src/domain/error.ts';
import { LEADS_BACK } from '../../../src/domain/gateway-path.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { answerOf, specOf, tool } from '../../support/fake-downstreams.ts';
import { createStaircase, type Staircase, settle } from '../../support/staircase.ts';

const shown = (house: Staircase) => [...house.catalog.current().tools.keys()];
const page = (names: string[], nextCursor?: string): JsonObject => ({
  tools: names.map(name => tool(name)),
  ...(nextCursor === undefined ? {} : { nextCursor }),
});

describe('reading lists', () => {
  test('follows cursors to the end and keeps the order', async () => {
    const house = await createStaircase({
      a: {
        capabilities: { tools: {} },
        answerList: (_method, { cursor }) =>
          answerOf('legacy', cursor === undefined ? page(['one'], 'p2') : page(['two', 'three'])),
      },
    });
    expect(shown(house)).toEqual(['a__one', 'a__two', 'a__three']);
  });

  test('stops at a cursor that comes back, and says so in the log', async () => {
    const house = await createStaircase({
      a: { capabilities: { tools: {} }, answerList: () => answerOf('legacy', page(['one'], 'again')) },
    });
    expect(shown(house)).toEqual(['a__one']);
    expect(house.log.lines.map(({ message }) => message)).toContain('a list repeats a cursor');
    expect(house.downstreams.queried.length).toBeLessThan(5);
  });

  test('stops at 200 pages of an endless list', async () => {
    let pages = 0;
    await createStaircase({
      a: { capabilities: { tools: {} }, answerList: () => answerOf('legacy', page([`t${++pages}`], `p${pages}`)) },
    });
    expect(pages).toBe(200);
  });

  test('cuts a list at 20,000 items instead of filling memory', async () => {
    const names = Array.from({ length: 20_001 }, (_, i) => `t${i}`);
    const house = await createStaircase({ a: { lists: { tools: names.map(name => tool(name)) } } });
    expect(shown(house)).toHaveLength(20_000);
  });

  test('asks only for kinds the server declared', async () => {
    const house = await createStaircase({ a: { capabilities: { tools: {} } } });
    expect(house.downstreams.queried.map(({ method }) => method)).toEqual(['tools/list']);
  });

  test('takes "method not found" for an empty list: many servers have resources and no templates', async () => {
    const house = await createStaircase({
      a: {
        capabilities: { resources: {} },
        answerList: method =>
          method === 'resources/list'
            ? answerOf('legacy', { resources: [{ uri: 'x://1', name: 'one' }] })
            : { kind: 'relayed', era: 'legacy', error: { code: -32601, message: 'Method not found' } },
      },
    });
    expect([...house.catalog.current().resources.keys()]).toEqual(['x://1']);
    expect(house.log.lines).toEqual([]);
  });

  test('skips what is no object', async () => {
    const house = await createStaircase({
      a: {
        capabilities: { tools: {} },
        answerList: () => answerOf('legacy', { tools: [null, 7, 'x', [], tool('ok')] }),
      },
    });
    expect(shown(house)).toEqual(['a__ok']);
  });

  test.each(['none', null, {}, 7, undefined])('takes %j in place of a list for trouble', async tools => {
    let broken = false;
    const house = await createStaircase({
      a: {
        capabilities: { tools: {} },
        answerList: () => answerOf('legacy', broken ? (tools === undefined ? {} : { tools }) : page(['one'])),
      },
    });
    broken = true;
    house.downstreams.emit({ kind: 'list-changed', server: 'a', what: 'tools' });
    await settle();
    expect(shown(house)).toEqual(['a__one']);
    expect(house.catalog.current().servers.get('a')?.reason).toBe('its list of tools is not a list');
    expect(house.log.lines.map(({ message }) => message)).toContain('a list is not a list');
    broken = false;
    house.clock.advance(5_000);
    await settle();
    expect(house.catalog.current().servers.get('a')?.reason).toBeNull();
  });
});

describe('the last known list', () => {
  const servers = { a: { lists: { tools: [tool('one')] } }, b: { lists: { tools: [tool('two')] } } };

  test('stays while its server is down, with the reason', async () => {
    const house = await createStaircase(servers);
    house.downstreams.fail('a', 'It went away.');
    expect(shown(house)).toEqual(['a__one', 'b__two']);
    expect(house.catalog.current().servers.get('a')).toMatchObject({ status: 'down', reason: 'It went away.' });
  });

  test('stays when a new reading fails half way', async () => {
    let broken = false;
    const house = await createStaircase({
      a: {
        capabilities: { tools: {} },
        answerList: (_method, { cursor }) => {
          if (cursor !== undefined) return failure('TIMEOUT');
          return answerOf('legacy', broken ? page(['new'], 'p2') : page(['one']));
        },
      },
    });
    broken = true;
    house.downstreams.emit({ kind: 'list-changed', server: 'a', what: 'tools' });
    await settle();
    expect(shown(house)).toEqual(['a__one']);
  });

  test('goes with its server when it is taken out of the configuration', async () => {
    const house = await createStaircase(servers);
    house.refresh.follow([specOf('b')]);
    expect(shown(house)).toEqual(['b__two']);
  });

  test('is not shown of a server that was switched off', async () => {
    const house = await createStaircase(servers);
    house.refresh.follow([specOf('a', { enabled: false }), specOf('b')]);
    expect(shown(house)).toEqual(['b__two']);
  });

  test('stays for unchanged servers through a reload, in the new order', async () => {
    const house = await createStaircase(servers);
    house.refresh.follow([specOf('b'), specOf('a')]);
    expect(shown(house)).toEqual(['b__two', 'a__one']);
  });
});

describe('changes', () => {
  test('are read again when announced, that kind alone', async () => {
    const house = await createStaircase({ a: { lists: { tools: [tool('one')], prompts: [] } } });
    house.downstreams.queried.length = 0;
    house.downstreams.relist('a', { tools: [tool('one'), tool('two')] });
    await settle();
    expect(shown(house)).toEqual(['a__one', 'a__two']);
    expect(house.downstreams.queried.map(({ method }) => method)).toEqual(['tools/list']);
  });

  test('of resources bring the templates too: there is no announcement of their own', async () => {
    const house = await createStaircase({ a: { lists: { resources: [] } } });
    house.downstreams.queried.length = 0;
    house.downstreams.emit({ kind: 'list-changed', server: 'a', what: 'resources' });
    await settle();
    expect(house.downstreams.queried.map(({ method }) => method).sort()).toEqual([
      'resources/list',
      'resources/templates/list',
    ]);
  });

  test('are read whenever they are announced, however close to the end of a reading', async () => {
    for (let turns = 0; turns < 30; turns++) {
      const house = await createStaircase({ a: { lists: { tools: [tool('old')] } } });
      house.downstreams.emit({ kind: 'list-changed', server: 'a', what: 'tools' });
      for (let turn = 0; turn < turns; turn++) await Promise.resolve();
      house.downstreams.relist('a', { tools: [tool('new')] });
      await settle();
      expect(shown(house), `announced ${turns} turns later`).toEqual(['a__new']);
    }
  });

  test('of a server nobody configured are ignored', async () => {
    const house = await createStaircase({ a: { lists: { tools: [tool('one')] } } });
    house.downstreams.emit({ kind: 'list-changed', server: 'ghost', what: 'tools' });
    await settle();
    expect(house.downstreams.queried.filter(({ server }) => server === 'ghost')).toEqual([]);
  });
});

describe('the first list', () => {
  const eventually = async (promise: Promise<void>) => {
    let done = false;
    void promise.then(() => {
      done = true;
    });
    await settle();
    return done;
  };

  test('waits until every server has shown its tools', async () => {
    const house = await createStaircase(
      { a: { lists: { tools: [tool('one')] } }, b: { lists: { tools: [] } } },
      { cold: true },
    );
    const settled = house.refresh.settled(1_000);
    house.downstreams.connect('a');
    expect(await eventually(settled)).toBe(false);
    house.downstreams.connect('b');
    expect(await eventually(settled)).toBe(true);
  });

  test('does not wait for a server that failed', async () => {
    const house = await createStaircase({ a: {}, b: {} }, { cold: true });
    const settled = house.refresh.settled(1_000);
    house.downstreams.connect('a');
    house.downstreams.fail('b', 'No such command.');
    expect(await eventually(settled)).toBe(true);
  });

  test('waits no longer than it was told, counted from the first question, and leaves no timer behind', async () => {
    const house = await createStaircase({ a: {} }, { cold: true });
    const first = house.refresh.settled(1_000);
    house.clock.advance(600);
    const second = house.refresh.settled(1_000);
    house.clock.advance(399);
    expect(await eventually(Promise.race([first, second]))).toBe(false);
    house.clock.advance(1);
    expect(await eventually(Promise.all([first, second]).then(() => {}))).toBe(true);
    expect(await eventually(house.refresh.settled(1_000))).toBe(true);
    expect(house.clock.pending()).toBe(0);
  });

  test('starts lazy servers, and no disabled one', async () => {
    const lazy = { spec: { start: 'lazy' as const }, lists: { tools: [tool('one')] } };
    const off = { spec: { start: 'lazy' as const, enabled: false } };
    const house = await createStaircase({ a: lazy, off }, { cold: true });
    const settled = house.refresh.settled(1_000);
    expect(await eventually(settled)).toBe(true);
    expect(shown(house)).toEqual(['a__one']);
    expect(house.downstreams.queried.filter(({ server }) => server === 'off')).toEqual([]);
  });

  test('waits for nobody once all have answered', async () => {
    const house = await createStaircase({ a: { lists: { tools: [tool('one')] } } });
    expect(await eventually(house.refresh.settled(1_000))).toBe(true);
  });
});

describe('a server that was added later', () => {
  test('is waited for by itself, however long ago the first list was', async () => {
    const house = await createStaircase(
      { a: { lists: { tools: [] } }, late: { lists: { tools: [tool('one')] } } },
      { cold: true },
    );
    house.downstreams.connect('a');
    const first = house.refresh.settled(1_000);
    house.clock.advance(1_000);
    await first;
    let isOver = false;
    const waited = house.refresh.settledOne('late', 1_000).then(() => {
      isOver = true;
    });
    await settle();
    expect(isOver).toBe(false);
    house.downstreams.connect('late');
    await waited;
    expect(shown(house)).toEqual(['late__one']);
    house.clock.advance(1_000); // the news of it
    expect(house.clock.pending()).toBe(0);
  });

  test('is waited for no longer than was said, and an unknown one not at all', async () => {
    const house = await createStaircase({ late: {} }, { cold: true });
    await house.refresh.settledOne('ghost', 1_000);
    let isOver = false;
    const waited = house.refresh.settledOne('late', 1_000).then(() => {
      isOver = true;
    });
    house.clock.advance(999);
    await settle();
    expect(isOver).toBe(false);
    house.clock.advance(1);
    await waited;
    await house.refresh.settledOne('late', 1_000);
  });
});

describe('a list that cannot be read', () => {
  test('is a reason everybody can see, and is asked for again', async () => {
    let isSilent = true;
    const house = await createStaircase({
      a: {
        capabilities: { tools: {} },
        answerList: () => (isSilent ? failure('TIMEOUT') : answerOf('legacy', page(['one']))),
      },
    });
    const view = () => house.catalog.current().servers.get('a');
    expect(view()?.reason).toBe('its tools cannot be listed: it does not answer in time');
    house.clock.advance(5_000);
    await settle();
    expect(shown(house)).toEqual([]);
    isSilent = false;
    house.clock.advance(10_000);
    await settle();
    expect(shown(house)).toEqual(['a__one']);
    expect(view()?.reason).toBeNull();
    house.clock.advance(1_000); // the news of it
    expect(house.clock.pending()).toBe(0);
  });

  test('leaves no timer behind when its server is removed or everything stops', async () => {
    const silent = { capabilities: { tools: {} }, answerList: () => failure('TIMEOUT') };
    const house = await createStaircase({ a: silent, b: silent });
    house.refresh.follow([specOf('b')]);
    house.refresh.stop();
    expect(house.clock.pending()).toBe(0);
  });
});

test('refresh reads all lists of one server again', async () => {
  const house = await createStaircase({ a: { lists: { tools: [] } }, b: { lists: { tools: [] } } });
  house.downstreams.queried.length = 0;
  await house.refresh.refresh('a');
  await house.refresh.refresh('ghost');
  expect(house.downstreams.queried.map(({ server, method }) => `${server} ${method}`)).toEqual([
    'a ping',
    'a tools/list',
  ]);
});

test('a refresh that its server does not answer is made up for', async () => {
  const house = await createStaircase({ a: { lists: { tools: [tool('one')] } } });
  const { query } = house.downstreams;
  house.downstreams.query = async () => failure('TIMEOUT');
  await house.refresh.refresh('a');
  expect(house.catalog.current().servers.get('a')?.reason).toContain('does not answer in time');
  house.downstreams.query = query;
  house.downstreams.queried.length = 0;
  house.clock.advance(5_000);
  await settle();
  expect(house.downstreams.queried.map(({ method }) => method)).toEqual(['tools/list']);
  expect(house.catalog.current().servers.get('a')?.reason).toBeNull();
});

test('what is nested too deep to be compared is left out, and hides nothing else', async () => {
  let deep: JsonObject = {};
  for (let level = 0; level < 5_000; level++) deep = { items: deep };
  const answerList = () => answerOf('legacy', { tools: [tool('deep', { inputSchema: deep }), tool('flat')] });
  const house = await createStaircase({ a: { capabilities: { tools: {} }, answerList } });
  expect(shown(house)).toEqual(['a__flat']);
  expect(house.log.lines).toMatchObject([{ level: 'warn', fields: { server: 'a', items: 1 } }]);
});

describe('tools can be called', () => {
  const capabilities = { tools: { listChanged: true }, resources: {} };

  test('as soon as they are read, however long other lists take', async () => {
    const answerList = (method: string) =>
      method === 'tools/list' ? answerOf('legacy', page(['one'])) : new Promise<never>(() => {});
    const house = await createStaircase({ a: { capabilities, answerList } }, { cold: true });
    house.downstreams.connect('a');
    // On a clock that stands still.
    await house.refresh.settledOne('a', 1_000);
    expect(shown(house)).toEqual(['a__one']);
  });

  test('also where their list changes faster than it can be read', async () => {
    let readings = 0;
    let changed = () => {};
    const answerList = async () => {
      await new Promise(resolve => setTimeout(resolve, 1));
      if (readings++ < 1_000) changed();
      return answerOf('legacy', page(['one']));
    };
    const house = await createStaircase({ a: { capabilities: { tools: {} }, answerList } }, { cold: true });
    changed = () => house.downstreams.emit({ kind: 'list-changed', server: 'a', what: 'tools' });
    house.downstreams.connect('a');
    await house.refresh.settledOne('a', 1_000);
    expect([shown(house), readings < 1_000]).toEqual([['a__one'], true]);
    readings = 1_000;
  });

  test('only once they are read again where something else may be behind their server', async () => {
    const house = await createStaircase({ a: { lists: { tools: [tool('one')] } }, b: { lists: { tools: [] } } });
    const specs = house.downstreams.states().map(({ spec }) => spec);
    house.refresh.follow(specs);
    expect(house.catalog.current().servers.get('a')?.listing).not.toBeNull();
    house.refresh.follow(specs, new Set(['a']));
    expect(house.catalog.current().servers.get('a')?.listing).toBeNull();
    expect(house.catalog.current().servers.get('b')?.listing).not.toBeNull();
  });
});

test('after stop nothing is read any more', async () => {
  const house = await createStaircase({ a: { lists: { tools: [] } } });
  house.refresh.stop();
  house.downstreams.queried.length = 0;
  house.downstreams.relist('a', { tools: [tool('late')] });
  await settle();
  expect(house.downstreams.queried).toEqual([]);
});

describe('a catalog that takes long to make', () => {
  async function openSlow() {
    const house = await createStaircase({
      a: { lists: { tools: [tool('one')] } },
      b: { lists: { tools: [tool('two')] } },
    });
    // Each reading of the clock takes its time, and making a catalog reads it twice.
    const { monotonicMs } = house.clock;
    let passes = 0;
    house.clock.monotonicMs = () => {
      passes += 5;
      return monotonicMs() + passes;
    };
    house.downstreams.fail('b', 'It went away.');
    let changes = 0;
    house.catalog.onChange(() => {
      changes += 1;
    });
    return { house, changes: () => changes };
  }

  test('is made once for news that come together', async () => {
    const { house, changes } = await openSlow();
    for (const names of ['three', 'four', 'five']) house.downstreams.relist('a', { tools: [tool(names)] });
    await settle();
    expect(changes()).toBe(0);
    expect(shown(house)).toEqual(['a__one', 'b__two']);
    house.clock.advance(1_000);
    expect(changes()).toBe(1);
    expect(shown(house)).toEqual(['a__five', 'b__two']);
  });

  test('is made at once for whoever asked for a reading', async () => {
    const { house } = await openSlow();
    house.downstreams.relist('a', { tools: [tool('three')] });
    await settle();
    await house.refresh.settled(1_000);
    expect(shown(house)).toEqual(['a__three', 'b__two']);
  });
});

describe('what leads back to this gateway', () => {
  const PATH = 'mcp-gatehouse/path';
  const OTHER = '6f1d7a52-9d0b-4a0e-8c55-0c6f3a1b7e90';
  const pathOf = (house: Staircase) => house.catalog.current().servers.get('a')?.facts?.gateways;

  test('is not kept as the list of one that is away, and is read again once it leads elsewhere', async () => {
    const house = await createStaircase({
      a: { lists: { tools: [tool('one')] } },
      b: { lists: { tools: [tool('two')] } },
    });
    house.downstreams.fail('a', LEADS_BACK);
    expect(shown(house)).toEqual(['b__two']);
    expect(house.catalog.current().servers.get('a')).toMatchObject({ facts: null, listing: null, reason: LEADS_BACK });
    house.downstreams.connect('a');
    await settle();
    expect(shown(house)).toEqual(['a__one', 'b__two']);
  });

  test('leaves nothing of a reading that it ended, and no line in the log', async () => {
    const house: Staircase = await createStaircase(
      {
        a: {
          capabilities: { tools: {}, prompts: {} },
          answerList(method) {
            if (method === 'prompts/list') return answerOf('legacy', { prompts: [{ name: 'p' }] });
            house?.downstreams.fail('a', LEADS_BACK);
            return failure('SERVER_UNAVAILABLE', { server: 'a', reason: LEADS_BACK });
          },
        },
      },
      { cold: true },
    );
    house.downstreams.start();
    await settle();
    expect(house.catalog.current().servers.get('a')?.listing).toBeNull();
    expect([...house.catalog.current().prompts.keys()]).toEqual([]);
    expect(house.log.lines).toEqual([]);
  });

  test.each([
    { meta: { [PATH]: [OTHER] }, path: [OTHER], because: 'what is behind a gateway changes with its list' },
    { meta: {}, path: [], because: 'what a list does not show any more is not behind it' },
  ])('is known by the list, not by the handshake alone: $because', async ({ meta, path }) => {
    const house = await createStaircase({
      a: {
        capabilities: { tools: {} },
        gateways: ['0d6a3d0c-7f0e-4a39-b9f9-6d1f2f8b1c22'],
        answerList: () => answerOf('legacy', { ...page(['one']), _meta: meta }),
      },
    });
    expect(pathOf(house)).toEqual(path);
    house.refresh.follow([specOf('b')]);
    expect(pathOf(house)).toBeUndefined();
  });
});
