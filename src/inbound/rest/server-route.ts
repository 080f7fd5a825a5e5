/** What the routes of servers have in common: their path in an address, revisions as ETags, how a result is answered. */
import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import type { ExpectedRevisions } from '../../domain/registered.ts';
import { pathOfKey } from '../../domain/registry-path.ts';
import { trimSlashes } from '../../domain/scope-rules.ts';
import type { Result } from '../../services/registry/desk.ts';
import { answer, type RestAnswer, type RestRoute } from './route.ts';

export const PathParams = z.object({ path: z.string() });

/** With or without the slash in front; one that cannot be is found nowhere. */
export const toPath = (written: string): string => pathOfKey(trimSlashes(written));

/** For the announcement in the book: the server under the name it has everywhere else. */
export const aboutPath = ({ params }: { params: { path: string } }) => ({ target: toPath(params.path) });

/** `entity`: what the answer is a revision of. */
export const etagOf = (revision: number): Record<string, string> => ({ etag: `"${revision}"` });

/** RFC 9110, 13.1.1: one of a list, compared strongly; what is no tag of ours matches nothing. */
export function readIfMatch({ 'if-match': written }: IncomingHttpHeaders): ExpectedRevisions {
  if (written === undefined || written.trim() === '*') return null;
  const tags = written.split(',').map(tag => /^"(0|[1-9]\d{0,14})"$/.exec(tag.trim())?.[1]);
  return new Set(tags.flatMap(revision => (revision === undefined ? [] : [Number(revision)])));
}

export function answerWith<T>(result: Result<T>, say: (value: T) => RestAnswer | unknown, status = 200) {
  if (result.kind === 'failure') return result;
  return answer(status, say(result.value));
}

/** The same under another address. */
export function alsoAt(route: RestRoute, path: string, method = route.method): RestRoute {
  return { ...route, path, method };
}
