/**
 * Versions of one server at its own door: a request's `X-MCP-Server-Version` pins it to one, and a session stays with the
 * version that it began with. Which version is refused is said; which others there are is not.
 */
import type { Door } from '../../domain/call.ts';
import { type Failure, failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import type { ServerKey } from '../../domain/server.ts';
import type { HttpRequest } from '../http/http-message.ts';
import type { McpDeps } from './deps.ts';
import type { Entrance } from './doors.ts';
import type { Session } from './session.ts';

const HEADER = 'x-mcp-server-version';
/** Of no server; nothing a caller wrote is kept in its place. */
const NO_VERSION = '';

/** Null: there is no such version that this caller may use. `version` null: the only one there is. */
export type FindVersion = (who: Identity, server: ServerKey, version: string) => { version: string | null } | null;

type Versions = Pick<McpDeps, 'catalog' | 'findVersion' | 'gateway'>;

/** With the version that the request asks for. Doors to everything have none: they lead to the active versions. */
export function pinEntrance(deps: Versions, entrance: Entrance, req: HttpRequest, who: Identity): Entrance | Failure {
  const { door } = entrance;
  const asked = req.headers[HEADER];
  if (door.server === null || asked === undefined) return entrance;
  // Whoever may not know the server learns nothing of its versions: there is none for it.
  if (!deps.gateway.mayHear(who, door.server)) return { ...entrance, door: { ...door, version: NO_VERSION } };
  const found = deps.findVersion(who, door.server, String(asked).trim());
  if (found !== null) return { ...entrance, door: { ...door, version: found.version } };
  return failure(
    'NOT_FOUND',
    {},
    { say: 'X-MCP-Server-Version: this server has no such version. Leave it out for the active one.' },
  );
}

/** For a session that begins now: the version asked for, else the one that is active. */
export function doorOfSession({ catalog }: Pick<McpDeps, 'catalog'>, door: Door): Door {
  const active = door.server === null ? undefined : catalog.current().servers.get(door.server)?.version;
  return active === undefined ? door : { ...door, version: door.version ?? active };
}

/** Why a request may not go on with a session at this door; null: it may. */
export function refuseOtherDoor(deps: Versions, session: Session, door: Door): Failure | null {
  const { server, version } = session.door;
  // A session belongs to the door it was opened at: names mean something else behind another.
  if (server !== door.server) return failure('SESSION_UNKNOWN');
  if (server === null || version === undefined || version === null) return null;
  // The client is to start anew, with a version that is there.
  if (deps.findVersion(session.who, server, version) === null) return failure('SESSION_UNKNOWN');
  // Falsy: no version was asked for, or none may be; what a session may still do is decided with each call.
  if (!door.version || door.version === version) return null;
  const say = 'X-MCP-Server-Version differs from the version this session began with: open another session for it.';
  return failure('INVALID_REQUEST', {}, { say });
}
