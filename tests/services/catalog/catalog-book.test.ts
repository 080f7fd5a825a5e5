import { expect, test } from 'vitest';
import type { ServerView } from '../../../src/domain/catalog.ts';
import type { JsonObject } from '../../../src/domain/json.ts';
import { EMPTY_LISTING, type ListingKind } from '../../../src/domain/listing.ts';
import { createCatalogBook } from '../../../src/services/catalog/catalog-book.ts';
import { tool } from '../../support/fake-downstreams.ts';

const viewOf = (key: string, tools: JsonObject[], more: Partial<ServerView> = {}): ServerView => ({
  key,
  description: null,
  sharing: 'shared',
  status: 'ready',
  reason: null,
  facts: null,
  listing: { ...EMPTY_LISTING, tools },
  ...more,
});

function bookOf(style: 'server' | 'none' = 'server') {
  const changes: (readonly ListingKind[])[] = [];
  const collisions: string[] = [];
  const book = createCatalogBook(style, ({ renamed }) => void collisions.push(renamed.to));
  const stop = book.onChange(changed => void changes.push(changed));
  return { book, changes, collisions, stop };
}

test.each([
  { next: [viewOf('a', [tool('x'), tool('y')])], changed: ['tools'], because: 'a tool came' },
  { next: [viewOf('a', [])], changed: ['tools'], because: 'a tool went' },
  { next: [viewOf('a', [tool('x', { description: 'other' })])], changed: ['tools'], because: 'its text is another' },
  { next: [viewOf('b', [tool('x')])], changed: ['tools'], because: 'another server has it' },
  { next: [viewOf('a', [tool('x')])], changed: [], because: 'equal lists are no news, read again or not' },
  { next: [viewOf('a', [tool('x')], { status: 'down' })], changed: [], because: 'a status changes no list' },
])('says which lists changed: $because', ({ next, changed }) => {
  const { book, changes } = bookOf();
  book.rebuild([viewOf('a', [tool('x')])]);
  book.rebuild(next);
  expect(changes).toEqual([['tools'], changed]);
});

test('versions grow, and a snapshot once taken stays as it was', () => {
  const { book } = bookOf();
  book.rebuild([viewOf('a', [tool('x')])]);
  const before = book.current();
  book.rebuild([]);
  expect(book.current().version).toBe(before.version + 1);
  expect([...before.tools.keys()]).toEqual(['a__x']);
  expect(book.current().tools.size).toBe(0);
});

test('a collision is reported once, however often the catalog is rebuilt', () => {
  const { book, collisions } = bookOf('none');
  const both = [viewOf('a', [tool('x')]), viewOf('b', [tool('x')])];
  for (let n = 0; n < 3; n++) book.rebuild(both);
  expect(collisions).toHaveLength(1);
});

test('who was first keeps a name over a time away, even when configured last', () => {
  const { book } = bookOf('none');
  const a = viewOf('a', [tool('x')]);
  const b = viewOf('b', [tool('x')]);
  book.rebuild([{ ...a, listing: null }, b]);
  book.rebuild([a, { ...b, listing: null }]);
  expect(book.current().tools.get('x')).toBeUndefined();
  book.rebuild([a, b]);
  expect(book.current().tools.get('x')?.server).toBe('b');
});

test('a listener that left hears nothing more', () => {
  const { book, changes, stop } = bookOf();
  stop();
  book.rebuild([viewOf('a', [tool('x')])]);
  expect(changes).toEqual([]);
});
