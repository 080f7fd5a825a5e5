/** Who is calling. The verified facts only; what they may do is policy's to say. */

/** How it was shown: `vended` tokens are our own; `login` is an operator's session. */
export type AuthMethod = 'local' | 'api-key' | 'jwt' | 'vended' | 'login';

export interface Identity {
  kind: 'identity';
  /**
   * Issuer and subject as one key: `local`, `key`, `key:<name>`, `login:<user>`, `<issuer>|<sub>`. Stable per caller; connections,
   * sessions, parked calls and limits are bound to it.
   */
  subject: string;
  issuer: string | null;
  /** For people and logs; gives no rights. */
  name: string | null;
  /** The OAuth client that asked for the token. */
  client: string | null;
  /** The software agent, when one is known; self-asserted ids are marked by `agentVerified: false`. */
  agent: string | null;
  agentVerified: boolean;
  method: AuthMethod;
  scopes: ReadonlySet<string>;
  groups: ReadonlySet<string>;
  /** Unix milliseconds; Infinity where the credential does not end by itself. */
  expiresAtMs: number;
  tokenId: string | null;
  /** A token bound to one server is good for no other; null: any. */
  boundServer: string | null;
  /** A program on its own behalf (client credentials); absent: not known to be one. */
  isService?: boolean;
  /** Who acts for the subject, the one at work first (RFC 8693 `act`); absent: nobody. */
  actors?: readonly string[];
  /** The caller's own agent, where it acts as `agent` by a grant; absent: it acts as itself. */
  actingAgent?: string;
  /** Of a token of our own (`vended`); absent otherwise. */
  lineage?: Lineage;
}

/** What a token of our own was given out by. It ends with its parent. */
export interface Lineage {
  /** How the parent was shown. */
  method: AuthMethod;
  /** Tells the parent's credential from others, and nothing of it; empty where it has no name of its own. */
  parent: string;
  /** When it was given out; Unix milliseconds. */
  atMs: number;
}

const NONE: ReadonlySet<string> = new Set();

/** The caller on a loopback bind or over stdio, where no credential is configured. */
export const LOCAL_CALLER: Identity = {
  kind: 'identity',
  subject: 'local',
  issuer: null,
  name: null,
  client: null,
  agent: null,
  agentVerified: false,
  method: 'local',
  scopes: NONE,
  groups: NONE,
  expiresAtMs: Number.POSITIVE_INFINITY,
  tokenId: null,
  boundServer: null,
};

/** What a caller is called before people: its name, else its subject as its issuer knows it. Gives no rights. */
export function usernameOf({ name, subject, issuer }: Identity): string {
  if (name !== null) return name;
  return issuer !== null && subject.startsWith(`${issuer}|`) ? subject.slice(issuer.length + 1) : subject;
}

/** A no to the question who: the caller must show another credential. */
export interface Challenge {
  kind: 'challenge';
  status: 401 | 403;
  wwwAuthenticate: string;
  /** A fixed word for the book (`missing`, `expired`, `signature`, ...): never a part of what was shown. */
  reason: string;
}
