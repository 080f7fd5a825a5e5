/**
 * The frame of the REST API over a real listener: routes that a test writes, callers told apart by the token they show,
 * and the real limiter, quarantine, policy and ledger behind it.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditEvent } from '../../src/domain/audit.ts';
import { type Identity, LOCAL_CALLER } from '../../src/domain/identity.ts';
import { type LimitRules, UNLIMITED } from '../../src/domain/limits.ts';
import type { PolicySet } from '../../src/domain/policy.ts';
import { REST_API } from '../../src/domain/scope-rules.ts';
import { mountRest, type RestDeps } from '../../src/inbound/rest/mount.ts';
import { describeApi } from '../../src/inbound/rest/openapi.ts';
import type { RestRoute } from '../../src/inbound/rest/route.ts';
import { createSystemClock } from '../../src/outbound/clock.ts';
import { createMemoryLimits } from '../../src/outbound/limits/memory-limits.ts';
import { createQuarantineFile } from '../../src/outbound/limits/quarantine-file.ts';
import type { AuditLedger } from '../../src/ports/audit.ts';
import type { LoginSession } from '../../src/services/identity/admin-login.ts';
import { createChallenges } from '../../src/services/identity/challenge.ts';
import { createLimiter } from '../../src/services/limits/limiter.ts';
import { createQuarantine, type Quarantine } from '../../src/services/limits/quarantine.ts';
import { startServer } from '../inbound/http/wire.ts';
import { openLedgerAt, readAll } from '../outbound/audit/desk.ts';
import { waitFor } from './gateway-process.ts';
import { createOpenApiCheck } from './openapi-check.ts';
import { createKeptLog, type LogLine } from './staircase.ts';

export const callerOf = (subject: string, more: Partial<Identity> = {}): Identity => ({
  ...LOCAL_CALLER,
  ...{ method: 'jwt', subject },
  ...more,
});

export interface Frame {
  readonly port: number;
  readonly url: string;
  readonly log: { lines: LogLine[] };
  readonly quarantine: Quarantine;
  /** Lines of the ledger, once there are that many: what was answered is on its way to the disk. */
  book(count: number): Promise<AuditEvent[]>;
  ask(
    method: string,
    path: string,
    how?: { token?: string; body?: unknown; headers?: Record<string, string> },
  ): Promise<Asked>;
}

export interface Asked {
  status: number;
  headers: Headers;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: the test says what it expects
  body: any;
}

export interface FrameSetup {
  routes: readonly RestRoute[];
  policy: PolicySet;
  /** By token. */
  callers: Readonly<Record<string, Identity>>;
  limits?: Partial<LimitRules>;
  /** By the whole of the `cookie` header. */
  sessions?: Readonly<Record<string, LoginSession>>;
  /** Stands in for the ledger on disk. */
  audit?: AuditLedger;
  onRefused?: RestDeps['refused'];
}

/** For a test that runs: what it opens is closed after it. */
export async function startFrame(
  setup: FrameSetup,
  onFinished: (undo: () => void | Promise<void>) => void,
): Promise<Frame> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-frame-'));
  onFinished(() => rmSync(folder, { recursive: true, force: true }));
  const clock = createSystemClock();
  const log = createKeptLog();
  const auditFile = join(folder, 'audit.jsonl');
  const audit = setup.audit ?? openLedgerAt(auditFile);
  const challenges = createChallenges({ publicUrl: 'https://gw.example.test', scopes: [] });
  const quarantine = createQuarantine({
    store: createQuarantineFile({ path: join(folder, 'quarantine.json'), clock }),
    ...{ clock, log },
  });
  await quarantine.start();
  onFinished(() => quarantine.stop());
  const server = await startServer(
    {},
    {
      log,
      addRoutes: routes =>
        mountRest(routes, setup.routes, {
          policy: () => setup.policy,
          identify({ authorization }, path) {
            if (authorization === undefined) return challenges.missing(path);
            return setup.callers[authorization.replace('Bearer ', '')] ?? challenges.invalid(path, 'unknown');
          },
          vouch: null,
          findSession: cookie => setup.sessions?.[cookie ?? ''] ?? null,
          challenges,
          limiter: createLimiter({ store: createMemoryLimits(clock), rules: { ...UNLIMITED, ...setup.limits } }),
          refused: setup.onRefused ?? (() => null),
          isShutOut: who => quarantine.isBlocked(who, REST_API, null),
          addressOf: () => '203.0.113.9',
          recorder: { record() {} },
          ...{ audit, clock, log },
        }),
    },
  );
  onFinished(() => server.stop(0));
  const check = createOpenApiCheck(describeApi(setup.routes, '9.9.9'));
  return {
    ...{ port: server.port, url: server.url, log, quarantine },
    book: count =>
      waitFor(async () => {
        const { events } = await readAll(auditFile);
        return events.length < count ? null : events;
      }, `${count} lines in the book`),
    async ask(method, path, { token, body, headers = {} } = {}) {
      const isText = typeof body === 'string' || body === undefined;
      const reply = await fetch(server.url + path, {
        ...{ method, redirect: 'manual' },
        headers: {
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: isText ? (body as string) : JSON.stringify(body) }),
      });
      // What a route of a test answers is its own; whatever is refused, the frame must have printed.
      if (reply.status >= 400) await check.hold(reply, server.url + path, method);
      const text = await reply.text();
      const isJson = reply.headers.get('content-type')?.startsWith('application/json') === true;
      return {
        status: reply.status,
        headers: reply.headers,
        text,
        body: isJson && text !== '' ? JSON.parse(text) : null,
      };
    },
  };
}
