/**
 * One route of the REST API as data: what it answers to, who may use it, what goes in and what comes out. The same table
 * is matched against requests, decided by, and printed as OpenAPI; a route that does not say who may use it is no route.
 */
import type { IncomingHttpHeaders } from 'node:http';
import type { z } from 'zod';
import type { BookFacts } from '../../domain/call.ts';
import type { ErrorCode, Failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import type { Limited } from '../../domain/limits.ts';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** Who may use a route, decided before anything of the body is read. */
export type Access =
  /** Anybody, without a credential: nothing behind it depends on who asks. */
  | { kind: 'public' }
  /** Whoever can be identified: what it does concerns the caller alone. */
  | { kind: 'caller' }
  /**
   * Whoever shows a credential in a header, a token for one server too; never a login's session. For questions about the
   * MCP doors, which the route answers as they would.
   */
  | { kind: 'bearer' }
  /** Whoever holds the verb of the request, or `word`, on the server `api` of the scopes. */
  | { kind: 'api'; word?: string }
  /**
   * Whoever may do this in the registry to something; to what exactly, the service asks. `owners`: also whoever may
   * register, for the sake of what is its own.
   */
  | { kind: 'ui'; action: string; owners?: 'register_service' | 'publish_agent' }
  /** Whoever may change everything of some kind. */
  | { kind: 'admin' };

/** What a route learns of its request. `P`, `Q`, `B`: path, query and body as the schemas of the route give them. */
export interface RestCall<P, Q, B> {
  readonly id: string;
  readonly who: Identity;
  readonly params: P;
  readonly query: Q;
  readonly body: B;
  readonly headers: IncomingHttpHeaders;
  /** The peer, or whom a trusted proxy names. */
  readonly address: string;
  /** Whether the caller may do this to that very resource (a path, slashes at its ends do not matter). */
  may(action: string, resource: string): boolean;
  /** For the book: what the operation was about, as far as `about` of its route could not say it before. */
  note(facts: BookFacts): void;
}

export interface RestAnswer {
  kind: 'rest';
  status: number;
  /** JSON; undefined: none. */
  body?: unknown;
  /** Instead of JSON: these bytes, under the content type that `headers` say. */
  text?: string;
  /** Instead of either: one piece after the other, as they are taken; an error in between breaks the connection off. */
  pieces?: AsyncIterable<string>;
  headers?: Readonly<Record<string, string>>;
}

export type RestOutcome = RestAnswer | Failure | Limited;

export interface AnswerFact {
  says: string;
  /** Null: no JSON. */
  schema: z.ZodType | null;
  /** Where it is no JSON. */
  types?: readonly string[];
  /** Whether an `ETag` says which revision of the thing it is. Absent: never. */
  etag?: 'always' | 'sometimes';
}

/** What only some services say no with; what the frame may say to every route is not said again. */
export type ServiceNo = Extract<ErrorCode, 'NOT_FOUND' | 'RESOURCE_NOT_FOUND' | 'CONFLICT' | 'STALE'>;

export interface RestRoute {
  readonly method: Method;
  /** `{name}` is one segment, `{name+}` one or more. */
  readonly path: string;
  readonly access: Access;
  /** In the book. */
  readonly operation: string;
  /** One sentence in the imperative, for the document. */
  readonly summary: string;
  readonly tag: string;
  readonly params: z.ZodType | null;
  readonly query: z.ZodType | null;
  /** `form`: how an HTML form is read, null where only JSON is taken. `isMessage`: MCP, read as the doors read it. */
  readonly body: { schema: z.ZodType; form: z.ZodType | null; isMessage: boolean; maxBytes: number } | null;
  readonly answers: Readonly<Record<number, AnswerFact>>;
  /** In no order; may be empty. One whose body holds more than `detail` is among `answers` instead. */
  readonly fails: readonly ServiceNo[];
  /** A revision in `If-Match` is the one it is to be done to. */
  readonly takesRevision: boolean;
  /** Whether it changes anything: announced in the book before it is done. */
  readonly hasEffect: boolean;
  /** The service writes into the book itself, with what only it knows. */
  readonly keepsBook: boolean;
  /** What it concerns, for the announcement in the book; absent: what its path names. */
  readonly about?:
    | ((input: Pick<RestCall<unknown, unknown, unknown>, 'params' | 'query' | 'body'>) => BookFacts)
    | undefined;
  /** A caller's session in a browser must prove that the page is ours. False only where no session is needed. */
  readonly needsCsrf: boolean;
  run(call: RestCall<unknown, unknown, unknown>): RestOutcome | Promise<RestOutcome>;
}

const MAX_BODY = 256 * 1024;

export interface RouteSpec<P, Q, B> {
  method: Method;
  path: string;
  access: Access;
  operation: string;
  summary: string;
  tag: string;
  params?: z.ZodType<P>;
  query?: z.ZodType<Q>;
  body?: z.ZodType<B>;
  /** Takes an HTML form as well as JSON; by this schema where text is not to stand for what it says in JSON. */
  form?: boolean | z.ZodType<B>;
  isMessage?: boolean;
  maxBytes?: number;
  answers: Readonly<Record<number, AnswerFact>>;
  fails?: readonly ServiceNo[];
  takesRevision?: boolean;
  hasEffect?: boolean;
  keepsBook?: boolean;
  needsCsrf?: boolean;
  about?(input: Pick<RestCall<NoInfer<P>, NoInfer<Q>, NoInfer<B>>, 'params' | 'query' | 'body'>): BookFacts;
  run(call: RestCall<P, Q, B>): RestOutcome | Promise<RestOutcome>;
}

export function defineRoute<P = unknown, Q = unknown, B = unknown>(spec: RouteSpec<P, Q, B>): RestRoute {
  const {
    params = null,
    query = null,
    body,
    form = false,
    isMessage = false,
    maxBytes = MAX_BODY,
    fails = [],
    run,
    about,
    ...rest
  } = spec;
  return {
    ...rest,
    params,
    query,
    fails,
    body: body === undefined ? null : { schema: body, form: form === true ? body : form || null, isMessage, maxBytes },
    takesRevision: spec.takesRevision ?? false,
    hasEffect: spec.hasEffect ?? spec.method !== 'GET',
    keepsBook: spec.keepsBook ?? false,
    needsCsrf: spec.needsCsrf ?? true,
    // The frame has read them by these very schemas.
    about: about as RestRoute['about'],
    run: run as RestRoute['run'],
  };
}

export const answer = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): RestAnswer => ({
  kind: 'rest',
  status,
  body,
  headers,
});

export const noContent = (): RestAnswer => ({ kind: 'rest', status: 204 });

/** 302: to a path of ours. */
export const redirect = (to: string, headers: Readonly<Record<string, string>> = {}): RestAnswer => ({
  kind: 'rest',
  status: 302,
  headers: { ...headers, location: to },
});
