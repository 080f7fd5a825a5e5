/** Pinned definitions, put together: a change of a tool's words is in the log, in the book and in the figures. */
import { randomUUID } from 'node:crypto';
import type { DefinitionsConfig } from '../config/definitions-config.ts';
import { openRecordOf } from '../domain/call.ts';
import { LOCAL_CALLER } from '../domain/identity.ts';
import type { AuditLedger } from '../ports/audit.ts';
import type { Clock } from '../ports/clock.ts';
import type { DefinitionRepository } from '../ports/definition-repository.ts';
import type { Log } from '../ports/log.ts';
import type { MetricsReader } from '../ports/metrics.ts';
import { createPins, type DriftEvent, type Pins } from '../services/catalog/pins.ts';

/** Nobody called: a server did this by itself. */
const GATEWAY = { ...LOCAL_CALLER, subject: 'gateway' };

export function createDefinitionParts(
  config: DefinitionsConfig,
  deps: { store: DefinitionRepository; audit: AuditLedger; metrics: MetricsReader; clock: Clock; log: Log },
): Pins {
  const { audit, metrics, clock, log } = deps;
  let drifts = 0;

  function report({ server, tool, effect, changes, isHeld }: DriftEvent): void {
    drifts += 1;
    const pointers = changes.map(({ pointer }) => pointer).join(' ');
    log.warn('a tool has changed its definition', {
      event: 'definition_drift',
      server,
      tool,
      effect,
      changes: pointers,
    });
    const record = openRecordOf(GATEWAY, 'definition_drift', randomUUID(), clock.wallMs(), null);
    record.server = server;
    record.target = tool;
    record.outcome = isHeld ? 'denied' : 'ok';
    record.rule = 'definition: changed since it was approved';
    record.metadata = { effect, changes: pointers.slice(0, 500) };
    void audit.conclude(record);
  }

  const pins = createPins({ store: deps.store, onDrift: config.onDrift, report, clock });
  metrics.counter('gatehouse_definition_drifts_total', 'Tools that changed their definition since the start.', () => [
    { labels: {}, value: drifts },
  ]);
  metrics.gauge('gatehouse_tools_held', 'Tools that are not called until their definition is approved.', () => [
    { labels: {}, value: pins.heldCount() },
  ]);
  return pins;
}
