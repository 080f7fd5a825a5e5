/**
 * While the audit ledger cannot be written, no call is made, and whoever sends callers here is told to send them elsewhere;
 * once it can be, both are as before, with nobody's help. An operator may choose that calls go on instead.
 */
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';
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
