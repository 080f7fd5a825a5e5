/** Facts of a call, a log that is kept, options of a ledger: what needs no test runner. */
import type { AuditFacts } from '../../../src/domain/audit.ts';
import type { LedgerOptions } from '../../../src/outbound/audit/ledger.ts';
import type { Log } from '../../../src/ports/log.ts';

export interface KeptLog extends Log {
  lines: { level: string; message: string; [field: string]: unknown }[];
}

export function keepLog(): KeptLog {
  const lines: KeptLog['lines'] = [];
  const at = (level: string) => (message: string, fields?: object) => void lines.push({ level, message, ...fields });
  const log: KeptLog = {
    lines,
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: () => log,
  };
  return log;
}

export function options(path: string, more: Partial<LedgerOptions> = {}): LedgerOptions {
  return {
    ...({ path, onFailure: 'closed', durability: 'process' } as const),
    ...{ maxFileBytes: 64 * 1024 * 1024, keepFiles: 20, keepMs: null },
    ...more,
  };
}

let calls = 0;

export function factsOf(more: Partial<AuditFacts> = {}): AuditFacts {
  return {
    ...{
      id: `test-${++calls}`,
      atMs: Date.now(),
      subject: 'https://issuer.example|user-1',
      issuer: 'https://issuer.example',
    },
    ...({ client: null, agent: 'researcher', agentVerified: true, authMethod: 'jwt', sessionId: 'session-1' } as const),
    ...{ operation: 'tools/call', method: 'tools/call', server: 'github', target: 'create_issue', code: null },
    ...({
      outcome: 'ok',
      rule: 'agents.researcher.allow.tools.github[0]',
      durationMs: 1.234,
      clientName: 'test',
    } as const),
    ...{ actingFor: null, address: '192.0.2.7', evaluatedScopes: [], wouldDeny: null, metadata: null, intent: 0 },
    ...more,
  };
}
