/**
 * Documents as words: which word stands where, how often and in which field. A document is written once and never
 * changed (an edit is a removal and an addition), so that a slot means the same document for as long as it lives.
 * What is ranked, and every figure it is ranked by, is a matter of the view that is asked (view.ts).
 */
import { FIELD_NAMES, type FieldName, MAX_FIELD, type SearchDocument } from './document.ts';
import { toWords } from './words.ts';

/** One use: slot, field and count in one small integer, so that a list of them is a plain array of numbers. */
const COUNT_BITS = 3;
const FIELD_BITS = 3;
const COUNT_MASK = (1 << COUNT_BITS) - 1;
const FIELD_MASK = (1 << FIELD_BITS) - 1;
/** A word said more often in one field says nothing more: it costs honest texts nothing, and stuffed ones their gain. */
export const MAX_COUNT = 5;
const SLOT_SHIFT = COUNT_BITS + FIELD_BITS;
/** What is left for slots in an integer of 31 bits. */
const MAX_SLOTS = 1 << (30 - SLOT_SHIFT);

export const slotOf = (use: number): number => use >>> SLOT_SHIFT;
export const fieldOf = (use: number): number => (use >>> COUNT_BITS) & FIELD_MASK;
export const countOf = (use: number): number => use & COUNT_MASK;

export interface IndexedDocument {
  document: SearchDocument;
  /** Ids of its words, each once per field, in the order of the text. */
  terms: Int32Array;
  /** Beside `terms`: field and count of each. */
  uses: Uint8Array;
  /** Words per field. */
  lengths: Uint16Array;
  /** Ids of the words of its name, in order. */
  nameTerms: readonly number[];
  /** The same for documents that say the same of themselves, whoever they belong to. */
  sayings: number;
}

export interface InvertedIndex {
  add(document: SearchDocument): void;
  /** Returns whether there was one. */
  remove(id: string): boolean;
  findIndexed(id: string): IndexedDocument | null;
  /** Documents that are there. */
  readonly size: number;
  /** Changes with every addition and removal: slots of another version may mean something else. */
  readonly version: number;
  /** Shape: by slot; null where a document was removed. */
  readonly slots: readonly (IndexedDocument | null)[];
  findTerm(word: string): number | null;
  wordOf(term: number): string;
  /** Number of words ever seen; ids are below it. */
  readonly termCount: number;
  /** Uses of a word, slots ascending; may hold slots that are empty now. */
  usesOf(term: number): readonly number[];
}

export function createInvertedIndex(): InvertedIndex {
  let slots: (IndexedDocument | null)[] = [];
  let uses: number[][] = [];
  const slotById = new Map<string, number>();
  const termByWord = new Map<string, number>();
  const words: string[] = [];
  let version = 0;

  function intern(word: string): number {
    let term = termByWord.get(word);
    if (term === undefined) {
      term = words.length;
      termByWord.set(word, term);
      words.push(word);
      uses.push([]);
    }
    return term;
  }

  function write(indexed: IndexedDocument): void {
    const slot = slots.length;
    if (slot >= MAX_SLOTS) throw new RangeError('the search index is full');
    slots.push(indexed);
    slotById.set(indexed.document.id, slot);
    for (let at = 0; at < indexed.terms.length; at++) {
      uses[indexed.terms[at] as number]?.push((slot << SLOT_SHIFT) | (indexed.uses[at] as number));
    }
  }

  /** Empty slots cost a look at every search: they are closed when there are as many as documents. */
  function closeGaps(): void {
    if (slots.length < 64 || slots.length < slotById.size * 2) return;
    const kept = slots.filter(slot => slot !== null);
    slots = [];
    uses = words.map(() => []);
    for (const indexed of kept) write(indexed);
  }

  return {
    add(document) {
      this.remove(document.id);
      write(analyse(document, intern));
      version += 1;
    },
    remove(id) {
      const slot = slotById.get(id);
      if (slot === undefined) return false;
      slotById.delete(id);
      slots[slot] = null;
      version += 1;
      closeGaps();
      return true;
    },
    findIndexed: id => slots[slotById.get(id) ?? -1] ?? null,
    get size() {
      return slotById.size;
    },
    get version() {
      return version;
    },
    get slots() {
      return slots;
    },
    findTerm: word => termByWord.get(word) ?? null,
    wordOf: term => words[term] ?? '',
    get termCount() {
      return words.length;
    },
    usesOf: term => uses[term] ?? [],
  };
}

function analyse(document: SearchDocument, intern: (word: string) => number): IndexedDocument {
  const terms: number[] = [];
  const uses: number[] = [];
  const lengths = new Uint16Array(FIELD_NAMES.length);
  let nameTerms: readonly number[] = [];
  for (const [field, name] of FIELD_NAMES.entries()) {
    const found = readField(document, name).map(intern);
    if (name === 'name') nameTerms = found;
    lengths[field] = found.length;
    const counts = new Map<number, number>();
    for (const term of found) counts.set(term, (counts.get(term) ?? 0) + 1);
    for (const [term, count] of counts) {
      terms.push(term);
      uses.push((field << COUNT_BITS) | Math.min(count, MAX_COUNT));
    }
  }
  const sayings = digestOf(terms, uses);
  return { document, terms: Int32Array.from(terms), uses: Uint8Array.from(uses), lengths, nameTerms, sayings };
}

/** What says whose a document is, and not what it is. */
const OF_OWNER: ReadonlySet<number> = new Set([FIELD_NAMES.indexOf('owner'), FIELD_NAMES.indexOf('tags')]);

/** Two hashes (FNV-1a) of 26 bits in one number: what meets by chance is counted as one, and lost nowhere. */
function digestOf(terms: readonly number[], uses: readonly number[]): number {
  let [low, high] = [0x811c9dc5, 0x01000193];
  for (const [at, term] of terms.entries()) {
    const use = uses[at] as number;
    if (OF_OWNER.has(fieldOf(use))) continue;
    low = Math.imul(low ^ term, 0x01000193) ^ use;
    high = Math.imul(high ^ use, 0x01000193) ^ term;
  }
  return (low >>> 6) * 2 ** 26 + (high >>> 6);
}

function readField(document: SearchDocument, field: FieldName): string[] {
  const text = document.fields[field];
  return text === undefined || text === '' ? [] : toWords(text.slice(0, MAX_FIELD[field]));
}
