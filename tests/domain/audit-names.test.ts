import { expect, it } from 'vitest';
import { findLedgerFiles, partName, slotName } from '../../src/domain/audit-names.ts';

it('finds the files of every ledger in the order of their lines, and nothing else', () => {
  const names = [
    ...['audit.jsonl', 'audit-2.jsonl', 'audit.000000000900.jsonl', 'audit.000000000001.jsonl', 'audit.jsonl.head'],
    ...['audit-2.000000000001.jsonl', 'audit.jsonl.other-1', 'audit-old.jsonl', 'audit-1.jsonl', 'audit.12.jsonl'],
    ...['audit-10.jsonl', 'audit.jsonl.intents', 'auditor.jsonl', 'x-audit.jsonl'],
  ];
  expect(findLedgerFiles('audit.jsonl', names).map(({ name }) => name)).toEqual([
    ...['audit.000000000001.jsonl', 'audit.000000000900.jsonl', 'audit.jsonl'],
    ...['audit-2.000000000001.jsonl', 'audit-2.jsonl', 'audit-10.jsonl'],
  ]);
});

it.each(['audit.jsonl', 'audit', 'my.audit.log', '.audit'])('finds again what it named, from %s', name => {
  const given = [slotName(name, 1), slotName(name, 12), partName(slotName(name, 12), 7), partName(name, 123_456)];
  expect(
    findLedgerFiles(name, given)
      .map(file => file.name)
      .sort(),
  ).toEqual(given.sort());
});
