/** The policy that a configuration comes to: which files there are, and whether the door they are for stands open. */
import { isLoopbackHost } from '../config/access.ts';
import type { Config } from '../config/config.ts';
import { tellsCallersApart } from '../config/identity-config.ts';
import type { PolicySet } from '../domain/policy.ts';
import { compileCel } from '../outbound/policy/cel.ts';
import { type BuiltPolicy, buildPolicy } from '../services/policy/build-policy.ts';

/** The policy that a configuration asks for, or every mistake in its conditions. */
export function policyOf(config: Config, version: number): BuiltPolicy {
  const { rules, scopes, policy, listen, identity, apiKey } = config;
  const isOpenDoor = !tellsCallersApart(identity) && (apiKey !== null || isLoopbackHost(listen.host));
  return buildPolicy({ version, isOpenDoor, rules, scopes, ...policy }, compileCel);
}

/** Of a configuration that was checked. */
export function requirePolicy(config: Config, version: number): PolicySet {
  const built = policyOf(config, version);
  if (!built.ok) throw new Error(built.mistakes.map(({ message }) => message).join('\n'));
  return built.policy;
}
