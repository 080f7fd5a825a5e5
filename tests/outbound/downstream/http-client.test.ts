import { createServer } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { createHttpClient } from '../../../src/outbound/downstream/http-client.ts';
import { DEFAULT_LIMITS } from '../../../src/outbound/downstream/limits.ts';
import { quietGuard } from '../fetch/guard-kit.ts';
import { Remembering } from './http1/raw-server.ts';
import { http, until } from './pool-kit.ts';

test('a stream and an answer of ours find a way while every socket for calls is taken', async () => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.headers['x-key']} ${request.headers['x-own']}`);
    if (request.method === 'GET') response.writeHead(200, { 'content-type': 'text/event-stream' }).write('data: 1\n\n');
    else if (request.headers['x-own'] !== 'call') response.writeHead(202).end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const { port } = server.address() as { port: number };
  const address = http(`http://127.0.0.1:${port}/mcp`, 'auto', { 'x-key': 'k' });
  if (address.kind !== 'http') throw new Error('not an HTTP address');
  const limits = { ...DEFAULT_LIMITS, maxConnections: 1 };
  const client = createHttpClient(address, 5000, limits, createSystemClock(), quietGuard());
  onTestFinished(() => client.close());

  const { path, headers } = client;
  const [hanging, waiting, stream, aside] = [1, 2, 3, 4].map(() => new Remembering());
  if (!hanging || !waiting || !stream || !aside) throw new Error('four were made');
  client.call({ method: 'POST', path, headers, extra: ['x-own', 'call'], body: '{}' }, hanging);
  client.call({ method: 'POST', path, headers, extra: ['x-own', 'call'], body: '{}' }, waiting);
  client.send({ method: 'GET', path, headers, extra: ['x-own', 'stream'], body: null }, 'stream', stream);
  client.send({ method: 'POST', path, headers, extra: ['x-own', 'aside'], body: [Buffer.from('{}')] }, 'aside', aside);
  await Promise.all([stream.begun.promise, aside.over.promise]);
  await until(() => asked.length === 3, 'all but the one in line arrived');
  expect(asked.toSorted()).toEqual(['GET k stream', 'POST k aside', 'POST k call']);
  expect([aside.status, stream.body, waiting.isStarted]).toEqual([202, 'data: 1\n\n', false]);
  expect(client.connections).toBe(3);
  await client.close();
  await until(() => client.connections === 0, 'all are closed');
  for (const one of [hanging, waiting, stream]) expect(one.told).toContain('error');
});

test('what is sent once it is closed fails at once, whether its lane was ever used or not', async () => {
  const address = http('http://127.0.0.1:9/mcp', 'auto', {});
  if (address.kind !== 'http') throw new Error('not an HTTP address');
  const client = createHttpClient(address, 5000, DEFAULT_LIMITS, createSystemClock(), quietGuard());
  const used = new Remembering();
  const [path, headers] = [client.path, client.headers];
  client.send({ method: 'GET', path, headers, body: null }, 'stream', used);
  await client.close();
  for (const lane of ['stream', 'aside'] as const) {
    const late = new Remembering();
    client.send({ method: 'GET', path, headers, body: null }, lane, late);
    expect(late.told).toEqual(['error']);
  }
});
