/**
 * The staircase of the REST API: who is it, shut out, too much, may it, what does it want, in the book, do it, in the book.
 * Every route of the table goes down it and none has a way of its own. Errors are `{detail}`; nothing of a credential or a
 * cause is in them.
 */
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context, Hono } from 'hono';
import { type CallRecord, noteIn, openRecordOf } from '../../domain/call.ts';
import { type Failure, failure } from '../../domain/error.ts';
import type { Challenge, Identity } from '../../domain/identity.ts';
import { stringOrNull } from '../../domain/json.ts';
import type { Limited } from '../../domain/limits.ts';
import { evaluatedScopes, mayUi, type PolicySet } from '../../domain/policy.ts';
import type { Secret } from '../../domain/secret.ts';
import type { AuditLedger } from '../../ports/audit.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Recorder } from '../../ports/recorder.ts';
import type { AdminLogin, LoginSession } from '../../services/identity/admin-login.ts';
import { findIngressHeader } from '../../services/identity/bearer.ts';
import type { Challenges } from '../../services/identity/challenge.ts';
import type { Limiter } from '../../services/limits/limiter.ts';
import { pathOf } from '../http/routes.ts';
import { findAccessDenial } from './access.ts';
import { type Basic, readBasic } from './basic-auth.ts';
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
  /** Whoever shows name and password itself; null: nobody gets in by them. */
  vouch: AdminLogin['vouch'] | null;
  challenges: Challenges;
  limiter: Pick<Limiter, 'take' | 'release'>;
  /** Writes a refused credential down; says when its address has shown too many. */
  refused(req: IncomingMessage, path: string, challenge: Challenge, id: string): Limited | null;
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

/** One request on its way down. */
interface Turn {
  c: Context<Bindings>;
  route: RestRoute;
  params: Record<string, string>;
  who: Identity;
  /** Of the browser's session; null: the caller showed a credential itself. */
  csrf: Secret | null;
  record: CallRecord;
  /** To be given back; 0: nothing is held. */
  slot: number;
  hasRun: boolean;
}

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
    try {
      return await answerRoute(c, match.route, match.params, id, path);
    } catch (cause) {
      const detail = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
      deps.log.error('request failed', { request_id: id, operation: match.route.operation, detail });
      return render(c, failure('INTERNAL'), deps.challenges);
    }
  });

  /** What the headers show, else the session of a browser: nobody sends a header without meaning it. */
  function identify(c: Context<Bindings>, { access }: RestRoute, path: string, id: string) {
    const { headers } = c.env.incoming;
    const basic = deps.vouch === null || headers['x-authorization'] !== undefined ? null : readBasic(path, headers);
    if (basic !== null) return { csrf: null, shown: vouch(c, basic, path, id) };
    const isSessionAsked = access.kind !== 'bearer' && findIngressHeader(headers) === null;
    const session = isSessionAsked ? deps.findSession(headers.cookie) : null;
    return { csrf: session?.csrf ?? null, shown: session === null ? deps.identify(headers, path) : session.who };
  }

  async function vouch(c: Context<Bindings>, { user, password }: Basic, path: string, id: string) {
    const found = await deps.vouch?.(user, password, { id, address: deps.addressOf(c.env.incoming) });
    // As anything else that is shown and not good.
    return found ?? deps.identify(c.env.incoming.headers, path);
  }

  async function answerRoute(
    c: Context<Bindings>,
    route: RestRoute,
    params: Record<string, string>,
    id: string,
    path: string,
  ): Promise<Response> {
    if (route.access.kind === 'public') return runPublic(c, route, params, id);
    const { csrf, shown } = identify(c, route, path, id);
    const who = shown instanceof Promise ? await shown : shown;
    if (who.kind === 'limited') return limited(c, who);
    if (who.kind === 'challenge') {
      const tooMany = deps.refused(c.env.incoming, path, who, id);
      return tooMany === null ? challenged(c, who) : limited(c, tooMany);
    }
    const record = openRecordOf(who, route.operation, id, deps.clock.wallMs(), deps.addressOf(c.env.incoming));
    const startedMs = deps.clock.monotonicMs();
    const turn: Turn = { c, route, params, who, csrf, record, slot: 0, hasRun: false };
    try {
      const outcome = await climb(turn);
      settle(record, outcome);
      return render(c, outcome, deps.challenges);
    } catch (cause) {
      record.outcome = 'error';
      record.code = 'INTERNAL';
      throw cause;
    } finally {
      deps.limiter.release(turn.slot);
      record.durationMs = deps.clock.monotonicMs() - startedMs;
      // What a service took in hand it has written down itself.
      if (!(route.keepsBook && turn.hasRun)) {
        deps.recorder.record(record);
        await deps.audit.conclude(record);
      }
    }
  }

  async function climb(turn: Turn): Promise<RestOutcome> {
    const { c, route, params, who, csrf, record } = turn;
    if (deps.isShutOut(who)) {
      record.rule = 'quarantine';
      return failure('DENIED_BY_POLICY', {}, { say: 'Access denied.' });
    }
    const taken = await deps.limiter.take(who, { method: route.operation, server: null, tool: null });
    if (taken.kind === 'limited') return taken;
    turn.slot = taken.slot;
    if (csrf !== null && route.hasEffect && route.needsCsrf && !showsCsrf(c.env.incoming, csrf)) {
      record.rule = 'session: forged';
      const say = 'The X-CSRF-Token header of this session is missing or wrong.';
      return failure('DENIED_BY_POLICY', {}, { say });
    }
    const policy = deps.policy();
    record.evaluatedScopes = evaluatedScopes(policy, who);
    const denial = findAccessDenial(policy, who, route);
    if (denial !== null) {
      record.rule = denial.rule;
      const scopes = denial.missing.length === 0 ? {} : { missing_scopes: [...denial.missing] };
      // The same that is told over MCP: nothing of what there is, only of what was not granted.
      return failure(
        'DENIED_BY_POLICY',
        scopes,
        denial.rule === null ? {} : { say: `Denied by policy: ${denial.rule}.` },
      );
    }
    // RFC 9110, 13.1.1: a condition that nothing here can meet is one that is not met.
    if (route.hasEffect && !route.takesRevision && !isUnconditional(c.env.incoming)) return noRevisions();
    const input = await readInput(c.env.incoming, route, params);
    if (input.kind === 'failure') return input;
    noteIn(record, route.about?.(input) ?? { target: Object.values(params).join('/') || null });
    if (route.hasEffect && !route.keepsBook) {
      const announced = deps.audit.intend(record);
      if (announced !== null && !(await announced)) return failure('AUDIT_UNAVAILABLE');
    }
    turn.hasRun = true;
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
      note: facts => noteIn(record, facts),
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

/** Every mistake at once, wherever it stands; what is wrong with the body as a whole comes first. */
async function readInput(
  incoming: IncomingMessage,
  route: RestRoute,
  given: Record<string, string>,
): Promise<Input | Failure> {
  const params = route.params === null ? READ_NOTHING : readBy(route.params, given, 'path');
  const query =
    route.query === null ? READ_NOTHING : readBy(route.query, readQuery(incoming.url ?? ''), 'query string');
  const body = route.body === null ? READ_NOTHING : await readRequestBody(incoming, route.body);
  if (params.kind === 'read' && query.kind === 'read' && body.kind === 'read')
    return { kind: 'input', params: params.value, query: query.value, body: body.value };
  const mistakes = [params, query, body].filter(read => read.kind === 'failure');
  const whole = mistakes.find(({ code }) => code !== 'INVALID_PARAMS');
  return whole ?? failure('INVALID_PARAMS', {}, { say: mistakes.map(({ say }) => say).join('; ') });
}

const READ_NOTHING: Read = { kind: 'read', value: {} };

/** What a public route is told of its caller: it has no rights and no name. */
const NOBODY: Identity = {
  ...{ kind: 'identity', subject: 'nobody', issuer: null, name: null, client: null, agent: null },
  ...{ agentVerified: false, method: 'local', scopes: new Set(), groups: new Set() },
  ...{ expiresAtMs: Number.POSITIVE_INFINITY, tokenId: null, boundServer: '' },
};

const isUnconditional = ({ headers: { 'if-match': written = '*' } }: IncomingMessage) => written.trim() === '*';

function noRevisions(): Failure {
  return failure('STALE', {}, { say: 'What this changes has no revisions to match: leave If-Match out.' });
}

function showsCsrf({ headers }: IncomingMessage, csrf: Secret): boolean {
  const shown = headers['x-csrf-token'];
  return typeof shown === 'string' && csrf.matches(shown);
}

/** Turned away by the state of the house, not for what was asked. */
const REFUSED: ReadonlySet<string> = new Set(['OVERLOADED', 'SHUTTING_DOWN', 'RATE_LIMITED', 'AUDIT_UNAVAILABLE']);

function settle(record: CallRecord, outcome: RestOutcome): void {
  if (outcome.kind === 'rest') {
    record.outcome = outcome.status < 400 ? 'ok' : 'error';
    return;
  }
  const code = outcome.kind === 'limited' ? 'RATE_LIMITED' : outcome.code;
  record.code = code;
  record.detail = outcome.kind === 'limited' ? null : outcome.detail;
  if (code === 'DENIED_BY_POLICY') {
    record.outcome = 'denied';
    const rule = outcome.kind === 'failure' ? stringOrNull(outcome.data.rule) : null;
    if (rule !== null) noteIn(record, { rule });
  } else if (code === 'CANCELLED') record.outcome = 'cancelled';
  else record.outcome = REFUSED.has(code) ? 'refused' : 'error';
}
