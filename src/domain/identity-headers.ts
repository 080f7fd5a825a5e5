/**
 * Who calls, as headers that another program is told it by. Made of verified facts. Values are one line of printable
 * ASCII: everything else is percent-encoded (RFC 3986), so no two callers ever look alike to whoever reads them.
 */
import { type Identity, usernameOf } from './identity.ts';

/** Beyond it a value is left out whole: a part of a name would be another's, and servers refuse long heads. */
const MAX_VALUE = 1024;
/** Scopes and groups are left out one by one. */
const MAX_LIST = 4096;

/** Names and values in turn; what is empty is left out. `scopes`: those to tell of. */
export function composeIdentityHeaders(
  who: Identity,
  scopes: Iterable<string>,
  server: string,
  tool: string,
): string[] {
  const headers: string[] = [];
  const add = (name: string, value: string | null) => {
    if (value !== null && value !== '' && value.length <= MAX_VALUE) headers.push(name, value);
  };
  add('x-user', encode(who.subject));
  add('x-username', encode(usernameOf(who)));
  add('x-client-id', who.client === null ? null : encode(who.client));
  addList(headers, 'x-scopes', scopes, ' ');
  // In a token of ours groups give no rights, and must give none further on.
  if (who.method !== 'vended') addList(headers, 'x-groups', who.groups, ',');
  add('x-auth-method', who.method);
  add('x-server-name', encode(server));
  add('x-tool-name', encode(tool));
  // What a caller says of its agent is no fact to tell others.
  add('x-agent-id', who.agent === null || !who.agentVerified ? null : encode(who.agent));
  return headers;
}

function addList(headers: string[], name: string, items: Iterable<string>, separator: string): void {
  let text = '';
  for (const item of items) {
    const next = text === '' ? encode(item) : `${text}${separator}${encode(item)}`;
    if (next.length <= MAX_LIST) text = next;
  }
  if (text !== '') headers.push(name, text);
}

/** The comma separates groups, the blank scopes: within one they are encoded too. */
function encode(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\x21-\x24\x26-\x2b\x2d-\x7e]+/g, run =>
      [...new TextEncoder().encode(run)].map(byte => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
    );
}
