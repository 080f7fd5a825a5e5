/** A key that an operator gives to one program or team, with rights of its own. */
import type { Secret } from './secret.ts';

export interface NamedKey {
  /** Becomes the subject `key:<name>`. */
  name: string;
  key: Secret;
  groups: readonly string[];
  scopes: readonly string[];
  agent: string | null;
}
