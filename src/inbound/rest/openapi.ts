/**
 * The table of routes as an OpenAPI 3.1 document: printed from what requests are matched and read by, so it says what is
 * served and nothing else. What the frame adds to every route (credentials, refusals, limits) is added here once.
 */
import { ERRORS } from '../../domain/error.ts';
import type { JsonObject } from '../../domain/json.ts';
import { takesBasic } from './basic-auth.ts';
import { type Components, createComponents } from './openapi-schemas.ts';
import type { Access, AnswerFact, RestRoute } from './route.ts';

const USUAL: JsonObject[] = [{ bearer: [] }, { session: [] }];

export function describeApi(table: readonly RestRoute[], version: string): JsonObject {
  const components = createComponents(table);
  const paths: Record<string, JsonObject> = {};
  for (const route of table) {
    const path = route.path.replaceAll('+}', '}');
    const operations = paths[path] ?? {};
    const method = route.method.toLowerCase();
    if (method in operations) throw new Error(`two routes would be printed as ${route.method} ${path}`);
    paths[path] = { ...operations, [method]: describeRoute(route, components) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Gatehouse',
      version,
      description:
        'One door to every MCP server. Every refusal is {"detail": "..."}, with {"error": "<word>"} beside it at the front door; a request id is in X-Request-Id and in the audit log.',
    },
    servers: [{ url: '/' }],
    security: USUAL,
    tags: [...new Set(table.map(({ tag }) => tag))].map(name => ({ name })),
    paths,
    components: {
      schemas: components.schemas(),
      responses: RESPONSES,
      securitySchemes: {
        bearer: { type: 'http', scheme: 'bearer', description: 'A key, or a token of an issuer or of the gateway.' },
        basic: { type: 'http', scheme: 'basic', description: 'The name and password of the operator.' },
        session: {
          ...{ type: 'apiKey', in: 'cookie', name: 'mcp_gateway_session' },
          description: 'The session of a browser; what changes something shows X-CSRF-Token as well.',
        },
      },
    },
  };
}

function describeRoute(route: RestRoute, components: Components): JsonObject {
  const { method, path, access, summary, tag, body } = route;
  const parameters = [
    ...pathParameters(route, components),
    ...queryParameters(route, components),
    ...(route.takesRevision ? [IF_MATCH] : []),
  ];
  return {
    operationId: operationId(method, path),
    summary,
    description: WHO[access.kind](access as never),
    tags: [tag],
    ...(access.kind === 'public' ? { security: [] } : takesBasic(path) ? { security: [{ basic: [] }, ...USUAL] } : {}),
    'x-access': { ...access },
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === null
      ? {}
      : {
          requestBody: {
            required: true,
            content: {
              'application/json': { schema: components.input(body.schema) },
              ...(body.form ? { 'application/x-www-form-urlencoded': { schema: components.input(body.form) } } : {}),
            },
          },
        }),
    responses: describeAnswers(route, components),
  };
}

const WHO: { [K in Access['kind']]: (access: Extract<Access, { kind: K }>) => string } = {
  public: () => 'For anybody, without a credential.',
  caller: () => 'For every caller, about itself.',
  bearer: () => 'For whoever shows a credential in a header, a token for one server too; not for a session.',
  api: ({ word }) =>
    `For callers whose scopes grant the method${word === undefined ? '' : ` or "${word}"`} on the server "api".`,
  ui: ({ action }) => `For callers whose UI scopes grant "${action}".`,
  admin: () => 'For administrators.',
};

function operationId(method: string, path: string): string {
  const words = path.replace(/[{}+]/g, '').split('/').filter(Boolean);
  return [method.toLowerCase(), ...words].join('_').replace(/[^A-Za-z0-9_-]/g, '-');
}

function pathParameters({ path, params }: RestRoute, components: Components): JsonObject[] {
  const { properties } = components.parameters(params);
  return [...path.matchAll(/\{([A-Za-z_]\w*)(\+?)\}/g)].map(([, name = '', plus]) => ({
    ...{ name, in: 'path', required: true, schema: properties[name] ?? { type: 'string' } },
    ...(plus === '+'
      ? { description: 'May hold slashes, as they are: it takes several segments.', 'x-multi-segment': true }
      : {}),
  }));
}

function queryParameters({ query }: RestRoute, components: Components): JsonObject[] {
  const { properties, required } = components.parameters(query);
  return Object.entries(properties).map(([name, schema]) => {
    const { description, ...rest } = schema as JsonObject;
    return {
      ...{ name, in: 'query', required: required.has(name), schema: rest },
      ...(description === undefined ? {} : { description }),
    };
  });
}

/** The route's own, what its services say no with, and what the frame may answer before it. */
function describeAnswers({ answers, fails, access, body, hasEffect }: RestRoute, components: Components): JsonObject {
  // The front door looks at the host and the origin of every request.
  const added = ['400', '403', '500', '503', ...fails.map(code => String(ERRORS[code].http))];
  if (access.kind !== 'public') added.push('401', '429');
  if (body !== null) added.push('413', '415');
  // Whoever makes a condition is told that there is none to be made.
  if (hasEffect) added.push('412');
  const responses: Record<string, JsonObject> = {};
  for (const status of added) responses[status] = { $ref: `#/components/responses/${status}` };
  for (const [status, fact] of Object.entries(answers))
    responses[status] = describeAnswer(Number(status), fact, components);
  return responses;
}

function describeAnswer(status: number, fact: AnswerFact, components: Components): JsonObject {
  const { says, schema, types = [], etag } = fact;
  const json =
    schema !== null
      ? components.output(schema)
      : status >= 400 && types.length === 0
        ? { $ref: '#/components/schemas/Error' }
        : null;
  const content: Record<string, JsonObject> = {};
  if (json !== null) content['application/json'] = { schema: json };
  for (const type of types) content[type] = { schema: { type: 'string' } };
  return {
    description: says,
    ...(etag === undefined ? {} : { headers: { ETag: { ...ETAG, required: etag === 'always' } } }),
    ...(Object.keys(content).length === 0 ? {} : { content }),
  };
}

const ETAG: JsonObject = {
  description: 'Of this revision, for `If-Match`.',
  schema: { type: 'string', pattern: '^"[0-9]+"$' },
};
const IF_MATCH: JsonObject = {
  ...{ name: 'If-Match', in: 'header', required: false, schema: { type: 'string' } },
  description: 'The `ETag` of what is to be changed, or `*`: 412 when it was changed meanwhile.',
};
/** A header that is always sent. */
const amount = (description: string, minimum = 0): JsonObject => ({
  ...{ description, required: true, schema: { type: 'integer', minimum } },
});
const retryAfter = (description: string): JsonObject => ({ 'Retry-After': amount(description, 1) });
const refusal = (description: string, headers: JsonObject = {}): JsonObject => ({
  description,
  ...(Object.keys(headers).length === 0 ? {} : { headers }),
  content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } },
});
const CHALLENGE: JsonObject = { description: 'What to show (RFC 6750, RFC 9728).', schema: { type: 'string' } };

const RESPONSES = {
  '400': refusal('Not valid: every mistake at once, by its place.'),
  '401': refusal('No credential, or not a good one.', { 'WWW-Authenticate': { ...CHALLENGE, required: true } }),
  '403': refusal('This caller may not; where scopes would help, they are named.', { 'WWW-Authenticate': CHALLENGE }),
  '404': refusal('There is no such thing, or none for this caller.'),
  '409': refusal('What there is stands against it: its name is taken, or it is to be changed elsewhere or first.'),
  '412': refusal('It was changed meanwhile, or is not as `If-Match` or a hash of the request says.'),
  '413': refusal('The body is too large.'),
  '415': refusal('The body is of another type.'),
  '429': refusal('Too many requests.', {
    ...retryAfter('Seconds until one more is possible.'),
    'X-RateLimit-Limit': amount('How many there are.'),
    'X-RateLimit-Remaining': amount('How many are left.'),
    'X-RateLimit-Reset': amount('Seconds until all are there again.'),
  }),
  '500': refusal('A mistake of the gateway.'),
  '503': refusal(
    'Not now: it cannot be recorded, what is asked is not available, or there is no room.',
    retryAfter('Seconds to wait.'),
  ),
} as const;
