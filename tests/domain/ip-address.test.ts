import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isInRange, isNeverReached, parseIp, parseRange, type Reach, reachOf } from '../../src/domain/ip-address.ts';

function reach(text: string): Reach {
  const address = parseIp(text);
  if (address === null) throw new Error(`no address: ${text}`);
  return reachOf(address);
}

describe('an address leads', () => {
  test.each<{ to: Reach; at: readonly string[]; because: string }>([
    { to: 'global', at: ['8.8.8.8', '1.1.1.1', '172.15.255.255', '172.32.0.0'], because: 'public IPv4' },
    { to: 'global', at: ['100.63.255.255', '100.128.0.0', '223.255.255.255'], because: 'the neighbours of ranges' },
    { to: 'global', at: ['2606:4700:4700::1111', '2a00::1', '2001:4860::8888'], because: 'public IPv6' },
    { to: 'global', at: ['::ffff:8.8.8.8', '64:ff9b::808:808'], because: 'public IPv4 in the two forms systems make' },
    { to: 'internal', at: ['127.0.0.1', '127.255.255.254', '::1', '::ffff:127.0.0.1'], because: 'loopback' },
    { to: 'internal', at: ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1'], because: 'private networks' },
    {
      to: 'internal',
      at: ['100.64.0.1', '100.127.255.254', 'fc00::1', 'fdff::1'],
      because: 'carriers’ and local ones',
    },
    { to: 'never', at: ['169.254.169.254', '169.254.0.1', 'fe80::1', 'febf::1'], because: 'link-local' },
    { to: 'never', at: ['100.100.100.200', '168.63.129.16', '192.0.0.192'], because: 'metadata in IPv4' },
    { to: 'never', at: ['fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254', 'fd00:42::42'], because: 'metadata in IPv6' },
    { to: 'never', at: ['0.0.0.0', '0.1.2.3', '::'], because: 'this host, which is loopback to many systems' },
    { to: 'never', at: ['224.0.0.1', '239.1.1.1', 'ff02::1'], because: 'multicast' },
    { to: 'never', at: ['240.0.0.1', '255.255.255.255', '4000::1', '5f00::1'], because: 'nobody’s' },
    {
      to: 'never',
      at: ['192.0.2.1', '198.51.100.7', '203.0.113.5', '2001:db8::1', '3fff::1'],
      because: 'documentation',
    },
    {
      to: 'never',
      at: ['198.18.0.1', '198.19.255.255', '192.88.99.1', '100::1'],
      because: 'benchmarks, relays, discard',
    },
    { to: 'never', at: ['fec0::1', 'feff::1'], because: 'site-local, which some systems still route' },
    { to: 'never', at: ['::127.0.0.1', '::8.8.8.8', '::ffff:0:127.0.0.1'], because: 'forms nobody uses any more' },
    { to: 'never', at: ['64:ff9b::7f00:1', '64:ff9b::a9fe:a9fe', '64:ff9b::a00:1'], because: 'a translator hides it' },
    {
      to: 'never',
      at: ['64:ff9b:1::a00:1', '64:ff9b:1:a9fe:a9:fe00::'],
      because: 'wherever RFC 6052 puts the four bytes',
    },
    { to: 'internal', at: ['64:ff9b:1::808:808'], because: 'a translator of one’s own is one’s own ground' },
    { to: 'never', at: ['2002:7f00:1::', '2002:a9fe:a9fe::', '2001:0:7f00:1::'], because: '6to4 and Teredo' },
  ])('$to: $because', ({ to, at }) => {
    expect(at.map(text => [text, reach(text)])).toEqual(at.map(text => [text, to]));
  });

  test('to the same place in every spelling of IPv4 as IPv6', () => {
    const octet = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(fc.tuple(octet, octet, octet, octet), ([a, b, c, d]) => {
        const hex = `::ffff:${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`;
        const plain = reach(`${a}.${b}.${c}.${d}`);
        expect([reach(`::ffff:${a}.${b}.${c}.${d}`), reach(hex)]).toEqual([plain, plain]);
      }),
    );
  });
});

test.each([
  ...['', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '0x7f.0.0.1', '1.2.3.4 ', '１.2.3.4', 'localhost'],
  ...[':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '::12345', '::g', 'fe80::1%eth0', '[::1]'],
  ...['1.2.3.4::', '::1.2.3', '1:2:3:4:5:6:7::8'],
])('%j is no address', text => expect(parseIp(text)).toBeNull());

test('addresses are read as the platform reads them', () => {
  fc.assert(
    fc.property(fc.ipV6(), text => {
      // It knows one spelling of each; ours is compared by that.
      const canonical = URL.parse(`http://[${text}]/`)?.hostname.slice(1, -1);
      expect(canonical).toBeDefined();
      expect(parseIp(text)).toEqual(parseIp(canonical ?? ''));
    }),
  );
});

describe('a range', () => {
  test.each([
    { range: '10.0.0.0/8', holds: ['10.0.0.0', '10.255.255.255'], not: ['9.255.255.255', '11.0.0.0', '::ffff:a00:1'] },
    { range: '192.168.1.64/26', holds: ['192.168.1.64', '192.168.1.127'], not: ['192.168.1.63', '192.168.1.128'] },
    { range: '192.0.2.7', holds: ['192.0.2.7'], not: ['192.0.2.6', '192.0.2.8'] },
    { range: 'fd00::/9', holds: ['fd00::1', 'fd7f:ffff::'], not: ['fd80::', 'fc00::1'] },
  ])('$range holds what it says and its neighbours not', ({ range: text, holds, not }) => {
    const range = parseRange(text);
    if (range === null) throw new Error('no range');
    const isIn = (address: string) => isInRange(parseIp(address) ?? [], range);
    expect([holds.map(isIn), not.map(isIn)]).toEqual([holds.map(() => true), not.map(() => false)]);
  });

  test.each(['10.0.0.5/8', '10.0.0.0/33', '::/129', '10.0.0.0/', '10.0.0.0/08', '10.0.0.0/8/8', '/8', 'x/8'])(
    '%s is none',
    text => expect(parseRange(text)).toBeNull(),
  );

  test.each([
    { range: '169.254.0.0/16', never: true },
    { range: '169.254.169.254', never: true },
    { range: 'fe80::/10', never: true },
    { range: '10.0.0.0/8', never: false },
    { range: '192.0.0.0/8', never: false },
  ])('$range is out of reach as a whole: $never', ({ range, never }) => {
    expect(isNeverReached(parseRange(range) ?? { address: [], bits: 0 })).toBe(never);
  });
});
