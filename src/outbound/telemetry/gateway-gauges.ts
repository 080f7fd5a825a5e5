/** Figures of the running gateway that are read when somebody asks for metrics, and cost nothing otherwise. */
import type { Downstreams, ServerState } from '../../ports/downstreams.ts';
import type { MetricsReader } from '../../ports/metrics.ts';

export interface GatewayFigures {
  sessions(): number;
  parkedCalls(): number;
  callsInFlight(): number;
}

export function offerGatewayGauges(metrics: MetricsReader, figures: GatewayFigures, downstreams: Downstreams): void {
  const one = (name: string, help: string, read: () => number) =>
    metrics.gauge(name, help, () => [{ labels: {}, value: read() }]);
  const perServer = (read: (state: ServerState) => number) => () =>
    downstreams.states().map(state => ({ labels: { server: state.key }, value: read(state) }));

  one('gatehouse_sessions', 'Open sessions of legacy clients.', figures.sessions);
  one('gatehouse_parked_calls', 'Calls that wait for input of a modern client.', figures.parkedCalls);
  one('gatehouse_calls_in_flight', 'Calls under way.', figures.callsInFlight);
  metrics.gauge(
    'gatehouse_downstream_up',
    '1 when the server is ready.',
    perServer(({ status }) => (status === 'ready' ? 1 : 0)),
  );
  metrics.gauge(
    'gatehouse_downstream_in_flight',
    'Calls under way at a server.',
    perServer(({ inFlight }) => inFlight),
  );
  metrics.gauge(
    'gatehouse_downstream_queued',
    'Calls waiting for a place at a server.',
    perServer(({ queued }) => queued),
  );
  metrics.gauge(
    'gatehouse_downstream_connections',
    'Open connections to a server.',
    perServer(({ connections }) => connections),
  );
  metrics.gauge(
    'gatehouse_downstream_utilisation',
    'Share of the places at a server in use, 0 to 1.',
    perServer(({ inFlight, spec }) => inFlight / spec.maxInFlight),
  );
  metrics.counter(
    'gatehouse_downstream_restarts_total',
    'Reconnections to a server since the start.',
    perServer(({ restarts }) => restarts),
  );
  metrics.gauge(
    'gatehouse_downstream_breaker_open',
    '1 while calls to a server are refused.',
    perServer(({ breaker }) => (breaker === 'open' ? 1 : 0)),
  );
}
