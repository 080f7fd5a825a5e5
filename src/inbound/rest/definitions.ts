/**
 * `/api/definitions`: tools whose definition has changed since it was approved, what changed, and the approval; and the
 * names and texts that reach over to another server's tools, and who has looked at them. For administrators, each for
 * the servers that are there for it.
 */
import { z } from 'zod';
import type { ApprovedTool } from '../../domain/approved-tool.ts';
import type { Identity } from '../../domain/identity.ts';
import { type NameWarning, WARNING_KINDS } from '../../domain/name-warning.ts';
import { trimSlashes } from '../../domain/scope-rules.ts';
import { type ServerKey, serverOfVersion } from '../../domain/server.ts';
import { effectOfChanges } from '../../domain/tool-definition.ts';
import { nothingWaits } from '../../services/catalog/approval.ts';
import type { Pins } from '../../services/catalog/pins.ts';
import type { ToldWarning, WarningDesk } from '../../services/catalog/warning-desk.ts';
import { answer, defineRoute, type RestRoute } from './route.ts';

const Reach = z.object({
  server: z.string(),
  tool: z.string(),
  kind: z.enum(WARNING_KINDS),
  likeness: z.enum(['confusable', 'version', 'typo']).nullable(),
  other: z.object({ server: z.string(), tool: z.string().nullable() }),
});

const Waiting = z.object({
  server: z.string(),
  tool: z.string(),
  effect: z.enum(['block', 'quarantine']),
  seen_at: z.iso.datetime(),
  changes: z.array(z.object({ pointer: z.string(), kind: z.string(), effect: z.string() })),
  approved: z.object({
    definition: z.unknown(),
    hash: z.string(),
    approved_by: z.string(),
    approved_at: z.iso.datetime(),
  }),
  offered: z.object({ definition: z.unknown(), hash: z.string() }),
  /** What would be warned of once it is approved. */
  warnings: z.array(Reach),
});

const Warning = Reach.extend({
  acknowledged: z.object({ by: z.string(), at: z.iso.datetime() }).nullable(),
});

/** By its name or its path, `team/github` or `/team/github`; one of its versions as it is listed: `team/github@v2.0.0`. */
const namedServer = z.string().min(1).max(400);
const toolName = z.string().min(1).max(512);

const ApproveBody = z
  .strictObject({
    server: namedServer,
    /** All that wait on the server where it is left out. */
    tool: toolName.optional(),
    /** `offered.hash` of what was looked at: nothing else is approved. */
    hash: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits, as the hash of what is offered')
      .optional(),
  })
  .refine(({ tool, hash }) => hash === undefined || tool !== undefined, {
    path: ['hash'],
    message: 'is of what one tool says: name the tool too',
  });

const Approved = z.object({
  /** As it was asked for; below it is named with its version. */
  server: z.string(),
  approved: z.array(z.string()),
  definitions: z.array(z.object({ server: z.string(), tool: z.string(), hash: z.string() })),
});

const AcknowledgeBody = z.strictObject({
  server: namedServer,
  tool: toolName,
  /** All that stand of the tool where it is left out; the same for whom they mean. */
  kind: z.enum(WARNING_KINDS).optional(),
  other: z.strictObject({ server: namedServer, tool: toolName.optional() }).optional(),
});

const Acknowledged = z.object({
  /** As it was asked for. */
  server: z.string(),
  acknowledged: z.array(Warning),
});

export interface DefinitionDesk {
  mayOversee(who: Identity, server: ServerKey): boolean;
  /** A server named without a version means the one that is active. */
  originOf(server: string): string;
}

export function definitionRoutes(pins: Pins & WarningDesk, { mayOversee, originOf }: DefinitionDesk): RestRoute[] {
  return [
    defineRoute({
      ...{ method: 'GET', path: '/api/definitions/pending', operation: 'definitions/pending', tag: 'definitions' },
      summary: 'List the tools whose definition has changed and waits for approval',
      access: { kind: 'admin' },
      answers: {
        200: {
          says: 'By server, then by tool. Warnings wait for nothing: their tools are shown and called.',
          schema: z.object({ pending: z.array(Waiting), warnings: z.array(Warning) }),
        },
      },
      async run({ who }) {
        const isFor = (server: ServerKey) => mayOversee(who, server);
        const pending = (await pins.pending()).filter(({ server }) => isFor(serverOfVersion(server)));
        // A warning names two servers.
        const warnings = pins.warnings().filter(({ server, other }) => isFor(server) && isFor(other.server));
        const waiting: z.output<typeof Waiting>[] = [];
        for (const entry of pending) waiting.push(...describe(entry, await pins.foresee(entry, isFor)));
        return answer(200, { pending: waiting, warnings: warnings.map(showWarning) });
      },
    }),
    defineRoute({
      ...{ method: 'POST', path: '/api/definitions/approve', operation: 'definitions/approve', tag: 'definitions' },
      summary: 'Approve what a tool, or every tool of a server, says of itself now; by `hash` only what was looked at',
      access: { kind: 'admin' },
      body: ApproveBody,
      answers: {
        200: { says: 'What was approved: the tools, and which definitions of them.', schema: Approved },
      },
      fails: ['NOT_FOUND', 'STALE'],
      async run({ who, body: { server, tool = null, hash = null }, note }) {
        const named = trimSlashes(server);
        const key = serverOfVersion(named);
        const origin = originOf(named);
        note({ server: key, target: tool, metadata: { approves: origin } });
        if (!mayOversee(who, key)) return nothingWaits();
        const approval = await pins.approve(origin, { tool, hash }, who.subject);
        if (approval.kind === 'failure') return approval;
        const definitions = approval.tools.map(({ server: of, tool: name, hash: now }) => ({
          ...{ server: of, tool: name, hash: now },
        }));
        return answer(200, { server, approved: approval.tools.map(entry => entry.tool), definitions });
      },
    }),
    defineRoute({
      ...{ method: 'POST', path: '/api/definitions/acknowledge', operation: 'definitions/acknowledge' },
      tag: 'definitions',
      summary: 'Say that somebody has looked at the warnings of a tool, until it is approved with other words',
      access: { kind: 'admin' },
      body: AcknowledgeBody,
      answers: {
        200: { says: 'What is acknowledged now, and by whom it was first.', schema: Acknowledged },
      },
      fails: ['NOT_FOUND'],
      async run({ who, body: { server, tool, kind = null, other }, note }) {
        const named = trimSlashes(server);
        note({ server: serverOfVersion(named), target: tool, metadata: { acknowledges: kind ?? 'all warnings' } });
        const meant =
          other === undefined ? null : { server: serverOfVersion(trimSlashes(other.server)), tool: other.tool ?? null };
        const isFor = (key: ServerKey) => mayOversee(who, key);
        const done = await pins.acknowledge(named, { tool, kind, other: meant, isFor }, who.subject);
        if (done.kind === 'failure') return done;
        return answer(200, { server, acknowledged: done.warnings.map(showWarning) });
      },
    }),
  ];
}

const showWarning = ({ acknowledged, ...found }: ToldWarning): z.output<typeof Warning> => ({
  ...found,
  acknowledged: acknowledged === null ? null : { by: acknowledged.by, at: new Date(acknowledged.atMs).toISOString() },
});

function describe(
  { server, tool, approved, hash, approvedBy, approvedAtMs, pending }: ApprovedTool,
  warnings: readonly NameWarning[],
): z.output<typeof Waiting>[] {
  if (pending === null) return [];
  return [
    {
      ...{ server, tool, effect: effectOfChanges(pending.changes) ?? 'block', changes: pending.changes },
      seen_at: new Date(pending.seenAtMs).toISOString(),
      approved: {
        ...{ definition: approved, hash, approved_by: approvedBy },
        approved_at: new Date(approvedAtMs).toISOString(),
      },
      offered: { definition: pending.definition, hash: pending.hash },
      warnings: [...warnings],
    },
  ];
}
