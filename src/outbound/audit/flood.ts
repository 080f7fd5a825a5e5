/**
 * Denied operations by the thousand a second become counts: the first of every second are written line by line, the
 * rest as one line per kind at the second's end with how many there were. So the sum stays exact and the disk bounded.
 * What is only counted yet is lost when the process is killed; what has an effect is never counted this way.
 */
import type { AuditFacts } from '../../domain/audit.ts';
import type { Clock } from '../../ports/clock.ts';

export interface FloodGate {
  /** False: counted, and told later. */
  admit(facts: AuditFacts): boolean;
  /** Tells at once what was counted. */
  flush(): void;
  aggregated(): number;
}

const WINDOW_MS = 1_000;
const MAX_KINDS = 200;
/** Many kinds in one line: it tells of none of them. */
const NOBODY = {
  ...{ subject: null, issuer: null, client: null, agent: null, address: null, sessionId: null },
  ...{ server: null, target: null, rule: null },
};

export function createFloodGate(clock: Clock, perSecond: number, tell: (facts: AuditFacts) => void): FloodGate {
  let windowMs = Number.NEGATIVE_INFINITY;
  let admitted = 0;
  let aggregated = 0;
  let kinds = new Map<string, { facts: AuditFacts; count: number }>();

  function flush(): void {
    const told = kinds;
    kinds = new Map();
    for (const { facts, count } of told.values()) {
      tell({ ...facts, intent: 0, metadata: { ...facts.metadata, repeated: count } });
    }
  }

  function count(facts: AuditFacts): void {
    const { subject, agent, address, operation, server, target, rule, code } = facts;
    const own = JSON.stringify([subject, agent, address, operation, server, target, rule, code]);
    const isOther = kinds.size >= MAX_KINDS && !kinds.has(own);
    const key = isOther ? '' : own;
    const kind = kinds.get(key);
    aggregated += 1;
    if (kind !== undefined) {
      kind.count += 1;
      return;
    }
    if (kinds.size === 0) clock.after(WINDOW_MS, flush);
    kinds.set(key, { facts: isOther ? { ...facts, ...NOBODY } : { ...facts }, count: 1 });
  }

  return {
    admit(facts) {
      const now = clock.monotonicMs();
      if (now - windowMs >= WINDOW_MS) {
        windowMs = now;
        admitted = 0;
      }
      if (admitted < perSecond) {
        admitted += 1;
        return true;
      }
      count(facts);
      return false;
    },
    flush,
    aggregated: () => aggregated,
  };
}
