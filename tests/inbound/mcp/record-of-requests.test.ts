/** What is known of a request besides its message: in the record of it, whatever the transport. */
import { PassThrough } from 'node:stream';
import { afterEach, describe, expect, test } from 'vitest';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import { createFindClientAddress } from '../../../src/inbound/http/client-address.ts';
import { serveStdio } from '../../../src/inbound/mcp/stdio.ts';
import { type FakeServer, tool } from '../../support/fake-downstreams.ts';
import { type DoorKit, startDoor } from '../../support/mcp-door.ts';
import { settle } from '../../support/staircase.ts';

const SERVERS: Record<string, FakeServer> = { a: { lists: { tools: [tool('echo')] } } };
const CALL = { name: 'a__echo', arguments: {} };
const BEHIND_PROXY = { 'x-forwarded-for': '6.6.6.6, 198.51.100.7' };

let door: DoorKit;
afterEach(() => door.close());

describe('the address in the record', () => {
  const calls: { era: string; call: (headers: Record<string, string>) => Promise<unknown> }[] = [
    { era: 'legacy', call: async headers => door.rpc('tools/call', CALL, await door.initialize({ headers })) },
    { era: 'modern', call: headers => door.modern('tools/call', CALL, { headers }) },
  ];

  test.each(calls)('is the peer’s, and what a stranger writes is not believed ($era)', async ({ call }) => {
    door = await startDoor(SERVERS);
    await call(BEHIND_PROXY);
    expect(door.records.map(({ method, address }) => [method, address])).toEqual([['tools/call', '127.0.0.1']]);
  });

  test.each(calls)('is what a trusted proxy says ($era)', async ({ call }) => {
    door = await startDoor(SERVERS, { addressOf: createFindClientAddress(['127.0.0.0/8']) });
    await call(BEHIND_PROXY);
    expect(door.records.map(({ address }) => address)).toEqual(['198.51.100.7']);
  });

  test('is none over the pipe', async () => {
    door = await startDoor(SERVERS);
    const [input, output] = [new PassThrough(), new PassThrough()];
    serveStdio(door.deps, LOCAL_CALLER, { input, output });
    input.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: CALL })}\n`);
    await settle();
    expect(door.records.map(({ method, address }) => [method, address])).toEqual([['tools/call', null]]);
  });
});
