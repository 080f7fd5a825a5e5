/**
 * `/api/policy/*`: "would this be allowed, and why?", asked of the policy in force. Whoever administers asks about anybody,
 * everybody else about itself: what others may do is not told. Asking changes nothing.
 */
import { z } from 'zod';
import { failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { Described, PolicyAnswer, Question } from '../../services/policy/ask.ts';
import { LINT_KINDS, type LintFinding } from '../../services/policy/lint.ts';
import { answer, defineRoute, type RestRoute } from './route.ts';

export interface PolicyDesk {
  isAdmin(who: Identity): boolean;
  /** `who`: about this very caller. */
  explainTo(who: Identity, question: Question): PolicyAnswer;
  /** About the caller that is described. */
  explain(question: Question & Described): PolicyAnswer;
  lint(): readonly LintFinding[];
}

const words = z.array(z.string().min(1).max(512)).max(1000).optional();
const ExplainBody = z.strictObject({
  agent: z.string().min(1).max(200).nullish().describe('The agent id that the call names.'),
  subject: z.string().min(1).max(1024).optional().describe('Of a token, for administrators.'),
  groups: words.describe('Of a token, for administrators.'),
  scopes: words.describe('Of a token, for administrators.'),
  server: z.string().min(1).max(512),
  tool: z.string().min(1).max(1024),
  args: z.record(z.string(), z.json()).nullish(),
});

const Explanation = z
  .object({
    answer: z.enum(['allow', 'deny']),
    rule: z.string().nullable(),
    wouldDeny: z.string().nullable(),
    steps: z.array(z.object({ part: z.string(), answer: z.enum(['allow', 'deny']), rule: z.string() })),
    scopes: z.array(z.string()),
    missing: z.array(z.string()),
    say: z.string().nullable(),
  })
  .meta({ id: 'PolicyExplanation' });
const Explained = z.union([
  z.object({ kind: z.literal('explained'), agent: z.string().nullable(), server: Explanation, tool: Explanation }),
  z.object({ kind: z.literal('unresolved'), code: z.string(), reason: z.string() }),
]);
const Findings = z.object({
  findings: z.array(z.object({ kind: z.enum(LINT_KINDS), path: z.string(), message: z.string() })),
});

export function policyRoutes(desk: PolicyDesk): RestRoute[] {
  return [
    defineRoute({
      ...{ method: 'POST', path: '/api/policy/explain', operation: 'policy/explain', tag: 'policy' },
      summary: 'Ask whether a call would be allowed, and which rule says so',
      ...{ access: { kind: 'caller' }, hasEffect: false, body: ExplainBody },
      answers: { 200: { says: 'The decision, and what every part of the policy said.', schema: Explained } },
      about: ({ body: { server, tool } }) => ({ server, target: tool }),
      run({ who, body: { agent = null, subject, groups, scopes, server, tool, args } }) {
        const question = { agent, server, tool, args: (args ?? null) as JsonObject | null };
        const isDescribed = subject !== undefined || groups !== undefined || scopes !== undefined;
        const isAdmin = desk.isAdmin(who);
        if (isDescribed && !isAdmin) {
          const say = 'Only administrators may ask about others: leave subject, groups and scopes out.';
          return failure('DENIED_BY_POLICY', {}, { say });
        }
        const isAboutOthers = isAdmin && (isDescribed || agent !== null);
        return answer(
          200,
          isAboutOthers ? desk.explain({ ...question, subject, groups, scopes }) : desk.explainTo(who, question),
        );
      },
    }),
    defineRoute({
      ...{ method: 'GET', path: '/api/policy/lint', operation: 'policy/lint', tag: 'policy' },
      summary: 'Find what in the policy was probably not meant, the tools of connected servers known',
      access: { kind: 'admin' },
      answers: { 200: { says: 'In the order rules, scopes, settings; may be empty.', schema: Findings } },
      run: () => answer(200, { findings: desk.lint() }),
    }),
  ];
}
