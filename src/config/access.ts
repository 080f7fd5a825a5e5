/**
 * Cross-checks that keep the door from standing open by accident: a bind that others can reach needs a credential that
 * cannot be guessed, and rules that this version would not enforce must not be taken for enforced.
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

/** Why a key is no protection, or null. Says nothing of the key itself. */
export function findKeyWeakness(key: string): string | null {
  if (!/^[\x21-\x7e]+$/.test(key)) return 'holds spaces or characters that no Authorization header can carry';
  if (key.length < SHORTEST_KEY) return `is shorter than ${SHORTEST_KEY} characters`;
  if (EXAMPLES.test(key) || new Set(key).size < 8) return 'looks like an example, not like a random key';
  return null;
}

/**
 * True only for a rules document that allows everything to every agent it names and lets in whoever names none: then
 * nothing is lost by not enforcing it. What is missing restricts (no agents: nobody may do anything; unnamed agents are
 * denied unless the file says otherwise), and so does whatever we do not know.
 */
export function restrictsNothing(rules: unknown): boolean {
  const { agents, defaults, ...rest } = toFields(rules);
  const named = Object.values(toFields(agents));
  const { deny_on_missing_agent: deniesUnnamed, ...otherDefaults } = toFields(defaults);
  return named.length > 0 && named.every(allowsEverything) && deniesUnnamed === false && isEmpty(otherDefaults, rest);
}

function allowsEverything(agent: unknown): boolean {
  const { allow, ...others } = toFields(agent);
  const { servers, tools = {}, ...more } = toFields(allow);
  const holdsAll = (patterns: unknown) => Array.isArray(patterns) && patterns.includes('*');
  return holdsAll(servers) && isMap(tools) && Object.values(tools).every(holdsAll) && isEmpty(others, more);
}

function isEmpty(...maps: { [name: string]: unknown }[]): boolean {
  return maps.every(map => Object.keys(map).length === 0);
}

function isMap(value: unknown): value is { [name: string]: unknown } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function toFields(value: unknown): { [name: string]: unknown } {
  return isMap(value) ? value : {};
}
