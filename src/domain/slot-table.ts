/**
 * What is under way, under numbers of our own. For anything that comes and goes with every call, instead of a Map or Set:
 * those replace their table again and again, each old table points to the next, and once one of them has outlived a full
 * collection of V8, the young ones keep whatever any later table ever held. With 64 calls under way that was most of
 * the garbage, and a pause of 25 ms every 200.
 */
const FIRST_CAPACITY = 16;

export class SlotTable<T> {
  #ids: number[] = new Array<number>(FIRST_CAPACITY).fill(0);
  #items: (T | null)[] = new Array<T | null>(FIRST_CAPACITY).fill(null);
  #lastId: number;
  #size = 0;

  /** Numbers are given out from `lastId + 1` on, rising, with gaps. */
  constructor(lastId = 0) {
    this.#lastId = lastId;
  }

  get lastId(): number {
    return this.#lastId;
  }

  get size(): number {
    return this.#size;
  }

  /** Returns the item's number, which no other ever had. */
  add(item: T): number {
    if (this.#size * 2 >= this.#ids.length) this.#grow();
    const mask = this.#ids.length - 1;
    let id = this.#lastId + 1;
    while (this.#ids[id & mask] !== 0) id += 1;
    this.#lastId = id;
    this.#ids[id & mask] = id;
    this.#items[id & mask] = item;
    this.#size += 1;
    return id;
  }

  find(id: number): T | null {
    const slot = id & (this.#ids.length - 1);
    return this.#ids[slot] === id ? (this.#items[slot] ?? null) : null;
  }

  /** False: there is none under this number. */
  delete(id: number): boolean {
    const slot = id & (this.#ids.length - 1);
    if (id === 0 || this.#ids[slot] !== id) return false;
    this.#ids[slot] = 0;
    this.#items[slot] = null;
    this.#size -= 1;
    return true;
  }

  /** As of now, in no order. */
  items(): T[] {
    return this.#items.filter(item => item !== null);
  }

  #grow(): void {
    const ids = this.#ids;
    const items = this.#items;
    const capacity = ids.length * 2;
    this.#ids = new Array<number>(capacity).fill(0);
    this.#items = new Array<T | null>(capacity).fill(null);
    // What differed under the smaller mask differs under the larger one.
    for (const [slot, id] of ids.entries()) {
      if (id === 0) continue;
      this.#ids[id & (capacity - 1)] = id;
      this.#items[id & (capacity - 1)] = items[slot] ?? null;
    }
  }
}
