import { afterEach, describe, expect, test } from 'vitest';
import type { Challenge } from '../../../src/domain/identity.ts';
import { doorSays } from '../../../src/inbound/http/door-words.ts';
import { wantsText } from '../../../src/inbound/http/routes.ts';
import { createMetrics } from '../../../src/outbound/telemetry/metrics.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { ask, type Running, silent, startServer } from './wire.ts';

let server: Running;
afterEach(() => server.stop(0));

const clock = createFrozenClock();

test('/health tells how long we are up, and nothing about the configuration', async () => {
  const ticking = createFrozenClock();
  server = await startServer({}, { clock: ticking });
  const first = JSON.parse((await ask(server.port)).body);
  expect(first).toEqual({
    status: 'healthy',
    service: 'mcp-gatehouse',
    version: '9.9.9',
    uptime_seconds: 0,
    deployment_mode: 'with-gateway',
    registry_mode: 'full',
  });
  ticking.advance(2_500);
  expect(JSON.parse((await ask(server.port)).body).uptime_seconds).toBe(2.5);
});

test('/health and /ready ask for no credential', async () => {
  server = await startServer(
    {},
    { identify: () => ({ kind: 'challenge', status: 401, wwwAuthenticate: 'Bearer', reason: 'unknown' }) },
  );
  expect((await ask(server.port)).status).toBe(200);
  expect((await ask(server.port, {}, 'GET /ready HTTP/1.1')).status).toBe(200);
});

test('/ready follows readiness: 200 with the count, 503 with the reason', async () => {
  let ready = true;
  server = await startServer(
    {},
    {
      readiness: () =>
        ready
          ? { ready, reason: null, serversConfigured: 7 }
          : { ready, reason: 'no servers are configured', serversConfigured: 0 },
    },
  );
  const good = await ask(server.port, {}, 'GET /ready HTTP/1.1');
  expect([good.status, JSON.parse(good.body)]).toEqual([200, { status: 'ready', servers_configured: 7 }]);
  ready = false;
  const bad = await ask(server.port, {}, 'GET /ready HTTP/1.1');
  expect([bad.status, JSON.parse(bad.body)]).toEqual([
    503,
    { status: 'not_ready', reason: 'no servers are configured' },
  ]);
});

describe('/metrics', () => {
  test('answers text to a scraper and JSON to anybody else', async () => {
    server = await startServer({}, { metrics: createMetrics({ clock }) });
    const text = await ask(
      server.port,
      { accept: 'application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1' },
      'GET /metrics HTTP/1.1',
    );
    expect(text.headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(text.body).toContain(
      '# TYPE gatehouse_http_requests_in_flight gauge\ngatehouse_http_requests_in_flight 1\n',
    );
    const json = await ask(server.port, {}, 'GET /metrics HTTP/1.1');
    expect(json.headers.get('content-type')).toBe('application/json');
    expect(JSON.parse(json.body)).toMatchObject({ operations: {}, uptime_seconds: 0 });
    const forced = await ask(server.port, {}, 'GET /metrics?format=prometheus HTTP/1.1');
    expect(forced.headers.get('content-type')).toContain('text/plain');
  });

  test.each([
    { status: 401 as const, error: 'unauthorized' as const },
    { status: 403 as const, error: 'forbidden' as const },
  ])('answers $status with the challenge to a caller that is not known', async ({ status, error }) => {
    const challenge: Challenge = {
      kind: 'challenge',
      status,
      wwwAuthenticate: 'Bearer realm="gatehouse"',
      reason: 'unknown',
    };
    server = await startServer({}, { metrics: createMetrics({ clock }), identify: () => challenge });
    const answer = await ask(server.port, {}, 'GET /metrics HTTP/1.1');
    expect([answer.status, JSON.parse(answer.body)]).toEqual([status, doorSays(error)]);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="gatehouse"');
  });

  test('answers 503 when there are no metrics', async () => {
    server = await startServer();
    const answer = await ask(server.port, {}, 'GET /metrics HTTP/1.1');
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      503,
      { error: expect.any(String), detail: expect.any(String) },
    ]);
  });
});

test.each([
  { format: undefined, accept: undefined, text: false },
  { format: undefined, accept: '*/*', text: false },
  { format: undefined, accept: 'text/html, */*', text: false },
  { format: undefined, accept: 'application/json', text: false },
  { format: undefined, accept: 'text/plain', text: true },
  { format: undefined, accept: 'Text/Plain;version=0.0.4', text: true },
  { format: undefined, accept: 'application/openmetrics-text', text: true },
  { format: undefined, accept: 'text/plain;q=0', text: false },
  { format: undefined, accept: 'application/json, text/plain, */*', text: false },
  { format: undefined, accept: 'text/plain, application/json', text: true },
  { format: undefined, accept: 'application/json;q=0.5, text/plain', text: true },
  { format: 'prometheus', accept: 'application/json', text: true },
  { format: 'json', accept: 'text/plain', text: false },
  { format: 'nonsense', accept: 'text/plain', text: true },
])('format $format with Accept $accept means text: $text', ({ format, accept, text }) => {
  expect(wantsText(format, accept)).toBe(text);
});

test.each([
  { line: 'POST /health HTTP/1.1', headers: { 'content-length': '0' }, status: 405 },
  { line: 'DELETE /metrics HTTP/1.1', headers: {}, status: 405 },
  { line: 'PUT /ready HTTP/1.1', headers: { 'content-length': '0' }, status: 405 },
  { line: 'GET /health HTTP/1.1', headers: { 'content-length': '2' }, status: 415 },
  { line: 'GET /nothing HTTP/1.1', headers: {}, status: 404 },
  { line: 'GET /health/ HTTP/1.1', headers: {}, status: 404 },
  { line: 'GET /%2e%2e/metrics HTTP/1.1', headers: {}, status: 404 },
  { line: 'GET //health HTTP/1.1', headers: {}, status: 404 },
  { line: 'POST /nothing HTTP/1.1', headers: { 'content-length': '0' }, status: 404 },
])('$line is answered $status as JSON', async ({ line, headers, status }) => {
  server = await startServer(
    {},
    { identify: () => ({ kind: 'challenge', status: 401, wwwAuthenticate: 'Bearer', reason: 'unknown' }) },
  );
  const answer = await ask(server.port, headers as Record<string, string>, line);
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.body)).toEqual({ error: expect.any(String), detail: expect.any(String) });
  if (status === 405) expect(answer.headers.get('allow')).toBe('GET, HEAD');
});

test('HEAD answers like GET, without the body', async () => {
  server = await startServer();
  const answer = await ask(server.port, {}, 'HEAD /health HTTP/1.1');
  expect([answer.status, answer.body]).toEqual([200, '']);
});

test.each(['GET /health HTTP/1.1', 'GET /nothing HTTP/1.1', 'GET /metrics HTTP/1.1'])(
  '%s carries the security headers and a request id of its own',
  async line => {
    server = await startServer();
    const [one, two] = [await ask(server.port, {}, line), await ask(server.port, {}, line)];
    expect(one.headers.get('x-content-type-options')).toBe('nosniff');
    expect(one.headers.get('cache-control')).toBe('no-store');
    expect(one.headers.get('x-frame-options')).toBe('DENY');
    expect(one.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
    expect(one.headers.get('x-request-id')).not.toBe(two.headers.get('x-request-id'));
  },
);

test('a route that breaks is answered 500 without a word of why, and logged', async () => {
  const lines: unknown[] = [];
  server = await startServer(
    {},
    {
      readiness: () => {
        throw new Error('/srv/secret');
      },
      log: { ...silent, error: (message, fields) => lines.push({ message, fields }) },
    },
  );
  const answer = await ask(server.port, {}, 'GET /ready HTTP/1.1');
  expect([answer.status, JSON.parse(answer.body)]).toEqual([500, doorSays('internal_error')]);
  expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  expect(lines).toMatchObject([{ message: 'request failed', fields: { path: '/ready' } }]);
});
