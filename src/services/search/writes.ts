/**
 * Changes on their way into the index, in the order they were told. A few are taken in at once; thousands are worked
 * off in slices, and whoever wants to know waits for the end of them.
 */
import type { DocumentKind, SearchDocument } from '../../domain/search/document.ts';
import type { IndexedDocument } from '../../domain/search/inverted-index.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import type { Shelf } from './shelf.ts';
import { createSlices } from './slices.ts';
import type { Vectors } from './vectors.ts';

export interface Writes {
  upsert(documents: readonly SearchDocument[]): void;
  remove(kind: DocumentKind, ids: readonly string[]): void;
  replace(kind: DocumentKind, documents: readonly SearchDocument[]): void;
  /** Documents that were told and not yet looked at. */
  pending(): number;
  /** Resolves when everything told so far is in. */
  done(): Promise<void>;
  close(): void;
}

type Change = (pause: () => Promise<void> | null) => Promise<void>;

export function createWrites(deps: {
  shelves: ReadonlyMap<DocumentKind, Shelf>;
  vectors: Vectors;
  clock: Clock;
  log: Log;
}): Writes {
  const { shelves, vectors, clock, log } = deps;
  let queue: Promise<void> = Promise.resolve();
  let pending = 0;
  let isClosed = false;

  const shelfOf = (kind: DocumentKind) => shelves.get(kind) as Shelf;

  function put(document: SearchDocument): void {
    const { index } = shelfOf(document.kind);
    const before = index.findIndexed(document.id);
    if (before !== null) {
      if (isAlike(before.document, document)) return;
      vectors.forget(before);
    }
    index.add(document);
    vectors.add(index.findIndexed(document.id) as IndexedDocument);
  }

  function drop(kind: DocumentKind, id: string): void {
    const { index } = shelfOf(kind);
    const before = index.findIndexed(id);
    if (before === null) return;
    vectors.forget(before);
    index.remove(id);
  }

  async function each<T>(
    items: readonly T[],
    pause: () => Promise<void> | null,
    run: (item: T) => void,
  ): Promise<void> {
    for (const item of items) {
      if (isClosed) return;
      run(item);
      pending -= 1;
      const others = pause();
      if (others !== null) await others;
    }
  }

  function enqueue(count: number, change: Change): void {
    pending += count;
    queue = queue
      .then(() => change(createSlices(clock)))
      // One change that fails must not keep back the next: what it was to bring is missing, the rest is not.
      .catch(cause =>
        log.error('search index change failed', { detail: cause instanceof Error ? cause.message : String(cause) }),
      );
  }

  return {
    upsert(documents) {
      enqueue(documents.length, pause => each(documents, pause, put));
    },
    remove(kind, ids) {
      enqueue(ids.length, pause => each(ids, pause, id => drop(kind, id)));
    },
    replace(kind, documents) {
      enqueue(documents.length, async pause => {
        const kept = new Set(documents.map(({ id }) => id));
        for (const indexed of [...shelfOf(kind).index.slots]) {
          if (indexed !== null && !kept.has(indexed.document.id)) drop(kind, indexed.document.id);
        }
        await each(documents, pause, put);
      });
    },
    pending: () => pending,
    done: () => queue,
    close() {
      isClosed = true;
    },
  };
}

function isAlike(one: SearchDocument, other: SearchDocument): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}
