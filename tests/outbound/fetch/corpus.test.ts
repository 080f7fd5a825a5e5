/**
 * The URLs of the corpus, through the guard and through the whole fetch, with every attempt to connect counted. The rows
 * are kept beside the repository (`../shared/corpus/security`); without them there is nothing to run here.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type FakeNetwork, type Names, openFakeNetwork, openGuardKit, rulesOf, urlRows } from './guard-kit.ts';

const PUBLIC = '93.184.215.14';
const LOOPBACK = ['127.0.0.1', '::1'];
const METADATA = ['169.254.169.254'];

const isSecondStage = (note = '') => note.startsWith('second-stage');
const refused = urlRows.filter(({ expected }) => expected === 'block');
const direct = refused.filter(({ dns, note }) => dns === undefined && !isSecondStage(note));
const named = refused.filter(({ dns }) => dns !== undefined);
const secondStage = refused.filter(({ note }) => isSecondStage(note));
const allowed = urlRows.filter(({ expected }) => expected === 'allow');

/** As a machine knows these names that stands where they mean something. */
const NAMES: Names = {
  localhost: LOOPBACK,
  'foo.localhost': LOOPBACK,
  'localhost.localdomain': LOOPBACK,
  'ip6-localhost': ['::1'],
  'metadata.google.internal': METADATA,
  metadata: METADATA,
  'instance-data': METADATA,
  'mcp.example.com': [PUBLIC],
  'xn--bcher-kva.example': [PUBLIC],
};

/** The operator who allows all that can be allowed. */
const GENEROUS = [
  ...['10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '::1', 'fc00::/7'],
  ...['localhost', '*.localhost', '*.localdomain', '*.example.com', '*.test', 'mcp.example.com:6379'],
];

const overTls = (url: string) => url.replace('http:', 'https:').replace('ws:', 'wss:');

describe.skipIf(urlRows.length === 0)('the corpus', () => {
  test('is there as a whole', () => {
    expect([direct.length, named.length, secondStage.length, allowed.length]).toEqual([93, 7, 14, 6]);
  });

  test.each([
    { as: 'written', spell: (url: string) => url, allowHttp: false },
    { as: 'written, with plain http allowed', spell: (url: string) => url, allowHttp: true },
    { as: 'https', spell: overTls, allowHttp: false },
    { as: 'https, with plain http allowed', spell: overTls, allowHttp: true },
  ])('direct rows spelled as $as open no socket', async ({ spell, allowHttp }) => {
    const network = openFakeNetwork();
    const { guard, fetch } = openGuardKit({ names: NAMES, rules: rulesOf([], allowHttp) });
    const outcomes = await Promise.all(
      direct.map(async ({ id, description }) => {
        const url = spell(description);
        const may = await guard.mayReach(url, 'registration');
        const got = await fetch.send({ url, purpose: 'registration' });
        return { id, may, got };
      }),
    );
    expect(outcomes.filter(({ may, got }) => may || got.ok || got.why !== 'refused')).toEqual([]);
    expect(network.tried).toEqual([]);
  });

  test('names that mean something inside are refused even where they lead outside', async () => {
    const network = openFakeNetwork();
    const names = Object.fromEntries(Object.keys(NAMES).map(name => [name, [PUBLIC]]));
    const { guard } = openGuardKit({ names, rules: rulesOf([], true) });
    const rows = direct.filter(({ category }) => category === 'single_label' || category === 'metadata_name');
    expect(rows).toHaveLength(3);
    for (const { description } of rows) expect(await guard.mayReach(description, 'registration')).toBe(false);
    expect(network.tried).toEqual([]);
  });

  test('what an operator may list passes once it is listed, and nothing else does', async () => {
    const names = { ...NAMES, ...Object.fromEntries(named.map(row => [hostOf(row.description), row.dns ?? []])) };
    const { guard } = openGuardKit({ names, rules: rulesOf(GENEROUS, true) });
    // The mixed answer is refused for its private half, which this operator allows.
    const rows = [...direct, ...named].filter(
      ({ category }) => category !== 'dns_rebind_second_answer' && category !== 'dns_mixed_answers',
    );
    const seen = await Promise.all(
      rows.map(async ({ id, description }) => ({ id, may: await guard.mayReach(description, 'registration') })),
    );
    expect(seen.filter(({ may }) => may).map(({ id }) => id)).toEqual(
      rows.filter(({ allowlistable }) => allowlistable).map(({ id }) => id),
    );
  });

  test.each(named)('$id: the socket goes to a checked address or nowhere ($category)', async row => {
    const network = openFakeNetwork();
    const isRebinding = row.category === 'dns_rebind_second_answer';
    const answers = isRebinding ? (row.dns ?? []).map(answer => [answer]) : (row.dns ?? []);
    const { guard, fetch } = openGuardKit({ names: { [hostOf(row.description)]: answers } });
    const first = await fetch.send({ url: row.description, purpose: 'registration' });
    expect(first).toEqual({ ok: false, why: isRebinding ? 'unreachable' : 'refused' });
    expect(await guard.mayReach(row.description, 'registration')).toBe(false);
    expect(await fetch.send({ url: row.description, purpose: 'registration' })).toEqual({ ok: false, why: 'refused' });
    expect(network.tried).toEqual(isRebinding ? [`${PUBLIC} 443`] : []);
  });

  test.each(allowed)('$id may be fetched, at the address that was checked', async ({ description }) => {
    const network = openFakeNetwork();
    const { guard, fetch } = openGuardKit({ names: NAMES });
    const { hostname, port } = new URL(description);
    const bare = hostname.replace(/^\[|\]$/g, '');
    expect(await guard.mayReach(description, 'registration')).toBe(true);
    expect(network.tried).toEqual([]);
    expect(await fetch.send({ url: description, purpose: 'registration' })).toEqual({ ok: false, why: 'unreachable' });
    expect(network.tried).toEqual([`${NAMES[bare]?.[0] ?? bare} ${port || 443}`]);
  });

  test.each(secondStage.filter(({ category }) => !category.startsWith('redirect')))(
    '$id: a URL inside a document is judged like any other ($category)',
    async ({ description }) => {
      const network = openFakeNetwork();
      const { fetch, guard } = openGuardKit({ names: NAMES, rules: rulesOf([], true) });
      const url = /(?:https?|file):\/\/.*$/.exec(description.replace(/^\S+ -> /, '').replace(/\]$/, ''))?.[0] ?? '';
      expect(url).toMatch(/^http:/);
      const asked = [url, overTls(url)].map(spelled =>
        Promise.all([
          fetch.json({ url: spelled, purpose: 'metadata', redirects: 3 }),
          guard.mayReach(spelled, 'metadata'),
        ]),
      );
      for (const seen of await Promise.all(asked)) expect(seen).toEqual([{ ok: false, why: 'refused' }, false]);
      expect(network.tried).toEqual([]);
    },
  );

  test.each(secondStage.filter(({ category }) => category.startsWith('redirect')))(
    '$id: a redirect opens no socket to where it points ($category)',
    async ({ description }) => {
      const network = openFakeNetwork();
      // Certificates for these names there are none: the same chain over plain http.
      const [start = '', ...hops] = description.split(' -> ').map(part => part.replace('https://pub', 'http://pub'));
      const seen = await startRedirecting(network, [start, ...hops]);
      const names = { 'pub.test': [PUBLIC], 'pub2.test': [PUBLIC], 'other.test': [PUBLIC], ...NAMES };
      const { fetch } = openGuardKit({ names, rules: rulesOf([], true) });
      const secrets = { authorization: 'Bearer of-pub', cookie: 'a=of-pub' };
      const got = await fetch.send({ url: start, purpose: 'metadata', headers: secrets, redirects: 3 });
      const posted = await fetch.send({
        url: start,
        purpose: 'webhook',
        method: 'POST',
        headers: secrets,
        body: 'secret',
      });
      expect([got, posted]).toEqual([
        { ok: false, why: 'redirect' },
        { ok: false, why: 'redirect' },
      ]);
      expect(seen).toEqual(['GET pub.test', 'POST pub.test']);
      expect(network.tried.every(step => step === `${PUBLIC} 80`)).toBe(true);
    },
  );
});

/** Answers the n-th host of the chain with the n-th redirect; says who was asked. */
async function startRedirecting(network: FakeNetwork, [start = '', ...hops]: readonly string[]): Promise<string[]> {
  const seen: string[] = [];
  const hosts = [start, ...hops.map(hop => hop.replace(/^\d+ /, ''))].map(hostOf);
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.headers.host}`);
    const [, status, location] = /^(\d+) (.*)$/.exec(hops[hosts.indexOf(String(request.headers.host))] ?? '') ?? [];
    response.writeHead(Number(status ?? 200), location === undefined ? {} : { location }).end('{}');
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  network.ways.set(`${PUBLIC} 80`, (server.address() as AddressInfo).port);
  return seen;
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).hostname : '';
}
