/** What was approved of a server's tools, as it is read before a list is judged by it. */
import type { ApprovedTool } from '../../domain/approved-tool.ts';
import { type ServerKey, versionOfKey } from '../../domain/server.ts';
import type { DefinitionRepository } from '../../ports/definition-repository.ts';

type Tools = ReadonlyMap<string, ApprovedTool>;

/** Only where nothing is kept under the new name: otherwise that is what counts. */
export async function takeOver(store: DefinitionRepository, from: ServerKey, to: ServerKey): Promise<void> {
  const kept = (await store.list(from)) ?? [];
  if (kept.length === 0 || (await store.list(to))?.length !== 0) return;
  const taken = kept.map(entry => ({ ...entry, server: to }));
  const none = taken.map(() => null);
  if ((await store.put(taken, none)) !== 'done') return;
  for (const { tool } of kept) await store.remove(from, tool);
}

/**
 * What is approved by now, to judge a list by, and of that what has to be written again. Null: there is no such server (any
 * more). `before`: as it was known here.
 */
export async function readApproved(
  store: DefinitionRepository,
  server: ServerKey,
  before: Tools,
): Promise<{ stored: Tools; approved: Map<string, ApprovedTool>; lost: ApprovedTool[] } | null> {
  const list = await store.list(server);
  if (list === null) return null;
  const stored = new Map(list.map(entry => [entry.tool, entry]));
  const approved = new Map(stored);
  // A file's server that was let go and named again elsewhere, and never here: it is not trusted anew.
  const lost = versionOfKey(server) === null ? [...before.values()].filter(({ tool }) => !approved.has(tool)) : [];
  for (const entry of lost) approved.set(entry.tool, entry);
  return { stored, approved, lost };
}
