/** Policies for tests, written as an operator writes them and read by the real readers. */
import { parseRules } from '../../src/config/rules-file.ts';
import { parseScopes } from '../../src/config/scopes-file.ts';
import { compileAgentRules } from '../../src/domain/agent-rules.ts';
import type { WrittenCondition } from '../../src/domain/conditions.ts';
import { type Identity, LOCAL_CALLER } from '../../src/domain/identity.ts';
import type { PolicySet, Target } from '../../src/domain/policy.ts';
import type { RegisteredGroup } from '../../src/domain/registered-group.ts';
import { type Restrictions, UNRESTRICTED } from '../../src/domain/visibility.ts';
import { compileCel } from '../../src/outbound/policy/cel.ts';
import { buildPolicy } from '../../src/services/policy/build-policy.ts';

export function agentRules(document: unknown) {
  const { rules, mistakes } = parseRules(document);
  if (mistakes.length > 0) throw new Error(JSON.stringify(mistakes));
  return compileAgentRules(rules);
}

/** `rules` and `scopes`: the documents; null or absent: there is no such file. */
export function policyOf(parts: {
  rules?: unknown;
  scopes?: unknown;
  conditions?: readonly (Partial<WrittenCondition> & Pick<WrittenCondition, 'when'>)[];
  actAs?: Record<string, string[]>;
  enforcement?: PolicySet['enforcement'];
  isOpenDoor?: boolean;
  groups?: readonly RegisteredGroup[];
  restricted?: Restrictions;
}): PolicySet {
  const rules = parts.rules == null ? null : parseRules(parts.rules);
  const scopes = parts.scopes == null ? null : parseScopes(parts.scopes);
  const mistakes = [...(rules?.mistakes ?? []), ...(scopes?.mistakes ?? [])];
  if (mistakes.length > 0) throw new Error(JSON.stringify(mistakes));
  const built = buildPolicy(
    {
      version: 1,
      isOpenDoor: parts.isOpenDoor ?? false,
      enforcement: parts.enforcement ?? 'enforce',
      rules: rules?.rules ?? null,
      scopes: scopes?.scopes ?? null,
      conditions: (parts.conditions ?? []).map((condition, place) => ({
        ...{ id: String(place), agents: [], scopes: [], servers: ['*'], tools: ['*'], effect: 'deny', say: null },
        ...condition,
      })),
      actAs: new Map(Object.entries(parts.actAs ?? {})),
      groups: parts.groups ?? [],
      restricted: parts.restricted ?? UNRESTRICTED,
    },
    compileCel,
  );
  if (!built.ok) throw new Error(JSON.stringify(built.mistakes));
  return built.policy;
}

export function callerWith(facts: {
  agent?: string | null;
  verified?: boolean;
  groups?: string[];
  scopes?: string[];
  method?: Identity['method'];
  subject?: string;
  boundServer?: string | null;
}): Identity {
  return {
    ...LOCAL_CALLER,
    subject: facts.subject ?? 'https://issuer.test|alice',
    issuer: 'https://issuer.test',
    method: facts.method ?? 'jwt',
    agent: facts.agent ?? null,
    agentVerified: facts.verified ?? false,
    groups: new Set(facts.groups ?? []),
    scopes: new Set(facts.scopes ?? []),
    boundServer: facts.boundServer ?? null,
  };
}

export const toolOf = (server: string, name: string): Target => ({ kind: 'tool', server, name });
