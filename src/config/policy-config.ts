/**
 * The section `policy:` of `gateway.config.yaml`: what applies beside the rules and scopes files. Expressions stay text
 * here; they are compiled where the policy is built.
 */
import { z } from 'zod';
import type { WrittenCondition } from '../domain/conditions.ts';
import { findNameMistake } from './name-entry.ts';
import type { Mistake } from './problem.ts';

const texts = z.array(z.string());
/** One name is written as often as a list of one. */
const oneOrMore = z.union([texts, z.string({ error: 'must be text or a list of texts' })]);

const Caller = z.strictObject({
  groups: texts.optional(),
  scopes: texts.optional(),
  agent: z.string().optional(),
});

export const PolicySection = z.strictObject({
  enforcement: z.enum(['enforce', 'shadow']).optional(),
  conditions: z
    .array(
      z.strictObject({
        id: z.string().optional(),
        agents: oneOrMore.optional(),
        scopes: oneOrMore.optional(),
        server: oneOrMore,
        tool: oneOrMore,
        when: z.string(),
        effect: z.enum(['deny', 'require']),
        say: z.string().optional(),
      }),
    )
    .optional(),
  actAs: z.record(z.string(), texts).optional(),
  localCaller: Caller.optional(),
  keyHolder: Caller.optional(),
});
export type PolicySection = z.output<typeof PolicySection>;

/** What a caller is given that shows nothing of the kind itself. */
export interface GivenRights {
  groups: readonly string[];
  scopes: readonly string[];
  agent: string | null;
}

export interface PolicyConfig {
  enforcement: 'enforce' | 'shadow';
  conditions: readonly WrittenCondition[];
  /** Agent (`*`: any caller that showed a credential) to the agents it may act as, names or patterns. */
  actAs: ReadonlyMap<string, readonly string[]>;
  /** On loopback and over stdio, where no credential is asked for. */
  localCaller: GivenRights;
  /** Of the gateway's one key. */
  keyHolder: GivenRights;
}

const MAX_SAY = 500;
const ID = /^[A-Za-z0-9_.-]{1,100}$/;

/** Shape: with mistakes the rest is still there, for other checks to go on with. */
export function toPolicyConfig(written: PolicySection | undefined): { policy: PolicyConfig; mistakes: Mistake[] } {
  const mistakes: Mistake[] = [];
  const conditions = (written?.conditions ?? []).map((condition, place): WrittenCondition => {
    const { id = String(place), agents, scopes, server, tool, when, effect, say = null } = condition;
    const at = ['policy', 'conditions', place];
    const report = (key: string, message: string) => void mistakes.push({ path: [...at, key], message, hint: null });
    if (!ID.test(id)) report('id', 'may hold letters, digits, dots, underscores and hyphens only');
    if (when.trim() === '') report('when', 'must not be empty');
    if (say !== null && (say === '' || say.length > MAX_SAY)) report('say', `must be 1 to ${MAX_SAY} characters long`);
    return {
      ...{ id, when, effect, say },
      agents: namesOf(agents, [...at, 'agents'], mistakes),
      scopes: toList(scopes, [...at, 'scopes'], mistakes),
      servers: namesOf(server, [...at, 'server'], mistakes),
      tools: namesOf(tool, [...at, 'tool'], mistakes),
    };
  });
  const ids = conditions.map(({ id }) => id);
  for (const [place, id] of ids.entries()) {
    if (ids.indexOf(id) === place) continue;
    mistakes.push({ path: ['policy', 'conditions', place, 'id'], message: `"${id}" is another's id`, hint: null });
  }
  const actAs = new Map<string, readonly string[]>();
  for (const [agent, others] of Object.entries(written?.actAs ?? {})) {
    const at = ['policy', 'actAs', agent];
    if (agent.includes('*') && agent !== '*')
      mistakes.push({ path: at, message: 'must be one agent, or "*" for any caller with a credential', hint: null });
    // An empty list grants nothing, which is what it says.
    actAs.set(agent, others.length === 0 ? [] : namesOf(others, at, mistakes));
  }
  return {
    policy: {
      enforcement: written?.enforcement ?? 'enforce',
      conditions,
      actAs,
      localCaller: toGiven(written?.localCaller),
      keyHolder: toGiven(written?.keyHolder),
    },
    mistakes,
  };
}

function toGiven(written: z.output<typeof Caller> | undefined): GivenRights {
  return { groups: written?.groups ?? [], scopes: written?.scopes ?? [], agent: written?.agent ?? null };
}

/** An empty list would make a condition say nothing, or of nobody, without being seen. */
function toList(written: string | string[] | undefined, at: (string | number)[], mistakes: Mistake[]): string[] {
  if (written === undefined) return [];
  const list = typeof written === 'string' ? [written] : written;
  if (list.length === 0) mistakes.push({ path: at, message: 'is empty: leave it out, or name somebody', hint: null });
  return list;
}

function namesOf(written: string | string[] | undefined, at: (string | number)[], mistakes: Mistake[]): string[] {
  const names = toList(written, at, mistakes);
  for (const [place, name] of names.entries()) {
    const message = findNameMistake(name);
    const path = typeof written === 'string' ? at : [...at, place];
    if (message !== null) mistakes.push({ path, message, hint: null });
  }
  return names;
}
