/**
 * The staircase of the REST API: who is it, shut out, too much, may it, what does it want, in the book, do it, in the book.
 * Every route of the table goes down it and none has a way of its own. Errors are `{detail}`; nothing of a credential or a
 * cause is in them.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import { type CallRecord, openRecordOf } from '../../domain/call.ts';
import { failure } from '../../domain/error.ts';
import type { Challenge, Identity } from '../../domain/identity.ts';
import type { Limited } from '../../domain/limits.ts';
import { evaluatedScopes, mayUi, type PolicySet } from '../../domain/policy.ts';
import type { Secret } from '../../domain/secret.ts';
import type { AuditLedger } from '../../ports/audit.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Recorder } from '../../ports/recorder.ts';
import type { LoginSession } from '../../services/identity/admin-login.ts';
import { findIngressHeader } from '../../services/identity/bearer.ts';
import type { Challenges } from '../../services/identity/challenge.ts';
import type { Limiter } from '../../services/limits/limiter.ts';
import { pathOf } from '../http/routes.ts';
import { findAccessDenial } from './access.ts';
import { compileRoutes } from './match.ts';
import { type Read, readBy, readQuery, readRequestBody } from './read-input.ts';
import { challenged, limited, problem, render } from './render.ts';
import type { RestCall, RestOutcome, RestRoute } from './route.ts';

export interface RestDeps {
  policy(): PolicySet;
  /** A bearer credential. */
  identify(headers: IncomingHttpHeaders, path: string): Identity | Challenge | Promise<Identity | Challenge>;
  /** The owner of the login session a cookie names, and what a page of ours must show beside it; null: none. */
  findSession(cookie: string | undefined): LoginSession | null;
  challenges: Challenges;
  limiter: Pick<Limiter, 'take' | 'release'>;
  /** Writes a refused credential down; says when its address has shown too many. */
  refused(req: IncomingMessage, path: string, challenge: Challenge): Limited | null;
  /** Whether a caller is in quarantine. */
  isShutOut(who: Identity): boolean;
  addressOf(req: IncomingMessage): string;
  recorder: Recorder;
  audit: AuditLedger;
  clock: Clock;
  log: Log;
}

type Bindings = { Bindings: HttpBindings };

/** Below these every path is answered here, the unknown ones too. */
const SURFACES = ['/api/', '/v0.1/', '/v0/'];

export function mountRest(routes: Hono<Bindings>, table: readonly RestRoute[], deps: RestDeps): void {
  const find = compileRoutes(table);

  routes.all('*', async (c, next) => {
    const path = pathOf(c.env.incoming.url);
    const match = find(c.req.method, path);
    if (match === null) {
      return SURFACES.some(prefix => path.startsWith(prefix)) ? problem(c, 404, 'There is no such route.') : next();
    }
    if (match.kind === 'malformed') return problem(c, 400, 'The path is not well-formed.');
    if (match.kind === 'method') return problem(c, 405, 'Method not allowed.', { allow: match.allow.join(', ') });
    const id = randomUUID();
    c.header('x-request-id', id);
    return answerRoute(c, match.route, match.params, id, path);
  });

  /** What the headers show, else the session of a browser: nobody sends a header without meaning it. */
  function identify(c: Context<Bindings>, { access }: RestRoute, path: string) {
    const { headers } = c.env.incoming;
    const isSessionAsked = access.kind !== 'bearer' && findIngressHeader(headers) === null;
    const session = isSessionAsked ? deps.findSession(headers.cookie) : null;
    return { session, shown: session === null ? deps.identify(headers, path) : session.who };
  }

  async function answerRoute(
    c: Context<Bindings>,
    route: RestRoute,
    params: Record<string, string>,
    id: string,
    path: string,
  ): Promise<Response> {
    const { incoming } = c.env;
    if (route.access.kind === 'public') return runPublic(c, route, params, id);
    const { session, shown } = identify(c, route, path);
    const who = shown instanceof Promise ? await shown : shown;
    if (who.kind === 'challenge') {
      const tooMany = deps.refused(incoming, path, who);
      return tooMany === null ? challenged(c, who) : limited(c, tooMany);
    }
    if (deps.isShutOut(who)) return problem(c, 403, 'Access denied.');
    const taken = await deps.limiter.take(who, { method: route.operation, server: null, tool: null });
    if (taken.kind === 'limited') return limited(c, taken);
    const record = openRecordOf(who, route.operation, id, deps.clock.wallMs());
    const startedMs = deps.clock.monotonicMs();
    let hasRun = false;
    try {
      const isForged = session !== null && route.hasEffect && route.needsCsrf && !showsCsrf(incoming, session.csrf);
      const outcome = isForged
        ? failure('DENIED_BY_POLICY', {}, { say: 'The X-CSRF-Token header of this session is missing or wrong.' })
        : await decideAndRun(c, route, params, who, record, () => {
            hasRun = true;
          });
      settle(record, outcome);
      return render(c, outcome, deps.challenges);
    } catch (cause) {
      record.outcome = 'error';
      record.code = 'INTERNAL';
      throw cause;
    } finally {
      deps.limiter.release(taken.slot);
      record.durationMs = deps.clock.monotonicMs() - startedMs;
      // What a service took in hand it has written down itself.
      if (!(route.keepsBook && hasRun)) {
        deps.recorder.record(record);
        await deps.audit.conclude(record);
      }
    }
  }

  async function decideAndRun(
    c: Context<Bindings>,
    route: RestRoute,
    params: Record<string, string>,
    who: Identity,
    record: CallRecord,
    onRun: () => void,
  ): Promise<RestOutcome> {
    const policy = deps.policy();
    record.evaluatedScopes = evaluatedScopes(policy, who);
    const denial = findAccessDenial(policy, who, route);
    if (denial !== null) {
      record.rule = denial.rule;
      return failure('DENIED_BY_POLICY', denial.missing.length === 0 ? {} : { missing_scopes: [...denial.missing] });
    }
    const input = await readInput(c.env.incoming, route, params);
    if (input.kind === 'failure') return input;
    if (route.hasEffect && !route.keepsBook) {
      const announced = deps.audit.intend(record);
      if (announced !== null && !(await announced)) return failure('AUDIT_UNAVAILABLE');
    }
    onRun();
    return route.run(toCall(c.env.incoming, input, who, record, policy));
  }

  function toCall(
    incoming: IncomingMessage,
    { params, query, body }: Input,
    who: Identity,
    record: CallRecord,
    policy: PolicySet,
  ): RestCall<unknown, unknown, unknown> {
    return {
      ...{ id: record.id, who, params, query, body, headers: incoming.headers },
      address: deps.addressOf(incoming),
      may: (action, resource) => mayUi(policy, who, action, resource),
      note({ server, target, rule, metadata }) {
        if (server !== undefined) record.server = server;
        if (target !== undefined) record.target = target;
        if (rule !== undefined) record.rule = rule;
        if (metadata !== undefined) record.metadata = metadata;
      },
    };
  }

  /** Nobody is asked who they are, so there is nobody to write down. */
  async function runPublic(
    c: Context<Bindings>,
    route: RestRoute,
    params: Record<string, string>,
    id: string,
  ): Promise<Response> {
    const input = await readInput(c.env.incoming, route, params);
    if (input.kind === 'failure') return render(c, input, deps.challenges);
    const call = {
      ...input,
      id,
      who: NOBODY,
      headers: c.env.incoming.headers,
      address: deps.addressOf(c.env.incoming),
    };
    return render(c, await route.run({ ...call, may: () => false, note: () => {} }), deps.challenges);
  }
}

interface Input {
  kind: 'input';
  params: unknown;
  query: unknown;
  body: unknown;
}

async function readInput(
  incoming: IncomingMessage,
  route: RestRoute,
  given: Record<string, string>,
): Promise<Input | Extract<Read, { kind: 'failure' }>> {
  const params = route.params === null ? READ_NOTHING : readBy(route.params, given, 'path');
  if (params.kind === 'failure') return params;
  const query = route.query === null ? READ_NOTHING : readBy(route.query, readQuery(incoming.url ?? ''), 'query');
  if (query.kind === 'failure') return query;
  const body = route.body === null ? READ_NOTHING : await readRequestBody(incoming, route.body);
  if (body.kind === 'failure') return body;
  return { kind: 'input', params: params.value, query: query.value, body: body.value };
}

const READ_NOTHING: Read = { kind: 'read', value: {} };

/** What a public route is told of its caller: it has no rights and no name. */
const NOBODY: Identity = {
  ...{ kind: 'identity', subject: 'nobody', issuer: null, name: null, client: null, agent: null },
  ...{ agentVerified: false, method: 'local', scopes: new Set(), groups: new Set() },
  ...{ expiresAtMs: Number.POSITIVE_INFINITY, tokenId: null, boundServer: '' },
};

function showsCsrf({ headers }: IncomingMessage, csrf: Secret): boolean {
  const shown = headers['x-csrf-token'];
  return typeof shown === 'string' && csrf.matches(shown);
}

function settle(record: CallRecord, outcome: RestOutcome): void {
  if (outcome.kind === 'rest') {
    record.outcome = 'ok';
  } else if (outcome.kind === 'limited') {
    record.outcome = 'refused';
    record.code = 'RATE_LIMITED';
  } else {
    record.outcome =
      outcome.code === 'DENIED_BY_POLICY' ? 'denied' : outcome.code === 'AUDIT_UNAVAILABLE' ? 'refused' : 'error';
    record.code = outcome.code;
    record.detail = outcome.detail;
  }
}
