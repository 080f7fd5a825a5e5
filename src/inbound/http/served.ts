/**
 * What a listener answers, as data: every part that stands on it says its routes, so that each of them can be asked who may
 * come in. A part that answers more than it says is a mistake.
 */
import type { HttpRequest, HttpResponse } from './http-message.ts';

export interface ServedRoute {
  /** `door`: MCP. `document`: for anybody, without a credential. `socket`: a WebSocket. `route`: of the router. */
  kind: 'door' | 'document' | 'socket' | 'route';
  /** `ALL` is every method. */
  method: string;
  /** `{server}` is the name of a server, whether or not there is one. */
  path: string;
}

/** Answers on the response itself, without a router, after the guards of the listener. */
export interface NativeRoutes {
  /** False when the path is none of its own. */
  handle(req: HttpRequest, res: HttpResponse, path: string): boolean;
  served(): readonly ServedRoute[];
}
