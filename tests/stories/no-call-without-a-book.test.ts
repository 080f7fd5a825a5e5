/**
 * While the audit ledger cannot be written, no call is made, and whoever sends callers here is told to send them elsewhere;
 * once it can be, both are as before, with nobody's help. An operator may choose that calls go on instead.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
import { readAll } from '../outbound/audit/desk.ts';
import { waitFor } from '../support/gateway-process.ts';
import { errorOf, textOf } from '../support/mcp-client.ts';
import { openRegistryGateway } from '../support/registry-gateway.ts';

/** A gateway whose book can be taken away: a file stands where its folder was. */
async function open(settings: JsonObject = {}) {
  const gateway = await openRegistryGateway(settings);
  onTestFinished(() => gateway.remove());
  const book = join(dirname(gateway.database), 'book');
  const client = await gateway.open('modern', 'user', '/everyday/mcp');
  return {
    book,
    call: () => client.call('echo', { text: 'hello' }),
    async ready() {
      const { status, body } = await gateway.read('/ready', null);
      return [status, body];
    },
    isAlive: async () => (await gateway.read('/health', null)).status === 200,
    takeAway() {
      renameSync(book, `${book}-away`);
      writeFileSync(book, '');
    },
    putBack() {
      rmSync(book);
      renameSync(`${book}-away`, book);
    },
  };
}

const READY = [200, { status: 'ready', servers_configured: 1 }];

describe('a gateway whose book cannot be written', () => {
  test('is not ready and says why, and is ready again by itself', async () => {
    const { call, ready, isAlive, takeAway, putBack } = await open();
    expect(textOf(await call())).toBe('hello');
    expect(await ready()).toEqual(READY);

    takeAway();
    const code = await waitFor(async () => objectOrEmpty(errorOf(await call()).data).code ?? null, 'a call is refused');
    expect(code).toBe('AUDIT_UNAVAILABLE');
    const reason = 'the audit ledger cannot be written, and calls are refused until it can be';
    expect(await ready()).toEqual([503, { status: 'not_ready', reason }]);
    expect(await isAlive()).toBe(true);

    putBack();
    // Nobody calls meanwhile: who is not ready is sent no callers.
    await waitFor(async () => ((await ready())[0] === 200 ? true : null), 'it is ready again');
    expect(textOf(await call())).toBe('hello');
  });

  test('is ready all the same where calls are to go on', async () => {
    const { call, ready, takeAway } = await open({ audit: { onFailure: 'open' } });
    takeAway();
    for (let n = 0; n < 5; n++) {
      expect(textOf(await call())).toBe('hello');
      await new Promise(resolve => setTimeout(resolve, 100));
    }
    expect(await ready()).toEqual(READY);
  });
});

const LASTS_MS = 3_000;
const CALL_EVERY_MS = 50;
/** Calls in that time, however slow the machine is. */
const AT_LEAST = 20;

describe.each([
  {
    name: 'was removed',
    takeAway: (book: string) => rmSync(book, { recursive: true }),
    bringBack: (book: string) => mkdirSync(book),
    because: 'a gateway that made it again would hide that a volume is gone',
  },
  {
    name: 'was removed, and a file stands there',
    takeAway(book: string) {
      rmSync(book, { recursive: true });
      writeFileSync(book, '');
    },
    bringBack(book: string) {
      rmSync(book);
      mkdirSync(book);
    },
    because: 'what is open can still be written, and nobody would ever read it',
  },
  {
    name: 'was moved, and a file stands there',
    takeAway(book: string) {
      renameSync(book, `${book}-away`);
      writeFileSync(book, '');
    },
    bringBack(book: string) {
      rmSync(book);
      renameSync(`${book}-away`, book);
    },
    because: 'lines would go on in the folder that was put away',
  },
])('a gateway whose book’s folder $name', ({ takeAway, bringBack, because }) => {
  test(`answers no call meanwhile, is never ready, and has every answered call in its book: ${because}`, {
    timeout: 30_000,
  }, async () => {
    const { book, call, ready } = await open();
    const isAnswered = async () => textOf(await call()) === 'hello';
    let answered = 0;
    for (let n = 0; n < 20; n += 1) answered += Number(await isAnswered());
    expect(answered).toBe(20);

    takeAway(book);
    // The first to come, after a while in which nobody wrote or asked.
    await sleep(CALL_EVERY_MS);
    const statuses: unknown[] = [];
    const endsMs = performance.now() + LASTS_MS;
    const poll = async () => {
      for (let n = 0; n < 10; n += 1) {
        statuses.push((await ready())[0]);
        await sleep(LASTS_MS / 10);
      }
    };
    const callOften = async () => {
      const calls: Promise<boolean>[] = [];
      while (performance.now() < endsMs || calls.length <= AT_LEAST) {
        calls.push(isAnswered());
        await sleep(CALL_EVERY_MS);
      }
      return Promise.all(calls);
    };
    const [meanwhile] = await Promise.all([callOften(), poll()]);
    expect(meanwhile.filter(isOne => isOne)).toEqual([]);
    expect(statuses).toEqual(Array(10).fill(503));

    bringBack(book);
    await waitFor(async () => ((await ready())[0] === 200 ? true : null), 'it is ready again');
    for (let n = 0; n < 5; n += 1) answered += Number(await isAnswered());
    expect(answered).toBe(25);
    const path = join(book, 'audit.jsonl');
    const linesOf = (text: string) =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter(line => line.includes(text));
    await waitFor(
      async () => (linesOf('"operation":"tools/call"').length >= answered ? true : null),
      'all are written',
    );
    expect(linesOf('"operation":"tools/call"')).toHaveLength(answered);
    expect(linesOf('audit/unavailable')).toHaveLength(1);
    expect(await readAll(path)).toMatchObject({ fault: null });
  });

  test('is not ready before anybody calls, either', async () => {
    const { book, call, ready } = await open();
    expect(textOf(await call())).toBe('hello');
    await sleep(500);
    takeAway(book);
    await sleep(CALL_EVERY_MS);
    for (let n = 0; n < 10; n += 1) {
      expect((await ready())[0]).toBe(503);
      await sleep(100);
    }
    expect(objectOrEmpty(errorOf(await call()).data).code).toBe('AUDIT_UNAVAILABLE');
    bringBack(book);
    await waitFor(async () => ((await ready())[0] === 200 ? true : null), 'it is ready again');
  });
});
