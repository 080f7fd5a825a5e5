/** The guard in the shape that undici asks for sockets: checked addresses, the name kept for TLS and Host. */
import { buildConnector } from 'undici';
import type { SocketGuard } from './address-guard.ts';

/** `timeoutMs`: until the connection (and TLS) stands, the look-up included. */
export function createGuardedConnect(guard: SocketGuard, timeoutMs: number): buildConnector.connector {
  return (options, done) => {
    const may = guard.forSocket(new URL(`${options.protocol}//${options.host ?? options.hostname}`));
    if (!may.ok) {
      queueMicrotask(() => done(may.error, null));
      return;
    }
    // One per socket: what was looked up is good for this one alone.
    buildConnector({ timeout: timeoutMs, allowH2: false, maxCachedSessions: 0, lookup: may.lookup })(options, done);
  };
}
