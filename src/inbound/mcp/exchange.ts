/** One HTTP request at an MCP door and the answer to it, once it is known who asks: what refusals and calls need of both. */
import type { Identity } from '../../domain/identity.ts';
import type { Unheard } from '../../services/gateway/recorded.ts';
import type { TurnedAway } from '../../services/gateway/turned-away.ts';
import type { HttpRequest, HttpResponse } from '../http/http-message.ts';
import type { McpDeps } from './deps.ts';

export interface Exchange extends Unheard {
  readonly req: HttpRequest;
  readonly res: HttpResponse;
  readonly address: string;
  /** Of HTTP until that of the message is read. */
  method: string;
  readonly turnedAway: TurnedAway['request'];
}

export function openExchange(deps: McpDeps, id: string, req: HttpRequest, res: HttpResponse, who: Identity): Exchange {
  return { id, req, res, who, address: deps.addressOf(req), method: req.method ?? '', turnedAway: deps.turnedAway };
}

/** Undefined where it was not sent. */
export function headerOf(req: HttpRequest, name: string): string | undefined {
  const value = req.headers[name];
  return typeof value === 'string' ? value : undefined;
}

/** An answer that says nothing but that it was heard. */
export function answerEmpty({ res, id }: Exchange, status: 202 | 204): void {
  res.writeHead(status, { 'x-request-id': id }).end();
}
