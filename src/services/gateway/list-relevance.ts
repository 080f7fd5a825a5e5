/**
 * Whom a changed list concerns: a caller is told only when what it may see differs from what it may hold, which is the
 * list as it was when news were told last, or as somebody was given it since. Everything a list is made of is immutable,
 * so before and after are both at hand and nothing is kept per caller. Where only the catalog changed, just the entries
 * that changed are decided again; where the rules did, all are.
 */
import type { Door } from '../../domain/call.ts';
import type { CatalogEntry } from '../../domain/catalog.ts';
import type { Exposure } from '../../domain/exposure.ts';
import type { Identity } from '../../domain/identity.ts';
import { LISTING_KINDS, type ListingKind } from '../../domain/listing.ts';
import type { PolicySet } from '../../domain/policy.ts';
import { rightsKey } from '../../domain/rights-key.ts';
import { versionKey } from '../../domain/server.ts';
import { type CatalogBook, type Catalogs, catalogBehind } from '../catalog/catalog-book.ts';
import type { Quarantine } from '../limits/quarantine.ts';
import type { PolicyBook } from '../policy/policy-book.ts';
import { asActing } from './acting-caller.ts';
import { looksAtHolder, mayList, type Rules } from './may-list.ts';
import { registryToolItems } from './registry-tools/registry-tools.ts';
import type { ExposureRules } from './visible.ts';

export type ListWord = 'tools' | 'resources' | 'prompts';

/** Whether a caller behind a door sees another list now. */
export type Concerns = (who: Identity, door: Door) => boolean;

export interface ListRelevance {
  /** A list was answered from what is in force: whoever has it holds it until it is told of another. */
  given(): void;
  /** Compares now with what callers may hold. The answers are worked out when they are asked for, and kept. */
  take(): (what: ListWord) => Concerns;
}

const KINDS: Record<ListWord, readonly ListingKind[]> = {
  tools: ['tools'],
  resources: ['resources', 'templates'],
  prompts: ['prompts'],
};

interface Snapshot extends Rules {
  catalogs: Catalogs;
  exposure: ExposureRules;
}

export interface RelevanceDeps {
  catalog: Pick<CatalogBook, 'all'>;
  policy: Pick<PolicyBook, 'current'>;
  quarantine: Pick<Quarantine, 'current'>;
  exposure: () => ExposureRules;
  /** Of callers that name no agent. */
  defaultAgent: string | null;
}

export function createListRelevance(deps: RelevanceDeps): ListRelevance {
  const { catalog, policy, quarantine, exposure, defaultAgent } = deps;
  const now = (): Snapshot => ({
    catalogs: catalog.all(),
    policy: policy.current(),
    quarantined: quarantine.current(),
    exposure: exposure(),
  });
  /** No two the same. Few: whatever makes another is news, and told within a moment. */
  let held = [now()];
  return {
    given() {
      const snapshot = now();
      const last = held.at(-1);
      if (last !== undefined && isIdentical(last, snapshot)) return;
      held = [...held.filter(other => !isSame(other, snapshot)), snapshot];
    },
    take() {
      const befores = held;
      const after = now();
      held = [after];
      return what => {
        const concerns = befores.map(before => concernsOf(before, after, what, defaultAgent));
        return (who, door) => concerns.some(differs => differs(who, door));
      };
    },
  };
}

const isIdentical = (one: Snapshot, other: Snapshot) =>
  one.catalogs.current === other.catalogs.current &&
  one.catalogs.versions === other.catalogs.versions &&
  haveSameRules(one, other) &&
  one.exposure === other.exposure;

/** Not only what is the same object: with every status that changes the catalog is another one of the same lists. */
function isSame(one: Snapshot, other: Snapshot): boolean {
  const [had, has] = [one.catalogs, other.catalogs];
  return (
    had.current.version === has.current.version &&
    listsOf(had) === listsOf(has) &&
    haveSameRules(one, other) &&
    showAlike(one.exposure, other.exposure)
  );
}

/** Versions that list something, and which lists. */
const listsOf = ({ versions }: Catalogs) =>
  [...versions]
    .filter(([, made]) => LISTING_KINDS.some(kind => made[kind].size > 0))
    .map(([key, { version }]) => `${key} ${version}`)
    .join('\n');

const haveSameRules = (one: Rules, other: Rules) =>
  one.policy === other.policy && one.quarantined === other.quarantined;

/** One name as it was and as it is; null where it was not, or is no more. */
type Change = readonly [before: CatalogEntry | null, after: CatalogEntry | null];

function concernsOf(before: Snapshot, after: Snapshot, what: ListWord, defaultAgent: string | null): Concerns {
  const answers = new Map<string, boolean>();
  const changes = new Map<string, readonly Change[]>();
  const described = what === 'tools' ? describedAnew(before, after) : [];
  return (who, door) => {
    const shows = what === 'tools' ? wantedAt(after, door) : 'direct';
    // Another list as a whole; whom it leaves as it was is not worked out.
    if (what === 'tools' && (wantedAt(before, door) !== shows || isLedAnew(before, after, shows))) return true;
    // Its own tools, which are always the same.
    if (shows === 'agent') return false;
    const behind = door.version == null ? '' : versionKey(door.server ?? '', door.version);
    const holder = looksAtHolder(before, who) || looksAtHolder(after, who) ? who.subject : '';
    const key = `${door.server ?? ''} ${behind} ${shows} ${rightsKey(who)} ${holder}`;
    let answer = answers.get(key);
    if (answer === undefined) {
      const found = changes.get(behind) ?? KINDS[what].flatMap(kind => pairs(before, after, door, kind));
      changes.set(behind, found);
      const was = asActing(before.policy, who, defaultAgent);
      const is = asActing(after.policy, who, defaultAgent);
      const isRead = ({ name }: CatalogEntry) => isShownAt(after, shows, name);
      answer =
        found.some(change => isSeen(change, before, was, after, is, door, isRead)) ||
        (TELLING.has(shows) && described.some(entry => mayList(after, is, door, entry))) ||
        (shows === 'registry' && toolsOfRegistry(before.policy, was) !== toolsOfRegistry(after.policy, is));
      answers.set(key, answer);
    }
    return answer;
  };
}

/** What a door shows of the tools behind it, as far as that is the same for everybody. */
type Wanted = Exposure | 'registry';

const wantedAt = ({ exposure }: Snapshot, door: Door): Wanted =>
  door.server === null ? (door.exposure ?? exposure.default) : 'direct';

/** Where `find_tools` says in its own words which servers there are. */
const TELLING: ReadonlySet<Wanted> = new Set(['auto', 'discovery', 'registry']);

const isShownAt = ({ exposure }: Snapshot, shows: Wanted, name: string) =>
  shows === 'direct' || shows === 'auto' || (shows === 'discovery' && exposure.pinned.includes(name));

/** Whether other tools stand at a door, or another number of them is too many. */
const isLedAnew = ({ exposure: was }: Snapshot, { exposure: is }: Snapshot, shows: Wanted) =>
  (shows === 'auto' && was.autoThreshold !== is.autoThreshold) ||
  ((shows === 'auto' || shows === 'discovery') && !havePinnedAlike(was, is));

/** Tools of servers that say something else of themselves. */
function describedAnew({ catalogs: was }: Snapshot, { catalogs: is }: Snapshot): CatalogEntry[] {
  if (was.current.servers === is.current.servers) return [];
  const found: CatalogEntry[] = [];
  for (const [key, { description }] of is.current.servers) {
    const before = was.current.servers.get(key);
    if (before !== undefined && before.description !== description)
      found.push(...(is.current.ownTools.get(key)?.values() ?? []));
  }
  return found;
}

/** What a caller may do in the registry is a list of tools too, behind the registry's own door. */
const toolsOfRegistry = (policy: PolicySet, who: Identity) =>
  registryToolItems(policy, who)
    .map(({ name }) => name)
    .join();

const showAlike = (one: ExposureRules, other: ExposureRules) =>
  one === other ||
  (one.default === other.default && one.autoThreshold === other.autoThreshold && havePinnedAlike(one, other));

const havePinnedAlike = (one: ExposureRules, other: ExposureRules) =>
  one.pinned === other.pinned || one.pinned.join('\n') === other.pinned.join('\n');

/** What has to be looked at: with the same rules only what differs, for that alone can make a difference. */
function pairs(before: Snapshot, after: Snapshot, door: Door, kind: ListingKind): Change[] {
  const was = catalogBehind(before.catalogs, door)[kind];
  const is = catalogBehind(after.catalogs, door)[kind];
  const sameRules = haveSameRules(before, after);
  const found: Change[] = [];
  if (sameRules && was === is) return found;
  for (const [name, entry] of is) {
    const old = was.get(name) ?? null;
    if (!sameRules || old === null || !isAlike(old, entry)) found.push([old, entry]);
  }
  for (const [name, old] of was) if (!is.has(name)) found.push([old, null]);
  return found;
}

/** `isRead`: whether its item is shown, and not only counted. */
function isSeen(
  [old, entry]: Change,
  before: Rules,
  was: Identity,
  after: Rules,
  is: Identity,
  door: Door,
  isRead: (entry: CatalogEntry) => boolean,
): boolean {
  const saw = old !== null && mayList(before, was, door, old);
  const sees = entry !== null && mayList(after, is, door, entry);
  if (saw !== sees) return true;
  return saw && old !== null && entry !== null && isRead(entry) && !isAlike(old, entry);
}

/** Texts of items, so that a list read again and found the same is no news. */
const texts = new WeakMap<object, string>();

function isAlike(one: CatalogEntry, other: CatalogEntry): boolean {
  if (one === other) return true;
  if (one.server !== other.server || one.own !== other.own) return false;
  return one.ownItem === other.ownItem || textOf(one) === textOf(other);
}

function textOf({ ownItem }: CatalogEntry): string {
  let text = texts.get(ownItem);
  if (text === undefined) {
    text = JSON.stringify(ownItem);
    texts.set(ownItem, text);
  }
  return text;
}
