/**
 * The `limits` section: how much a caller, an agent or a server gets in a time and at once. Nothing is limited by default
 * but what fills memory for long: sessions and streams. A relative path is relative to the file.
 */
import { dirname, isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import type { LimitRule, LimitRules, LimitScope } from '../domain/limits.ts';
import { duration, whole } from './written-values.ts';

const calls = whole(1, 1_000_000_000);
const per = duration(1000);
const Rate = z.strictObject({ calls, per: per.optional() });
const globs = z.array(z.string().min(1)).min(1);

const selected = {
  name: z.string().min(1).optional(),
  by: z.enum(['caller', 'agent', 'server', 'callerAndServer', 'everyone']).optional(),
  agents: globs.optional(),
  groups: globs.optional(),
  servers: globs.optional(),
  calls,
  per: per.optional(),
};

export const LimitsSection = z.strictObject({
  perCaller: Rate.optional(),
  perAgent: Rate.optional(),
  perServer: Rate.optional(),
  perCallerAndServer: Rate.optional(),
  rules: z.array(z.strictObject(selected)).optional(),
  quotas: z.array(z.strictObject(selected)).optional(),
  concurrency: z
    .strictObject({ perCaller: whole(1, 1_000_000).optional(), perServer: whole(1, 1_000_000).optional() })
    .optional(),
  refusalsPerAddress: Rate.optional(),
  sessionsPerCaller: whole(1, 10_000_000).optional(),
  streamsPerCaller: whole(1, 10_000_000).optional(),
  streams: whole(1, 10_000_000).optional(),
  quarantineFile: z.string().min(1).optional(),
});
export type LimitsSection = z.output<typeof LimitsSection>;

export interface LimitsConfig extends LimitRules {
  /** Absolute. */
  quarantineFile: string;
}

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
/** Far more than a caller needs, far less than fills the process. */
const MOST_SESSIONS = 1000;
const MOST_STREAMS = 1000;
const MOST_STREAMS_OF_ALL = 10_000;
const QUARANTINE_FILE = 'quarantine.json';

/** `folder`: of the file the section was written in; `auditPath`: absolute. */
export function toLimitsConfig(
  written: LimitsSection | undefined,
  from: { folder: string | null; cwd: string; auditPath: string },
): LimitsConfig {
  const { quarantineFile } = written ?? {};
  return {
    rules: toRules(written ?? {}),
    inFlight: {
      perCaller: written?.concurrency?.perCaller ?? null,
      perServer: written?.concurrency?.perServer ?? null,
    },
    sessionsPerCaller: written?.sessionsPerCaller ?? MOST_SESSIONS,
    streamsPerCaller: written?.streamsPerCaller ?? MOST_STREAMS,
    streams: written?.streams ?? MOST_STREAMS_OF_ALL,
    refusalsPerAddress: written?.refusalsPerAddress === undefined ? null : toRate(written.refusalsPerAddress),
    quarantineFile:
      quarantineFile === undefined
        ? resolve(dirname(from.auditPath), QUARANTINE_FILE)
        : toPath(quarantineFile, from.folder ?? from.cwd),
  };
}

function toRules(written: LimitsSection): LimitRule[] {
  const rules: LimitRule[] = [];
  const plain = (id: string, by: LimitScope, rate: z.output<typeof Rate> | undefined) => {
    if (rate !== undefined) rules.push({ id, by, agents: null, groups: null, servers: null, ...toRate(rate) });
  };
  plain('per-caller', 'caller', written.perCaller);
  plain('per-agent', 'agent', written.perAgent);
  plain('per-server', 'server', written.perServer);
  plain('per-caller-and-server', 'caller-and-server', written.perCallerAndServer);
  const chosen = (kind: string, entries: LimitsSection['rules'], usualMs: number) => {
    for (const [index, entry] of (entries ?? []).entries()) {
      rules.push({
        // The place keeps two of one name apart.
        id: `${kind} ${index} ${entry.name ?? ''}`,
        by: entry.by === 'callerAndServer' ? 'caller-and-server' : (entry.by ?? 'caller'),
        agents: entry.agents ?? null,
        groups: entry.groups ?? null,
        servers: entry.servers ?? null,
        calls: entry.calls,
        perMs: entry.per ?? usualMs,
      });
    }
  };
  chosen('rule', written.rules, MINUTE_MS);
  chosen('quota', written.quotas, DAY_MS);
  return rules;
}

function toRate(rate: z.output<typeof Rate>): { calls: number; perMs: number } {
  return { calls: rate.calls, perMs: rate.per ?? MINUTE_MS };
}

function toPath(written: string, folder: string): string {
  return isAbsolute(written) ? written : resolve(folder, written);
}
