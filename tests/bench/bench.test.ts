/**
 * The benchmark may be believed: it cuts streams right, it counts wrong answers as errors, its fixture is a server that
 * the official clients accept in the era asked for and in no other, and its bar judges as written.
 */
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import http from 'node:http';
import path from 'node:path';
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { afterEach, describe, expect, it } from 'vitest';
import { judge, ROWS } from './bar.ts';
import { chooseCases } from './cases.ts';
import type { RunReport, Sample } from './figures.ts';
import { callsPerSecond, medianOf, ratioOf } from './figures.ts';
import type { Order, Outcome, Report } from './load.ts';
import { readOptions } from './options.ts';
import { findAnswer } from './wire/client.ts';
import { createReader } from './wire/reader.ts';

const children: ChildProcess[] = [];
const servers: http.Server[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill();
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

function startNode(file: string, args: string[], withIpc: boolean): ChildProcess {
  const stdio = withIpc ? (['ignore', 'ignore', 'inherit', 'ipc'] as const) : (['pipe', 'pipe', 'inherit'] as const);
  const child = spawn(process.execPath, [path.join(import.meta.dirname, file), ...args], { stdio: [...stdio] });
  children.push(child);
  return child;
}

async function startFixture(): Promise<string> {
  const child = startNode('fixture/http.ts', [], false);
  const port = await new Promise<string>(resolve => child.stdout?.once('data', line => resolve(String(line).trim())));
  return `http://127.0.0.1:${port}`;
}

describe('the reader', () => {
  const stream = Buffer.from(
    'HTTP/1.1 100 Continue\r\n\r\n' +
      'HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello' +
      'HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\n\r\n' +
      'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n' +
      'HTTP/1.1 204 No Content\r\n\r\n' +
      'HTTP/1.1 200 OK\r\n\r\nuntil the end',
  );
  const bodies = ['hello', '', 'abcdefg', '', 'until the end'];

  it('gives the same messages wherever the stream is cut', () => {
    for (let cut = 1; cut < stream.length; cut += 1) {
      const seen: string[] = [];
      const reader = createReader('responses', (_head, body) => seen.push(body.toString()));
      reader.feed(stream.subarray(0, cut));
      reader.feed(stream.subarray(cut));
      expect(reader.close()).toBe(true);
      expect(seen).toEqual(bodies);
    }
  });

  it('says when the peer closed in the middle of a message', () => {
    const reader = createReader('responses', () => {});
    reader.feed(Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe'));
    expect(reader.close()).toBe(false);
  });

  it('refuses a head without an end and a chunk without a size', () => {
    const endless = createReader('requests', () => {});
    expect(() => endless.feed(Buffer.alloc(70_000, 'x'))).toThrow('too long');
    const sizeless = createReader('requests', () => {});
    expect(() => sizeless.feed(Buffer.from('POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n'))).toThrow(
      'chunk size',
    );
  });

  it('finds the answer among events, and only the one with the id asked for', () => {
    const body = Buffer.from(
      'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{"id":7}}\n\n' +
        'data: {"jsonrpc":"2.0","id":77,"result":{}}\n\ndata: {"jsonrpc":"2.0","id":7,"result":{"a":1}}\n\n',
    );
    expect(findAnswer(body, 7)?.toString()).toBe('{"jsonrpc":"2.0","id":7,"result":{"a":1}}');
    expect(findAnswer(body, 8)).toBeNull();
  });
});

describe('the fixture', () => {
  it('is a legacy server to the SDK v1 client, with as many tools as asked for', async () => {
    const base = await startFixture();
    for (const framing of ['json', 'sse']) {
      const client = new Client({ name: 'test', version: '1' });
      const url = new URL(`${base}/legacy/${framing}/50/bench/mcp`);
      await client.connect(new StreamableHTTPClientTransport(url) as Transport);
      expect((await client.listTools()).tools).toHaveLength(50);
      const text = `"quoted" ${'é'.repeat(5000)}`;
      const result = await client.callTool({ name: 'echo', arguments: { text } });
      expect(result.content).toEqual([{ type: 'text', text }]);
      await client.close();
    }
  });

  it('is a modern server to the SDK v2 client', async () => {
    const base = await startFixture();
    for (const framing of ['json', 'sse']) {
      const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
      await client.connect(new ModernTransport(new URL(`${base}/modern/${framing}/500/bench/mcp`)));
      expect(client.getNegotiatedProtocolVersion()).toBe('2026-07-28');
      expect((await client.listTools()).tools).toHaveLength(500);
      const text = 'x'.repeat(10_000);
      const result = await client.callTool({ name: 'echo', arguments: { text } });
      expect(result.content).toEqual([{ type: 'text', text }]);
      await client.close();
    }
  });

  it('refuses the era it does not speak, in the way that leads a client to the other', async () => {
    const base = await startFixture();
    const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(new ModernTransport(new URL(`${base}/legacy/json/50/bench/mcp`)));
    expect(client.getNegotiatedProtocolVersion()).toBe('2025-11-25');
    await client.close();
    const refused = await fetch(`${base}/modern/json/50/bench/mcp`, {
      method: 'POST',
      body: '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25"}}',
    });
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({ error: { code: -32022, data: { supported: ['2026-07-28'] } } });
  });
});

describe('the load generator', () => {
  async function runLoad(url: string, change: Partial<Order> = {}): Promise<Outcome> {
    const order: Order = {
      kind: 'call',
      era: 'legacy',
      url,
      headers: {},
      timeoutMs: 5000,
      sessions: 4,
      bytes: 32,
      tools: ['echo'],
      listed: 50,
      warmUpMs: 0,
      durationMs: 5000,
      maxCalls: 200,
      ends: false,
      ...change,
    };
    const child = startNode('load.ts', [JSON.stringify(order)], true);
    return new Promise((resolve, reject) => {
      child.on('message', (message: Report) => message.at === 'done' && resolve(message.outcome));
      child.once('exit', () => reject(new Error('no outcome')));
    });
  }

  /** Answers like the fixture, except that `spoil` may change what every tenth call gets. */
  async function startLiar(spoil: (result: object, id: number) => { id: number; result: object }): Promise<string> {
    let calls = 0;
    const server = http.createServer(async (request, response) => {
      let body = '';
      for await (const part of request) body += part;
      const { id, method, params } = JSON.parse(body === '' ? '{}' : body);
      if (id === undefined) {
        response.writeHead(202).end();
        return;
      }
      response.setHeader('content-type', 'application/json');
      if (method === 'initialize') {
        response.setHeader('mcp-session-id', 'one');
        response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { protocolVersion: '2025-11-25' } }));
        return;
      }
      calls += 1;
      const result = { content: [{ type: 'text', text: params.arguments.text }] };
      const answer = calls % 10 === 0 ? spoil(result, id) : { id, result };
      response.end(JSON.stringify({ jsonrpc: '2.0', ...answer }));
    });
    servers.push(server);
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/mcp`;
  }

  it.each([
    { because: 'an answer with another id', spoil: (result: object, id: number) => ({ id: id * 10, result }) },
    {
      because: "another caller's text",
      spoil: (_: object, id: number) => ({
        id,
        result: { content: [{ type: 'text', text: `u9n${id}.${'x'.repeat(40)}` }] },
      }),
    },
    {
      because: 'a text cut short',
      spoil: (result: object, id: number) => ({
        id,
        result: JSON.parse(JSON.stringify(result).replace(/lazy|quick/, '')),
      }),
    },
    {
      because: 'a tool error with the right text',
      spoil: (result: object, id: number) => ({ id, result: { ...result, isError: true } }),
    },
  ])('counts $because as an error, and not as a call', async ({ spoil }) => {
    const outcome = await runLoad(await startLiar(spoil));
    expect(outcome.calls).toBe(200);
    expect(outcome.errors).toBeGreaterThanOrEqual(20);
  });

  it('makes calls, lists and held sessions in both eras without an error', async () => {
    const base = await startFixture();
    for (const era of ['legacy', 'modern'] as const) {
      const url = `${base}/${era}/json/50/bench/mcp`;
      expect(await runLoad(url, { era })).toMatchObject({ calls: 200, errors: 0 });
      expect(await runLoad(url, { era, kind: 'list' })).toMatchObject({ calls: 200, errors: 0 });
      expect(await runLoad(url, { era, bytes: 100_000 })).toMatchObject({ calls: 200, errors: 0 });
      expect(await runLoad(url, { era, kind: 'hold', durationMs: 10, sessions: 40, ends: true })).toMatchObject({
        calls: 40,
        errors: 0,
      });
    }
  });

  it('counts a list with too few tools as an error', async () => {
    const base = await startFixture();
    const outcome = await runLoad(`${base}/legacy/json/50/bench/mcp`, { kind: 'list', listed: 51, durationMs: 100 });
    expect(outcome.calls).toBe(0);
    expect(outcome.errors).toBeGreaterThan(0);
  });
});

describe('figures and bar', () => {
  const sample = (round: number, peer: string, calls: number, errors = 0): Sample => ({
    round,
    peer,
    case: 'legacy/call-c64',
    calls,
    wallMs: 1000,
    p50Ms: 1,
    p95Ms: 2,
    p99Ms: 3,
    maxMs: 4,
    errors,
    errorKinds: {},
    reconnects: 0,
    cpuUs: null,
    cores: null,
    memoryKb: null,
    waited: null,
    foreign: null,
  });
  const report = (samples: Sample[]): RunReport => ({
    startedAt: '',
    profile: '',
    rounds: 3,
    node: '',
    processor: '',
    cores: 2,
    kernel: '',
    isPinned: true,
    peers: {},
    leftOut: {},
    samples,
    starts: [],
    memory: [],
    failures: [],
  });
  const rowOf = (what: string) => ROWS.filter(row => row.what.includes(what)).slice(0, 1);

  it('takes ratios within a round, so that a slow round hits both sides', () => {
    const slow = report([
      ...[sample(1, 'gatehouse', 1000), sample(1, 'nginx-auth', 1000)],
      ...[sample(2, 'gatehouse', 100), sample(2, 'nginx-auth', 100)],
      ...[sample(3, 'gatehouse', 900), sample(3, 'nginx-auth', 1000)],
    ]);
    const side = { peer: 'gatehouse', case: 'legacy/call-c64' };
    expect(medianOf(slow, side, callsPerSecond)).toBe(900);
    expect(ratioOf(slow, side, { ...side, peer: 'nginx-auth' }, callsPerSecond)).toBe(1);
  });

  it.each([
    { calls: 1000, verdict: 'aim' },
    { calls: 650, verdict: 'must' },
    { calls: 649, verdict: 'MISS' },
  ])('judges $calls calls against 1000 as $verdict', ({ calls, verdict }) => {
    const run = report([sample(1, 'gatehouse', calls), sample(1, 'nginx-auth', 1000)]);
    for (const row of rowOf('64 sessions: calls/s')) expect(judge(row, run).verdict).toBe(verdict);
  });

  it('never passes a row that was not measured, and a single error misses the bar', () => {
    const run = report([sample(1, 'gatehouse', 1000, 1)]);
    for (const row of rowOf('64 sessions: calls/s')) expect(judge(row, run).verdict).toBe('not measured');
    for (const row of rowOf('errors')) expect(judge(row, run).verdict).toBe('MISS');
    expect(rowOf('errors')).toHaveLength(1);
  });
});

describe('choosing', () => {
  it.each([
    {
      patterns: ['call-c64'],
      era: 'legacy',
      ids: ['legacy/call-c64'],
      because: 'a name without an era means every era, then --era narrows',
    },
    {
      patterns: ['call-c64'],
      era: 'cross',
      ids: ['modern-to-legacy/call-c64', 'legacy-to-modern/call-c64'],
      because: 'cross means another era on each side',
    },
    {
      patterns: ['legacy/list*'],
      era: 'all',
      ids: ['legacy/list50-c16', 'legacy/list500-c16', 'legacy/list2000-c16'],
      because: 'a star stands for anything',
    },
    { patterns: ['nothing'], era: 'all', ids: [], because: 'an unknown name chooses nothing' },
  ] as const)('$because', ({ patterns, era, ids }) => {
    expect(chooseCases(patterns, era).map(one => one.id)).toEqual(ids);
  });

  it.each([
    ['--rounds', '0'],
    ['--rounds', 'many'],
    ['--era', 'old'],
    ['--profile', 'huge'],
    ['--gatehouse-env', 'X'],
  ])('refuses %s %s with a sentence', (name, value) => {
    expect(() => readOptions([name, value])).toThrow(name);
  });
});
