/**
 * What a caller sees: the catalog through `decide`, one view per door. Lists are serialised once per view and kept
 * until the catalog or the policy changes; a list of 2,000 tools is then a write of ready bytes. Callers with the same
 * rights share a view, whoever they are.
 */
import type { Answer, Door } from '../../domain/call.ts';
import type { Catalog, CatalogEntry } from '../../domain/catalog.ts';
import type { Era } from '../../domain/era.ts';
import { type Exposure, settleExposure } from '../../domain/exposure.ts';
import type { Identity } from '../../domain/identity.ts';
import type { JsonObject } from '../../domain/json.ts';
import { LISTING_FACTS, type ListingKind } from '../../domain/listing.ts';
import { decide, isInSight, type PolicySet } from '../../domain/policy.ts';
import { rightsKey } from '../../domain/rights-key.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { CatalogBook } from '../catalog/catalog-book.ts';
import type { Quarantine } from '../limits/quarantine.ts';
import type { PolicyBook } from '../policy/policy-book.ts';
import { looksAtHolder, mayList } from './may-list.ts';

/** Views kept at once; identities times doors times kinds, so plain bounds are enough. */
const MAX_KEPT = 2000;
/** Of a list of 2,000 tools it is a hundred. */
const MAX_KEPT_BYTES = 128 * 2 ** 20;
/** Of an entry in a view: what points at it, there and in the list that is made of it. */
const BYTES_OF_ENTRY = 16;

const NOTHING: readonly CatalogEntry[] = [];

export interface Visible {
  /** Permitted entries of one kind behind a door, in catalog order. The same array until something changes. */
  entries(who: Identity, door: Door, kind: ListingKind): readonly CatalogEntry[];
  /** The answer to a list request in the caller's era, ready to be written. */
  list(who: Identity, door: Door, kind: ListingKind, era: Era): Answer;
  exposure(who: Identity, door: Door): Shown;
  /** False: to this caller there is no such server. */
  isInSight(who: Identity, server: ServerKey): boolean;
  /** Whether the caller may know of a server; `by`: by another policy than the one in force. */
  isServerVisible(who: Identity, server: ServerKey, by?: PolicySet): boolean;
}

export interface ExposureRules {
  default: Exposure;
  autoThreshold: number;
  pinned: readonly string[];
}

/** What a door shows once it is settled; the registry's has an exposure of its own. */
export type Shown = Exclude<Exposure, 'auto'> | 'registry';

/** Definitions of the gateway's own tools, per exposure; the same shape as a downstream's. */
export type GatewayToolItems = (
  exposure: Exclude<Shown, 'direct'>,
  catalog: Catalog,
  visible: readonly CatalogEntry[],
) => readonly JsonObject[];

export function createVisible(deps: {
  catalog: CatalogBook;
  policy: PolicyBook;
  quarantine: Quarantine;
  rules: () => ExposureRules;
  gatewayTools: GatewayToolItems;
  /** Tools of the registry that a caller may use. */
  registryTools: (who: Identity) => readonly JsonObject[];
  /** A list is answered from what is in force. */
  listed: () => void;
}): Visible {
  const { catalog, policy, quarantine, rules, gatewayTools, registryTools, listed } = deps;
  let keptFor = '';
  let keptRules: ExposureRules | null = null;
  const keptEntries = new Map<string, readonly CatalogEntry[]>();
  const keptLists = new Map<string, Answer>();
  let keptBytes = 0;

  function dropStale(): void {
    const now = `${catalog.current().version}.${policy.current().version}.${quarantine.version()}`;
    const isSame = now === keptFor && keptRules === rules();
    const isFull = keptLists.size >= MAX_KEPT || keptEntries.size >= MAX_KEPT || keptBytes >= MAX_KEPT_BYTES;
    if (isSame && !isFull) return;
    keptFor = now;
    keptRules = rules();
    keptEntries.clear();
    keptLists.clear();
    keptBytes = 0;
  }

  const inForce = () => ({ policy: policy.current(), quarantined: quarantine.current() });

  /** Callers with the same key have the same view. */
  const viewKey = (who: Identity) =>
    looksAtHolder(inForce(), who) ? `${rightsKey(who)} ${who.subject}` : rightsKey(who);

  /** A door as one word. Of a version that is not active the catalog changes for itself. */
  function placeOf(door: Door): string {
    const behind = catalog.at(door);
    return behind === catalog.current() ? (door.server ?? '') : `${door.server}@${door.version} ${behind.version}`;
  }

  function entries(who: Identity, door: Door, kind: ListingKind): readonly CatalogEntry[] {
    // A server that only the caller named is not kept: its name may be as long as a body.
    const behind = catalog.at(door);
    if (door.server !== null && !behind.servers.has(door.server)) return NOTHING;
    dropStale();
    const key = `${kind} ${placeOf(door)} ${viewKey(who)}`;
    let kept = keptEntries.get(key);
    if (kept === undefined) {
      const now = inForce();
      kept = [...behind[kind].values()].filter(entry => mayList(now, who, door, entry));
      keptEntries.set(key, kept);
      keptBytes += key.length + kept.length * BYTES_OF_ENTRY;
    }
    return kept;
  }

  function exposure(who: Identity, door: Door): Shown {
    if (door.server !== null) return 'direct';
    const { default: configured, autoThreshold } = rules();
    const wanted = door.exposure ?? configured;
    return wanted === 'auto' ? settleExposure('auto', entries(who, door, 'tools').length, autoThreshold) : wanted;
  }

  function items(who: Identity, door: Door, kind: ListingKind): readonly JsonObject[] {
    const permitted = entries(who, door, kind);
    if (door.server !== null) return permitted.map(entry => entry.ownItem);
    if (kind !== 'tools') return permitted.map(entry => entry.item);
    const shown = exposure(who, door);
    if (shown === 'direct') return permitted.map(entry => entry.item);
    const own = gatewayTools(shown, catalog.current(), permitted);
    if (shown === 'agent') return own;
    if (shown === 'registry') return [...own, ...registryTools(who)];
    const pinned = new Set(rules().pinned);
    return [...own, ...permitted.filter(entry => pinned.has(entry.name)).map(entry => entry.item)];
  }

  return {
    entries,
    exposure,
    isInSight: (who, server) => isInSight(policy.current(), who, server),
    isServerVisible: (who, server, by = policy.current()) =>
      !quarantine.isBlocked(who, server, null) &&
      decide(by, who, 'list', { kind: 'server', server, name: server }).kind === 'allow',
    list(who, door, kind, era) {
      dropStale();
      listed();
      const key = `${era} ${kind} ${placeOf(door)} ${door.exposure ?? ''} ${viewKey(who)}`;
      let kept = keptLists.get(key);
      if (kept === undefined) {
        const { member } = LISTING_FACTS[kind];
        const shown = items(who, door, kind);
        const result: JsonObject =
          era === 'modern'
            ? // Filtered by our policy, so never shared between callers; fresh whenever it is asked for.
              { resultType: 'complete', ttlMs: 0, cacheScope: 'private', [member]: shown.map(withoutExecution) }
            : { [member]: [...shown] };
        const bytes = Buffer.from(JSON.stringify(result));
        kept = { kind: 'answer', era, result, bytes };
        keptLists.set(key, kept);
        keptBytes += key.length + bytes.length;
      }
      return kept;
    },
  };
}

/** `execution` announces the tasks of 2025-11-25, which the modern era does not have. */
function withoutExecution(item: JsonObject): JsonObject {
  if (item.execution === undefined) return item;
  const { execution, ...rest } = item;
  return rest;
}
