/**
 * Pinned definitions and the watch over names, put together: a change of a tool's words, and a name or a text that reaches
 * over to another server, is in the log, in the book and in the figures.
 */
import { randomUUID } from 'node:crypto';
import type { DefinitionsConfig } from '../config/definitions-config.ts';
import { openRecordOf } from '../domain/call.ts';
import { LOCAL_CALLER } from '../domain/identity.ts';
import { type NameWarning, WARNING_KINDS } from '../domain/name-warning.ts';
import { serverOfVersion } from '../domain/server.ts';
import type { AuditLedger } from '../ports/audit.ts';
import type { Clock } from '../ports/clock.ts';
import type { DefinitionRepository } from '../ports/definition-repository.ts';
import type { Log } from '../ports/log.ts';
import type { MetricsReader } from '../ports/metrics.ts';
import type { CatalogBook } from '../services/catalog/catalog-book.ts';
import { createNameWatch, type NameWatch } from '../services/catalog/name-watch.ts';
import { createPins, type DriftEvent, type Pins } from '../services/catalog/pins.ts';
import { createWarningDesk, type WarningDesk } from '../services/catalog/warning-desk.ts';
import { createSlices } from '../services/search/slices.ts';

/** Nobody called: a server did this by itself. */
const GATEWAY = { ...LOCAL_CALLER, subject: 'gateway' };

/** What is said of each, where it is told. */
const REACHES = {
  'look-alike': "its name is taken for another server's tool",
  'foreign-prefix': "its name begins like another server's public names",
  'foreign-mention': "its text directs another server's tool",
} as const satisfies Record<NameWarning['kind'], string>;

export function createDefinitionParts(
  config: DefinitionsConfig,
  deps: {
    store: DefinitionRepository;
    catalog: Pick<CatalogBook, 'current' | 'originOf' | 'onChange'>;
    audit: AuditLedger;
    metrics: MetricsReader;
    clock: Clock;
    log: Log;
  },
): Pins & WarningDesk {
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
    record.server = serverOfVersion(server);
    record.target = tool;
    record.outcome = isHeld ? 'denied' : 'ok';
    record.rule = 'definition: changed since it was approved';
    record.metadata = { effect, definitions_of: server, changes: pointers.slice(0, 500) };
    void audit.conclude(record);
  }

  function warn({ kind, server, tool, other, likeness }: NameWarning): void {
    const facts = { kind, likeness, other_server: other.server, other_tool: other.tool };
    log.warn("a tool reaches over to another server's", { event: 'name_warning', server, tool, ...facts });
    const record = openRecordOf(GATEWAY, 'name_warning', randomUUID(), clock.wallMs(), null);
    record.server = server;
    record.target = tool;
    record.rule = `names: ${REACHES[kind]}`;
    record.metadata = facts;
    void audit.conclude(record);
  }

  const names = createNameWatch({
    report: warn,
    fail: (server, cause) =>
      log.error('the names of a server could not be looked through', {
        server,
        detail: cause instanceof Error ? cause.message : String(cause),
      }),
    isAcknowledged: found => desk.isAcknowledged(found),
    pause: createSlices(clock),
    clock,
  });
  deps.catalog.onChange(() => names.keepOnly(deps.catalog.current().servers));
  const originOf = (server: string) => deps.catalog.originOf({ server, exposure: null }, server);
  /** Names meet in the lists of everything, where only active versions are. */
  const onShown: NameWatch['follow'] = (origin, tools) => {
    const server = serverOfVersion(origin);
    if (originOf(server) === origin) names.follow(server, tools);
  };
  const pins = createPins({ store: deps.store, onDrift: config.onDrift, report, onShown, clock });
  const desk: WarningDesk = createWarningDesk({ names, pins, originOf, pause: createSlices(clock), clock });
  metrics.counter('gatehouse_definition_drifts_total', 'Tools that changed their definition since the start.', () => [
    { labels: {}, value: drifts },
  ]);
  metrics.gauge('gatehouse_tools_held', 'Tools that are not called until their definition is approved.', () => [
    { labels: {}, value: pins.heldCount() },
  ]);
  const help = "Names and texts of tools that reach over to another server's, and that nobody has acknowledged.";
  metrics.gauge('gatehouse_name_warnings', help, () => {
    const warnings = desk.warnings().filter(({ acknowledged }) => acknowledged === null);
    return WARNING_KINDS.map(kind => ({ labels: { kind }, value: warnings.filter(each => each.kind === kind).length }));
  });
  return { ...pins, ...desk };
}
