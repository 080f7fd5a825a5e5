import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { LOCAL_CALLER } from '../../../src/domain/identity.ts';
import type { QuarantineEntry } from '../../../src/domain/quarantine.ts';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { createQuarantineFile } from '../../../src/outbound/limits/quarantine-file.ts';
import type { Log } from '../../../src/ports/log.ts';
import { createQuarantine, type Quarantine } from '../../../src/services/limits/quarantine.ts';
import { eventually } from '../../inbound/http/wire.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

function place(): string {
  const folder = mkdtempSync(join(tmpdir(), 'quarantine-'));
  ends.push(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'kept', 'quarantine.json');
}

function collect(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const say = (message: string, fields?: object) => void lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const log: Log = { debug: say, info: say, warn: say, error: say, with: () => log };
  return { log, lines };
}

async function open(path: string, clock = createSystemClock()): Promise<Quarantine & { lines: string[] }> {
  const { log, lines } = collect();
  const quarantine = createQuarantine({ store: createQuarantineFile({ path, clock }), clock, log });
  ends.push(() => quarantine.stop());
  await quarantine.start();
  return { ...quarantine, lines };
}

const entry = (more: Partial<QuarantineEntry> = {}): QuarantineEntry => ({
  kind: 'server',
  name: 'files',
  reason: 'leaks',
  by: 'ops',
  sinceMs: 1_767_225_600_000,
  untilMs: null,
  ...more,
});
const ana = { ...LOCAL_CALLER, subject: 'https://issuer.example|ana', agent: 'writer' };

describe('who and what is shut out', () => {
  test.each([
    {
      shut: entry({ kind: 'caller', name: ana.subject }),
      blocked: [true, true, true, false],
      because: 'a caller, everywhere',
    },
    {
      shut: entry({ kind: 'agent', name: 'writer' }),
      blocked: [true, true, true, false],
      because: 'an agent, everywhere',
    },
    { shut: entry(), blocked: [false, true, true, true], because: 'a server, for everybody' },
    { shut: entry({ kind: 'tool', name: 'files/rm' }), blocked: [false, false, true, false], because: 'a tool alone' },
    { shut: entry({ kind: 'tool', name: 'files/*' }), blocked: [false, false, false, false], because: 'no patterns' },
  ])('$because', async ({ shut, blocked }) => {
    const quarantine = await open(place());
    expect(quarantine.isBlocked(ana, 'files', 'rm')).toBe(false);
    await quarantine.add(shut);
    const other = { ...LOCAL_CALLER, subject: 'other' };
    expect([
      quarantine.isBlocked(ana, null, null),
      quarantine.isBlocked(ana, 'files', null),
      quarantine.isBlocked(ana, 'files', 'rm'),
      quarantine.isBlocked(other, 'files', 'read'),
    ]).toEqual(blocked);
  });

  test('the entry that decides is known to whoever writes it down', async () => {
    const quarantine = await open(place());
    await quarantine.add(entry());
    expect(quarantine.findBlock(null, 'files', 'read')).toMatchObject({ by: 'ops', reason: 'leaks' });
    expect(quarantine.findBlock(null, 'mail', null)).toBeNull();
  });

  test('lets in again when its time is over, and says so by its version', async () => {
    const path = place();
    const clock = createFrozenClock();
    const { log } = collect();
    const quarantine = createQuarantine({ store: createQuarantineFile({ path, clock }), clock, log });
    ends.push(() => quarantine.stop());
    await quarantine.start();
    await quarantine.add(entry({ untilMs: clock.wallMs() + 60_000 }));
    let told = 0;
    quarantine.onChange(() => told++);
    const before = quarantine.version();
    clock.advance(59_000);
    expect(quarantine.isBlocked(null, 'files', null)).toBe(true);
    expect(quarantine.version()).toBe(before);
    clock.advance(1_001);
    expect(quarantine.isBlocked(null, 'files', null)).toBe(false);
    expect(quarantine.isEmpty()).toBe(true);
    expect(quarantine.version()).toBeGreaterThan(before);
    expect(told).toBe(1);
  });
});

describe('the file', () => {
  test('holds it over a restart, readable by its owner alone, with nothing left beside it', async () => {
    const path = place();
    const first = await open(path);
    await first.add(entry({ reason: 'was "seen"\nwith\u0000odd things' }));
    await first.stop();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(path, '..'))).toEqual(['quarantine.json']);
    const second = await open(path);
    expect(second.entries()).toEqual([entry({ reason: 'was "seen"\nwith\u0000odd things' })]);
    expect(await second.remove('server', 'files')).toBe(true);
    expect(await second.remove('server', 'files')).toBe(false);
    expect(second.isEmpty()).toBe(true);
  });

  test('changed by another process, acts on a running gateway', async () => {
    const path = place();
    const running = await open(path);
    const typed = createQuarantineFile({ path, clock: createSystemClock() });
    await typed.change(entries => [...entries, entry()]);
    await eventually(() => running.isBlocked(null, 'files', null), 'the running one has heard of it');
    await typed.change(() => []);
    await eventually(() => running.isEmpty(), 'the running one has heard that it is over');
  });

  test('no change is lost when two processes and one gateway make many at once', async () => {
    const path = place();
    const running = await open(path);
    const script = `
      import { createQuarantineFile } from ${JSON.stringify(join(import.meta.dirname, '../../../src/outbound/limits/quarantine-file.ts'))};
      import { createSystemClock } from ${JSON.stringify(join(import.meta.dirname, '../../../src/outbound/clock.ts'))};
      const store = createQuarantineFile({ path: process.argv[1], clock: createSystemClock() });
      for (let i = 0; i < 10; i++) await store.change(entries => [...entries, { kind: 'agent', name: process.argv[2] + i, reason: '', by: '', sinceMs: 0, untilMs: null }]);`;
    const child = (name: string) =>
      new Promise<number | null>(resolve =>
        spawn(process.execPath, ['--input-type=module', '-e', script, path, name], { stdio: 'inherit' }).on(
          'exit',
          resolve,
        ),
      );
    const codes = Promise.all([child('a'), child('b')]);
    for (let i = 0; i < 10; i++) await running.add(entry({ name: `s${i}` }));
    expect(await codes).toEqual([0, 0]);
    await eventually(() => running.entries().length === 30, 'all thirty are in force');
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  test.each([
    { text: 'not json', because: 'no JSON' },
    { text: '{"version":1,"entries":[{"kind":"everything"}]}', because: 'an entry nobody understands' },
    { text: '{"version":2,"entries":[]}', because: 'another version' },
    { text: '{"version":1,"entries":[],"patterns":[]}', because: 'a key nobody knows' },
  ])('a start is refused over $because; while running, what was in force stays', async ({ text }) => {
    const path = place();
    const running = await open(path);
    await running.add(entry());
    writeFileSync(path, text);
    await eventually(() => running.lines.some(line => line.includes('cannot be read')), 'it is said');
    expect(running.isBlocked(null, 'files', null)).toBe(true);
    await expect(running.add(entry({ name: 'mail' }))).rejects.toThrow('cannot be understood');
    await expect(open(path)).rejects.toThrow('cannot be understood');
    expect(readFileSync(path, 'utf8')).toBe(text);
  });

  test('that everybody may write is not believed', async () => {
    const path = place();
    const running = await open(path);
    await running.add(entry());
    chmodSync(path, 0o666);
    await expect(open(path)).rejects.toThrow('may be written by everybody');
  });

  test('never holds what could not be read again', async () => {
    const quarantine = await open(place());
    await expect(quarantine.add(entry({ reason: 'x'.repeat(2000) }))).rejects.toThrow('cannot be kept');
    await expect(quarantine.add(entry({ name: '' }))).rejects.toThrow('cannot be kept');
    await quarantine.add(entry());
    expect(quarantine.entries()).toHaveLength(1);
  });

  test('a lock left behind by a process that died is taken away', async () => {
    const path = place();
    const quarantine = await open(path);
    await quarantine.add(entry());
    writeFileSync(`${path}.lock`, '');
    const later = createFrozenClock(Date.now() + 11_000);
    const store = createQuarantineFile({ path, clock: later });
    expect(await store.change(() => [])).toEqual([]);
  });
});
