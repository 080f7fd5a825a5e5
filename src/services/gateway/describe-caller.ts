/** What a caller may do, by the very questions it is asked at every door: for whoever shows it to the caller itself. */
import type { Identity } from '../../domain/identity.ts';
import { decide, listUiGrants, mayAdminister, mayUi, type PolicySet, scopesOf } from '../../domain/policy.ts';
import type { ServerKey } from '../../domain/server.ts';
import { asActing } from './acting-caller.ts';

export interface CallerRights {
  scopes: readonly string[];
  isAdmin: boolean;
  mayModifyServers: boolean;
  /** Action of the registry to resources, or `all` alone. */
  ui: ReadonlyMap<string, readonly string[]>;
  /** In the order of configuration. */
  servers: readonly ServerKey[];
}

export function describeCaller(
  policy: PolicySet,
  who: Identity,
  servers: Iterable<ServerKey>,
  defaultAgent: string | null,
): CallerRights {
  const acting = asActing(policy, who, defaultAgent);
  const mayUse = (server: ServerKey) =>
    decide(policy, acting, 'list', { kind: 'server', server, name: server }).kind === 'allow';
  return {
    scopes: scopesOf(policy, who),
    isAdmin: mayAdminister(policy, who),
    mayModifyServers: mayUi(policy, who, 'modify_service', null),
    ui: listUiGrants(policy, who),
    servers: [...servers].filter(mayUse),
  };
}
