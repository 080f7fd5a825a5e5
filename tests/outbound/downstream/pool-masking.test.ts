/** What was configured as a secret does not come back in a server's errors; results are the tool's own words. */
import { expect, onTestFinished, test } from 'vitest';
import { Secret } from '../../../src/domain/secret.ts';
import { startScripted } from '../../support/downstreams/start.ts';
import { http, inlineStdio, openPool, spec } from './pool-kit.ts';

const SECRET = 'correct horse/7';

test('values of the environment that a child says in an error are masked, and not in its results', async () => {
  const link = inlineStdio(`on(m => {
    const { SECRET } = process.env;
    if (m.method === 'initialize') return hello(m);
    if (m.method === 'server/discover') return no(m);
    if (m.id === undefined) return;
    if (m.params.name === 'fine') return say({ jsonrpc: '2.0', id: m.id, result: { content: [{ type: 'text', text: SECRET }] } });
    let deep = SECRET;
    for (let i = 0; i < 200; i += 1) deep = [deep];
    say({ jsonrpc: '2.0', id: m.id, error: { code: -32050, message: 'no ' + SECRET, extra: SECRET,
      data: { text: SECRET, list: [encodeURIComponent(SECRET)], [SECRET]: 1, url: 'https://x.test/?k=' + SECRET, deep } } });
  })`);
  if (link.kind !== 'stdio') throw new Error(link.kind);
  const env = new Map([
    ['SECRET', new Secret(SECRET)],
    ['SHORT', new Secret('no')],
  ]);
  const { call } = openPool([spec('s', { ...link, env })]);
  const reply = await call('s', 'bad');
  expect(reply).toMatchObject({
    kind: 'relayed',
    error: {
      code: -32050,
      message: 'no [secret]',
      data: { text: '[secret]', list: ['[secret]'], '[secret]': 1, url: 'https://x.test/?k=[secret]' },
    },
  });
  expect(JSON.stringify(reply)).not.toMatch(/horse/);
  expect(JSON.stringify(await call('s', 'fine'))).toContain(SECRET);
});

test.each(['legacy', 'modern'] as const)(
  'values of headers are masked in errors, a token without its scheme too (%s)',
  async era => {
    const token = 'plain-words-as-token';
    const server = await startScripted({
      era,
      script: [
        {
          on: 'tools/call',
          name: 'echo',
          do: 'error',
          code: -32050,
          message: `bad ${token}`,
          data: { got: ['k-77', token] },
        },
      ],
    });
    onTestFinished(() => server.close());
    const link = http(server.url, 'auto', { authorization: `Bearer ${token}`, 'x-key': 'k-77' });
    const { call } = openPool([spec('s', link)]);
    expect(await call('s', 'echo', { text: 'x' })).toMatchObject({
      kind: 'relayed',
      error: { message: 'bad [secret]', data: { got: ['[secret]', '[secret]'] } },
    });
  },
);
