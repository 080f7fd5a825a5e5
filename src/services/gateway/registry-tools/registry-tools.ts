/**
 * The registry over MCP: the same services that its REST routes ask, with the same rights and the same lines in the book.
 * A tool that a caller may not use is not listed, and is refused without a word about what it would have been used on.
 */
import { type Handled, noteIn } from '../../../domain/call.ts';
import { type Failure, failure } from '../../../domain/error.ts';
import type { Identity } from '../../../domain/identity.ts';
import { type JsonObject, stringOrNull } from '../../../domain/json.ts';
import { evaluatedScopes, type PolicySet } from '../../../domain/policy.ts';
import { REST_API } from '../../../domain/scope-rules.ts';
import type { AuditLedger } from '../../../ports/audit.ts';
import type { Quarantine } from '../../limits/quarantine.ts';
import { asActing } from '../acting-caller.ts';
import { parseArguments } from '../gateway-tools/arguments.ts';
import { refuseDenied } from '../send.ts';
import type { Turn } from '../turn.ts';
import { AGENT_TOOLS } from './agent-tools.ts';
import { CALLER_TOOLS } from './caller-tools.ts';
import { GROUP_TOOLS } from './group-tools.ts';
import { findToolDenial, type RegistryMeans, type RegistryTool, toToolItem } from './registry-tool.ts';
import { SEARCH_TOOLS } from './search-tools.ts';
import { SERVER_TOOLS } from './server-tools.ts';

/** In the order in which they are listed. */
export const REGISTRY_TOOLS: readonly RegistryTool[] = [
  ...SEARCH_TOOLS,
  ...SERVER_TOOLS,
  ...AGENT_TOOLS,
  ...GROUP_TOOLS,
  ...CALLER_TOOLS,
];

const BY_NAME = new Map(REGISTRY_TOOLS.map(tool => [tool.name, tool]));
const LISTED = REGISTRY_TOOLS.map(tool => ({ tool, item: toToolItem(tool) }));

export const findRegistryTool = (name: string): RegistryTool | null => BY_NAME.get(name) ?? null;

/** As they are listed for a caller. */
export function registryToolItems(policy: PolicySet, who: Identity): JsonObject[] {
  return LISTED.filter(({ tool }) => findToolDenial(policy, who, tool) === null).map(({ item }) => item);
}

export interface RegistryTools {
  /** `args`: as they were sent. */
  run(tool: RegistryTool, turn: Turn, args: unknown): Promise<Handled>;
}

export function createRegistryTools(
  deps: RegistryMeans & { quarantine: Pick<Quarantine, 'isBlocked'>; audit: AuditLedger },
): RegistryTools {
  const { policy, quarantine, audit, defaultAgent } = deps;

  /** Why it may not go on, and null where it may: with an effect it is in the book by then. */
  async function announce({ record }: Turn, { hasEffect }: RegistryTool): Promise<Failure | null> {
    const announced = hasEffect ? audit.intend(record) : null;
    const mayGo = hasEffect ? announced === null || (await announced) : !audit.isRefusing();
    return mayGo ? null : failure('AUDIT_UNAVAILABLE', {}, { retryAfterMs: 1000 });
  }

  return {
    async run(tool, turn, args) {
      const { caller: who, line, record } = turn;
      record.operation = tool.name;
      record.evaluatedScopes = evaluatedScopes(policy(), who);
      if (quarantine.isBlocked(who, REST_API, null)) return refuseDenied(turn, 'quarantine', [], null);
      const denial = findToolDenial(policy(), who, tool);
      if (denial !== null) return refuseDenied(turn, denial, [], null);
      const parsed = parseArguments(tool.args, args);
      if (parsed.kind === 'failure') return parsed;
      record.target = tool.about(parsed.value)?.slice(0, MAX_RECORDED) ?? null;
      const no = await announce(turn, tool);
      if (no !== null) return no;
      const acting = asActing(policy(), who, defaultAgent);
      const result = await tool.run(deps, { who, acting, line }, parsed.value);
      if (result.kind !== 'failure') return toAnswer(result.value);
      const rule = stringOrNull(result.data.rule);
      if (rule !== null) noteIn(record, { rule });
      return result;
    },
  };
}

/** A path may be as long as a body; a record is a line. */
const MAX_RECORDED = 300;

function toAnswer(value: JsonObject): Handled {
  const content = [{ type: 'text', text: JSON.stringify(value) }];
  return { kind: 'answer', era: 'legacy', result: { content, structuredContent: value, isError: false }, bytes: null };
}
