import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import { anyToolResult, JSON_TOOL, startFuzz, stdioFuzz } from '../../support/downstreams/fuzz.ts';
import { http, inlineStdio, makeLine, openPool, spec, stdio, type TestPool } from './pool-kit.ts';

const WAYS = [
  { transport: 'stdio', era: 'legacy' },
  { transport: 'http', era: 'legacy' },
  { transport: 'sse', era: 'legacy' },
  { transport: 'stdio', era: 'modern' },
  { transport: 'http', era: 'modern' },
] as const;

async function open({ transport, era }: (typeof WAYS)[number]): Promise<TestPool> {
  if (transport === 'stdio') return openPool([spec('s', stdio(stdioFuzz(era)))]);
  const server = await startFuzz(era, transport);
  onTestFinished(() => server.close());
  return openPool([spec('s', http(server.url))]);
}

describe('a result arrives as it was sent', () => {
  test.each(WAYS)('whatever its JSON ($era, $transport)', async way => {
    const { call } = await open(way);
    await fc.assert(
      fc.asyncProperty(anyToolResult, async sent => {
        const reply = await call('s', JSON_TOOL, { result: sent });
        if (reply.kind !== 'answer') throw new Error(JSON.stringify(reply));
        const { resultType: _t, _meta: meta, ...rest } = reply.result;
        const { _meta: sentMeta, resultType: _s, ...sentRest } = sent;
        expect(rest).toEqual(sentRest);
        if (sentMeta !== undefined) expect(meta).toMatchObject(sentMeta as JsonObject);
        if (reply.bytes !== null) expect(JSON.parse(Buffer.from(reply.bytes).toString())).toEqual(reply.result);
      }),
      { numRuns: 60 },
    );
  });

  test.each(WAYS)('and when it is large, its own bytes with it ($era, $transport)', async way => {
    const { call } = await open(way);
    for (const bytes of [9_000, 100_000, 1_000_000]) {
      const reply = await call('s', 'big', { bytes });
      if (reply.kind !== 'answer' || reply.bytes === null) throw new Error(JSON.stringify(reply).slice(0, 200));
      expect(JSON.parse(Buffer.from(reply.bytes).toString())).toEqual(reply.result);
      expect(JSON.stringify(reply.result)).toContain('x'.repeat(bytes));
    }
    const small = await call('s', 'big', { bytes: 10 });
    expect(small.kind === 'answer' && small.bytes).toBeNull();
  });

  test.each(WAYS)('to the one who asked, out of many at once ($era, $transport)', async way => {
    const { call } = await open(way);
    await call('s', 'echo');
    for (let round = 0; round < 4; round += 1) {
      const sent = Array.from({ length: 50 }, (_, i) => `${round}-${i}-${'y'.repeat((i * 997) % 20_000)}`);
      const replies = await Promise.all(sent.map(text => call('s', 'echo', { text })));
      expect(replies.map(reply => (reply.kind === 'answer' ? reply.result.content : reply))).toEqual(
        sent.map(text => [{ type: 'text', text }]),
      );
    }
  });
});

test('what a caller sends in params reaches the server whole, its progress token and envelope aside', async () => {
  const link = inlineStdio(`on(m => {
    if (m.method === 'initialize') return hello(m);
    if (m.method === 'server/discover') return no(m);
    if (m.id) say({ jsonrpc: '2.0', id: m.id, result: { seen: m } });
  })`);
  const { send } = openPool([spec('s', link)]);
  await fc.assert(
    fc.asyncProperty(anyToolResult, fc.boolean(), async (params, wantsProgress) => {
      const reply = await send('s', 'x/unknown "method"', params, { line: makeLine({ wantsProgress }) });
      const { seen } = (reply.kind === 'answer' ? reply.result : {}) as {
        seen: { id: number; method: string; params: JsonObject };
      };
      expect(seen.method).toBe('x/unknown "method"');
      const { _meta: given = {}, ...rest } = params;
      const { _meta: got = {}, ...restGot } = seen.params;
      expect(restGot).toEqual(rest);
      expect(got).toEqual(wantsProgress ? { ...(given as JsonObject), progressToken: seen.id } : given);
    }),
    { numRuns: 80 },
  );
});

test('ids and progress tokens of the caller never leave', async () => {
  const link = inlineStdio(`on(m => {
    if (m.method === 'initialize') return hello(m);
    if (m.id) say({ jsonrpc: '2.0', id: m.id, result: { seen: m } });
  })`);
  const { call } = openPool([spec('s', link, { era: 'legacy' })]);
  const ids = new Set<unknown>();
  for (let i = 0; i < 20; i += 1) {
    const reply = await call(
      's',
      'any',
      {},
      { meta: { progressToken: 'secret-token' }, line: makeLine({ wantsProgress: i % 2 === 0 }) },
    );
    const text = JSON.stringify(reply);
    expect(text).not.toContain('secret-token');
    ids.add(((reply.kind === 'answer' ? reply.result.seen : {}) as JsonObject).id);
  }
  expect(ids.size).toBe(20);
});

test.each(WAYS)('arguments kept as bytes arrive as they were, line breaks and all ($era, $transport)', async way => {
  const { send } = await open(way);
  const result = { content: [{ type: 'text', text: 'é\u2028\n"' }], structuredContent: { a: [1, null] } };
  for (const spaces of [0, 2]) {
    const argumentBytes = Buffer.from(JSON.stringify({ result }, null, spaces));
    const reply = await send(
      's',
      'tools/call',
      { name: JSON_TOOL },
      { argumentBytes, line: makeLine({ wantsProgress: true }) },
    );
    expect(reply.kind === 'answer' ? reply.result : reply).toMatchObject(result);
  }
});
