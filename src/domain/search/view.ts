/**
 * What one caller may see of an index, with its own figures: how many documents there are, how long they are, how many
 * hold a word. Hidden documents are not left out of a ranking, they are not there: every figure is counted over what is
 * visible, so a search answers exactly as an index without the hidden ones would. Documents that say the same, as tools of
 * one program that runs behind several servers, are counted once: what they say is not less telling for it.
 */
import { FIELD_NAMES, type SearchDocument } from './document.ts';
import { type IndexedDocument, type InvertedIndex, slotOf } from './inverted-index.ts';

export interface View {
  index: InvertedIndex;
  /** Of the index when this was made. */
  version: number;
  /** By slot: 1 where visible. */
  visible: Uint8Array;
  /** Slots of the visible documents by ascending id: the same for everybody who sees the same. */
  slots: Int32Array;
  /** Beside `slots`: what stood there when the view was made. */
  documents: readonly IndexedDocument[];
  /** Mean number of words by field. */
  meanLengths: Float64Array;
  /** Beside `slots`: how many say the same, itself included. */
  copies: Int32Array;
  /** Visible documents that hold a word, copies once. */
  holders(term: number): number;
  /** How much a word tells, by how few hold it. A word that nobody holds tells most. */
  weightOf(term: number | null): number;
  /** What the words of a document's name tell together; 0 where it has none. */
  nameWeightOf(slot: number): number;
}

/** By slot: 1 where there is a document and the caller may see it. */
export function findVisible(index: InvertedIndex, isVisible: (document: SearchDocument) => boolean): Uint8Array {
  const visible = new Uint8Array(index.slots.length);
  for (const [slot, indexed] of index.slots.entries()) {
    if (indexed !== null && isVisible(indexed.document)) visible[slot] = 1;
  }
  return visible;
}

export function createView(index: InvertedIndex, visible: Uint8Array): View {
  const found: number[] = [];
  const totals = new Float64Array(FIELD_NAMES.length);
  const copiesOf = new Map<number, number>();
  for (const [slot, indexed] of index.slots.entries()) {
    if (visible[slot] !== 1 || indexed === null) continue;
    found.push(slot);
    const before = copiesOf.get(indexed.sayings) ?? 0;
    copiesOf.set(indexed.sayings, before + 1);
    if (before > 0) continue;
    for (let field = 0; field < totals.length; field++)
      totals[field] = (totals[field] as number) + (indexed.lengths[field] as number);
  }
  const idOf = (slot: number) => index.slots[slot]?.document.id ?? '';
  found.sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));

  const count = copiesOf.size;
  const sayingsOf = (slot: number) => index.slots[slot]?.sayings ?? 0;
  const known = new Map<number, number>();
  const holders = (term: number): number => {
    let holding = known.get(term);
    if (holding === undefined) {
      holding = 0;
      const counted = count < found.length ? new Set<number>() : null;
      let last = -1;
      for (const use of index.usesOf(term)) {
        const slot = slotOf(use);
        if (slot === last || visible[slot] !== 1) continue;
        last = slot;
        counted?.add(sayingsOf(slot));
        holding += 1;
      }
      holding = counted?.size ?? holding;
      known.set(term, holding);
    }
    return holding;
  };
  const weightOf = (term: number | null): number => {
    const holding = term === null ? 0 : holders(term);
    return Math.log(1 + (count - holding + 0.5) / (holding + 0.5));
  };
  const nameWeights = new Map<number, number>();
  return {
    index,
    version: index.version,
    visible,
    slots: Int32Array.from(found),
    copies: Int32Array.from(found, slot => copiesOf.get(sayingsOf(slot)) ?? 1),
    documents: found.map(slot => index.slots[slot] as IndexedDocument),
    meanLengths: totals.map(total => total / Math.max(count, 1)),
    holders,
    weightOf,
    nameWeightOf(slot) {
      let weight = nameWeights.get(slot);
      if (weight === undefined) {
        weight = 0;
        for (const term of new Set(index.slots[slot]?.nameTerms)) weight += weightOf(term);
        nameWeights.set(slot, weight);
      }
      return weight;
    },
  };
}
