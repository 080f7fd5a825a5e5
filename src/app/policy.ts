/** The policy that a configuration asks for, with what the registry adds to it. */
import { isLoopbackHost } from '../config/access.ts';
import type { Config } from '../config/config.ts';
import { tellsCallersApart } from '../config/identity-config.ts';
import type { PolicySet } from '../domain/policy.ts';
import type { RegisteredGroup } from '../domain/registered-group.ts';
import { type Restrictions, UNRESTRICTED } from '../domain/visibility.ts';
import { compileCel } from '../outbound/policy/cel.ts';
import { type BuiltPolicy, buildPolicy } from '../services/policy/build-policy.ts';

/** What of the registry every decision depends on. */
export interface RegistryRights {
  groups: readonly RegisteredGroup[];
  restricted: Restrictions;
}

const NOTHING_REGISTERED: RegistryRights = { groups: [], restricted: UNRESTRICTED };

/** Or every mistake in its conditions. */
export function policyOf(config: Config, version: number, registered = NOTHING_REGISTERED): BuiltPolicy {
  const { rules, scopes, policy, listen, identity, apiKey } = config;
  const isOpenDoor = !tellsCallersApart(identity) && (apiKey !== null || isLoopbackHost(listen.host));
  return buildPolicy({ version, isOpenDoor, rules, scopes, ...policy, ...registered }, compileCel);
}

/** Of a configuration that was checked. */
export function requirePolicy(config: Config, version: number, registered?: RegistryRights): PolicySet {
  const built = policyOf(config, version, registered);
  if (!built.ok) throw new Error(built.mistakes.map(({ message }) => message).join('\n'));
  return built.policy;
}
