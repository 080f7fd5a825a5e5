/** Who may use a route: the declared access of a route against the policy in force, on names alone. */
import type { Identity } from '../../domain/identity.ts';
import { findMethodDenial, mayAdminister, type PolicySet } from '../../domain/policy.ts';
import { REST_API } from '../../domain/scope-rules.ts';
import type { RuleRef } from '../../domain/verdict.ts';
import { mayAsk } from '../../services/registry/access.ts';
import type { RestRoute } from './route.ts';

export interface AccessDenial {
  rule: RuleRef | null;
  /** Scopes to ask for; may be empty. */
  missing: readonly string[];
}

/** Null: the route may be used. A public route is not asked about. */
export function findAccessDenial(policy: PolicySet, who: Identity, { access, method }: RestRoute): AccessDenial | null {
  if (access.kind === 'bearer') return null;
  // A token for one server is for nothing else, whatever its owner may do.
  if (who.boundServer !== null) return { rule: 'token: bound to another server', missing: [] };
  switch (access.kind) {
    case 'public':
    case 'caller':
      return null;
    case 'api': {
      const denial = findMethodDenial(policy, who, REST_API, method);
      if (denial === null || access.word === undefined) return denial;
      return findMethodDenial(policy, who, REST_API, access.word);
    }
    case 'ui':
      return mayAsk(policy, who, access) ? null : { rule: `ui: no grant of ${access.action}`, missing: [] };
    case 'admin':
      return mayAdminister(policy, who) ? null : { rule: 'ui: no administrator', missing: [] };
  }
}
