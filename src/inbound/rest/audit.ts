/**
 * `/api/audit/*`, for administrators: what the ledger says, found, counted and handed out. Answered from the searchable copy
 * in a thread of its own, so that no question holds up a call. Secrets were masked when the lines were written. Exports
 * stream, page by page; proof that the ledger is whole is `gatehouse audit verify` on the ledger itself.
 */
import { z } from 'zod';
import type { AuditFilter } from '../../domain/audit.ts';
import { CSV_HEAD, toCsvRow } from '../../domain/audit-csv.ts';
import { type Failure, failure } from '../../domain/error.ts';
import type { AuditIndex } from '../../ports/audit.ts';
import { ShownEvent, showEvent } from './audit-event.ts';
import { type Access, answer, defineRoute, type RestOutcome, type RestRoute } from './route.ts';

export interface AuditDesk {
  /** Null where it is switched off. */
  index: AuditIndex | null;
  /** Whether an operation in the book is one of the REST API. */
  isRest(operation: string): boolean;
}

const name = z.string().min(1).max(1024).optional();
const time = z
  .union([z.iso.datetime({ offset: true }), z.iso.date()], 'must be a time such as 2026-01-31 or 2026-01-31T10:00:00Z')
  .transform(written => Date.parse(written))
  .optional();
const FILTERS = {
  from: time.describe('From this time on.'),
  to: time.describe('Before this time.'),
  decision: z.enum(['ALLOW', 'DENY', 'ERROR', 'allow', 'deny', 'error']).optional(),
  agent: name,
  subject: name,
  server: name,
  tool: name,
  operation: name,
  request_id: name,
};
const Filters = z.strictObject(FILTERS);
const PageQuery = z.strictObject({
  ...FILTERS,
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, 'must be the next_cursor of an answer')
    .optional(),
});
const ExportQuery = z.strictObject({ ...FILTERS, format: z.enum(['jsonl', 'csv']).default('jsonl') });
const OneEvent = z.strictObject({ request_id: z.string().min(1).max(1024) });

const Page = z.object({
  events: z.array(ShownEvent),
  total: z.int(),
  limit: z.int(),
  next_cursor: z.string().nullable(),
});
const Counts = z.array(z.object({ name: z.string(), count: z.int() }));
const Statistics = z.object({
  total: z.int(),
  decisions: z.object({ ALLOW: z.int(), DENY: z.int(), ERROR: z.int() }),
  top: z.object({ agent: Counts, subject: Counts, server: Counts, tool: Counts, operation: Counts }),
  timeline: z.array(
    z.object({ start: z.iso.datetime(), seconds: z.int(), allow: z.int(), deny: z.int(), error: z.int() }),
  ),
});
const Names = z.array(z.string());
const Options = z.object({
  decisions: Names,
  agents: Names,
  subjects: Names,
  servers: Names,
  tools: Names,
  operations: Names,
  first: z.iso.datetime().nullable(),
  last: z.iso.datetime().nullable(),
});

const EXPORT_PAGE = 500;

export function auditRoutes({ index, isRest }: AuditDesk): RestRoute[] {
  const access: Access = { kind: 'admin' };
  const common = { method: 'GET', access, tag: 'audit' } as const;

  /** Errors of the index are in the log; whoever asks learns that it is not the answer. */
  async function ask(question: (index: AuditIndex) => Promise<RestOutcome>): Promise<RestOutcome> {
    if (index === null) return unavailable('The audit index is switched off: set audit.index to true.');
    return question(index).catch((cause: unknown) =>
      unavailable('The audit index cannot be read at the moment.', cause instanceof Error ? cause.message : ''),
    );
  }

  return [
    defineRoute({
      ...{ ...common, path: '/api/audit/events', operation: 'audit/events', query: PageQuery },
      summary: 'List what was done and refused, the newest first',
      answers: { 200: { says: 'A page; next_cursor leads to the one after it.', schema: Page } },
      run: ({ query: { limit, cursor, ...filters } }) =>
        ask(async from => {
          const before = cursor === undefined ? null : Number(cursor);
          const { events, total, before: next } = await from.query(toFilter(filters), { limit, before });
          const shown = events.map(event => showEvent(event, isRest));
          return answer(200, { events: shown, total, limit, next_cursor: next === null ? null : String(next) });
        }),
    }),
    defineRoute({
      ...{ ...common, path: '/api/audit/events/{request_id}', operation: 'audit/event', params: OneEvent },
      summary: 'Show what came of one request',
      answers: {
        200: { says: 'Its lines: one as a rule.', schema: z.object({ events: z.array(ShownEvent) }) },
        404: { says: 'Nothing of that id is in the book.', schema: null },
      },
      run: ({ params: { request_id: requestId } }) =>
        ask(async from => {
          const { events } = await from.query({ requestId }, { limit: 100, before: null });
          if (events.length === 0) return failure('NOT_FOUND', {}, { say: 'Nothing of that id is in the book.' });
          return answer(200, { events: events.map(event => showEvent(event, isRest)) });
        }),
    }),
    defineRoute({
      ...{ ...common, path: '/api/audit/statistics', operation: 'audit/statistics', query: Filters },
      summary: 'Count what was done and refused, by whom, where and when',
      answers: { 200: { says: 'The ten most frequent of each kind, and a timeline.', schema: Statistics } },
      run: ({ query }) =>
        ask(async from => {
          const { timeline, ...counts } = await from.statistics(toFilter(query));
          const spans = timeline.map(({ startMs, lastsMs, ...rest }) => ({
            ...{ start: new Date(startMs).toISOString(), seconds: lastsMs / 1000, ...rest },
          }));
          return answer(200, { ...counts, timeline: spans });
        }),
    }),
    defineRoute({
      ...{ ...common, path: '/api/audit/filter-options', operation: 'audit/filter-options' },
      summary: 'List the names there are to filter by',
      answers: { 200: { says: 'Two hundred of each kind at most, in order.', schema: Options } },
      run: () =>
        ask(async from => {
          const { names, firstMs, lastMs } = await from.options();
          const { agent: agents, subject: subjects, server: servers, tool: tools, operation: operations } = names;
          const at = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
          return answer(200, {
            ...{ decisions: ['ALLOW', 'DENY', 'ERROR'], agents, subjects, servers, tools, operations },
            ...{ first: at(firstMs), last: at(lastMs) },
          });
        }),
    }),
    defineRoute({
      ...{ ...common, path: '/api/audit/export', operation: 'audit/export', query: ExportQuery },
      summary: 'Hand out all that matches, the newest first',
      answers: {
        200: {
          says: 'JSON lines or CSV, streamed: everything that was there when it began.',
          ...{ schema: null, types: ['application/x-ndjson', 'text/csv'] },
        },
      },
      run: ({ query: { format, ...filters } }) =>
        ask(async from => {
          const filter = toFilter(filters);
          // The first page before the head is sent: an index that cannot be read is a 503, not half a file.
          const first = await from.query(filter, { limit: EXPORT_PAGE, before: null });
          const type = format === 'csv' ? 'text/csv; charset=utf-8' : 'application/x-ndjson; charset=utf-8';
          const headers = { 'content-type': type, 'content-disposition': `attachment; filename="audit.${format}"` };
          return { kind: 'rest', status: 200, headers, pieces: exportPages(from, filter, first, format) };
        }),
    }),
  ];
}

async function* exportPages(
  index: AuditIndex,
  filter: AuditFilter,
  first: Awaited<ReturnType<AuditIndex['query']>>,
  format: 'jsonl' | 'csv',
): AsyncGenerator<string> {
  if (format === 'csv') yield CSV_HEAD;
  for (let page = first; ; ) {
    yield page.events.map(event => (format === 'csv' ? toCsvRow(event) : `${JSON.stringify(event)}\n`)).join('');
    if (page.before === null) return;
    page = await index.query(filter, { limit: EXPORT_PAGE, before: page.before });
  }
}

function toFilter({ from, to, decision, request_id: requestId, ...names }: z.output<typeof Filters>): AuditFilter {
  return { ...names, requestId, fromMs: from, untilMs: to, decision: upper(decision) };
}

function upper(decision: z.output<typeof Filters>['decision']): AuditFilter['decision'] {
  return decision?.toUpperCase() as AuditFilter['decision'];
}

function unavailable(say: string, detail = ''): Failure {
  return failure('SERVER_UNAVAILABLE', {}, { say, ...(detail === '' ? {} : { detail }) });
}
