/** The ledger on a real disk: what is written, when, and what comes of failures, rotation and neighbours. */
import fs from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../../src/domain/audit.ts';
import type { Disk } from '../../../src/outbound/audit/disk.ts';
import { call, deny, factsOf, makeFolder, openLedgerAt, readAll } from './desk.ts';

describe('a line', () => {
  it('is written for every operation, of the right kind: allowed, denied, failed', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const ledger = openLedgerAt(path);
    await call(ledger);
    await deny(ledger);
    await call(ledger, { outcome: 'error', code: 'TIMEOUT' });
    await ledger.close();
    const { events, fault } = await readAll(path);
    expect(fault).toBeNull();
    expect(events.map(({ decision, outcome, seq }) => [seq, decision, outcome])).toEqual([
      [1, 'ALLOW', 'ok'],
      [2, 'DENY', 'denied'],
      [3, 'ERROR', 'error'],
    ]);
    expect(events[0]).toMatchObject({
      ...{ agent_id: 'researcher', operation: 'tools/call', server: 'github', tool: 'create_issue', latency_ms: 1.23 },
      ...{ rule: 'agents.researcher.allow.tools.github[0]', method: 'jwt', metadata: {}, error_code: null },
      address: '192.0.2.7',
    });
  });

  it('of a denied call stands in the file before the caller is answered', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const ledger = openLedgerAt(path);
    await deny(ledger);
    expect((await readAll(path)).events).toHaveLength(1);
  });

  it('is announced in the file before a call may have its effect', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const ledger = openLedgerAt(path);
    const facts = factsOf({ target: 'delete_everything' });
    expect(await ledger.intend(facts)).toBe(true);
    expect(fs.readFileSync(`${path}.intents`, 'utf8')).toContain('delete_everything');
    await ledger.conclude(facts);
  });

  it('is on the disk with the word disk, too', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const ledger = openLedgerAt(path, { durability: 'disk' });
    await Promise.all(Array.from({ length: 50 }, () => call(ledger)));
    await Promise.all(Array.from({ length: 50 }, () => deny(ledger)));
    await ledger.close();
    const { events, fault } = await readAll(path);
    expect([events.length, fault]).toEqual([100, null]);
  });

  it('is nobody else’s to read', async () => {
    const path = join(makeFolder(), 'logs', 'audit.jsonl');
    const ledger = openLedgerAt(path);
    await deny(ledger);
    expect(fs.statSync(path).mode & 0o777).toBe(0o600);
    expect(fs.statSync(join(path, '..')).mode & 0o777).toBe(0o700);
  });
});

describe('what a caller sends', () => {
  const NASTY = [
    'a\r\nb',
    'x","level":"fatal","y":"',
    '\u001b[2J\u001b]0;owned\u0007',
    '\u2028\u2029\u0085',
    '\ud800 lone',
    '"intent":"00000000-1"',
    '‮reversed',
    'x'.repeat(1024 * 1024),
    '\u0000',
    '{"seq":1,"prev":"","hash":""}\n{"seq":2}',
  ];

  it('becomes exactly one record each, escaped and bounded', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const ledger = openLedgerAt(path);
    for (const text of NASTY) {
      await call(ledger, {
        id: text,
        target: text,
        agent: text,
        server: text,
        clientName: text,
        metadata: { [text]: text },
      });
      await deny(ledger, { subject: text, rule: text, operation: text, method: text, sessionId: text, code: text });
    }
    await ledger.close();
    const raw = fs.readFileSync(path, 'utf8');
    expect(raw.split(/\r\n|[\n\r\u0085\u2028\u2029]/)).toHaveLength(2 * NASTY.length + 1);
    const isControl = (code: number) => (code < 32 && code !== 10) || (code >= 127 && code < 160) || code === 0x202e;
    expect([...raw].filter(character => isControl(character.codePointAt(0) ?? 0))).toEqual([]);
    const { events, fault } = await readAll(path);
    expect(fault).toBeNull();
    expect(events).toHaveLength(2 * NASTY.length);
    expect(events[0]?.tool).toBe('a\r\nb');
    expect(raw).toContain('[truncated, 1048576 characters]');
    expect(raw.length).toBeLessThan(100_000);
  });

  it('shows no secret and no session id', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const ledger = openLedgerAt(path);
    const token = `eyJ${'hbGciOiJIUzI1NiJ9'.repeat(3)}.e30.c2ln`;
    await call(ledger, { target: `https://u:secretpw@host/x?api_key=abcdef123456`, sessionId: 'the-session-id' });
    await deny(ledger, { operation: `Bearer ${token}`, agent: token, metadata: { note: `password=hunter22` } });
    await ledger.close();
    const raw = fs.readFileSync(path, 'utf8');
    for (const secret of ['secretpw', 'abcdef123456', token, 'hunter22', 'the-session-id'])
      expect(raw).not.toContain(secret);
  });
});

describe('rotation', () => {
  it('loses and splits no line under 1,000 calls at once', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const ledger = openLedgerAt(path, { maxFileBytes: 64 * 1024 });
    await Promise.all(Array.from({ length: 1000 }, (_, n) => (n % 2 === 0 ? call(ledger) : deny(ledger))));
    await ledger.close();
    const files = fs.readdirSync(join(path, '..')).filter(name => name.endsWith('.jsonl'));
    expect(files.length).toBeGreaterThan(5);
    for (const name of files) expect(fs.statSync(join(path, '..', name)).size).toBeLessThanOrEqual(64 * 1024);
    const { events, fault } = await readAll(path);
    expect(fault).toBeNull();
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 1000 }, (_, n) => n + 1));
    expect(new Set(events.map(({ request_id }) => request_id)).size).toBe(1000);
  });

  it('keeps as many files as it was told, and the rest still verifies', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const ledger = openLedgerAt(path, { maxFileBytes: 64 * 1024, keepFiles: 2 });
    for (let round = 0; round < 10; round += 1) await Promise.all(Array.from({ length: 100 }, () => deny(ledger)));
    await ledger.close();
    expect(fs.readdirSync(join(path, '..')).filter(name => name.endsWith('.jsonl'))).toHaveLength(3);
    const { events, fault } = await readAll(path);
    expect(fault).toBeNull();
    expect(events[0]?.seq).toBeGreaterThan(1);
    expect(events.at(-1)?.seq).toBe(1000);
  });

  it('goes on where the folder does not allow it: a file too long is better than a line lost', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const renameSync: Disk['renameSync'] = () => {
      throw Object.assign(new Error('no'), { code: 'EACCES' });
    };
    const ledger = openLedgerAt(path, { maxFileBytes: 64 * 1024 }, { disk: { ...fs, renameSync } });
    await Promise.all(Array.from({ length: 300 }, () => deny(ledger)));
    await ledger.close();
    const { events, fault } = await readAll(path);
    expect([events.length, fault]).toEqual([300, null]);
  });
});

describe('a ledger that goes on', () => {
  it('continues the chain after a restart', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    for (let run = 0; run < 3; run += 1) {
      const ledger = openLedgerAt(path);
      await call(ledger);
      await ledger.close();
    }
    const { events, fault } = await readAll(path);
    expect(fault).toBeNull();
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  });

  it('counts on when the clock is set back', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const ledger = openLedgerAt(path);
    await deny(ledger, { atMs: Date.UTC(2026, 10, 21) });
    await deny(ledger, { atMs: Date.UTC(2020, 0, 1) });
    const { events, fault } = await readAll(path);
    expect([events.map(({ seq }) => seq), fault]).toEqual([[1, 2], null]);
    expect(events[1]?.timestamp).toBe('2020-01-01T00:00:00.000Z');
  });

  it('puts a file of another program aside instead of writing into it', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    fs.writeFileSync(path, '{"timestamp":"2025-01-01T00:00:00Z","agent_id":"a","decision":"ALLOW"}\n');
    const ledger = openLedgerAt(path);
    await deny(ledger);
    await ledger.close();
    expect(fs.readFileSync(`${path}.other-1`, 'utf8')).toContain('2025-01-01');
    const { events, fault } = await readAll(path);
    expect(fault).toBeNull();
    expect(events.map(({ operation }) => operation)).toEqual(['audit/put-aside', 'tools/call']);
  });

  it('begins a new file when somebody moves the one it writes', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const ledger = openLedgerAt(path);
    await deny(ledger);
    fs.renameSync(path, `${path}.moved`);
    await expect.poll(() => fs.existsSync(path), { timeout: 10_000 }).toBe(true);
    await deny(ledger);
    expect(fs.readFileSync(path, 'utf8')).toContain('"seq":2');
  });
});

describe('several gateways on one path', () => {
  it('all write, each into a ledger of its own', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const ledgers = [openLedgerAt(path), openLedgerAt(path), openLedgerAt(path)];
    await Promise.all(ledgers.map(ledger => call(ledger)));
    expect(ledgers.map(ledger => ledger.status().file)).toEqual([
      path,
      join(path, '..', 'audit-2.jsonl'),
      join(path, '..', 'audit-3.jsonl'),
    ]);
    for (const ledger of ledgers) await ledger.close();
    for (const slot of [0, 1, 2]) {
      const { events, fault } = await readAll(path, slot);
      expect([events.length, fault]).toEqual([1, null]);
    }
  });
});

describe('a flood of refusals', () => {
  it('is told in counts that add up', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const ledger = openLedgerAt(path);
    await Promise.all(Array.from({ length: 10_000 }, (_, n) => deny(ledger, { target: `tool-${n % 3}` })));
    await ledger.close();
    const { events, fault } = await readAll(path);
    expect(fault).toBeNull();
    expect(events.length).toBeLessThan(9_000);
    const count = (event: (typeof events)[number]) => Number((event.metadata as { repeated?: number }).repeated ?? 1);
    expect(events.reduce((sum, event) => sum + count(event), 0)).toBe(10_000);
  });
});

describe('what a flood is told by', () => {
  const repeatedOf = ({ metadata }: AuditEvent) => (metadata as { repeated?: number }).repeated ?? 1;

  it.each(['process', 'disk'] as const)(
    'comes by itself when nothing else is written any more (%s)',
    async durability => {
      const path = join(makeFolder(), 'audit.jsonl');
      const ledger = openLedgerAt(path, { durability });
      await Promise.all(Array.from({ length: 1_500 }, () => deny(ledger)));
      const startedMs = Date.now();
      const sum = async () => (await readAll(path)).events.reduce((all, event) => all + repeatedOf(event), 0);
      while ((await sum()) < 1_500 && Date.now() - startedMs < 15_000) await sleep(50);
      expect(await sum()).toBe(1_500);
      expect(ledger.status().counts.aggregated).toBeGreaterThan(0);
    },
  );

  it('names the address that all of it came from, and none where that is not one', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const ledger = openLedgerAt(path);
    const from = (address: string) => deny(ledger, { address });
    await Promise.all(Array.from({ length: 1_000 }, () => from('192.0.2.1')));
    const addresses = Array.from({ length: 300 }, (_, n) => `198.51.100.${n % 250}`);
    await Promise.all([...addresses, ...addresses].map(from));
    await ledger.close();
    const counted = (await readAll(path)).events.filter(event => repeatedOf(event) > 1);
    expect(counted.filter(({ address }) => address === null)).toHaveLength(1);
    expect(new Set(counted.map(({ address }) => address)).size).toBe(counted.length);
  });
});

describe.each(['ENOSPC', 'EIO', 'EROFS'])('a disk that answers %s', code => {
  /** Writes half of what is given and then refuses, as a full disk does. */
  function breakable(): { disk: Disk; break(): void; mend(): void } {
    let isBroken = false;
    const writeSync = ((fd: number, bytes: Uint8Array, offset: number, length: number, position?: number | null) => {
      if (!isBroken) return fs.writeSync(fd, bytes, offset, length, position ?? null);
      if (length > 100) return fs.writeSync(fd, bytes, offset, 50, position ?? null);
      throw Object.assign(new Error('refused'), { code });
    }) as Disk['writeSync'];
    let left = 1;
    const failing = ((fd: number, bytes: Uint8Array, offset: number, length: number, position?: number | null) => {
      if (isBroken && left-- <= 0) throw Object.assign(new Error('refused'), { code });
      return writeSync(fd, bytes, offset, length, position);
    }) as Disk['writeSync'];
    return {
      disk: { ...fs, writeSync: failing },
      break: () => {
        isBroken = true;
        left = 1;
      },
      mend: () => {
        isBroken = false;
      },
    };
  }

  it('stops calls before their effect and lets them go on by itself once it is well', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const { disk, ...state } = breakable();
    const ledger = openLedgerAt(path, {}, { disk });
    const underWay = factsOf({ target: 'under-way' });
    await ledger.intend(underWay);
    expect(await call(ledger)).toBe(true);
    state.break();
    expect(await call(ledger)).toBe(false);
    expect(await call(ledger)).toBe(false);
    expect(ledger.isRefusing()).toBe(true);
    expect(ledger.status().failing).toBe(code);
    ledger.conclude(underWay);
    await deny(ledger);
    state.mend();
    await expect.poll(() => ledger.isRefusing(), { timeout: 10_000 }).toBe(false);
    expect(await call(ledger)).toBe(true);
    await ledger.close();
    const { events, fault } = await readAll(path);
    expect(fault).toBeNull();
    expect(events.map(({ operation, tool, outcome }) => tool ?? `${operation} ${outcome}`)).toEqual([
      ...['create_issue', 'under-way', 'create_issue', 'audit/unavailable error', 'create_issue'],
    ]);
    expect(events[3]?.metadata).toMatchObject({ error_code: code, refused: 2 });
    expect(ledger.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  it('stops no call with the word open, and what was held back is written later', async () => {
    const path = join(makeFolder(), 'audit.jsonl');
    const { disk, ...state } = breakable();
    const ledger = openLedgerAt(path, { onFailure: 'open' }, { disk });
    await call(ledger);
    state.break();
    for (let n = 0; n < 20; n += 1) expect(await call(ledger)).toBe(true);
    state.mend();
    await ledger.close();
    const { events, fault } = await readAll(path);
    expect(fault).toBeNull();
    expect(events.filter(({ tool }) => tool === 'create_issue')).toHaveLength(21);
  });
});

describe('a path that cannot be written', () => {
  it('refuses calls with closed, says so once, and opens when it can', async () => {
    const folder = makeFolder();
    fs.writeFileSync(join(folder, 'logs'), 'a file where the folder should be');
    const path = join(folder, 'logs', 'audit.jsonl');
    const ledger = openLedgerAt(path);
    expect(await call(ledger)).toBe(false);
    await deny(ledger);
    expect(ledger.log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    fs.rmSync(join(folder, 'logs'));
    await expect.poll(() => ledger.isRefusing(), { timeout: 10_000 }).toBe(false);
    expect(await call(ledger)).toBe(true);
    await ledger.close();
    const { events, fault } = await readAll(path);
    expect(fault).toBeNull();
    expect(events.map(({ decision }) => decision)).toEqual(['DENY', 'ERROR', 'ALLOW']);
  });

  it('warns and lets calls through with open', async () => {
    const folder = makeFolder();
    fs.writeFileSync(join(folder, 'logs'), '');
    const ledger = openLedgerAt(join(folder, 'logs', 'audit.jsonl'), { onFailure: 'open' });
    expect(await call(ledger)).toBe(true);
    expect(ledger.log.lines.some(({ message }) => message === 'audit ledger cannot be written')).toBe(true);
  });
});
