/** The line of a caller that answers from a table and keeps what it was told. */
import type { ClientAnswer, Line } from '../../src/domain/call.ts';
import type { JsonObject } from '../../src/domain/json.ts';

export interface FakeLine extends Line {
  readonly notified: { method: string; params: JsonObject }[];
  readonly asked: { method: string; params: JsonObject }[];
  cancel(reason?: string): void;
}

export function createFakeLine(
  more: Partial<
    Pick<Line, 'era' | 'sessionId' | 'subscriber' | 'clientCapabilities' | 'clientInfo' | 'wantsProgress'>
  > & {
    answer?: (method: string, params: JsonObject) => ClientAnswer | Promise<ClientAnswer>;
  } = {},
): FakeLine {
  const { answer, ...facts } = more;
  let stop: ((reason: string) => void) | null = null;
  let cancelled = false;
  const notified: FakeLine['notified'] = [];
  const asked: FakeLine['asked'] = [];
  const era = facts.era ?? 'legacy';
  return {
    revision: era === 'modern' ? '2026-07-28' : '2025-11-25',
    era,
    address: null,
    sessionId: null,
    subscriber: null,
    clientCapabilities: {},
    clientInfo: null,
    logLevel: null,
    wantsProgress: false,
    isAsked: false,
    ...facts,
    notified,
    asked,
    get cancelled() {
      return cancelled;
    },
    whenCancelled(given) {
      stop = given;
      if (cancelled) given('cancelled');
    },
    cancel(reason = 'cancelled by the test') {
      if (cancelled) return;
      cancelled = true;
      stop?.(reason);
    },
    notify: (method, params) => void notified.push({ method, params }),
    async ask(method, params) {
      asked.push({ method, params });
      return answer?.(method, params) ?? { kind: 'error', error: { code: -32601, message: 'Nobody answers.' } };
    },
  };
}
