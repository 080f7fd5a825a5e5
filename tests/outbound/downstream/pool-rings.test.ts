/** Servers that show the way to this very gateway: refused in every era, at the handshake or by a later list. */
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { INSTANCE } from '../../support/staircase.ts';
import { inlineStdio, openPool, spec, textOf, until, untilStatus } from './pool-kit.ts';

const OTHER = randomUUID();
const REASON = 'it leads back to this gateway';
const SAID = 'a server leads back to this gateway: it is not used';

/** Shows `path[0]` in its handshake, and the next one with every list; the last one stays. `slow` answers after a list. */
const gateway = (era: 'legacy' | 'modern', path: readonly (readonly unknown[])[]) =>
  inlineStdio(`
    const path = ${JSON.stringify(path)};
    const _meta = () => ({ 'mcp-gatehouse/path': path.length > 1 ? path.shift() : path[0] });
    let slow = null;
    on(m => {
      const answer = (result, id = m.id) => say({ jsonrpc: '2.0', id, result: { resultType: 'complete', ...result } });
      if (m.method === 'initialize' && '${era}' === 'legacy') hello(m, { _meta: _meta() });
      else if (m.method === 'server/discover' && '${era}' === 'modern')
        answer({ supportedVersions: ['2026-07-28'], capabilities: { tools: {} }, _meta: _meta() });
      else if (m.method === 'tools/list') {
        answer({ tools: [{ name: 'slow', inputSchema: { type: 'object' } }], _meta: _meta() });
        if (slow !== null) setTimeout(answer, 50, { content: [{ type: 'text', text: 'done' }] }, slow);
      } else if (m.method === 'tools/call') slow = m.id;
      else if (m.method === 'ping') answer({});
      else if (m.id !== undefined) no(m);
    });`);

describe.each(['legacy', 'modern'] as const)('a %s server', era => {
  test('that shows our id in its handshake is refused, and that is said once', async () => {
    const { pool, events, logged, call } = openPool([spec('s', gateway(era, [[OTHER, INSTANCE]]), { start: 'eager' })]);
    pool.start();
    await until(
      () => logged.filter(({ message }) => message === 'server cannot be connected').length > 2,
      'it is retried',
    );
    expect(pool.condition('s')).toEqual({ status: 'down', reason: REASON });
    expect(events.map(({ kind }) => kind)).not.toContain('connected');
    expect(logged.filter(({ level }) => level !== 'debug' && level !== 'info').map(({ message }) => message)).toEqual([
      SAID,
    ]);
    expect(await call('s', 'slow')).toMatchObject({ code: 'SERVER_UNAVAILABLE', data: { reason: REASON } });
  });

  test('that shows our id with its list alone is refused then, and calls under way still finish', async () => {
    const { pool, events, logged, call } = openPool([spec('s', gateway(era, [[OTHER], [OTHER, INSTANCE]]))]);
    const called = call('s', 'slow');
    await untilStatus(pool, 's', 'ready');
    expect(await pool.query('s', 'tools/list', {})).toMatchObject({
      code: 'SERVER_UNAVAILABLE',
      data: { reason: REASON },
    });
    expect(pool.condition('s')).toEqual({ status: 'down', reason: REASON });
    expect(textOf(await called)).toBe('done');
    expect(events.filter(({ kind }) => kind === 'state').at(-1)).toMatchObject({ status: 'down', reason: REASON });
    expect(logged.filter(({ message }) => message === SAID)).toHaveLength(1);
  });

  test('that leads elsewhere is used, and its gateways are known', async () => {
    const { pool, logged } = openPool([spec('s', gateway(era, [[OTHER, 'junk', 7, null]]))]);
    expect(await pool.query('s', 'tools/list', {})).toMatchObject({ kind: 'answer' });
    expect(pool.state('s')?.facts?.gateways).toEqual([OTHER]);
    expect(logged.filter(({ level }) => level === 'warn')).toEqual([]);
  });
});

test('a ring that each new list shows, and no handshake, is said once too', async () => {
  const { pool, logged } = openPool([spec('s', gateway('legacy', [[OTHER], [INSTANCE]]), { start: 'eager' })]);
  pool.start();
  for (let round = 0; round < 3; round++) {
    await untilStatus(pool, 's', 'ready');
    expect(await pool.query('s', 'tools/list', {})).toMatchObject({ code: 'SERVER_UNAVAILABLE' });
  }
  expect(logged.filter(({ level }) => level === 'warn').map(({ message }) => message)).toEqual([SAID]);
});
