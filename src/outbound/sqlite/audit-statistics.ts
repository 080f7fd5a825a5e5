/** What the audit index adds up to: how many of what, when, and which names there are to filter by. */
import type { Database } from 'better-sqlite3';
import { AUDIT_FACETS, type AuditDecision, type AuditFacet } from '../../domain/audit.ts';
import type { AuditOptions, AuditStatistics } from '../../ports/audit.ts';

/** `where` holds places for `values`, in their order. */
export interface Conditions {
  where: string;
  values: readonly unknown[];
}

const TOP = 10;
const MAX_NAMES = 200;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

interface Span {
  first: number | null;
  last: number | null;
}

export function countEvents(database: Database, { where, values }: Conditions): AuditStatistics {
  const all = <Row>(sql: string, ...more: unknown[]) => database.prepare<unknown[], Row>(sql).all(...more) as Row[];
  const decisions: Record<AuditDecision, number> = { ALLOW: 0, DENY: 0, ERROR: 0 };
  for (const { name, count } of all<{ name: AuditDecision; count: number }>(
    `select decision as name, count(*) as count from event where ${where} group by decision`,
    ...values,
  ))
    decisions[name] = count;
  const [span] = all<Span>(`select min(at_ms) as first, max(at_ms) as last from event where ${where}`, ...values);
  const lastsMs = (span?.last ?? 0) - (span?.first ?? 0) <= 2 * DAY_MS ? HOUR_MS : DAY_MS;
  return {
    total: decisions.ALLOW + decisions.DENY + decisions.ERROR,
    decisions,
    top: byFacet(column =>
      all(
        `select ${column} as name, count(*) as count from event where ${where} and ${column} is not null
         group by ${column} order by count desc, name limit ${TOP}`,
        ...values,
      ),
    ),
    timeline: all(
      `select at_ms / ${lastsMs} * ${lastsMs} as startMs, ${lastsMs} as lastsMs, sum(decision = 'ALLOW') as allow,
       sum(decision = 'DENY') as deny, sum(decision = 'ERROR') as error
       from event where ${where} group by startMs order by startMs`,
      ...values,
    ),
  };
}

export function listNames(database: Database): AuditOptions {
  const span = database.prepare<[], Span>('select min(at_ms) as first, max(at_ms) as last from event').get();
  return {
    names: byFacet(column =>
      database
        .prepare<[], { name: string }>(
          `select distinct ${column} as name from event where ${column} is not null order by name limit ${MAX_NAMES}`,
        )
        .all()
        .map(({ name }) => name),
    ),
    firstMs: span?.first ?? null,
    lastMs: span?.last ?? null,
  };
}

/** Columns are called like the facets. */
function byFacet<T>(read: (column: AuditFacet) => T): Record<AuditFacet, T> {
  return Object.fromEntries(AUDIT_FACETS.map(facet => [facet, read(facet)])) as Record<AuditFacet, T>;
}
