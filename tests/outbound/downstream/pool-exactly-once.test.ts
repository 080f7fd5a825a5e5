import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import { type Rule, startScripted, stdioScripted } from '../../support/downstreams/start.ts';
import { http, makeLine, openPool, QUICK, spec, stdio, textOf, until, untilStatus } from './pool-kit.ts';

const CALM = { ...QUICK, breakerFailures: 1_000_000, backoffBaseMs: 10, backoffMaxMs: 30 };

describe('an effect', () => {
  test.each([
    { transport: 'http', era: 'legacy' },
    { transport: 'http', era: 'modern' },
    { transport: 'sse', era: 'legacy' },
  ] as const)(
    'happens at most once per call and exactly once per answer, whatever breaks ($transport, $era)',
    async ({ transport, era }) => {
      const script: Rule[] = [
        { on: 'tools/call', name: 'effect', nth: [3, 13, 23, 43, 63, 83], do: 'close' },
        { on: 'tools/call', name: 'effect', nth: [7, 17, 27, 47, 67, 87], do: 'close', ran: true },
        { on: 'tools/call', name: 'effect', nth: [9, 19, 29, 49], do: transport === 'sse' ? 'delay' : 'half', ms: 10 },
      ];
      const server = await startScripted({ transport, era, script });
      onTestFinished(() => server.close());
      const { pool, call } = openPool([spec('s', http(server.url))], CALM);
      await call('s', 'echo');
      const outcomes = new Map<string, string>();
      const breaks = () => {
        const { close = 0, half = 0 } = server.stats().faults as Record<string, number>;
        return close + half;
      };
      let whole = 0;
      for (let round = 0; round < 20; round += 1) {
        await untilStatus(pool, 's', 'ready');
        const before = breaks();
        const keys = Array.from({ length: 5 }, (_, i) => `${round}-${i}`);
        const said = await Promise.all(keys.map(async key => textOf(await call('s', 'effect', { key }))));
        for (const [i, key] of keys.entries()) outcomes.set(key, said[i] ?? '');
        if (breaks() > before) continue;
        whole += 1;
        expect(said, `nothing broke in round ${round}`).toEqual(keys.map(key => `done ${key}`));
      }
      // No more rounds are broken than the script breaks calls.
      expect(breaks()).toBeLessThanOrEqual(16);
      expect(whole).toBeGreaterThanOrEqual(20 - breaks());
      const effects = server.stats().effects as JsonObject;
      for (const [key, outcome] of outcomes) {
        const times = Number(effects[`effect ${key}`] ?? 0);
        expect(times, `${key}: ${outcome}`).toBeLessThanOrEqual(1);
        if (outcome === `done ${key}`) expect(times, key).toBe(1);
        else expect(['failure OUTCOME_UNKNOWN', 'failure SERVER_UNAVAILABLE'], key).toContain(outcome);
      }
      // Over HTTP a broken connection takes its own call along; what breaks a stream, all that are under way.
      const lost = [...outcomes.values()].filter(outcome => !outcome.startsWith('done')).length;
      expect(lost).toBeGreaterThan(0);
      expect(lost).toBeLessThanOrEqual(breaks() * (transport === 'sse' ? 5 : 1));
    },
  );

  test('happens at most once per call while a process dies again and again', async () => {
    const ledger = join(mkdtempSync(join(tmpdir(), 'effects-')), 'ledger');
    const script = [{ on: 'tools/call', name: 'effect', nth: 4, do: 'die', ran: true }] as const;
    const { pool, call } = openPool([spec('s', stdio(stdioScripted({ era: 'legacy', ledger, script })))], {
      ...CALM,
      maxQuickDeaths: 1000,
      backoffBaseMs: 10,
      backoffMaxMs: 20,
    });
    const outcomes = new Map<string, string>();
    for (let i = 0; i < 24; i += 1) {
      await until(async () => pool.state('s')?.status === 'ready' || i === 0, 'it is back');
      const key = `k${i}`;
      outcomes.set(key, textOf(await call('s', 'effect', { key })));
    }
    const lines = readFileSync(ledger, 'utf8').trim().split('\n');
    expect(new Set(lines).size).toBe(lines.length);
    for (const [key, outcome] of outcomes) if (outcome.startsWith('done')) expect(lines).toContain(`effect ${key}`);
    expect(
      [...outcomes.values()].filter(outcome => outcome === 'failure OUTCOME_UNKNOWN').length,
    ).toBeGreaterThanOrEqual(4);
  });
});

describe('repeating', () => {
  test('a connection that is refused may be tried a second time, and no third', async () => {
    const server = await startScripted({ era: 'modern' });
    const { pool, call, logged } = openPool([spec('s', http(server.url))], CALM);
    await call('s', 'echo');
    await server.close();
    await until(() => pool.state('s')?.connections === 0, 'its farewell has arrived');
    const reply = await call('s', 'effect', { key: 'x' });
    expect(reply).toMatchObject({
      code: 'SERVER_UNAVAILABLE',
      data: { server: 's', reason: 'it refuses connections' },
    });
    expect(logged.filter(({ message }) => message === 'a request failed')).toHaveLength(1);
    expect(pool.state('s')?.inFlight).toBe(0);
  });

  test('a keep-alive socket that the server closed meanwhile costs nothing', async () => {
    const server = await startScripted({ era: 'modern' });
    const port = Number(new URL(server.url).port);
    const { pool, call } = openPool([spec('s', http(server.url))], CALM);
    for (let round = 0; round < 5; round += 1) {
      expect(textOf(await call('s', 'effect', { key: `r${round}` }))).toBe(`done r${round}`);
      await server.close();
      // What is written into a closing socket nobody can call unsent.
      await until(() => pool.state('s')?.connections === 0, 'its farewell has arrived');
      const again = await startScripted({ era: 'modern', port });
      Object.assign(server, again);
    }
    await server.close();
  });

  test('after one byte of the call has been sent there is no second', async () => {
    let bodies = 0;
    const sockets = new Set<Socket>();
    const raw = createServer(socket => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('data', chunk => {
        if (!chunk.toString('latin1').includes('tools/call')) {
          answer(socket, chunk.toString('latin1'));
          return;
        }
        bodies += 1;
        socket.resetAndDestroy();
      });
    });
    await new Promise<void>(resolve => raw.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => {
      raw.close();
      for (const socket of sockets) socket.destroy();
    });
    const { call } = openPool([spec('s', http(urlOf(raw)), { era: 'modern' })], CALM);
    for (let i = 1; i <= 20; i += 1) {
      expect(await call('s', 'any')).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
      expect(bodies).toBe(i);
    }
  });

  test('a list may be asked for twice when its first answer is lost', async () => {
    const server = await startScripted({ era: 'modern', script: [{ on: 'tools/list', nth: 1, do: 'close' }] });
    onTestFinished(() => server.close());
    const { pool } = openPool([spec('s', http(server.url))], CALM);
    expect(await pool.query('s', 'tools/list', {})).toMatchObject({ kind: 'answer' });
    expect((server.stats().requests as JsonObject)['tools/list']).toBe(2);
  });

  test('stays a small part of the traffic however much fails', async () => {
    const server = await startScripted({ era: 'modern', script: [{ on: 'prompts/list', do: 'close' }] });
    onTestFinished(() => server.close());
    const { pool } = openPool([spec('s', http(server.url))], CALM);
    const replies = await Promise.all(Array.from({ length: 100 }, () => pool.query('s', 'prompts/list', {})));
    for (const reply of replies) expect(reply).toMatchObject({ code: 'SERVER_UNAVAILABLE' });
    const sent = Number((server.stats().requests as JsonObject)['prompts/list']);
    expect(sent).toBeGreaterThan(100);
    expect(sent).toBeLessThanOrEqual(100 * 1.2 + 20);
  });

  test('a request still in line when its process dies goes to the next process', async () => {
    const { pool, call } = openPool([spec('s', stdio(stdioScripted({ era: 'legacy' })), { maxInFlight: 1 })]);
    const whoami = await call('s', 'whoami');
    const pid = Number((whoami.kind === 'answer' ? (whoami.result.structuredContent as JsonObject) : {}).pid);
    const running = call('s', 'slow', { ms: 20_000 });
    const waiting = call('s', 'effect', { key: 'kept' });
    await until(() => pool.state('s')?.queued === 1, 'one waits');
    process.kill(pid, 'SIGKILL');
    expect(await running).toMatchObject({ code: 'OUTCOME_UNKNOWN' });
    expect(textOf(await waiting)).toBe('done kept');
    await untilStatus(pool, 's', 'ready');
  });

  test('a read whose answer is lost is unavailable, not of unknown outcome', async () => {
    const server = await startScripted({ era: 'modern', script: [{ on: 'resources/read', do: 'close' }] });
    onTestFinished(() => server.close());
    const { send } = openPool([spec('s', http(server.url))], CALM);
    expect(await send('s', 'resources/read', { uri: 'test://text' }, { line: makeLine() })).toMatchObject({
      code: 'SERVER_UNAVAILABLE',
    });
    expect((server.stats().requests as JsonObject)['resources/read']).toBe(1);
  });
});

function answer(socket: Socket, text: string): void {
  const body = JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)) as { id: number };
  const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities: {} };
  const json = JSON.stringify({ jsonrpc: '2.0', id: body.id, result });
  socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n${json}`);
}

function urlOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not listening');
  return `http://127.0.0.1:${address.port}/mcp`;
}
