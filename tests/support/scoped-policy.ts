/** A closed policy of scopes alone, for tests in which callers have different rights. */
import { OPEN_POLICY, type PolicySet } from '../../src/domain/policy.ts';
import { compileScopeRules } from '../../src/domain/scope-rules.ts';

/** scope -> server -> tools; everything else of a server (resources, prompts) comes with any grant on it. */
export function scopedPolicy(
  grants: Record<string, Record<string, readonly string[] | 'all'>>,
  version = 2,
): PolicySet {
  const servers = Object.entries(grants).map(
    ([scope, byServer]) =>
      [
        scope,
        Object.entries(byServer).map(([server, tools], place) => ({ server, methods: 'all' as const, tools, place })),
      ] as const,
  );
  const scopes = compileScopeRules({ mappings: new Map(), servers: new Map(servers), ui: new Map() });
  return { ...OPEN_POLICY, version, mode: 'closed', scopes };
}
