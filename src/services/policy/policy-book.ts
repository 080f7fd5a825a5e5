/** The policy in force: one immutable snapshot, swapped whole, so that no request ever sees half a change. */
import { OPEN_POLICY, type PolicySet } from '../../domain/policy.ts';

export interface PolicyBook {
  current(): PolicySet;
  swap(next: PolicySet): void;
}

export function createPolicyBook(first: PolicySet = OPEN_POLICY): PolicyBook {
  let current = first;
  return {
    current: () => current,
    swap: next => {
      current = next;
    },
  };
}
