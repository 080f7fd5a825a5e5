/**
 * Definitions are pinned: what a tool said of itself when it was first seen is what every client is shown, on every
 * surface, until somebody approves what it says now; each version of a server for itself. Each reading of a server's list
 * is compared, so a server that changes its words after it was trusted reaches nobody with them. Meanwhile the tool is
 * held: listed as approved, and not called. A store that cannot be asked approves nothing: what is not known to be
 * approved is not shown.
 *
 * Several processes may share the store, each with a process of the server's own, which need not say the same. So a tool is
 * held by what was heard here and nothing else: from the reading that brought other words until a reading, or an approval
 * here of those very words, brings approved ones.
 */
import type { ApprovedTool } from '../../domain/approved-tool.ts';
import type { JsonObject } from '../../domain/json.ts';
import type { ServerKey } from '../../domain/server.ts';
import { diffDefinitions, effectOfChanges, type FieldChange } from '../../domain/tool-definition.ts';
import type { Clock } from '../../ports/clock.ts';
import type { DefinitionRepository } from '../../ports/definition-repository.ts';
import { type Approval, type ApprovalWish, changedSince, nothingWaits } from './approval.ts';
import { readApproved, takeOver } from './approved-tools.ts';
import type { ShownTool } from './name-index.ts';
import { differingOf, judgeOffer, type Offer, readOffers } from './offered-tools.ts';

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
  /** Of all servers, by server and then by tool: what waits, for whichever process. */
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
   * Somebody else has written since this revision of the registry. Where other words of a tool were approved than are known
   * here, its server is told of as if that had been done here, to be read again. What its server said last is held at once
   * where it is not approved any more; nothing is let go before. Rejects where it cannot be known.
   */
  catchUp(since: number): Promise<void>;
  /** The servers there are. Of others nothing is remembered: should one come back, what is kept of it by then counts. */
  keepOnly(servers: ReadonlySet<ServerKey>): void;
}

/** Each is in vain only where another process wrote of the very tool within some milliseconds. */
const ATTEMPTS = 10;

type Tools = ReadonlyMap<string, ApprovedTool>;
const NO_TOOLS: Tools = new Map();
const NONE: ReadonlyMap<string, string> = new Map();

export function createPins(deps: {
  store: DefinitionRepository;
  onDrift: OnDrift;
  report: (event: DriftEvent) => void;
  /** Told of every list that is shown. */
  onShown?: (server: ServerKey, tools: readonly ShownTool[]) => void;
  clock: Pick<Clock, 'wallMs'>;
}): Pins {
  const { store, onDrift, report, onShown, clock } = deps;
  /** As the last reading of the list left it, by server, then by tool. What waits is what was heard here. */
  const known = new Map<ServerKey, Tools>();
  /** Tools of which other words than approved ones were heard here last, with their hash; held until approved ones are. */
  const differing = new Map<ServerKey, ReadonlyMap<string, string>>();
  /** Tools that were in the list when it was last read here. */
  const listed = new Map<ServerKey, ReadonlySet<string>>();
  const listeners: ((server: ServerKey) => void)[] = [];
  /** What is known of them was read in another place than where it is kept now. By server: of the last move. */
  const moves = new Map<ServerKey, number>();
  let movesMade = 0;
  let servers: { has(server: ServerKey): boolean } = { has: () => true };
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

  /** `offered`: the tools of its list; null: it was not read. */
  function remember(
    server: ServerKey,
    tools: Tools,
    differ: ReadonlyMap<string, string>,
    offered: ReadonlySet<string> | null,
  ): void {
    // A reading that ends after its server went.
    if (!servers.has(server)) return;
    known.set(server, tools);
    if (offered !== null) listed.set(server, offered);
    if (differ.size > 0) differing.set(server, differ);
    else differing.delete(server);
  }

  /** Once, also where it could not be stored. */
  function tellDrift({ server, tool, hash, pending }: ApprovedTool): void {
    const told = known.get(server)?.get(tool);
    if (pending === null || (told?.hash === hash && told.pending?.hash === pending.hash)) return;
    const { changes } = pending;
    report({ server, tool, effect: effectOfChanges(changes) ?? 'block', changes, isHeld: onDrift === 'hold' });
  }

  function tell(server: ServerKey, tools: readonly JsonObject[], approved: Tools | null) {
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
    if (formerly !== null && formerly !== server && !known.has(server)) await takeOver(store, formerly, server);
    const offers = readOffers(tools);
    const approved = await asLongAsStale(() => settle(server, offers));
    if (approved === 'stale') throw new Error('others write of the server all the time');
    const shown = offers.flatMap(({ name, offered, hash }) => {
      const entry = approved.get(name);
      if (entry === undefined) return [];
      // The very object that was listed where it is as approved: unchanged lists are known by it further on.
      return [entry.hash === hash ? offered : entry.approved];
    });
    tell(server, shown, approved);
    return shown;
  }

  /** What is approved of a server that says this, kept as far as it is new. */
  async function settle(server: ServerKey, offers: readonly Offer[]): Promise<Tools | 'stale'> {
    const move = moves.get(server);
    const before = known.get(server) ?? NO_TOOLS;
    const offeredNames = new Set(offers.map(({ name }) => name));
    // Not listed for once, and maybe still in the list that clients were shown.
    const away = [...(differing.get(server) ?? NONE)].filter(([tool]) => !offeredNames.has(tool));

    /** What would be kept of each, and which of them are held; in force before anything is written of it. */
    function hold(approved: Tools): ApprovedTool[] {
      const nowMs = clock.wallMs();
      const judged = offers.map(offer => judgeOffer(server, offer, approved.get(offer.name), nowMs));
      for (const entry of judged) if (entry !== approved.get(entry.tool)) tellDrift(entry);
      const heard = new Map(approved);
      for (const entry of judged) if (approved.has(entry.tool)) heard.set(entry.tool, entry);
      remember(server, heard, new Map([...away, ...differingOf(approved, offers)]), offeredNames);
      return judged;
    }

    let read: Awaited<ReturnType<typeof readApproved>>;
    try {
      read = await readApproved(store, server, move === undefined ? before : NO_TOOLS);
    } catch (cause) {
      // What was approved before holds, and approves nothing: somebody may have thought otherwise since.
      if (known.has(server)) hold(before);
      throw cause;
    }
    if (read === null && !known.has(server)) throw new Error('the registry does not know the server any more');
    // Gone elsewhere, and here in a moment: until then it is as it was known, and nothing of it is written.
    const approved = read?.approved ?? new Map(before);
    const judged = hold(approved);
    const isLost = new Set(read?.lost);
    const changed = judged.filter(entry => entry !== approved.get(entry.tool) || isLost.has(entry));
    const isChanged = new Set(changed.map(({ tool }) => tool));
    const next = [...[...isLost].filter(({ tool }) => !isChanged.has(tool)), ...changed];
    const from = next.map(({ tool }) => read?.stored.get(tool) ?? null);
    const put = read === null || next.length === 0 ? 'gone' : await store.put(next, from);
    if (put === 'stale') return 'stale';
    for (const entry of changed) if (put === 'done' || approved.has(entry.tool)) approved.set(entry.tool, entry);
    if (read !== null && moves.get(server) === move) moves.delete(server);
    const stillAway = away.filter(([tool, hash]) => (approved.get(tool)?.hash ?? hash) !== hash);
    const heard = new Map(approved);
    for (const [tool, hash] of stillAway) {
      const [kept, said] = [approved.get(tool), before.get(tool)?.pending ?? null];
      if (kept !== undefined && said?.hash === hash) heard.set(tool, { ...kept, pending: said });
    }
    remember(server, heard, new Map([...stillAway, ...differingOf(approved, offers)]), offeredNames);
    return approved;
  }

  /** Each as it is kept, and as it waits: first with what was heard here, then with what somebody else's server said. */
  async function waitingOn(server: ServerKey): Promise<{ kept: ApprovedTool; waits: ApprovedTool[] }[]> {
    const all = (await store.list(server)) ?? [];
    return all.map(kept => {
      const own = asWaitingHere(server, kept.tool, kept);
      return { kept, waits: [...(own === null ? [] : [own]), ...(kept.pending === null ? [] : [kept])] };
    });
  }

  /** Null: nothing was heard here that waits, or it is what is stored as waiting. */
  function asWaitingHere(server: ServerKey, tool: string, kept: ApprovedTool | null): ApprovedTool | null {
    const pending = differing.get(server)?.has(tool) ? (known.get(server)?.get(tool)?.pending ?? null) : null;
    if (pending === null || kept === null || [kept.hash, kept.pending?.hash].includes(pending.hash)) return null;
    return { ...kept, pending: { ...pending, changes: diffDefinitions(kept.approved, pending.definition) } };
  }

  async function pending(): Promise<readonly ApprovedTool[]> {
    const stored = await store.listPending();
    const byTool = new Map(stored.map(entry => [keyOf(entry.server, entry.tool), entry]));
    const own: ApprovedTool[] = [];
    for (const [server, tools] of differing) {
      for (const tool of tools.keys()) {
        const entry = asWaitingHere(server, tool, byTool.get(keyOf(server, tool)) ?? (await store.find(server, tool)));
        if (entry !== null) own.push(entry);
      }
    }
    return own.length === 0 ? stored : [...own, ...stored].sort(byServerAndTool);
  }

  async function approve(server: ServerKey, wish: ApprovalWish, by: string): Promise<Approval> {
    const approval = await asLongAsStale(() => tryToApprove(server, wish, by));
    return approval === 'stale' ? changedSince() : approval;
  }

  async function tryToApprove(
    server: ServerKey,
    { tool, hash }: ApprovalWish,
    by: string,
  ): Promise<Approval | 'stale'> {
    const from: ApprovedTool[] = [];
    const next: ApprovedTool[] = [];
    for (const { kept, waits } of await waitingOn(server)) {
      const meant = hash === null ? waits[0] : (waits.find(({ pending }) => pending?.hash === hash) ?? waits[0]);
      if (meant === undefined || meant.pending === null || (tool !== null && kept.tool !== tool)) continue;
      const { pending } = meant;
      from.push(kept);
      next.push({
        ...{ ...kept, approved: pending.definition, hash: pending.hash, approvedBy: by, approvedAtMs: clock.wallMs() },
        // Of other words: somebody has to look again.
        ...{ pending: null, acknowledged: [] },
      });
    }
    if (next.length === 0) return nothingWaits();
    if (hash !== null && next.some(entry => entry.hash !== hash)) return changedSince();
    const put = await store.put(next, from);
    if (put !== 'done') return put === 'gone' ? nothingWaits() : put;
    letGo(server, next);
    for (const listener of listeners) listener(server);
    return { kind: 'approved', tools: next };
  }

  /** What was heard here is what was approved; other words go on waiting until the server is read again. */
  function letGo(server: ServerKey, approved: readonly ApprovedTool[]): void {
    const before = known.get(server);
    if (before === undefined) return;
    const still = new Map(differing.get(server));
    const tools = new Map(before);
    for (const entry of approved) {
      const waits = asHeard(server, entry);
      tools.set(entry.tool, waits ?? entry);
      if (waits === null) {
        still.delete(entry.tool);
        continue;
      }
      tellDrift(waits);
      still.set(entry.tool, waits.pending.hash);
    }
    remember(server, tools, still, null);
  }

  /** As it is kept by now, with what was heard of it here, which waits. Null: that is approved, or nothing was heard. */
  function asHeard(server: ServerKey, kept: ApprovedTool) {
    const entry = known.get(server)?.get(kept.tool);
    const wasHeard = differing.get(server)?.has(kept.tool) || listed.get(server)?.has(kept.tool);
    if (entry === undefined || !wasHeard) return null;
    const { definition, hash } = entry.pending ?? { definition: entry.approved, hash: entry.hash };
    if (hash === kept.hash) return null;
    const changes = diffDefinitions(kept.approved, definition);
    return { ...kept, pending: { definition, hash, changes, seenAtMs: entry.pending?.seenAtMs ?? clock.wallMs() } };
  }

  /** Of what somebody else has approved: the server is to be read again where true. Held at once where it says other words. */
  async function follow(server: ServerKey, tools: readonly string[]): Promise<boolean> {
    let isNews = false;
    for (const tool of tools) {
      const kept = await store.find(server, tool);
      const before = known.get(server);
      if (kept === null || before === undefined || before.get(tool)?.hash === kept.hash) continue;
      isNews = true;
      const waits = asHeard(server, kept);
      if (waits === null) continue;
      tellDrift(waits);
      const differ = new Map([...(differing.get(server) ?? NONE), [tool, waits.pending.hash]]);
      remember(server, new Map([...before, [tool, waits]]), differ, null);
    }
    return isNews;
  }

  async function amend(server: ServerKey, tool: string, change: (kept: ApprovedTool) => ApprovedTool) {
    const kept = onDrift === 'off' ? null : await store.find(server, tool);
    if (kept === null) return null;
    const next = change(kept);
    const put = await store.put([next], [kept]);
    if (put !== 'done') return put === 'gone' ? null : put;
    const before = known.get(server);
    const entry = before?.get(tool);
    // What was heard here stays what it is.
    if (before !== undefined && entry?.hash === next.hash)
      known.set(server, new Map([...before, [tool, { ...next, pending: entry.pending }]]));
    return next;
  }

  return {
    screen: (server, tools, formerly = null) => inTurn(server, () => screen(server, tools, formerly)),
    isHeld: (server, tool) => differing.size > 0 && onDrift === 'hold' && differing.get(server)?.has(tool) === true,
    heldCount: () => (onDrift === 'hold' ? [...differing.values()].reduce((sum, { size }) => sum + size, 0) : 0),
    pending,
    find: (server, tool) => (onDrift === 'off' ? null : (known.get(server)?.get(tool) ?? null)),
    amend: (server, tool, change) =>
      inTurn(server, async () => {
        const amended = await asLongAsStale(() => amend(server, tool, change));
        if (amended === 'stale') throw new Error('others write of the tool all the time');
        return amended;
      }),
    approve: (server, wish, by) => inTurn(server, () => approve(server, wish, by)),
    onApproved: listener => void listeners.push(listener),
    moved: server => void moves.set(server, ++movesMade),
    async catchUp(since) {
      const suspects = new Map<ServerKey, Set<string>>();
      const suspect = (server: ServerKey, tool: string) =>
        suspects.set(server, (suspects.get(server) ?? new Set()).add(tool));
      for (const { server, tool, hash } of await store.changedSince(since))
        if (known.get(server)?.has(tool) && known.get(server)?.get(tool)?.hash !== hash) suspect(server, tool);
      for (const [server, tools] of differing) for (const tool of tools.keys()) suspect(server, tool);
      for (const [server, tools] of suspects)
        if (await inTurn(server, () => follow(server, [...tools]))) for (const listener of listeners) listener(server);
    },
    keepOnly(those) {
      servers = those;
      for (const server of [...known.keys(), ...moves.keys()]) {
        if (servers.has(server)) continue;
        known.delete(server);
        differing.delete(server);
        listed.delete(server);
        moves.delete(server);
      }
    },
  };
}

/** What somebody else has written in between is read, and judged anew. */
async function asLongAsStale<T>(work: () => Promise<T | 'stale'>): Promise<T | 'stale'> {
  for (let attempt = 1; ; attempt++) {
    const done = await work();
    if (done !== 'stale' || attempt === ATTEMPTS) return done;
  }
}

function byServerAndTool(one: ApprovedTool, other: ApprovedTool): number {
  const [a, b] = one.server === other.server ? [one.tool, other.tool] : [one.server, other.server];
  return a < b ? -1 : a > b ? 1 : 0;
}

const keyOf = (server: ServerKey, tool: string) => `${server} ${tool}`;
