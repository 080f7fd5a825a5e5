/**
 * What every search leaves out unless it is asked for: drafts, what is deprecated, what is switched off. A tool or a skill
 * is as far along as its server or agent. Rights are another matter: what is left out here is no secret.
 */
import type { Lifecycle } from '../registered.ts';

export interface Included {
  draft: boolean;
  deprecated: boolean;
  disabled: boolean;
}

export const PLAIN: Included = { draft: false, deprecated: false, disabled: false };

export type LeftOut = 'draft' | 'deprecated' | 'disabled';

/** Null: it is found without being asked for as it is. So is, `entry` null, what the registry does not keep. */
export function whyLeftOut(
  entry: { status: Lifecycle; enabled: boolean } | null,
  { draft, deprecated, disabled }: Included = PLAIN,
): LeftOut | null {
  if (entry === null) return null;
  if (entry.status === 'draft' && !draft) return 'draft';
  if (entry.status === 'deprecated' && !deprecated) return 'deprecated';
  return entry.enabled || disabled ? null : 'disabled';
}

export const isOffered = (entry: { status: Lifecycle; enabled: boolean } | null): boolean => whyLeftOut(entry) === null;
