import { describe, expect, it } from 'vitest';
import { AuditSection, toAuditConfig } from '../../src/config/audit-config.ts';

const FROM = { variable: undefined, home: '/home/u', cwd: '/srv', folder: '/etc/gatehouse' };

describe('the path of the ledger', () => {
  it.each([
    { path: undefined, variable: undefined, expected: '/home/u/.cache/agent-mcp-gateway/logs/audit.jsonl' },
    { path: '~/a.jsonl', variable: undefined, expected: '/home/u/a.jsonl' },
    { path: 'logs/a.jsonl', variable: undefined, expected: '/etc/gatehouse/logs/a.jsonl' },
    { path: 'logs/a.jsonl', variable: 'b.jsonl', expected: '/srv/b.jsonl' },
    { path: '/x/a.jsonl', variable: '~/b.jsonl', expected: '/home/u/b.jsonl' },
  ])('is $expected for $path in the file and $variable in the environment', ({ path, variable, expected }) => {
    expect(toAuditConfig({ path }, { ...FROM, variable }).path).toBe(expected);
  });
});

it('refuses what is not recorded, unless told otherwise in a word', () => {
  expect(toAuditConfig(undefined, FROM)).toMatchObject({ enabled: true, onFailure: 'closed', durability: 'process' });
  expect(AuditSection.safeParse({ onFailure: true }).success).toBe(false);
  expect(AuditSection.parse({ onFailure: 'open', maxFileSize: '1MiB', keepDays: 7 })).toMatchObject({
    onFailure: 'open',
    maxFileSize: 1024 * 1024,
  });
});
