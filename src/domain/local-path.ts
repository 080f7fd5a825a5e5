/**
 * Where to go after a login: a page of ours, and nothing that any reader could take for an address elsewhere. What is not
 * on the short list of what our own pages are called is the first page; nothing is repaired.
 */

/** Of what our pages are named with; a dot stands between two of these only, so that no segment is a step. */
const WORD = '(?:[A-Za-z0-9_~-]|%20)';
const SEGMENT = `${WORD}+(?:\\.${WORD}+)*`;
/** No slash and no colon: nothing here looks like an address to whoever reads a part of it. */
const VALUE = '(?:[A-Za-z0-9_~.=&+-]|%20)*';
const PAGE = new RegExp(`^/(?:ui(?:/${SEGMENT})*/?)?(?:\\?${VALUE})?(?:#${VALUE})?$`);
const MAX_LENGTH = 1024;

/** `next` as somebody wrote it into a link; `/` for whatever is no page of ours. */
export function toLocalPath(next: string | null | undefined): string {
  return typeof next === 'string' && next.length <= MAX_LENGTH && PAGE.test(next) ? next : '/';
}
