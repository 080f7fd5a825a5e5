/**
 * Cross-checks that keep the door from standing open by accident: a bind that others can reach needs a credential, and a
 * key must be one that cannot be guessed.
 */
import { isIP } from 'node:net';

/** True when only programs on this machine can reach a listener bound to `host`. */
export function isLoopbackHost(host: string): boolean {
  const plain = host.toLowerCase();
  if (plain === 'localhost' || plain === '::1') return true;
  return (isIP(plain) === 4 && plain.startsWith('127.')) || plain.startsWith('::ffff:127.');
}

export const SHORTEST_KEY = 32;

/** Words that stand in documentation where a real key should: ours and everybody's. */
const EXAMPLES =
  /change-?_?me|example|your[-_ ]?(?:api|secret)|replace[-_ ]?(?:me|this)|placeholder|x{8}|(?:01234567|12345678|abcdefgh)/i;

/** Node is where the gateway is; openssl may not be. */
export const KEY_HINT = `make one with: node -e "console.log(crypto.randomBytes(32).toString('base64url'))"`;

/** Why a key is no protection, or null. Says nothing of the key itself. */
export function findKeyWeakness(key: string): string | null {
  if (!/^[\x21-\x7e]+$/.test(key)) return 'holds spaces or characters that no Authorization header can carry';
  if (key.length < SHORTEST_KEY) return `is shorter than ${SHORTEST_KEY} characters`;
  if (EXAMPLES.test(key) || new Set(key).size < 8) return 'looks like an example, not like a random key';
  return null;
}
