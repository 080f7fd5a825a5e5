/**
 * Live answers against the printed document: which operation a request was, whether the status is one that is documented
 * there, and whether headers and body are what it says. What no operation answers is left alone, unless it lies where
 * only the table answers. For every test that speaks to the REST API.
 */
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { type JsonObject, objectOrEmpty } from '../../src/domain/json.ts';

export interface Seen {
  method: string;
  /** With or without a query. */
  path: string;
  status: number;
  contentType: string | null;
  body: string;
  headers?: Headers;
}

export interface OpenApiCheck {
  /** What is wrong with an answer, or null. */
  findFault(seen: Seen): string | null;
  /** Throws for an answer that the document does not allow; hands it back otherwise. Operations that were seen are remembered. */
  hold(reply: Response, url: string, method?: string): Promise<Response>;
  /** `fetch`, and the answer held against the document. */
  fetch(url: string, init?: RequestInit): Promise<Response>;
  /** `GET /api/x`, of every operation that was answered with 2xx or 3xx. */
  readonly seen: ReadonlySet<string>;
  /** Under these tags. */
  operations(...tags: string[]): string[];
}

interface Operation {
  name: string;
  tag: string;
  pattern: RegExp;
  /** Of the pattern, one by one. */
  segments: readonly string[];
  pointer: string[];
  responses: Record<string, JsonObject>;
}

export function createOpenApiCheck(document: JsonObject): OpenApiCheck {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  addFormats.default(ajv);
  ajv.addSchema(document, 'api');
  const validators = new Map<string, ValidateFunction>();
  const operations = listOperations(document);
  const seen = new Set<string>();

  function validatorOf(pointer: readonly string[]): ValidateFunction {
    const ref = `api#/${pointer.map(part => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
    let validate = validators.get(ref);
    if (validate === undefined) {
      validate = ajv.compile({ $ref: ref });
      validators.set(ref, validate);
    }
    return validate;
  }

  function findOperation(method: string, path: string): Operation | null {
    const plain = path.replace(/\?.*$/, '');
    // HEAD is GET without its body.
    const verb = method === 'HEAD' ? 'GET' : method;
    return operations.find(({ name, pattern }) => name.startsWith(`${verb} `) && pattern.test(plain)) ?? null;
  }

  /** A header that is always sent and is not there, or one that is not as printed. Only an `ETag` must be printed to be sent. */
  function findHeaderFault(printed: Record<string, JsonObject>, at: readonly string[], sent: Headers): string | null {
    if (sent.has('etag') && printed.ETag === undefined) return 'is said to have no ETag';
    for (const [name, { required, schema }] of Object.entries(printed)) {
      const value = sent.get(name);
      if (value === null && required === true) return `is said to have a header ${name}`;
      if (value === null) continue;
      const isNumber = objectOrEmpty(schema).type === 'integer' && /^\d+$/.test(value);
      const validate = validatorOf([...at, 'headers', name, 'schema']);
      if (!validate(isNumber ? Number(value) : value)) return `${name}: ${value} ${ajv.errorsText(validate.errors)}`;
    }
    return null;
  }

  function findFault({ method, path, status, contentType, body, headers: sent = new Headers() }: Seen): string | null {
    const operation = findOperation(method, path);
    if (operation === null) {
      if (!SURFACES.test(path) || NO_ROUTE.has(status)) return null;
      return `${method} ${path} is not in the document`;
    }
    const { name, responses, pointer } = operation;
    const written = responses[status];
    if (written === undefined) return `${name} is not said to answer ${status}: ${body.slice(0, 200)}`;
    const named =
      typeof written.$ref === 'string' ? /^#\/components\/responses\/(.+)$/.exec(written.$ref)?.[1] : undefined;
    const at = named === undefined ? [...pointer, 'responses', String(status)] : ['components', 'responses', named];
    const { content, headers } = at.reduce<JsonObject>((value, part) => value[part] as JsonObject, document);
    const wrong = findHeaderFault(objectOrEmpty(headers) as Record<string, JsonObject>, at, sent);
    if (wrong !== null) return `${name} ${status} ${wrong}`;
    if (content === undefined) return body === '' ? null : `${name} ${status} is said to have no body`;
    if (method === 'HEAD') return null;
    const type = (contentType ?? '').split(';')[0] ?? '';
    const types = Object.keys(content as JsonObject);
    const found = types.find(each => each.split(';')[0] === type);
    if (found === undefined) return `${name} ${status} is ${type}, and is said to be ${types.join(' or ')}`;
    if (type !== 'application/json') return null;
    const validate = validatorOf([...at, 'content', found, 'schema']);
    return validate(JSON.parse(body)) ? null : `${name} ${status}: ${ajv.errorsText(validate.errors)}`;
  }

  async function hold(reply: Response, url: string, method = 'GET'): Promise<Response> {
    const { pathname, search } = new URL(url);
    const operation = findOperation(method, pathname);
    // What is no answer of the table may be a stream without an end.
    if (operation === null && !SURFACES.test(pathname)) return reply;
    const { status, headers } = reply;
    const body = await reply.clone().text();
    const contentType = headers.get('content-type');
    const fault = findFault({ method, path: pathname + search, status, contentType, body, headers });
    if (fault !== null) throw new Error(fault);
    if (operation !== null && status < 400) seen.add(operation.name);
    return reply;
  }

  return {
    seen,
    operations: (...tags) => operations.filter(each => tags.includes(each.tag)).map(({ name }) => name),
    findFault,
    hold,
    fetch: async (url, init = {}) => hold(await fetch(url, { redirect: 'manual', ...init }), url, init.method),
  };
}

const checks = new Map<string, Promise<OpenApiCheck>>();

/** The check of a gateway by what it prints of itself, which is read once. */
export function openApiOf(origin: string): Promise<OpenApiCheck> {
  const check = checks.get(origin) ?? readCheck(origin);
  checks.set(origin, check);
  return check;
}

/** `fetch`, with the answer held against what the gateway that gave it prints of itself. */
export async function fetchHeld(url: string, init: RequestInit = {}): Promise<Response> {
  return (await openApiOf(new URL(url).origin)).fetch(url, init);
}

async function readCheck(origin: string): Promise<OpenApiCheck> {
  const reply = await fetch(`${origin}/openapi.json`);
  if (!reply.ok) throw new Error(`no document at ${origin}: ${reply.status}`);
  return createOpenApiCheck((await reply.json()) as JsonObject);
}

/** Below these the table of routes answers alone; what it has no route for, it says so. */
const SURFACES = /^\/(?:api|v0\.1|v0)\//;
/** A path that is not well-formed, no route, no such method. */
const NO_ROUTE: ReadonlySet<number> = new Set([400, 404, 405]);
const METHODS = ['get', 'post', 'put', 'patch', 'delete'];

/** The more is fixed in a path the earlier it comes, as requests are matched. */
function listOperations({ paths }: JsonObject): Operation[] {
  return Object.entries(paths as Record<string, Record<string, JsonObject>>)
    .flatMap(([path, item]) =>
      Object.entries(item)
        .filter(([method]) => METHODS.includes(method))
        .map(([method, { parameters = [], responses, tags = [] }]) => {
          const wide = (parameters as JsonObject[])
            .filter(each => each['x-multi-segment'] === true)
            .map(({ name }) => name);
          const segments = path.split('/').map(segment => {
            const name = /^\{(.+)\}$/.exec(segment)?.[1];
            if (name === undefined) return segment.replace(/[.*+?^$()[\]\\|]/g, '\\$&');
            return wide.includes(name) ? WIDE : ONE;
          });
          return {
            tag: String((tags as string[])[0]),
            ...{ name: `${method.toUpperCase()} ${path}`, pattern: new RegExp(`^${segments.join('/')}$`), segments },
            ...{ pointer: ['paths', path, method], responses: responses as Record<string, JsonObject> },
          };
        }),
    )
    .sort((a, b) => comparePrecedence(a.segments, b.segments));
}

const WIDE = '.+';
const ONE = '[^/]+';
const weigh = (segment = WIDE) => [ONE, WIDE].indexOf(segment);

/** Segment by segment the fixed one first; where one takes many, the longer tail behind it. */
function comparePrecedence(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((segment, index) => weigh(segment) !== weigh(b[index]));
  const longer = b.length - a.length;
  return at === -1 || at >= b.length ? longer : weigh(a[at]) - weigh(b[at]) || longer;
}
