/** Who is calling. The verified facts only; what they may do is policy's to say. */

export type AuthMethod = 'local' | 'api-key';

export interface Identity {
  kind: 'identity';
  /** Stable per caller; connections, sessions and parked calls are bound to it. */
  subject: string;
  /** The software agent, when one is known; self-asserted ids are marked by `agentVerified: false`. */
  agent: string | null;
  agentVerified: boolean;
  method: AuthMethod;
}

/** The caller on a loopback bind or over stdio, where no credential is configured. */
export const LOCAL_CALLER: Identity = {
  kind: 'identity',
  subject: 'local',
  agent: null,
  agentVerified: false,
  method: 'local',
};

/** A no to the question who: the caller must show another credential. */
export interface Challenge {
  kind: 'challenge';
  status: 401 | 403;
  wwwAuthenticate: string;
}
