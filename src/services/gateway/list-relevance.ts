/**
 * Whom a changed list concerns: a caller is told only when what it may see differs from what it saw before. Catalog and
 * policy are immutable snapshots, so before and after are both at hand and nothing is kept per caller. Where only the
 * catalog changed, just the entries that changed are decided again; where the policy did, all are.
 */
import type { Door } from '../../domain/call.ts';
import type { CatalogEntry } from '../../domain/catalog.ts';
import type { Identity } from '../../domain/identity.ts';
import type { ListingKind } from '../../domain/listing.ts';
import { decide, looksAtSubject, type PolicySet, type TargetKind } from '../../domain/policy.ts';
import { rightsKey } from '../../domain/rights-key.ts';
import { versionKey } from '../../domain/server.ts';
import { type CatalogBook, type Catalogs, catalogBehind } from '../catalog/catalog-book.ts';
import type { PolicyBook } from '../policy/policy-book.ts';
import { asActing } from './acting-caller.ts';
import { registryToolItems } from './registry-tools/registry-tools.ts';

export type ListWord = 'tools' | 'resources' | 'prompts';

/** Whether a caller behind a door sees another list now. */
export type Concerns = (who: Identity, door: Door) => boolean;

export interface ListRelevance {
  /** Compares now with the last time it was taken. The answers are worked out when they are asked for, and kept. */
  take(): (what: ListWord) => Concerns;
}

const KINDS: Record<ListWord, readonly ListingKind[]> = {
  tools: ['tools'],
  resources: ['resources', 'templates'],
  prompts: ['prompts'],
};

const TARGET_KINDS: Record<ListingKind, TargetKind> = {
  tools: 'tool',
  resources: 'resource',
  templates: 'template',
  prompts: 'prompt',
};

interface Snapshot {
  catalogs: Catalogs;
  policy: PolicySet;
}

export function createListRelevance(
  catalog: CatalogBook,
  policy: PolicyBook,
  defaultAgent: string | null,
): ListRelevance {
  const now = (): Snapshot => ({ catalogs: catalog.all(), policy: policy.current() });
  let last = now();
  return {
    take() {
      const before = last;
      const after = now();
      last = after;
      return what => concernsOf(before, after, what, defaultAgent);
    },
  };
}

/** One name as it was and as it is; null where it was not, or is no more. */
type Change = readonly [before: CatalogEntry | null, after: CatalogEntry | null];

function concernsOf(before: Snapshot, after: Snapshot, what: ListWord, defaultAgent: string | null): Concerns {
  const answers = new Map<string, boolean>();
  const changes = new Map<string, readonly Change[]>();
  const bySubject = looksAtSubject(before.policy) || looksAtSubject(after.policy);
  return (who, door) => {
    const isRegistry = what === 'tools' && door.exposure === 'registry';
    const behind = door.version == null ? '' : versionKey(door.server ?? '', door.version);
    const key = `${door.server ?? ''} ${behind} ${isRegistry} ${rightsKey(who)} ${bySubject ? who.subject : ''}`;
    let answer = answers.get(key);
    if (answer === undefined) {
      const found = changes.get(behind) ?? KINDS[what].flatMap(kind => pairs(before, after, door, kind));
      changes.set(behind, found);
      const was = asActing(before.policy, who, defaultAgent);
      const is = asActing(after.policy, who, defaultAgent);
      answer =
        found.some(change => isSeen(change, before.policy, was, after.policy, is, door)) ||
        (isRegistry && toolsOfRegistry(before.policy, was) !== toolsOfRegistry(after.policy, is));
      answers.set(key, answer);
    }
    return answer;
  };
}

/** What a caller may do in the registry is a list of tools too, behind the registry's own door. */
const toolsOfRegistry = (policy: PolicySet, who: Identity) =>
  registryToolItems(policy, who)
    .map(({ name }) => name)
    .join();

/** What has to be looked at: with the same policy only what differs, for that alone can make a difference. */
function pairs(before: Snapshot, after: Snapshot, door: Door, kind: ListingKind): Change[] {
  const was = catalogBehind(before.catalogs, door)[kind];
  const is = catalogBehind(after.catalogs, door)[kind];
  const samePolicy = before.policy === after.policy;
  const found: Change[] = [];
  if (samePolicy && was === is) return found;
  for (const [name, entry] of is) {
    const old = was.get(name) ?? null;
    if (!samePolicy || old === null || !isAlike(old, entry)) found.push([old, entry]);
  }
  for (const [name, old] of was) if (!is.has(name)) found.push([old, null]);
  return found;
}

function isSeen(
  [old, entry]: Change,
  before: PolicySet,
  was: Identity,
  after: PolicySet,
  is: Identity,
  door: Door,
): boolean {
  const saw = old !== null && mayList(before, was, door, old);
  const sees = entry !== null && mayList(after, is, door, entry);
  if (saw !== sees) return true;
  return saw && old !== null && entry !== null && !isAlike(old, entry);
}

function mayList(policy: PolicySet, who: Identity, door: Door, { kind, server, own }: CatalogEntry): boolean {
  if (door.server !== null && door.server !== server) return false;
  return decide(policy, who, 'list', { kind: TARGET_KINDS[kind], server, name: own }).kind === 'allow';
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
