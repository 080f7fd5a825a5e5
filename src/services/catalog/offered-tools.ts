/** What a server says of its tools, judged by what was approved of them. Pure: nothing is kept or told here. */
import type { ApprovedTool } from '../../domain/approved-tool.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { ServerKey } from '../../domain/server.ts';
import { diffDefinitions, hashDefinition } from '../../domain/tool-definition.ts';

const FIRST_SEEN = 'first-seen';

export interface Offer {
  name: string;
  offered: JsonObject;
  hash: string;
}

/** Twice in one list: the first counts, as everywhere. What has no name is no tool. */
export function readOffers(tools: readonly JsonObject[]): Offer[] {
  const once = new Map<string, JsonObject>();
  for (const offered of tools) {
    const { name } = offered;
    if (typeof name === 'string' && name !== '' && !once.has(name)) once.set(name, offered);
  }
  return Array.from(once, ([name, offered]) => ({ name, offered, hash: hashDefinition(offered) }));
}

/** How a tool is to be kept that says this: the very entry where nothing is new about it. */
export function judgeOffer(
  server: ServerKey,
  { name, offered, hash }: Offer,
  entry: ApprovedTool | undefined,
  nowMs: number,
): ApprovedTool {
  if (entry === undefined)
    return {
      ...{ server, tool: name, approved: offered, hash, approvedAtMs: nowMs, approvedBy: FIRST_SEEN },
      ...{ pending: null, acknowledged: [] },
    };
  // Back to what was approved: nothing waits any more.
  if (entry.hash === hash) return entry.pending === null ? entry : { ...entry, pending: null };
  if (entry.pending?.hash === hash) return entry;
  const changes = diffDefinitions(entry.approved, offered);
  return { ...entry, pending: { definition: offered, hash, changes, seenAtMs: nowMs } };
}

/** Of those that say something else than what is approved of them, the hash of what they say. */
export function differingOf(
  approved: ReadonlyMap<string, ApprovedTool>,
  offers: readonly Offer[],
): ReadonlyMap<string, string> {
  const isOther = ({ name, hash }: Offer) => {
    const entry = approved.get(name);
    return entry !== undefined && entry.hash !== hash;
  };
  return new Map(offers.filter(isOther).map(({ name, hash }) => [name, hash]));
}
