/**
 * `/api/definitions`: tools whose definition has changed since it was approved, what changed, and the approval; and the
 * names and texts that reach over to another server's tools. For administrators, each for the servers that are there for it.
 */
import { z } from 'zod';
import type { ApprovedTool } from '../../domain/approved-tool.ts';
import type { Identity } from '../../domain/identity.ts';
import { type NameWarning, WARNING_KINDS } from '../../domain/name-warning.ts';
import { trimSlashes } from '../../domain/scope-rules.ts';
import { type ServerKey, serverOfVersion } from '../../domain/server.ts';
import { effectOfChanges } from '../../domain/tool-definition.ts';
import type { NameWatch } from '../../services/catalog/name-watch.ts';
import { nothingWaits, type Pins } from '../../services/catalog/pins.ts';
import { answer, defineRoute, type RestRoute } from './route.ts';

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
});

const Warning = z.object({
  server: z.string(),
  tool: z.string(),
  kind: z.enum(WARNING_KINDS),
  likeness: z.enum(['confusable', 'version', 'typo']).nullable(),
  other: z.object({ server: z.string(), tool: z.string().nullable() }),
});

const ApproveBody = z
  .strictObject({
    /** By its name or its path, `team/github` or `/team/github`; one of its versions as it is listed: `team/github@v2.0.0`. */
    server: z.string().min(1).max(400),
    /** All that wait on the server where it is left out. */
    tool: z.string().min(1).max(512).optional(),
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

export interface DefinitionDesk {
  mayOversee(who: Identity, server: ServerKey): boolean;
  /** A server named without a version means the one that is active. */
  originOf(server: string): string;
}

export function definitionRoutes(
  pins: Pins & Pick<NameWatch, 'warnings'>,
  { mayOversee, originOf }: DefinitionDesk,
): RestRoute[] {
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
        return answer(200, { pending: pending.flatMap(describe), warnings: warnings.map(showWarning) });
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
  ];
}

const showWarning = ({ server, tool, kind, likeness, other }: NameWarning): z.output<typeof Warning> => ({
  ...{ server, tool, kind, likeness, other },
});

function describe({ server, tool, approved, hash, approvedBy, approvedAtMs, pending }: ApprovedTool) {
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
    },
  ];
}
