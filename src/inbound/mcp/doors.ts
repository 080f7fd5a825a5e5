/**
 * URLs -> doors: `/mcp` for everything (its exposure fixed by `/mcp/direct|agent|discovery`), `/<server>/mcp` for one
 * server under its own names (`/team/github/mcp` too), the same with `/sse` for HTTP+SSE, and `POST /` for lenient clients.
 * `/mcp/registry` has the registry's own tools; clients of other registries look for it under `REGISTRY_NAMES`.
 */
import type { Door } from '../../domain/call.ts';
import { isServerKey } from '../../domain/registry-path.ts';
import { REGISTRY_NAMES } from '../../domain/resource.ts';
import type { ServedRoute } from '../http/served.ts';

export interface Entrance {
  door: Door;
  transport: 'streamable' | 'sse' | 'sse-post';
  /** `POST /`: JSON-only `Accept`, and requests without a session. */
  lenient: boolean;
}

/** What each transport takes. */
export const METHODS: Readonly<Record<Entrance['transport'], readonly string[]>> = {
  streamable: ['GET', 'POST', 'DELETE'],
  sse: ['GET'],
  'sse-post': ['POST'],
};

const EVERYTHING: Door = { server: null, exposure: null };
const REGISTRY_DOOR: Door = { server: null, exposure: 'registry' };
const streamable = (door: Door): Entrance => ({ door, transport: 'streamable', lenient: false });

const FIXED: Record<string, Entrance> = {
  '/mcp': streamable(EVERYTHING),
  '/': { door: EVERYTHING, transport: 'streamable', lenient: true },
  '/mcp/direct': streamable({ server: null, exposure: 'direct' }),
  '/mcp/agent': streamable({ server: null, exposure: 'agent' }),
  '/mcp/discovery': streamable({ server: null, exposure: 'discovery' }),
  '/mcp/registry': streamable(REGISTRY_DOOR),
  '/sse': { door: EVERYTHING, transport: 'sse', lenient: false },
  '/messages': { door: EVERYTHING, transport: 'sse-post', lenient: false },
};

/** Last segments of a server's own doors. */
const LAST: Readonly<Record<string, Entrance['transport']>> = { mcp: 'streamable', sse: 'sse', messages: 'sse-post' };
const PER_SERVER = new RegExp(`^/([A-Za-z0-9._/-]+)/(${Object.keys(LAST).join('|')})$`);

/**
 * Null: no MCP door. A server's door is found whether or not the server exists; the caller looks it up. `hasServer` is asked
 * of names that stand for the registry where no server has them.
 */
export function findEntrance(path: string, hasServer: (server: string) => boolean): Entrance | null {
  const fixed = Object.hasOwn(FIXED, path) ? FIXED[path] : undefined;
  if (fixed !== undefined) return fixed;
  const parts = PER_SERVER.exec(path);
  if (parts?.[1] === undefined || !isServerKey(parts[1])) return null;
  const isRegistry = REGISTRY_NAMES.has(parts[1]) && !hasServer(parts[1]);
  const door: Door = isRegistry ? REGISTRY_DOOR : { server: parts[1], exposure: null };
  const transport = LAST[parts[2] ?? ''];
  return transport === undefined ? null : { door, transport, lenient: false };
}

/** Every door there is, made from what `findEntrance` looks in. */
export function listEntrances(): ServedRoute[] {
  const doors = (path: string, transport: Entrance['transport']) =>
    METHODS[transport].map((method): ServedRoute => ({ kind: 'door', method, path }));
  return [
    ...Object.entries(FIXED).flatMap(([path, { transport }]) => doors(path, transport)),
    ...['{server}', ...REGISTRY_NAMES].flatMap(server =>
      Object.entries(LAST).flatMap(([last, transport]) => doors(`/${server}/${last}`, transport)),
    ),
  ];
}
