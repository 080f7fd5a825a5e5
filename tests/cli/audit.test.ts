/** `gatehouse audit` as a person and a script use it: exit codes, filters, formats. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { beforeEach, describe, expect, it } from 'vitest';
import { exportAudit, tailAudit, verifyAudit } from '../../src/cli/audit.ts';
import type { Host, Output } from '../../src/cli/host.ts';
import { call, deny, factsOf, makeFolder, openLedgerAt, readAll } from '../outbound/audit/desk.ts';

interface Desk extends Host {
  said: string[];
  signals: (() => void)[];
  written(): string;
}

function openDesk(path: string): Desk {
  const said: string[] = [];
  const signals: (() => void)[] = [];
  const stream = new PassThrough();
  let written = '';
  stream.on('data', chunk => {
    written += String(chunk);
  });
  const plain = (text: string) => text;
  const paint = { bold: plain, dim: plain, green: plain, yellow: plain, red: plain };
  const output: Output = { line: (text = '') => void said.push(text), stream, isTerminal: false, paint };
  return {
    ...{ args: [], env: { GATEWAY_AUDIT_LOG: path }, cwd: '/', home: '/', execPath: process.execPath },
    ...{ stdin: process.stdin, stdout: output, stderr: output, said, signals, written: () => written },
    onSignal: (_names, run) => {
      signals.push(() => run('SIGINT'));
      return () => {};
    },
    onCrash: () => () => {},
  };
}

const CHILD = fileURLToPath(new URL('../outbound/audit/ledger-child.ts', import.meta.url));

async function runAndKill(path: string, run: number): Promise<void> {
  const child = spawn(process.execPath, [CHILD, path, String(run)], { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), 10)).resume();
  await once(child, 'close');
}

let path = '';
let desk: Desk;

beforeEach(async () => {
  path = join(makeFolder(), 'audit.jsonl');
  desk = openDesk(path);
  const ledger = openLedgerAt(path);
  await call(ledger, { agent: 'reader', server: 'github', target: 'read_issue', atMs: Date.UTC(2026, 0, 1) });
  await deny(ledger, { agent: 'writer', server: 'postgres', target: 'drop_table', atMs: Date.UTC(2026, 0, 2) });
  await call(ledger, { agent: 'writer', target: '=cmd|evil', clientName: 'a "b", c', atMs: Date.UTC(2026, 0, 3) });
  await ledger.close();
});

describe('verify', () => {
  it('exits 0 for an intact ledger and says its end', async () => {
    expect(await verifyAudit(desk, {})).toBe(0);
    expect(desk.said[0]).toContain('3 lines');
    expect(desk.said[1]).toMatch(/last 3:[0-9a-f]{64}/);
  });

  it('exits 1 and names the first bad line', async () => {
    fs.writeFileSync(path, fs.readFileSync(path, 'utf8').replace('drop_table', 'read_table'));
    expect(await verifyAudit(desk, {})).toBe(1);
    expect(desk.said[0]).toContain('line 2 is altered');
  });

  it('exits 1 where there is nothing to verify', async () => {
    expect(await verifyAudit(desk, { file: '/nowhere/audit.jsonl' })).toBe(1);
  });

  it('finds a ledger written anew with its checkpoint by a hash noted elsewhere', async () => {
    const [, noted = ''] = /last (\S+)/.exec((await verifyAudit(desk, {})) === 0 ? (desk.said[1] ?? '') : '') ?? [];
    expect(await verifyAudit(desk, { expect: noted })).toBe(0);
    for (const name of fs.readdirSync(join(path, '..'))) fs.rmSync(join(path, '..', name));
    const forged = openLedgerAt(path);
    for (let n = 0; n < 3; n += 1) await call(forged);
    await forged.close();
    expect(await verifyAudit(desk, {})).toBe(0);
    expect(await verifyAudit(desk, { expect: noted })).toBe(1);
    expect(await verifyAudit(desk, { expect: 'nonsense' })).toBe(2);
  });

  it('verifies a ledger that is being written', async () => {
    const ledger = openLedgerAt(path, { maxFileBytes: 64 * 1024 });
    const busy = Promise.all(Array.from({ length: 500 }, () => deny(ledger)));
    expect(await verifyAudit(desk, {})).toBe(0);
    await busy;
    expect(await verifyAudit(desk, {})).toBe(0);
  });
});

describe('verify, of a gateway that did not end', () => {
  const saysOpen = async () => {
    desk.said.length = 0;
    expect(await verifyAudit(desk, {})).toBe(0);
    expect(desk.said[0]).toContain('intact');
    return desk.said.find(text => text.includes('announced'))?.trim() ?? null;
  };

  it('says what is announced and not concluded, and nothing once it is', async () => {
    const ledger = openLedgerAt(path);
    const [first, second] = [factsOf(), factsOf()];
    await ledger.intend(first);
    await ledger.intend(second);
    expect(await saysOpen()).toBe(
      '2 operations were announced and are not concluded: the next start writes them down as interrupted (while the ' +
        'gateway runs, they may be under way)',
    );
    ledger.conclude(first);
    await ledger.settle();
    expect(await saysOpen()).toMatch(
      /^1 operation was announced and is not .* writes it down .*, it may be under way\)$/,
    );
    ledger.conclude(second);
    await ledger.settle();
    expect(await saysOpen()).toBeNull();
  });

  it('says of a killed one how many the next start writes down, line for line', { timeout: 60_000 }, async () => {
    let told = 0;
    for (let run = 1; run <= 20 && told === 0; run += 1) {
      await runAndKill(path, run);
      told = Number(/^\d+/.exec((await saysOpen()) ?? '0')?.[0]);
      const before = (await readAll(path)).events.length;
      await openLedgerAt(path).close();
      const added = (await readAll(path)).events.slice(before);
      expect(added.filter(({ outcome }) => outcome === 'interrupted')).toHaveLength(told);
      expect(await saysOpen()).toBeNull();
    }
    expect(told).toBeGreaterThan(0);
  });

  it('takes none that is concluded while it reads for one that is not', async () => {
    const ledger = openLedgerAt(path);
    const underWay = Array.from({ length: 200 }, () => factsOf());
    await Promise.all(underWay.map(facts => ledger.intend(facts)));
    const reading = saysOpen();
    for (const facts of underWay) ledger.conclude(facts);
    await ledger.settle();
    expect(await reading).toBeNull();
  });

  it.each(['head', 'intents'])('waits for nobody at a pipe: %s', async kind => {
    fs.rmSync(`${path}.${kind}`);
    execFileSync('mkfifo', [`${path}.${kind}`]);
    expect(await verifyAudit(desk, {})).toBe(kind === 'head' ? 1 : 0);
  });
});

describe('tail', () => {
  it.each([
    { options: {}, expected: ['read_issue', 'drop_table', '=cmd|evil'] },
    { options: { decision: 'deny' }, expected: ['drop_table'] },
    { options: { agent: 'writer' }, expected: ['drop_table', '=cmd|evil'] },
    { options: { server: 'github', since: '2026-01-02' }, expected: ['=cmd|evil'] },
    { options: { until: '2026-01-02T00:00:00Z' }, expected: ['read_issue'] },
  ])('shows what matches $options', async ({ options, expected }) => {
    expect(await tailAudit(desk, { lines: 10, json: true, ...options })).toBe(0);
    expect(desk.said.map(line => (JSON.parse(line) as { tool: string }).tool)).toEqual(expected);
  });

  it('shows the last lines only', async () => {
    await tailAudit(desk, { lines: 1 });
    expect(desk.said).toHaveLength(1);
    expect(desk.said[0]).toContain('=cmd|evil');
  });

  it('follows what is written, also into the next file, until a signal', async () => {
    const following = tailAudit(desk, { lines: 0, follow: true, json: true });
    const ledger = openLedgerAt(path, { maxFileBytes: 64 * 1024 });
    await expect.poll(() => desk.signals.length).toBe(1);
    for (let n = 0; n < 300; n += 1) await deny(ledger);
    await expect.poll(() => desk.said.length, { timeout: 20_000 }).toBe(300);
    desk.signals[0]?.();
    expect(await following).toBe(0);
  });

  it('refuses words and times it does not know with exit 2', async () => {
    expect(await tailAudit(desk, { lines: 1, decision: 'maybe' })).toBe(2);
    expect(await tailAudit(desk, { lines: 1, since: 'yesterday' })).toBe(2);
  });

  it('lets nobody steer the terminal', async () => {
    const ledger = openLedgerAt(path);
    await deny(ledger, { agent: '\u001b[2Jx' });
    await tailAudit(desk, { lines: 1 });
    expect(desk.said[0]).toContain('\\u001b[2Jx');
  });
});

describe('export', () => {
  it('gives the lines exactly as they stand', async () => {
    expect(await exportAudit(desk, { format: 'jsonl' })).toBe(0);
    expect(desk.written()).toBe(fs.readFileSync(path, 'utf8'));
  });

  it('gives CSV that a spreadsheet reads and does not run', async () => {
    await exportAudit(desk, { format: 'csv', agent: 'writer' });
    const [head = '', denied = '', odd = ''] = desk.written().split('\r\n');
    expect(head.split(',').slice(0, 4)).toEqual(['seq', 'timestamp', 'request_id', 'agent_id']);
    expect(denied).toContain('DENY,postgres,drop_table');
    expect(odd).toContain("'=cmd|evil");
    expect(odd).toContain('"a ""b"", c"');
  });

  it('writes a file that only its owner reads, and never over another', async () => {
    const out = join(path, '..', 'out.csv');
    await exportAudit(desk, { format: 'csv', out });
    expect(fs.statSync(out).mode & 0o777).toBe(0o600);
    await expect(exportAudit(desk, { format: 'csv', out })).rejects.toThrow('EEXIST');
  });
});
