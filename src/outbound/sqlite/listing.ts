/** A page of servers or agents: the conditions of a filter, in SQL. Texts are compared as storage/matching.ts makes them. */
import type { Cursor, Page, PageRequest } from '../../ports/repository.ts';
import { type Narrowing, tagNeedle, wordsOf } from '../storage/matching.ts';
import type { Records } from './records.ts';
import type { Value } from './tables.ts';

/** SQLite's way to say that there is no limit. */
const ALL = -1;

export function listPage<T>(records: Records<T>, base: string, filter: Narrowing, page: PageRequest | Cursor): Page<T> {
  const { conditions, values } = toConditions(filter);
  const where = [base, ...conditions].join(' and ');
  const limit = Number.isFinite(page.limit) ? Math.max(0, Math.trunc(page.limit)) : ALL;
  const items =
    'offset' in page
      ? records.all(`${where} order by path limit ? offset ?`, ...values, limit, Math.max(0, Math.trunc(page.offset)))
      : records.all(`${where} and path > ? order by path limit ?`, ...values, page.after ?? '', limit);
  return { items, total: records.count(where, ...values) };
}

function toConditions(filter: Narrowing): { conditions: string[]; values: Value[] } {
  const { query, status, tags = [], enabled, visibility, changedSince, except = [] } = filter;
  const found: [condition: string, value: Value][] = [
    ...wordsOf(query ?? '').map((word): [string, Value] => ['instr(search, ?) > 0', word]),
    ...tags.map((tag): [string, Value] => ['instr(tags, ?) > 0', tagNeedle(tag)]),
  ];
  if (status !== undefined) found.push(['status = ?', status]);
  if (enabled !== undefined) found.push(['enabled = ?', Number(enabled)]);
  if (visibility !== undefined) found.push(['visibility = ?', visibility]);
  if (changedSince !== undefined) found.push(['revision > ?', changedSince]);
  if (except.length > 0) found.push(['path not in (select value from json_each(?))', JSON.stringify(except)]);
  return { conditions: found.map(([condition]) => condition), values: found.map(([, value]) => value) };
}
