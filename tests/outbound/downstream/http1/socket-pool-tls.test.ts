import { describe, expect, test } from 'vitest';
import { LOCALHOST_CERTIFICATE, LOCALHOST_KEY, TEST_AUTHORITY } from '../../../support/certificates.ts';
import { until } from '../pool-kit.ts';
import { answerWith, ask, openSockets, startRaw } from './raw-server.ts';

describe('TLS', () => {
  const pair = { key: LOCALHOST_KEY, cert: LOCALHOST_CERTIFICATE };

  test('is spoken and its sockets are kept', async () => {
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body)), pair);
    server.url.hostname = 'localhost';
    const pool = openSockets(server.url, { ca: TEST_AUTHORITY });
    const large = 'x'.repeat(300_000);
    for (const body of ['1', '2', large]) expect(await ask(pool, body)).toMatchObject({ body, error: null });
    expect(server.sockets.filter(socket => !socket.destroyed)).toHaveLength(1);
  });

  test('of an authority nobody trusts is refused before anything is sent', async () => {
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body)), pair);
    const { error, isStarted } = await ask(openSockets(server.url), '1');
    expect(isStarted).toBe(false);
    expect(error?.code).toBe('UNABLE_TO_VERIFY_LEAF_SIGNATURE');
    expect(server.asked).toHaveLength(0);
  });

  test('for another name is refused before anything is sent', async () => {
    const server = await startRaw(({ socket, body }) => socket.write(answerWith(body)), pair);
    const { error, isStarted } = await ask(openSockets(server.url, { ca: TEST_AUTHORITY }), '1');
    expect(isStarted).toBe(false);
    expect(error?.code).toBe('ERR_TLS_CERT_ALTNAME_INVALID');
    expect(server.asked).toHaveLength(0);
  });

  test('that never shakes hands runs out of time, unsent', async () => {
    const silent = await startRaw(() => undefined);
    const pool = openSockets(new URL(`https://${silent.url.host}/`), { connectTimeoutMs: 100 });
    const { error, isStarted } = await ask(pool, '1');
    expect({ code: error?.code, isStarted }).toEqual({ code: 'ETIMEDOUT', isStarted: false });
    await until(() => silent.open === 0, 'the socket is gone');
  });
});
