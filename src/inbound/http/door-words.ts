/**
 * What is said at the front door, before it is known what is asked: a word for programs under `error`, and a sentence
 * under `detail` for whoever reads it, because REST clients look there. Nothing of the request is repeated in either.
 */

const SAYS = {
  invalid_request: 'This is not a well-formed HTTP request.',
  invalid_host: 'The Host header is missing or not well-formed.',
  forbidden_host: 'The gateway does not go by this name. Its operator can list the name in listen.allowedHosts.',
  forbidden_origin: 'Pages of this origin may not ask. The operator can list the origin in listen.corsOrigins.',
  https_required: 'This port speaks TLS: use https.',
  unauthorized: 'Show a credential, as WWW-Authenticate says.',
  forbidden: 'This credential is not for that.',
  not_found: 'There is nothing at this path.',
  method_not_allowed: 'Use one of the methods that Allow names.',
  request_timeout: 'The request did not come to its end in time.',
  too_large: 'The body is larger than listen.maxBody.',
  headers_too_large: 'The headers are too large.',
  unsupported_media_type: 'Nothing is read from a body here: send none.',
  rate_limited: 'Too many requests: wait as long as Retry-After says.',
  internal_error: 'A mistake of the gateway: its log says more.',
  metrics_off: 'Metrics are switched off.',
  overloaded: 'Too many requests are under way: ask again when Retry-After says.',
  shutting_down: 'The gateway is being stopped: connect again when Retry-After says.',
} as const;

export type DoorWord = keyof typeof SAYS;

export const DOOR_WORDS = Object.keys(SAYS) as readonly DoorWord[];

export const doorSays = (error: DoorWord): { error: DoorWord; detail: string } => ({ error, detail: SAYS[error] });
