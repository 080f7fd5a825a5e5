/**
 * `decide`: the one answer to "may this caller do this", for lists, searches and calls alike.
 * It sees names, never the catalog, so an answer cannot reveal what exists. Only `decide` mints a Permit.
 */
import type { Identity } from './identity.ts';
import type { ServerKey } from './server.ts';

/** What is asked for: a method on a capability. `list` is asked once per capability to filter a list. */
export type Action = 'list' | 'call' | 'read' | 'get' | 'complete' | 'subscribe' | 'manage';

export type TargetKind = 'tool' | 'resource' | 'template' | 'prompt' | 'task' | 'server';

export interface Target {
  kind: TargetKind;
  server: ServerKey;
  /** The capability's own name (or URI) on its server. */
  name: string;
}

export type RuleRef = string;

declare const minted: unique symbol;

/** Proof of a yes. Nothing is sent to a downstream without one. */
export interface Permit {
  readonly [minted]: true;
  readonly rule: RuleRef;
  readonly target: Target;
}

export interface Denial {
  kind: 'deny';
  rule: RuleRef | null;
}

export type Decision = { kind: 'allow'; permit: Permit } | Denial;

/**
 * The compiled policy in force. `open`: no rules exist and the door is on loopback or behind one key,
 * so an identified caller may do everything.
 */
export interface PolicySet {
  version: number;
  mode: 'open';
}

export const OPEN_POLICY: PolicySet = { version: 1, mode: 'open' };

export function decide(_policy: PolicySet, _who: Identity, _action: Action, target: Target): Decision {
  return { kind: 'allow', permit: { rule: 'open', target } as Permit };
}
