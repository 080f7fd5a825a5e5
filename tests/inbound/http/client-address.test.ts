import type { IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { createFindClientAddress } from '../../../src/inbound/http/client-address.ts';
import { ask, startServer } from './wire.ts';

const PROXIES = ['10.0.0.0/8', '192.0.2.1', 'fd00::/8'];
const find = (remoteAddress: string | undefined, forwarded?: string, proxies: readonly string[] = PROXIES) =>
  createFindClientAddress(proxies)({
    socket: { remoteAddress },
    headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded },
  } as unknown as IncomingMessage);

const fifty = Array.from({ length: 50 }, (_, i) => `198.51.100.${i}`).join(', ');

test.each([
  { peer: '203.0.113.9', said: '198.51.100.1', is: '203.0.113.9', because: 'a stranger is not believed' },
  { peer: '203.0.113.9', said: fifty, is: '203.0.113.9', because: 'nor when it says much' },
  { peer: '203.0.113.9', said: undefined, is: '203.0.113.9', because: 'the peer, where nobody says anything' },
  { peer: '10.1.2.3', said: undefined, is: '10.1.2.3', because: 'a proxy for itself' },
  { peer: '10.1.2.3', said: '198.51.100.1', is: '198.51.100.1', because: 'a proxy for one' },
  { peer: '::ffff:10.1.2.3', said: '198.51.100.1', is: '198.51.100.1', because: 'IPv4 in IPv6 is IPv4' },
  { peer: '10.1.2.3', said: '6.6.6.6, 198.51.100.1', is: '198.51.100.1', because: 'what stands left is not read' },
  { peer: '10.1.2.3', said: `6.6.6.6, 198.51.100.1, 10.9.9.9,192.0.2.1`, is: '198.51.100.1', because: 'over proxies' },
  { peer: '10.1.2.3', said: fifty, is: '198.51.100.49', because: 'fifty hops, the right-most' },
  { peer: '10.1.2.3', said: '6.6.6.6, junk', is: '10.1.2.3', because: 'junk is nobody, and ends the trail' },
  { peer: '10.1.2.3', said: '6.6.6.6, junk, 10.4.4.4', is: '10.4.4.4', because: 'junk behind a proxy' },
  { peer: '10.1.2.3', said: '6.6.6.6,', is: '10.1.2.3', because: 'an empty hop is junk' },
  { peer: '10.1.2.3', said: '', is: '10.1.2.3', because: 'an empty header says nothing' },
  { peer: '10.1.2.3', said: '10.0.0.7, 10.0.0.8', is: '10.0.0.7', because: 'proxies all the way' },
  { peer: '10.1.2.3', said: '198.51.100.1:4711', is: '198.51.100.1', because: 'a port is cut off' },
  { peer: '10.1.2.3', said: '[2001:DB8::1]:443', is: '2001:db8::1', because: 'IPv6 in brackets' },
  { peer: '10.1.2.3', said: '2001:0db8:0:0::0001', is: '2001:db8::1', because: 'one spelling of an address' },
  { peer: '10.1.2.3', said: '::ffff:198.51.100.1', is: '198.51.100.1', because: 'the same for a hop' },
  { peer: 'fd12::1', said: '198.51.100.1', is: '198.51.100.1', because: 'a proxy of IPv6' },
  { peer: '10.1.2.3', said: `${'1'.repeat(1e5)}`, is: '10.1.2.3', because: 'a hundred thousand digits' },
  { peer: '10.1.2.3', said: ','.repeat(1e5), is: '10.1.2.3', because: 'a hundred thousand commas' },
  { peer: '10.1.2.3', said: '127.1, 0x7f.1', is: '10.1.2.3', because: 'half-written addresses' },
  { peer: 'fe80::1%eth0', said: undefined, is: 'fe80::1', because: 'a zone is of this machine alone' },
  { peer: undefined, said: '198.51.100.1', is: 'unknown', because: 'a peer that has gone' },
])('$because', ({ peer, said, is }) => {
  expect(find(peer, said)).toBe(is);
});

test('a peer of IPv6 is called the same with every request, among thousands of others', () => {
  const long = '2001:0db8:0000:0000:0000:0000:0000:000a';
  for (let n = 0; n < 3_000; n++) {
    expect(find(`2001:db8::${n.toString(16)}:1`)).toBe(n === 0 ? '2001:db8::1' : `2001:db8::${n.toString(16)}:1`);
    expect(find(long)).toBe('2001:db8::a');
  }
});

test('without trusted proxies nobody is believed', () => {
  expect(find('127.0.0.1', '198.51.100.1', [])).toBe('127.0.0.1');
});

test('a chain of fifty trusted proxies and more ends', () => {
  expect(find('10.0.0.1', new Array(10_000).fill('10.0.0.2').join(','))).toBe('10.0.0.2');
});

test('two headers of a real request are one chain, read from the right', async () => {
  const seen: string[] = [];
  const findAddress = createFindClientAddress(['127.0.0.0/8']);
  const server = await startServer(
    {},
    {
      mcp(req, res) {
        seen.push(findAddress(req));
        res.writeHead(200, { 'content-length': '0' }).end();
        return true;
      },
    },
  );
  await ask(server.port, { 'x-forwarded-for': '6.6.6.6\r\nX-Forwarded-For: 198.51.100.7' }, 'GET /mcp HTTP/1.1');
  await server.stop(0);
  expect(seen).toEqual(['198.51.100.7']);
});
