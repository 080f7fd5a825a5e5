/** What every MCP transport needs of the house, handed in once by app.ts. */
import type { SessionConfig } from '../../config/config.ts';
import type { Challenge, Identity } from '../../domain/identity.ts';
import type { Limited } from '../../domain/limits.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Downstreams } from '../../ports/downstreams.ts';
import type { Log } from '../../ports/log.ts';
import type { CatalogBook } from '../../services/catalog/catalog-book.ts';
import type { Gateway } from '../../services/gateway/gateway.ts';
import type { NewsDesk } from '../../services/gateway/news.ts';
import type { RefuseDoor } from '../../services/gateway/refuse-door.ts';
import type { TurnedAway } from '../../services/gateway/turned-away.ts';
import type { Challenges } from '../../services/identity/challenge.ts';
import type { Identify } from '../../services/identity/identify.ts';
import type { Limiter } from '../../services/limits/limiter.ts';
import type { HttpRequest } from '../http/http-message.ts';
import type { KeepAlive } from './keep-alive.ts';
import type { FindVersion } from './pinned-door.ts';
import type { SessionTable } from './session-table.ts';

export interface McpDeps {
  gateway: Gateway;
  catalog: CatalogBook;
  news: NewsDesk;
  downstreams: Downstreams;
  identify: Identify;
  /** False once a caller's credential has expired or was revoked: its streams are closed with the next tick. */
  stillValid(who: Identity): boolean;
  challenges: Challenges;
  findVersion: FindVersion;
  /** Null: a conversation may begin at this door. */
  refuseDoor: RefuseDoor;
  /** Writes a refused credential down; says when its address has shown too many. */
  refused(req: HttpRequest, path: string, challenge: Challenge, id?: string): Limited | null;
  /** Writes down a request that did not become a call. */
  turnedAway: TurnedAway['request'];
  /** Of the client at the other end. */
  addressOf(req: HttpRequest): string;
  /** Headers of clients that some server is to get; null: none. The same set until servers change. */
  forwardable(): ReadonlySet<string> | null;
  sessions: SessionTable;
  /** Open streams are counted there, each caller's and all together. */
  limiter: Pick<Limiter, 'hold' | 'release'>;
  limits: Pick<SessionConfig, 'maxEvents' | 'maxEventBytes'>;
  keepAlive: KeepAlive;
  clock: Clock;
  log: Log;
  version: string;
  maxBodyBytes: number;
  /** Unique per request, for logs, the book and the answer; fit to be told to anybody. */
  nextRequestId(): string;
}
