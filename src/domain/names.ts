/**
 * Public names: `<server>__<tool>` over `[A-Za-z0-9_-]`, at most 60 characters.
 * A name is a function of its server key and own name alone, so it never moves when neighbours come and go;
 * whatever cannot be written plainly carries a tail of its hash. 60: the tightest client drops longer names.
 */
import { createHash } from 'node:crypto';
import type { ServerKey } from './server.ts';

export const MAX_PUBLIC_NAME = 60;
const SEPARATOR = '__';
const PLAIN = /^[A-Za-z0-9_-]+$/;
/** No `__` inside and no `_` at the end: otherwise `a` + `_b` and `a_` + `b` would meet. */
const PLAIN_SERVER = /^[A-Za-z0-9-]+(?:_[A-Za-z0-9-]+)*$/;

export type PrefixStyle = 'server' | 'none';

/** Shape: unique per (server, own) for `server` style; for `none`, collisions are the catalog's to settle. */
export function publicName(style: PrefixStyle, server: ServerKey, own: string): string {
  if (style === 'none') return PLAIN.test(own) && own.length <= MAX_PUBLIC_NAME ? own : hashedName(style, server, own);
  const name = server + SEPARATOR + own;
  if (name.length <= MAX_PUBLIC_NAME && PLAIN_SERVER.test(server) && PLAIN.test(own)) return name;
  return hashedName(style, server, own);
}

/**
 * The same name with a hash tail: for names that cannot be plain, and for the later of two that collide.
 * `round`: another tail, for when somebody has this one too.
 */
export function hashedName(style: PrefixStyle, server: ServerKey, own: string, round = 0): string {
  const hashed = round === 0 ? `${server}\0${own}` : `${server}\0${own}\0${round}`;
  const tail = `_${createHash('sha256').update(hashed).digest('hex').slice(0, 8)}`;
  const head = style === 'server' ? sanitise(server) + SEPARATOR + sanitise(own) : sanitise(own);
  return head.slice(0, MAX_PUBLIC_NAME - tail.length) + tail;
}

/** Which server a public name says it is of; null: it has no such form. */
export function serverOfName(name: string): ServerKey | null {
  const at = name.indexOf(SEPARATOR);
  return at <= 0 ? null : name.slice(0, at);
}

function sanitise(text: string): string {
  return text.replace(/[^A-Za-z0-9_-]/g, '_');
}
