/** The configuration as every command reads it: files and variables, and then the policy they add up to. */
import { policyOf } from '../app/policy.ts';
import { openSecrets } from '../app/vault-desk.ts';
import { type LoadResult, loadConfig, type Overrides } from '../config/load.ts';
import { locateVault } from '../config/locate.ts';
import { toProblem } from '../config/problem.ts';
import type { Host } from './host.ts';

/** Conditions are compiled here too, so that a slip in one is said before anything starts, and at a reload. */
export async function loadWhole(host: Host, overrides: Overrides, policyAlone = false): Promise<LoadResult> {
  const loaded = await loadConfig({ ...host, overrides, policyAlone, vault: openSecrets(locateVault(host)) });
  if (!loaded.ok) return loaded;
  const built = policyOf(loaded.config, 1);
  if (built.ok) return loaded;
  const file = loaded.config.files.config ?? 'configuration';
  return {
    ok: false,
    problems: built.mistakes.map(({ path, message }) => toProblem(file, { path, message, hint: null })),
  };
}
