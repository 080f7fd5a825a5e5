import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SlotTable } from '../../src/domain/slot-table.ts';

describe('a table of what is under way', () => {
  test('gives rising numbers after the one it was given', () => {
    const table = new SlotTable<string>(41);
    expect([table.add('a'), table.add('b'), table.lastId]).toEqual([42, 43, 43]);
    expect([table.find(42), table.find(43), table.find(41), table.find(0)]).toEqual(['a', 'b', null, null]);
  });

  test('never gives a number twice, so that a late answer finds nobody', () => {
    const table = new SlotTable<number>();
    const given = new Set<number>();
    for (let n = 0; n < 10_000; n++) {
      const id = table.add(n);
      expect(given.has(id)).toBe(false);
      given.add(id);
      if (n % 3 !== 0) table.delete(id);
    }
    expect(table.size).toBe(3_334);
  });

  test('one that stays does not stop the others', () => {
    const table = new SlotTable<string>();
    const stays = table.add('stays');
    for (let n = 0; n < 1_000; n++) expect(table.delete(table.add('goes'))).toBe(true);
    expect([table.find(stays), table.size, table.items()]).toEqual(['stays', 1, ['stays']]);
  });

  test('does not know numbers it never gave', () => {
    const table = new SlotTable<string>();
    table.add('a');
    for (const id of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 17, 2 ** 32 + 1]) {
      expect([table.find(id), table.delete(id)]).toEqual([null, false]);
    }
    expect(table.size).toBe(1);
  });

  test('behaves like a Map with a counter', () => {
    const step = fc.oneof(fc.constant('add' as const), fc.nat(40));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), steps => {
        const table = new SlotTable<object>();
        const map = new Map<number, object>();
        for (const now of steps) {
          if (now === 'add') {
            const item = {};
            map.set(table.add(item), item);
          } else {
            const id = [...map.keys()][now] ?? now + 1_000_000;
            expect(table.delete(id)).toBe(map.delete(id));
          }
          expect(table.size).toBe(map.size);
        }
        for (const [id, item] of map) expect(table.find(id)).toBe(item);
        expect(new Set(table.items())).toEqual(new Set(map.values()));
      }),
    );
  });
});
