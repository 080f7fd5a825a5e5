import { describe, expect, test } from 'vitest';
import { LimitsSection, toLimitsConfig } from '../../src/config/limits-config.ts';
import { findProxyMistakes, TlsSection, toTlsConfig } from '../../src/config/listen-config.ts';
import { checkShape } from '../../src/config/schema.ts';

const FROM = { folder: '/etc/gate', cwd: '/work', auditPath: '/var/log/gate/audit.jsonl' };
const read = (written: unknown) => {
  const checked = checkShape(LimitsSection, written, ['limits']);
  if (!checked.ok) throw new Error(checked.mistakes.map(({ path, message }) => `${path.join('.')} ${message}`).join());
  return toLimitsConfig(checked.value, FROM);
};

describe('limits', () => {
  test('nothing is limited by default but sessions and streams', () => {
    expect(toLimitsConfig(undefined, FROM)).toEqual({
      rules: [],
      inFlight: { perCaller: null, perServer: null },
      sessionsPerCaller: 1000,
      streamsPerCaller: 1000,
      streams: 10_000,
      refusalsPerAddress: null,
      quarantineFile: '/var/log/gate/quarantine.json',
    });
  });

  test('every way to write a limit becomes a rule; a rate is per minute, a quota per day, unless it says', () => {
    const { rules, inFlight, quarantineFile, refusalsPerAddress } = read({
      perCaller: { calls: 60, per: '1m' },
      perCallerAndServer: { calls: '10' },
      rules: [
        { name: 'interns', agents: ['intern-*'], servers: ['prod-*'], calls: 5, per: '10s' },
        { name: 'interns', groups: ['trial'], by: 'callerAndServer', calls: 6 },
      ],
      quotas: [{ calls: 1000, by: 'everyone' }],
      concurrency: { perServer: 8 },
      refusalsPerAddress: { calls: 20 },
      quarantineFile: 'shut.json',
    });
    const any = { agents: null, groups: null, servers: null };
    expect(rules).toEqual([
      { ...any, id: 'per-caller', by: 'caller', calls: 60, perMs: 60_000 },
      { ...any, id: 'per-caller-and-server', by: 'caller-and-server', calls: 10, perMs: 60_000 },
      {
        ...any,
        id: 'rule 0 interns',
        by: 'caller',
        agents: ['intern-*'],
        servers: ['prod-*'],
        calls: 5,
        perMs: 10_000,
      },
      { ...any, id: 'rule 1 interns', by: 'caller-and-server', groups: ['trial'], calls: 6, perMs: 60_000 },
      { ...any, id: 'quota 0 ', by: 'everyone', calls: 1000, perMs: 86_400_000 },
    ]);
    expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
    expect(inFlight).toEqual({ perCaller: null, perServer: 8 });
    expect(refusalsPerAddress).toEqual({ calls: 20, perMs: 60_000 });
    expect(quarantineFile).toBe('/etc/gate/shut.json');
  });

  test.each([
    { written: { perCaller: { calls: 0 } }, says: 'limits.perCaller.calls must be a whole number' },
    { written: { perCaller: { calls: 5, per: 'soon' } }, says: 'limits.perCaller.per must be a duration' },
    { written: { perUser: { calls: 5 } }, says: 'limits.perUser is not a key this gateway knows' },
    { written: { rules: [{ per: '1m' }] }, says: 'limits.rules.0.calls' },
    { written: { rules: [{ calls: 1, agents: [] }] }, says: 'limits.rules.0.agents' },
  ])('a slip is said with its place: $says', ({ written, says }) => {
    expect(() => read(written)).toThrow(says);
  });
});

describe('TLS', () => {
  test('paths are relative to the file, and 1.2 is spoken unless 1.3 is demanded', () => {
    expect(toTlsConfig(TlsSection.parse({ cert: 'a.pem', key: '/k.pem' }), '/etc/gate')).toEqual({
      certPath: '/etc/gate/a.pem',
      keyPath: '/k.pem',
      minVersion: '1.2',
    });
    for (const minVersion of [1.3, '1.3'])
      expect(toTlsConfig(TlsSection.parse({ cert: 'a', key: 'b', minVersion }), '/')?.minVersion).toBe('1.3');
    expect(toTlsConfig(undefined, '/')).toBeNull();
    expect(TlsSection.safeParse({ cert: 'a', key: 'b', minVersion: '1.1' }).success).toBe(false);
  });
});

test('a trusted proxy is an address or a range, and never everybody', () => {
  const good = ['10.0.0.0/8', '192.0.2.7', '2001:db8::/32', '::1'];
  const bad = ['0.0.0.0/0', '::/0', '10.0.0.0/33', '2001:db8::/129', 'proxy.example', '', '10.0.0.0/', 'fe80::1%eth0'];
  expect(findProxyMistakes(good, ['listen', 'trustedProxies'])).toEqual([]);
  expect(findProxyMistakes([...good, ...bad], ['listen', 'trustedProxies']).map(({ path }) => path.at(-1))).toEqual(
    bad.map((_, index) => good.length + index),
  );
});
