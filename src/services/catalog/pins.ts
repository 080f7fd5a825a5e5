/**
 * Definitions are pinned: what a tool said of itself when it was first seen is what every client is shown, on every
 * surface, until somebody approves what it says now; each version of a server for itself. Each reading of a server's list
 * is compared, so a server that changes its words after it was trusted reaches nobody with them. Meanwhile the tool is
 * held: listed as approved, and not called. A store that cannot be asked approves nothing: what is not known to be
 * approved is not shown.
 */
import type { ApprovedTool } from '../../domain/approved-tool.ts';
import { type Failure, failure } from '../../domain/error.ts';
import type { JsonObject } from '../../domain/json.ts';
import { type ServerKey, versionOfKey } from '../../domain/server.ts';
import { diffDefinitions, effectOfChanges, type FieldChange, hashDefinition } from '../../domain/tool-definition.ts';
import type { Clock } from '../../ports/clock.ts';
import type { DefinitionRepository } from '../../ports/definition-repository.ts';
import type { ShownTool } from './name-index.ts';

/**
 * `hold`: a changed tool is not called until it is approved. `serve`: the approved definition is shown and calls go on.
 * `off`: definitions are passed on as they come.
 */
export type OnDrift = 'hold' | 'serve' | 'off';

export interface DriftEvent {
  server: ServerKey;
  tool: string;
  effect: 'block' | 'quarantine';
  changes: readonly FieldChange[];
  isHeld: boolean;
}

export interface ApprovalWish {
  /** Null: all that wait. */
  tool: string | null;
  /** Of the one definition that somebody has looked at; null: whatever the tool says at that moment. */
  hash: string | null;
}

export type Approval = { kind: 'approved'; tools: readonly ApprovedTool[] } | Failure;

export interface Pins {
  /**
   * The definitions to show for those a server lists, in its order. Rejects when it cannot be known what was approved.
   * `server`, here and below: of a registered one the version (`versionKey`). `formerly`: under which name its approvals
   * were kept before versions were told apart; they are taken over once.
   */
  screen(server: ServerKey, tools: readonly JsonObject[], formerly?: ServerKey | null): Promise<readonly JsonObject[]>;
  /** Whether calls wait for an operator. Built for being asked on every call and for being no, as a rule. */
  isHeld(server: ServerKey, tool: string): boolean;
  heldCount(): number;
  /** Of all servers, by server and then by tool. */
  pending(): Promise<readonly ApprovedTool[]>;
  /**
   * What waits on a server becomes what is shown. Yields NOT_FOUND where nothing waits, and STALE where the tool waits with
   * another definition than was looked at.
   */
  approve(server: ServerKey, wish: ApprovalWish, by: string): Promise<Approval>;
  /** As it was last read; null: nothing is kept of it, or definitions are passed on as they come. */
  find(server: ServerKey, tool: string): ApprovedTool | null;
  /** Keeps something else of a tool, in turn with all that reads and writes its server. Null as for `find`: nothing was done. */
  amend(server: ServerKey, tool: string, change: (kept: ApprovedTool) => ApprovedTool): Promise<ApprovedTool | null>;
  /** Called when what is shown of a server has changed. */
  onApproved(listener: (server: ServerKey) => void): void;
  /** What is kept of it is kept in another place from now on; whatever is there, or is not, counts. */
  moved(server: ServerKey): void;
  /**
   * Somebody else has written: where a tool that waits here has been approved, or waits no longer, its server is told of as
   * if that had been done here, to be read again. Nothing is let go before. Rejects where it cannot be known.
   */
  catchUp(): Promise<void>;
  /** The servers there are. Of others nothing is remembered: should one come back, what is kept of it by then counts. */
  keepOnly(servers: ReadonlySet<ServerKey>): void;
}

const FIRST_SEEN = 'first-seen';

export function createPins(deps: {
  store: DefinitionRepository;
  onDrift: OnDrift;
  report: (event: DriftEvent) => void;
  /** Told of every list that is shown. */
  onShown?: (server: ServerKey, tools: readonly ShownTool[]) => void;
  clock: Pick<Clock, 'wallMs'>;
}): Pins {
  const { store, onDrift, report, onShown, clock } = deps;
  /** As it was last read, by server, then by tool. */
  const known = new Map<ServerKey, Map<string, ApprovedTool>>();
  const listeners: ((server: ServerKey) => void)[] = [];
  /** Could not be stored: in force here all the same, and stored with the next reading. */
  const unsaved = new Set<string>();
  /** What is known of them was read in another place than where it is kept now. */
  const movers = new Set<ServerKey>();
  let servers: { has(server: ServerKey): boolean } = { has: () => true };
  let held = new Set<string>();
  const turns = new Map<ServerKey, Promise<void>>();

  /** One reading or approval of a server at a time: each reads what is kept, judges, and writes. */
  function inTurn<T>(server: ServerKey, work: () => Promise<T>): Promise<T> {
    const done = (turns.get(server) ?? Promise.resolve()).then(work);
    const settled = done.then(
      () => {},
      () => {},
    );
    turns.set(server, settled);
    void settled.then(() => {
      if (turns.get(server) === settled) turns.delete(server);
    });
    return done;
  }

  /** Read anew each time: another process may have approved something since. Null: there is no such server (any more). */
  async function approvedOf(server: ServerKey): Promise<Map<string, ApprovedTool> | null> {
    const before = known.get(server);
    const isMover = movers.has(server);
    let stored: readonly ApprovedTool[] | null;
    try {
      stored = await store.list(server);
      const isLost = stored?.length === 0 && before !== undefined && before.size > 0 && !isMover;
      // A file's server that was let go and named again elsewhere, and never here: it is not trusted anew.
      if (isLost && versionOfKey(server) === null) {
        await store.put([...before.values()]);
        return before;
      }
    } catch (cause) {
      // What was approved before is known all the same.
      if (before !== undefined) return before;
      throw cause;
    }
    // Gone elsewhere, and here in a moment.
    if (stored === null) return before ?? null;
    const tools = new Map(stored.map(entry => [entry.tool, entry]));
    if (!isMover) for (const entry of before?.values() ?? []) keepWaiting(entry, tools);
    if (isMover) movers.delete(server);
    if (servers.has(server)) known.set(server, tools);
    return tools;
  }

  /**
   * What waits here goes on waiting unless that very definition was approved: another process that has a server of its own
   * may have heard the approved words from it, and this one's still says others.
   */
  function keepWaiting(entry: ApprovedTool, tools: Map<string, ApprovedTool>): void {
    const { server, tool, pending } = entry;
    if (pending === null) return;
    const kept = tools.get(tool);
    if (kept === undefined) {
      if (unsaved.has(keyOf(server, tool))) tools.set(tool, entry);
    } else if (kept.pending !== null || kept.hash === pending.hash) unsaved.delete(keyOf(server, tool));
    else {
      tools.set(tool, {
        ...kept,
        pending: { ...pending, changes: diffDefinitions(kept.approved, pending.definition) },
      });
      unsaved.add(keyOf(server, tool));
    }
  }

  /** Only where nothing is kept under the new name: otherwise that is what counts. */
  async function takeOver(from: ServerKey, to: ServerKey): Promise<void> {
    const kept = (await store.list(from)) ?? [];
    if (kept.length === 0 || (await store.list(to))?.length !== 0) return;
    if (!(await store.put(kept.map(entry => ({ ...entry, server: to }))))) return;
    for (const { tool } of kept) await store.remove(from, tool);
  }

  function holdAgain(): void {
    if (onDrift !== 'hold') return;
    const next = new Set<string>();
    for (const [server, tools] of known)
      for (const [tool, { pending }] of tools) if (pending !== null) next.add(keyOf(server, tool));
    held = next;
  }

  /** What is new about a tool, to be stored; null: it is as it was approved, or known to wait as it is. */
  function judge(
    server: ServerKey,
    tool: string,
    offered: JsonObject,
    hash: string,
    entry: ApprovedTool | undefined,
  ): ApprovedTool | null {
    const nowMs = clock.wallMs();
    if (entry === undefined)
      return {
        ...{ server, tool, approved: offered, hash, approvedAtMs: nowMs, approvedBy: FIRST_SEEN },
        ...{ pending: null, acknowledged: [] },
      };
    // Back to what was approved: nothing waits any more.
    if (entry.hash === hash) return entry.pending === null ? null : { ...entry, pending: null };
    if (entry.pending?.hash === hash) return unsaved.has(keyOf(server, tool)) ? entry : null;
    const changes = diffDefinitions(entry.approved, offered);
    report({ server, tool, effect: effectOfChanges(changes) ?? 'block', changes, isHeld: onDrift === 'hold' });
    return { ...entry, pending: { definition: offered, hash, changes, seenAtMs: nowMs } };
  }

  function tell(server: ServerKey, tools: readonly JsonObject[], approved: ReadonlyMap<string, ApprovedTool> | null) {
    const nowMs = clock.wallMs();
    onShown?.(
      server,
      tools.flatMap(definition => {
        const { name } = definition;
        if (typeof name !== 'string') return [];
        return [{ name, definition, approvedAtMs: approved?.get(name)?.approvedAtMs ?? nowMs }];
      }),
    );
  }

  async function screen(server: ServerKey, tools: readonly JsonObject[], formerly: ServerKey | null) {
    if (onDrift === 'off') {
      tell(server, tools, null);
      return tools;
    }
    if (formerly !== null && formerly !== server && !known.has(server)) await takeOver(formerly, server);
    const approved = await approvedOf(server);
    if (approved === null) throw new Error('the registry does not know the server any more');
    const changed: ApprovedTool[] = [];
    const hashes = new Map<string, string>();
    // Twice in one list: the first counts, as everywhere.
    const once = tools.filter(offered => {
      const { name } = offered;
      if (typeof name !== 'string' || hashes.has(name)) return false;
      const hash = hashDefinition(offered);
      hashes.set(name, hash);
      const next = judge(server, name, offered, hash, approved.get(name));
      if (next !== null) changed.push(next);
      return true;
    });
    for (const entry of changed) {
      if (entry.pending === null) continue;
      approved.set(entry.tool, entry);
      unsaved.add(keyOf(server, entry.tool));
    }
    // Before it is stored: a full disk must not let a call through.
    holdAgain();
    if (changed.length > 0 && (await store.put(changed))) {
      for (const entry of changed) {
        approved.set(entry.tool, entry);
        unsaved.delete(keyOf(server, entry.tool));
      }
      holdAgain();
    }
    const shown = once.flatMap(offered => {
      const name = String(offered.name);
      const entry = approved.get(name);
      if (entry === undefined) return [];
      // The very object that was listed where it is as approved: unchanged lists are known by it further on.
      return [entry.hash === hashes.get(name) ? offered : entry.approved];
    });
    tell(server, shown, approved);
    return shown;
  }

  async function approve(server: ServerKey, { tool, hash }: ApprovalWish, by: string): Promise<Approval> {
    const approved = await approvedOf(server);
    const waiting = [...(approved?.values() ?? [])].filter(
      entry => entry.pending !== null && (tool === null || entry.tool === tool),
    );
    const next = waiting.flatMap(({ pending, ...entry }): ApprovedTool[] =>
      pending === null
        ? []
        : [
            {
              ...entry,
              ...{ approved: pending.definition, hash: pending.hash, approvedBy: by, approvedAtMs: clock.wallMs() },
              // Of other words: somebody has to look again.
              ...{ pending: null, acknowledged: [] },
            },
          ],
    );
    if (approved === null || next.length === 0) return nothingWaits();
    if (hash !== null && next.some(entry => entry.hash !== hash)) return changedSince();
    if (!(await store.put(next))) return nothingWaits();
    for (const entry of next) {
      approved.set(entry.tool, entry);
      unsaved.delete(keyOf(server, entry.tool));
    }
    holdAgain();
    for (const listener of listeners) listener(server);
    return { kind: 'approved', tools: next };
  }

  async function amend(server: ServerKey, tool: string, change: (kept: ApprovedTool) => ApprovedTool) {
    const kept = onDrift === 'off' ? undefined : (await approvedOf(server))?.get(tool);
    if (kept === undefined) return null;
    const next = change(kept);
    if (!(await store.put([next]))) return null;
    known.get(server)?.set(tool, next);
    return next;
  }

  return {
    screen: (server, tools, formerly = null) => inTurn(server, () => screen(server, tools, formerly)),
    isHeld: (server, tool) => held.size > 0 && held.has(keyOf(server, tool)),
    heldCount: () => held.size,
    pending: () => store.listPending(),
    find: (server, tool) => (onDrift === 'off' ? null : (known.get(server)?.get(tool) ?? null)),
    amend: (server, tool, change) => inTurn(server, () => amend(server, tool, change)),
    approve: (server, wish, by) => inTurn(server, () => approve(server, wish, by)),
    onApproved: listener => void listeners.push(listener),
    moved(server) {
      movers.add(server);
      for (const tool of known.get(server)?.keys() ?? []) unsaved.delete(keyOf(server, tool));
    },
    async catchUp() {
      for (const [server, tools] of [...known]) {
        for (const { tool, hash, pending } of [...tools.values()]) {
          if (pending === null) continue;
          const kept = await store.find(server, tool);
          if (kept === null || (kept.hash === hash && kept.pending !== null)) continue;
          for (const listener of listeners) listener(server);
          break;
        }
      }
    },
    keepOnly(those) {
      servers = those;
      const gone = [...known].filter(([server]) => !servers.has(server));
      for (const [server, tools] of gone) {
        known.delete(server);
        movers.delete(server);
        for (const tool of tools.keys()) unsaved.delete(keyOf(server, tool));
      }
      if (gone.length > 0) holdAgain();
    },
  };
}

/** The same for a server that whoever asks may not know of. */
export const nothingWaits = (): Failure =>
  failure('NOT_FOUND', {}, { say: 'Nothing of that name waits for approval.' });

function changedSince(): Failure {
  const say =
    'The tool says something else by now than what this hash is of, and nothing was approved: look at what it says now, ' +
    'and approve that by its hash.';
  return failure('STALE', {}, { say });
}

const keyOf = (server: ServerKey, tool: string) => `${server} ${tool}`;
