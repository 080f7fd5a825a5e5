import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import type { Host } from '../../src/cli/host.ts';
import {
  addToQuarantine,
  listQuarantine,
  type QuarantineDesk,
  removeFromQuarantine,
} from '../../src/cli/quarantine.ts';
import { createQuarantineFile } from '../../src/outbound/limits/quarantine-file.ts';
import { createFrozenClock } from '../support/frozen-clock.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function sitDown(servers: readonly string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'quarantine-'));
  folders.push(folder);
  const lines: string[] = [];
  const output = { line: (text = '') => void lines.push(text) };
  const host = { stdout: output, stderr: output } as unknown as Host;
  const clock = createFrozenClock();
  const store = createQuarantineFile({ path: join(folder, 'quarantine.json'), clock });
  const desk: QuarantineDesk = { store, wallMs: clock.wallMs, operator: 'ops', servers };
  return { host, desk, lines, clock };
}

test('shuts out, lists, and lets in again', async () => {
  const { host, desk, lines, clock } = sitDown();
  expect(await addToQuarantine(host, desk, { kind: 'server', name: 'files', reason: 'leaks', for: '1h' })).toBe(0);
  expect(await addToQuarantine(host, desk, { kind: 'tool', name: 'mail/send', reason: 'spam' })).toBe(0);
  expect(await listQuarantine(host, desk)).toBe(0);
  expect(lines).toEqual([
    'server files is shut out until 2026-01-01T01:00:00.000Z.',
    'tool mail/send is shut out.',
    'server  files      since 2026-01-01T00:00:00.000Z until 2026-01-01T01:00:00.000Z by ops: leaks',
    'tool    mail/send  since 2026-01-01T00:00:00.000Z until removed by ops: spam',
  ]);
  clock.advance(3_600_000);
  expect(await removeFromQuarantine(host, desk, { kind: 'tool', name: 'mail/send' })).toBe(0);
  lines.length = 0;
  await listQuarantine(host, desk);
  expect(lines).toEqual(['Nobody and nothing is in quarantine.']);
});

test.each([
  { kind: 'everything', name: 'x', says: 'must be one of caller, agent, server, tool' },
  { kind: 'tool', name: 'send', says: 'a tool is named <server>/<tool>' },
  { kind: 'server', name: '', says: 'the name must have' },
  { kind: 'server', name: 'x', for: 'soon', says: '--for must be a duration' },
  { kind: 'server', name: 'x', for: '0s', says: '--for must be a duration' },
  { kind: 'server', name: 'x', reason: 'x'.repeat(1025), says: 'the reason must have' },
])('a slip is exit 2 and changes nothing: $says', async ({ says, ...wish }) => {
  const { host, desk, lines } = sitDown();
  expect(await addToQuarantine(host, desk, { reason: '', ...wish })).toBe(2);
  expect(lines.join()).toContain(says);
  expect(await desk.store.read()).toEqual([]);
});

test.each([
  {
    kind: 'server',
    name: 'githb',
    says: 'is called githb (did you mean github?); it holds for one that is registered',
  },
  { kind: 'server', name: 'wiki', says: 'is called wiki; it holds for one that is registered' },
  { kind: 'tool', name: 'githb/create_issue', says: 'is called githb (did you mean github?)' },
  { kind: 'server', name: 'github', says: null },
  { kind: 'server', name: '/github/', says: null },
  { kind: 'tool', name: 'github/create_issue', says: null },
  { kind: 'tool', name: 'github/odd/name', says: null },
  { kind: 'agent', name: 'githb', says: null },
])('of $kind $name a word about a slip: $says', async ({ says, ...wish }) => {
  const { host, desk, lines } = sitDown(['github', 'files']);
  expect(await addToQuarantine(host, desk, { reason: 'leaks', ...wish })).toBe(0);
  expect(lines[0]).toContain('is shut out');
  expect(lines.slice(1)).toEqual(says === null ? [] : [expect.stringContaining(says)]);
  expect(await desk.store.read()).toHaveLength(1);
});

test('where no server is configured, no name is called a slip', async () => {
  const { host, desk, lines } = sitDown();
  await addToQuarantine(host, desk, { kind: 'server', name: 'githb', reason: 'leaks' });
  expect(lines).toHaveLength(1);
});

test('to let in what is not shut out is exit 1', async () => {
  const { host, desk } = sitDown();
  expect(await removeFromQuarantine(host, desk, { kind: 'server', name: 'files' })).toBe(1);
});

test('a name cannot steer the terminal it is listed on', async () => {
  const { host, desk, lines } = sitDown();
  await addToQuarantine(host, desk, { kind: 'caller', name: 'a\u001b[2Jb', reason: 'x\r\ny' });
  await listQuarantine(host, desk);
  expect(lines.join('')).not.toMatch(/\p{Cc}/u);
});
