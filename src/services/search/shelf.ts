/**
 * The documents of one kind and the views that were asked of them. Callers who see the same documents share a view,
 * whoever they are; a view lives until the documents change or others are asked more.
 */
import type { DocumentKind, SearchDocument } from '../../domain/search/document.ts';
import { createInvertedIndex, type InvertedIndex } from '../../domain/search/inverted-index.ts';
import { createView, findVisible, type View } from '../../domain/search/view.ts';

export interface Shelf {
  kind: DocumentKind;
  index: InvertedIndex;
  view(isVisible: (document: SearchDocument) => boolean): View;
}

/** Each holds some bytes per document and what was counted for the words asked. */
const MAX_VIEWS = 32;

export function createShelf(kind: DocumentKind): Shelf {
  const index = createInvertedIndex();
  let views: View[] = [];
  return {
    kind,
    index,
    view(isVisible) {
      const visible = findVisible(index, isVisible);
      let found = views.find(view => view.version === index.version && isSame(view.visible, visible));
      if (found === undefined) found = createView(index, visible);
      const kept = found;
      views = [kept, ...views.filter(view => view !== kept && view.version === index.version)].slice(0, MAX_VIEWS);
      return kept;
    },
  };
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at++) if (one[at] !== other[at]) return false;
  return true;
}
