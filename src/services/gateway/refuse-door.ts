/**
 * The look before a conversation begins at one server's own door: whoever may use nothing behind it is told so at once,
 * whether there is such a server or not. What is let in here is decided on again with every call.
 */
import { type Door, openRecordOf } from '../../domain/call.ts';
import { type Failure, failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import { evaluatedScopes, findMethodDenial, type PolicySet } from '../../domain/policy.ts';
import type { AuditLedger } from '../../ports/audit.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Recorder } from '../../ports/recorder.ts';
import { asActing } from './acting-caller.ts';

export interface RefuseDoorDeps {
  policy(): PolicySet;
  defaultAgent: string | null;
  recorder: Recorder;
  audit: AuditLedger;
  clock: Clock;
}

/** `asked`: the request. Null: nothing to object to. A refusal is in the book. */
export type RefuseDoor = (
  who: Identity,
  door: Door,
  method: string,
  asked: { id: string; address: string | null },
) => Failure | null;

export function createRefuseDoor({ policy, defaultAgent, recorder, audit, clock }: RefuseDoorDeps): RefuseDoor {
  return (who, { server }, method, { id, address }) => {
    if (server === null) return null;
    const acting = asActing(policy(), who, defaultAgent);
    const denial = findMethodDenial(policy(), acting, server, method);
    if (denial === null) return null;
    const record = openRecordOf(acting, method, id, clock.wallMs(), address);
    Object.assign(record, { server, outcome: 'denied', code: 'DENIED_BY_POLICY', rule: denial.rule });
    record.evaluatedScopes = evaluatedScopes(policy(), acting);
    recorder.record(record);
    void audit.conclude(record);
    const scopes = denial.missing.length === 0 ? {} : { missing_scopes: [...denial.missing] };
    return failure('DENIED_BY_POLICY', { agent_id: acting.agent, operation: method, rule: denial.rule, ...scopes });
  };
}
