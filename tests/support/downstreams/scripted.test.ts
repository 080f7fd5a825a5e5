/** The fault fixture, judged by the official clients: right where it is not told to be wrong, wrong as told. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client as ModernClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import * as fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import { anyToolResult, JSON_TOOL, startFuzz } from './fuzz.ts';
import { parseRules } from './scripted/script.ts';
import { type Rule, type ScriptedSetup, type StartedScripted, startScripted, stdioScripted } from './start.ts';

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

async function start(setup: ScriptedSetup): Promise<StartedScripted> {
  const server = await startScripted(setup);
  cleanups.push(server.close);
  return server;
}

async function connect(server: { url: string }, era: 'legacy' | 'modern'): Promise<ModernClient> {
  const client = new ModernClient(
    { name: 'judge', version: '1.0.0' },
    {
      capabilities: { elicitation: { form: {} }, sampling: {}, roots: {} },
      versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' },
    },
  );
  client.setRequestHandler('elicitation/create', async () => ({ action: 'accept' as const, content: { name: 'Ada' } }));
  client.setRequestHandler('roots/list', async () => ({ roots: [{ uri: 'file:///work' }] }));
  await client.connect(new StreamableHTTPClientTransport(new URL(server.url)));
  cleanups.push(() => client.close());
  return client;
}

const LEGACY_HEADERS = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };

async function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, { method: 'POST', headers: { ...LEGACY_HEADERS, ...headers }, body: JSON.stringify(body) });
}

/** A legacy session without a client library, to see the raw bytes of an answer. */
async function openRaw(url: string): Promise<(name: string, args?: JsonObject) => Promise<Response>> {
  const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'raw', version: '1' } };
  const opened = await post(url, { jsonrpc: '2.0', id: 0, method: 'initialize', params });
  const session = opened.headers.get('mcp-session-id') ?? '';
  let id = 0;
  return (name, args = {}) => {
    id += 1;
    const call = { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } };
    return post(url, call, { 'mcp-session-id': session });
  };
}

describe.each(['legacy', 'modern'] as const)('in the %s era over HTTP', era => {
  test('lists and calls as the official client expects', async () => {
    const client = await connect(await start({ era }), era);
    const { tools } = await client.listTools();
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining(['echo', 'slow', 'structured', '__stats']));
    const { content } = await client.callTool({ name: 'echo', arguments: { text: 'hello' } });
    expect(content).toEqual([{ type: 'text', text: 'hello' }]);
    expect((await client.listResources()).resources).toHaveLength(3);
    expect((await client.getPrompt({ name: 'greet', arguments: { name: 'Bob' } })).messages).toHaveLength(1);
  });

  test('asks the client and answers with what it said', async () => {
    const client = await connect(await start({ era }), era);
    const { content } = await client.callTool({ name: 'ask', arguments: {} });
    expect(JSON.stringify(content)).toContain('Ada');
    expect(JSON.stringify((await client.callTool({ name: 'roots', arguments: {} })).content)).toContain('file:///work');
  });

  test('reports progress and counts a cancelled call once', async () => {
    const server = await start({ era });
    const client = await connect(server, era);
    const seen: number[] = [];
    const abort = new AbortController();
    const call = client.callTool(
      { name: 'slow', arguments: { ms: 30_000 } },
      {
        signal: abort.signal,
        onprogress: ({ progress }) => {
          seen.push(progress);
          if (seen.length === 2) abort.abort();
        },
      },
    );
    await expect(call).rejects.toThrow();
    expect(seen).toEqual([100, 200]);
    await expect.poll(() => server.stats().cancelled).toBe(1);
    await expect.poll(() => server.stats().inFlight).toBe(0);
  });

  test('tells of a changed list', async () => {
    const server = await start({ era });
    const client = await connect(server, era);
    let told = 0;
    client.setNotificationHandler('notifications/tools/list_changed', () => {
      told += 1;
    });
    if (era === 'modern') await client.listen({ toolsListChanged: true });
    await client.callTool({ name: 'toggle', arguments: {} });
    await expect.poll(() => told).toBe(1);
    expect((await client.listTools()).tools.map(({ name }) => name)).toContain('extra');
  });

  test('gives lists in pages when told to', async () => {
    const client = await connect(await start({ era, tools: 25, pageSize: 10 }), era);
    const { tools } = await client.listTools();
    expect(tools).toHaveLength(25);
    const size = JSON.stringify(tools).length / tools.length;
    expect(size).toBeGreaterThan(600);
    expect(size).toBeLessThan(800);
  });
});

test('answers any JSON result member by member', async () => {
  const server = await startFuzz('legacy');
  cleanups.push(server.close);
  const call = await openRaw(server.url);
  await fc.assert(
    fc.asyncProperty(anyToolResult, async result => {
      const answer = (await (await call(JSON_TOOL, { result })).json()) as JsonObject;
      expect(answer.result).toEqual(result);
    }),
    { numRuns: 50 },
  );
});

test('speaks HTTP+SSE to a client of 2024-11-05', async () => {
  const server = await start({ transport: 'sse', revision: '2024-11-05' });
  const client = new OldClient({ name: 'judge', version: '1.0.0' });
  await client.connect(new SSEClientTransport(new URL(server.url)));
  cleanups.push(() => client.close());
  const { content } = await client.callTool({ name: 'add', arguments: { a: 2, b: 3 } });
  expect(content).toEqual([{ type: 'text', text: '5' }]);
});

test.each(['legacy', 'modern'] as const)('speaks %s over stdio and keeps its ledger when it dies', async era => {
  const folder = mkdtempSync(join(tmpdir(), 'scripted-'));
  cleanups.push(async () => rmSync(folder, { recursive: true }));
  const ledger = join(folder, 'ledger');
  const script = [{ on: 'tools/call', name: 'effect', nth: 2, do: 'die', ran: true }] as const;
  const client = new ModernClient(
    { name: 'judge', version: '1.0.0' },
    { versionNegotiation: { mode: era === 'modern' ? { pin: '2026-07-28' } : 'legacy' } },
  );
  await client.connect(new StdioClientTransport(stdioScripted({ era, script, ledger })));
  cleanups.push(() => client.close());
  await client.callTool({ name: 'effect', arguments: { key: 'first' } });
  await expect(client.callTool({ name: 'effect', arguments: { key: 'second' } })).rejects.toThrow();
  expect(readFileSync(ledger, 'utf8')).toBe('effect first\neffect second\n');
});

describe('faults over HTTP', () => {
  test.each([
    { rule: { do: 'wrong-id' }, because: 'the answer bears an id nobody asked with', seen: /"id":1000001/ },
    { rule: { do: 'duplicate' }, because: 'the answer comes twice', seen: /"id":1.*"id":1\b/s },
    { rule: { do: 'garbage' }, because: 'the answer is not JSON', seen: /this is not JSON$/ },
    { rule: { do: 'wrong-type' }, because: 'the answer is a web page', seen: /^<html>/ },
    { rule: { do: 'drip', bytes: 7, ms: 1 }, because: 'the answer comes whole in the end', seen: /"text":"hi"/ },
    { rule: { do: 'flood', bytes: 300_000 }, because: 'the answer comes after the flood', seen: /"text":"hi"/ },
    { rule: { do: 'flood', what: 'result', bytes: 300_000 }, because: 'the result is large', seen: /x{300000}/ },
    { rule: { do: 'trailers' }, because: 'the answer is right', seen: /"text":"hi"/ },
    { rule: { do: 'error', code: -32011, message: 'no' }, because: 'the error is as scripted', seen: /"code":-32011/ },
  ] as const)('$rule.do: $because', async ({ rule, seen }) => {
    const server = await start({ script: [{ on: 'tools/call', ...rule }] });
    const call = await openRaw(server.url);
    expect(await (await call('echo', { text: 'hi' })).text()).toMatch(seen);
  });

  test.each([{ do: 'close' }, { do: 'half' }, { do: 'die' }] as const)('$do: the connection breaks', async rule => {
    const server = await start({ script: [{ on: 'tools/call', ...rule }] });
    const call = await openRaw(server.url);
    await expect(call('echo', { text: 'hi' }).then(answer => answer.text())).rejects.toThrow();
    if (rule.do === 'die') await expect(fetch(server.url)).rejects.toThrow();
  });

  test('http-status: status, headers and body are as scripted', async () => {
    const rule = {
      on: 'tools/call',
      do: 'http-status',
      status: 503,
      headers: { 'retry-after': '999999' },
      body: 'busy',
    } as const;
    const call = await openRaw((await start({ script: [rule] })).url);
    const answer = await call('echo');
    expect([answer.status, answer.headers.get('retry-after'), await answer.text()]).toEqual([503, '999999', 'busy']);
  });

  test('hang: nothing comes until the caller leaves', async () => {
    const server = await start({ script: [{ on: 'tools/call', do: 'hang' }] });
    const call = await openRaw(server.url);
    const outcome = await Promise.race([call('echo'), new Promise(resolve => setTimeout(resolve, 150, 'nothing'))]);
    expect(outcome).toBe('nothing');
    expect(server.stats().inFlight).toBe(1);
  });

  test('hold: nothing comes until another script is set, and then the right answer', async () => {
    const server = await start({ script: [{ on: 'tools/call', do: 'hold' }] });
    const call = await openRaw(server.url);
    const held = call('echo', { text: 'hi' });
    await expect.poll(() => server.stats().inFlight).toBe(1);
    expect(await Promise.race([held, new Promise(resolve => setTimeout(resolve, 150, 'nothing'))])).toBe('nothing');
    server.setScript([]);
    expect(await (await held).text()).toMatch(/"text":"hi"/);
  });

  test('a flood pauses when nobody reads, and ends when the reader leaves', async () => {
    const server = await start({ script: [{ on: 'tools/call', do: 'flood', endless: true }] });
    const call = await openRaw(server.url);
    const answer = await call('echo');
    await expect.poll(() => server.stats().pauses ?? 0, { timeout: 10_000 }).toBeGreaterThan(0);
    await answer.body?.cancel();
    await expect.poll(() => server.stats().inFlight).toBe(0);
  });

  test('nth and from choose the request; a new script starts to count anew', async () => {
    const server = await start({ script: [{ on: 'tools/call', name: 'echo', nth: 2, do: 'error' }] });
    const call = await openRaw(server.url);
    const ask = async () =>
      Object.keys((await (await call('echo', { text: 'a' })).json()) as JsonObject).includes('error');
    expect([await ask(), await ask(), await ask()]).toEqual([false, true, false]);
    server.setScript([{ on: '*', from: 2, do: 'error' }]);
    expect([await ask(), await ask(), await ask()]).toEqual([false, true, true]);
  });

  test('flip: the same tools come back with other words', async () => {
    const client = await connect(
      await start({ era: 'modern', script: [{ on: 'tools/list', from: 2, do: 'flip' }] }),
      'modern',
    );
    const before = (await client.listTools()).tools.find(({ name }) => name === 'echo');
    const after = (await client.listTools()).tools.find(({ name }) => name === 'echo');
    expect(after?.description).not.toBe(before?.description);
    expect(after?.inputSchema).not.toEqual(before?.inputSchema);
  });

  test('private-list: two callers see different lists, marked private', async () => {
    const server = await start({ era: 'modern', script: [{ on: 'tools/list', do: 'private-list' }] });
    const listAs = async (authorization: string) => {
      const _meta = {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientCapabilities': {},
      };
      const headers = { authorization, 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/list' };
      const answer = await post(
        server.url,
        { jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta } },
        headers,
      );
      const { result } = (await answer.json()) as { result: { cacheScope: string; tools: { name: string }[] } };
      expect(result.cacheScope).toBe('private');
      return result.tools.map(({ name }) => name).filter(name => name.startsWith('private_'));
    };
    const [alice, bob] = [await listAs('Bearer alice'), await listAs('Bearer bob')];
    expect(alice).toHaveLength(1);
    expect(alice).not.toEqual(bob);
  });
});

describe('faults over stdio', () => {
  const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}\n';

  /** Sends a ping, another one after the first line of an answer, and yields what the child wrote until it ended. */
  function talk(script: readonly Rule[]): Promise<{ written: string; exitCode: number | null }> {
    const { command, args } = stdioScripted({ script });
    const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    let written = '';
    let sent = 1;
    child.stdout.on('data', chunk => {
      written += String(chunk);
      if (written.includes('"id":2')) child.stdin.end();
      else if (sent === 1 && written.endsWith('\n')) {
        sent = 2;
        child.stdin.write(ping.replace('"id":1', '"id":2'));
      }
    });
    child.stdin.on('error', () => undefined);
    child.stdin.write(ping);
    return new Promise(resolve => child.once('close', exitCode => resolve({ written, exitCode })));
  }

  test.each([
    { rule: { do: 'garbage' }, because: 'a line that is not JSON stands where the answer should', seen: /not JSON\n/ },
    { rule: { do: 'half' }, because: 'the line ends half way', seen: /^\{"jsonrpc":"2.0","i\n/ },
    { rule: { do: 'wrong-id' }, because: 'the answer bears another id', seen: /"id":1000001/ },
    { rule: { do: 'duplicate' }, because: 'the answer comes twice', seen: /("id":1,.*\n.*){2}/ },
    { rule: { do: 'wrong-type' }, because: 'the result is a text', seen: /"result":"a text/ },
    { rule: { do: 'flood', what: 'line', bytes: 200_000 }, because: 'a very long line comes', seen: /x{200000}/ },
  ] as const)('$rule.do: $because, and the next answer is right', async ({ rule, seen }) => {
    const { written, exitCode } = await talk([{ on: 'ping', nth: 1, ...rule }]);
    expect(seen.test(written), written.slice(0, 200)).toBe(true);
    expect(written).toMatch(/\{"jsonrpc":"2.0","id":2,"result":\{\}\}/);
    expect(exitCode).toBe(0);
  });

  test('die: the process ends with the code it was told', async () => {
    expect(await talk([{ on: 'ping', do: 'die', exitCode: 7 }])).toEqual({ written: '', exitCode: 7 });
  });

  test('start die: it does not live to read anything', async () => {
    expect(await talk([{ on: 'start', do: 'die', exitCode: 3 }])).toEqual({ written: '', exitCode: 3 });
  });
});

test('a modern request whose headers disagree with its body is refused and counted', async () => {
  const server = await start({ era: 'modern' });
  const _meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const body = { jsonrpc: '2.0', id: 7, method: 'tools/call', params: { name: 'echo', _meta } };
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'other' };
  const answer = await post(server.url, body, headers);
  expect([answer.status, await answer.json()]).toMatchObject([400, { id: 7, error: { code: -32020 } }]);
  expect(server.stats().refused).toBe(1);
});

test('a script with a typo is refused', () => {
  expect(() => parseRules('[{"on":"tools/call","do":"explode"}]')).toThrow(/"do" must be one of/);
  expect(() => parseRules('{}')).toThrow(/list of rules/);
});
