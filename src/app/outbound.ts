/** How the gateway calls what somebody else named: one guard, and the one fetch that goes through it. */
import type { OutboundRules } from '../domain/outbound-rules.ts';
import { createAddressGuard, type SocketGuard } from '../outbound/fetch/address-guard.ts';
import { type ClosableFetch, createGuardedFetch } from '../outbound/fetch/guarded-fetch.ts';
import type { Clock } from '../ports/clock.ts';
import type { Log } from '../ports/log.ts';

export interface OutboundParts {
  guard: SocketGuard;
  fetch: ClosableFetch;
}

/** `rules`: those in force when a socket is opened. */
export function createOutboundParts(deps: { rules: () => OutboundRules; clock: Clock; log: Log }): OutboundParts {
  const guard = createAddressGuard(deps);
  return { guard, fetch: createGuardedFetch({ ...deps, guard }) };
}
