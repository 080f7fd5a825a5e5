import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from 'vitest';
import { until } from '../pool-kit.ts';
import { answerWith, ask, openSockets, startRaw } from './raw-server.ts';

test('20,000 requests leave nothing behind', async () => {
  const server = await startRaw(({ socket, body }) => {
    server.asked.length = 0;
    socket.write(answerWith(body));
  });
  const pool = openSockets(server.url, { maxConnections: 16 });
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const run = (count: number) =>
    Promise.all(
      Array.from({ length: 32 }, async () => {
        for (let i = 0; i < count / 32; i += 1) expect((await ask(pool, '{"a":1}')).body).toBe('{"a":1}');
      }),
    );
  const used = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  await run(3200);
  const before = used();
  await run(20_000);
  expect(used() - before).toBeLessThan(4 * 1024 * 1024);
  expect(pool.connections).toBeLessThanOrEqual(16);
  expect(server.sockets.length).toBeLessThanOrEqual(16);
  expect(pool.waiting).toBe(0);
  pool.close();
  await until(() => server.open === 0, 'every socket is closed');
});
