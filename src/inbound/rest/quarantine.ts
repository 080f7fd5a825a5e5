/**
 * `/api/quarantine`, for administrators: who and what is shut out at once. In force when it is answered; what another
 * process changes is seen within a second.
 */
import { z } from 'zod';
import { failure } from '../../domain/error.ts';
import { QUARANTINE_KINDS, type QuarantineEntry } from '../../domain/quarantine.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Quarantine } from '../../services/limits/quarantine.ts';
import { answer, defineRoute, noContent, type RestRoute } from './route.ts';

export interface QuarantineDesk {
  quarantine: Pick<Quarantine, 'entries' | 'add' | 'remove'>;
  clock: Clock;
  /** Milliseconds, or null for what is none. */
  parseDuration(written: string): number | null;
}

const kind = z.enum(QUARANTINE_KINDS);
const Place = z.strictObject({ kind, name: z.string().min(1).max(1024) });
const Shown = z
  .object({
    kind,
    name: z.string(),
    reason: z.string(),
    by: z.string(),
    since: z.iso.datetime(),
    until: z.iso.datetime().nullable(),
  })
  .meta({ id: 'QuarantineEntry' });

export function quarantineRoutes({ quarantine, clock, parseDuration }: QuarantineDesk): RestRoute[] {
  const NewEntry = z
    .strictObject({
      kind,
      name: z.string().min(1).max(1024).describe('A subject, an agent id, a server, or <server>/<tool>.'),
      reason: z.string().max(1024).describe('For other operators.'),
      for: z
        .string()
        .max(32)
        .refine(written => (parseDuration(written) ?? 0) > 0, 'must be a duration such as 30m or 24h')
        .optional()
        .describe('Such as 30m or 24h; absent: until it is removed.'),
    })
    .refine(entry => entry.kind !== 'tool' || /^[^/]+\/./.test(entry.name), {
      ...{ path: ['name'], message: 'a tool is named <server>/<tool>' },
    });
  const common = { access: { kind: 'admin' }, tag: 'quarantine' } as const;
  return [
    defineRoute({
      ...{ ...common, method: 'GET', path: '/api/quarantine', operation: 'quarantine/list' },
      summary: 'List who and what is shut out',
      answers: { 200: { says: 'In force; in no order.', schema: z.object({ entries: z.array(Shown) }) } },
      run: () => answer(200, { entries: quarantine.entries().map(show) }),
    }),
    defineRoute({
      ...{ ...common, method: 'POST', path: '/api/quarantine', operation: 'quarantine/add', body: NewEntry },
      summary: 'Shut out a caller, an agent, a server or a tool, whatever any rule says',
      answers: { 201: { says: 'It is in force.', schema: Shown } },
      about: ({ body }) => ({ target: `${body.kind} ${body.name}` }),
      async run({ who, body: { for: lasts, ...named }, note }) {
        const sinceMs = clock.wallMs();
        const untilMs = lasts === undefined ? null : sinceMs + (parseDuration(lasts) ?? 0);
        const entry = { ...named, by: who.subject.slice(0, 256), sinceMs, untilMs };
        note({ metadata: { reason: named.reason, for: lasts ?? null } });
        await quarantine.add(entry);
        return answer(201, show(entry));
      },
    }),
    defineRoute({
      ...{ ...common, method: 'DELETE', path: '/api/quarantine/{kind}/{name+}', operation: 'quarantine/remove' },
      ...{ summary: 'Let in again', params: Place },
      answers: {
        204: { says: 'It is let in.', schema: null },
        404: { says: 'It was not shut out.', schema: null },
      },
      about: ({ params }) => ({ target: `${params.kind} ${params.name}` }),
      async run({ params }) {
        if (await quarantine.remove(params.kind, params.name)) return noContent();
        return failure('NOT_FOUND', {}, { say: 'There is no such entry in the quarantine.' });
      },
    }),
  ];
}

function show({ sinceMs, untilMs, ...entry }: QuarantineEntry): z.output<typeof Shown> {
  const until = untilMs === null ? null : new Date(untilMs).toISOString();
  return { ...entry, since: new Date(sinceMs).toISOString(), until };
}
