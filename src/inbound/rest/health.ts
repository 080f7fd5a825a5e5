/** The health of servers for whoever opens no WebSocket, and the ticket for whoever opens one without headers. */
import { z } from 'zod';
import type { Tickets } from '../../services/identity/tickets.ts';
import type { HealthEvents } from '../events/health-events.ts';
import { answer, defineRoute, type RestRoute } from './route.ts';

const Entry = z.object({ status: z.string(), last_checked_iso: z.iso.datetime().nullable(), num_tools: z.int() });
const Ticket = z.object({ ticket: z.string(), expires_in: z.int() });
const Stats = z.object({ connections: z.int(), servers: z.int() });

export function healthRoutes(deps: {
  events: Pick<HealthEvents, 'snapshot'>;
  tickets: Pick<Tickets, 'issue'>;
  connections(): number;
}): RestRoute[] {
  const { events, tickets } = deps;
  const access = { kind: 'ui', action: 'list_service' } as const;
  return [
    ...['/ws/health_status', '/api/health/ws/health_status'].map(path =>
      defineRoute({
        ...{ method: 'GET' as const, path, operation: 'health/status', tag: 'health', access },
        summary: 'Read how the servers are; as a WebSocket, hear of changes too',
        answers: { 200: { says: 'By path.', schema: z.record(z.string(), Entry) } },
        run: ({ who }) => answer(200, events.snapshot(who)),
      }),
    ),
    defineRoute({
      ...{ method: 'GET', path: '/ws/stats', operation: 'health/stats', tag: 'health', access },
      summary: 'Count the open WebSockets and the servers that the caller may know of',
      answers: { 200: { says: 'The counts.', schema: Stats } },
      run: ({ who }) =>
        answer(200, { connections: deps.connections(), servers: Object.keys(events.snapshot(who)).length }),
    }),
    defineRoute({
      ...{
        method: 'POST',
        path: '/api/ws-ticket',
        operation: 'tickets/issue',
        tag: 'health',
        access: { kind: 'caller' },
      },
      summary: 'Get a one-time ticket to open a WebSocket with, as `?ticket=`',
      answers: { 200: { says: 'Good once, for half a minute.', schema: Ticket } },
      run({ who }) {
        const { ticket, expiresInS } = tickets.issue(who);
        return answer(200, { ticket, expires_in: expiresInS });
      },
    }),
  ];
}
