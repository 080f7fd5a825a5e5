import { Ajv2020 } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { expect, it, test } from 'vitest';
import { z } from 'zod';
import type { JsonObject } from '../../../src/domain/json.ts';
import { describeApi } from '../../../src/inbound/rest/openapi.ts';
import { answer, defineRoute, type RestRoute, type RouteSpec } from '../../../src/inbound/rest/route.ts';
import { createOpenApiCheck } from '../../support/openapi-check.ts';

type Spec = Partial<RouteSpec<unknown, unknown, unknown>> &
  Pick<RouteSpec<unknown, unknown, unknown>, 'method' | 'path'>;
const route = (spec: Spec): RestRoute =>
  defineRoute({
    ...{ access: { kind: 'caller' }, operation: 'things', summary: 'Do it', tag: 'things', answers: {} },
    ...{ run: () => answer(200, {}), ...spec },
  });

const Thing = z
  .object({ name: z.string(), parts: z.array(z.lazy((): z.ZodType => Part)).optional() })
  .meta({ id: 'Thing' });
const Part = z.object({ of: z.string() }).meta({ id: 'Part' });
const List = z.object({ things: z.array(Thing) });
const NewThing = z.strictObject({ name: z.string(), size: z.int().default(1) }).meta({ id: 'NewThing' });

const TABLE = [
  route({
    ...{ method: 'GET', path: '/api/things', answers: { 200: { says: 'All.', schema: List } } },
    query: z.strictObject({
      limit: z.coerce.number().int().min(1).default(20),
      tag: z.array(z.string()).optional(),
      q: z.string(),
    }),
  }),
  route({
    ...{
      method: 'POST',
      path: '/api/things',
      access: { kind: 'ui', action: 'make_thing' },
      body: NewThing,
      form: true,
    },
    answers: { 201: { says: 'Made.', schema: Thing }, 409: { says: 'Taken.', schema: null } },
  }),
  route({
    ...{ method: 'GET', path: '/api/things/{path+}', params: z.strictObject({ path: z.string().max(99) }) },
    answers: { 200: { says: 'It.', schema: Thing, etag: 'always' }, 404: { says: 'Gone.', schema: null } },
  }),
  route({
    ...{ method: 'PUT', path: '/api/things/{path+}/size', body: z.strictObject({ size: z.int() }) },
    ...{ answers: { 204: { says: 'Kept.', schema: null, etag: 'sometimes' } }, takesRevision: true },
  }),
  route({
    ...{ method: 'GET', path: '/open', access: { kind: 'public' } },
    answers: { 200: { says: 'A page.', schema: null, types: ['text/html'] } },
  }),
  route({
    ...{ method: 'DELETE', path: '/api/things/{path+}', fails: ['NOT_FOUND', 'CONFLICT', 'STALE'] },
    answers: { 200: { says: 'What is left.', schema: List } },
  }),
  route({
    ...{ method: 'DELETE', path: '/api/things/{path+}/parts/{part}' },
    answers: { 204: { says: 'Gone.', schema: null } },
  }),
  route({ method: 'GET', path: '/again', answers: { 200: { says: 'All.', schema: List } } }),
];
const DOCUMENT = describeApi(TABLE, '9.9.9');
const at = (...path: string[]) =>
  path.reduce<unknown>((value, part) => (value as JsonObject)[part], DOCUMENT) as JsonObject;

/** What OpenAPI 3.1 asks of a document, of the parts that are used here. */
function findMistakes(document: JsonObject): string[] {
  const mistakes: string[] = [];
  const ids = new Set<string>();
  const resolve = (ref: string) =>
    ref
      .slice(2)
      .split('/')
      .reduce<unknown>(
        (value, part) => (value as JsonObject | undefined)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')],
        document,
      );
  const walk = (value: unknown, place: string): void => {
    if (Array.isArray(value)) return value.forEach((item, index) => void walk(item, `${place}/${index}`));
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      if (key === '$ref' && (typeof inner !== 'string' || !inner.startsWith('#/') || resolve(inner) === undefined))
        mistakes.push(`${place}: ${String(inner)} leads nowhere`);
      if (key === '$defs') mistakes.push(`${place}: definitions inside a schema`);
      walk(inner, `${place}/${key}`);
    }
  };
  walk(document, '#');
  for (const name of ['openapi', 'info', 'paths', 'components']) if (!(name in document)) mistakes.push(`no ${name}`);
  const { schemas, securitySchemes } = document.components as Record<string, JsonObject>;
  for (const name of Object.keys(schemas ?? {})) if (!/^[A-Za-z0-9._-]+$/.test(name)) mistakes.push(`schema ${name}`);
  for (const [path, item] of Object.entries(document.paths as JsonObject)) {
    if (!path.startsWith('/') || /[+\s]/.test(path)) mistakes.push(`path ${path}`);
    const places = [...path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => name);
    for (const [method, operation] of Object.entries(item as Record<string, JsonObject>)) {
      const { operationId, parameters = [], responses, security, tags } = operation;
      if (typeof operationId !== 'string' || ids.has(operationId))
        mistakes.push(`${method} ${path}: id ${String(operationId)}`);
      ids.add(String(operationId));
      const named = (parameters as JsonObject[]).filter(({ in: where }) => where === 'path').map(({ name }) => name);
      if (named.join() !== places.join()) mistakes.push(`${method} ${path}: places ${places} and parameters ${named}`);
      for (const parameter of parameters as JsonObject[])
        if (!('schema' in parameter) || (parameter.in === 'path' && parameter.required !== true))
          mistakes.push(`${path}: ${parameter.name}`);
      for (const [status, response] of Object.entries(responses as Record<string, JsonObject>))
        if (!/^[1-5]\d\d$/.test(status) || !('$ref' in response || 'description' in response))
          mistakes.push(`${path}: ${status}`);
      if (!Array.isArray(tags) || !tags.every(tag => (document.tags as JsonObject[]).some(({ name }) => name === tag)))
        mistakes.push(`${path}: tags`);
      for (const scheme of (security ?? document.security) as JsonObject[])
        for (const name of Object.keys(scheme))
          if (!(name in (securitySchemes ?? {}))) mistakes.push(`${path}: ${name}`);
    }
  }
  // Every schema must be one of JSON Schema 2020-12, which the check finds out by compiling it.
  const ajv = new Ajv2020({ strict: false });
  addFormats.default(ajv);
  ajv.addSchema(document, 'api');
  for (const name of Object.keys(schemas ?? {})) ajv.compile({ $ref: `api#/components/schemas/${name}` });
  return mistakes;
}

it('is a document of OpenAPI 3.1, and the check of that can fail', () => {
  expect(DOCUMENT.openapi).toBe('3.1.0');
  expect(findMistakes(DOCUMENT)).toEqual([]);
  const broken = JSON.parse(
    JSON.stringify(DOCUMENT).replace('#/components/schemas/Thing', '#/components/schemas/Nothing'),
  );
  expect(findMistakes(broken)).toEqual([expect.stringContaining('leads nowhere')]);
});

it('prints a place that takes slashes as one parameter, and says so', () => {
  expect(at('paths', '/api/things/{path}', 'get').parameters).toEqual([
    {
      ...{ name: 'path', in: 'path', required: true, schema: { type: 'string', maxLength: 99 } },
      ...{ description: expect.stringContaining('slashes'), 'x-multi-segment': true },
    },
  ]);
});

it('prints a query as parameters, each with what it takes and whether it must be', () => {
  expect(at('paths', '/api/things', 'get').parameters).toMatchObject([
    { name: 'limit', in: 'query', required: false, schema: { minimum: 1, default: 20 } },
    { name: 'tag', in: 'query', required: false, schema: { type: 'array' } },
    { name: 'q', in: 'query', required: true, schema: { type: 'string' } },
  ]);
});

it('shares what has an id or stands in two places', () => {
  expect(Object.keys(at('components', 'schemas'))).toEqual(['Error', 'NewThing', 'Part', 'Thing', 'Things200']);
  const answerOf = (path: string) =>
    at('paths', path, 'get', 'responses', '200', 'content', 'application/json', 'schema');
  expect(answerOf('/again')).toEqual({ $ref: '#/components/schemas/Things200' });
  expect(answerOf('/api/things')).toEqual(answerOf('/again'));
  // Whoever sends it may leave out what has a default.
  expect(at('components', 'schemas', 'NewThing').required).toEqual(['name']);
});

test.each([
  {
    ...{ path: '/open', method: 'get', because: 'nobody is asked who it is' },
    statuses: ['200', '400', '403', '500', '503'],
  },
  {
    path: '/api/things',
    method: 'get',
    statuses: ['200', '400', '401', '403', '429', '500', '503'],
    because: 'somebody is asked who it is',
  },
  {
    ...{ path: '/api/things', method: 'post', because: 'there is a body' },
    statuses: ['201', '400', '401', '403', '409', '412', '413', '415', '429', '500', '503'],
  },
  {
    ...{ path: '/api/things/{path}', method: 'delete', because: 'its services say no by these codes' },
    statuses: ['200', '400', '401', '403', '404', '409', '412', '429', '500', '503'],
  },
])('adds what the frame answers to $method $path: $because', ({ path, method, statuses }) => {
  expect(Object.keys(at('paths', path, method, 'responses')).sort()).toEqual(statuses);
});

it('says who may use what, and takes a form where the route does', () => {
  expect(at('paths', '/open', 'get').security).toEqual([]);
  const { description, 'x-access': access, requestBody } = at('paths', '/api/things', 'post');
  expect([description, access]).toEqual([
    expect.stringContaining('"make_thing"'),
    { kind: 'ui', action: 'make_thing' },
  ]);
  expect(Object.keys((requestBody as JsonObject).content as JsonObject)).toEqual([
    'application/json',
    'application/x-www-form-urlencoded',
  ]);
});

test('says what has a revision, and what takes one', () => {
  expect(at('paths', '/api/things/{path}', 'get', 'responses', '200', 'headers', 'ETag')).toMatchObject({
    required: true,
  });
  expect(at('paths', '/api/things/{path}/size', 'put', 'responses', '204', 'headers', 'ETag').required).toBe(false);
  expect(at('paths', '/api/things/{path}/size', 'put').parameters).toContainEqual(
    expect.objectContaining({ name: 'If-Match', in: 'header', required: false }),
  );
  expect(at('paths', '/api/things', 'get', 'responses', '200').headers).toBeUndefined();
});

test.each([
  {
    table: [route({ method: 'GET', path: '/a/{x}' }), route({ method: 'GET', path: '/a/{x+}' })],
    says: 'two routes would be printed',
  },
  { table: [route({ method: 'GET', path: '/a', query: z.string() })], says: 'read by an object schema' },
])('refuses to print what would mislead: $says', ({ table, says }) => {
  expect(() => describeApi(table, '1')).toThrow(says);
});

const CHALLENGE = { 'www-authenticate': 'Bearer' };
const LIMIT = { 'retry-after': '1', 'x-ratelimit-limit': '9', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '2' };

test.each([
  { seen: { path: '/api/things?q=x', body: '{"things":[]}' }, fault: null },
  { seen: { path: '/api/things', body: '{"things":[{"nam":1}]}' }, fault: /name/ },
  { seen: { path: '/api/things', body: '{"detail":"no"}', status: 403 }, fault: null },
  { seen: { path: '/api/things', body: '{"error":"no"}', status: 403 }, fault: /detail/ },
  { seen: { path: '/api/things', body: '{}', status: 418 }, fault: /not said to answer 418/ },
  { seen: { path: '/api/things', body: '', contentType: 'text/html' }, fault: /said to be application\/json/ },
  { seen: { path: '/api/a/b', body: '{}' }, fault: /not in the document/ },
  { seen: { path: '/api/a/b', body: '{"detail":"no"}', status: 404 }, fault: null },
  { seen: { path: '/health', body: '{}' }, fault: null },
  { seen: { path: '/api/things', body: '{"error":"forbidden_origin","detail":"no"}', status: 403 }, fault: null },
  { seen: { path: '/api/things', body: '{"error":"odd","detail":"no"}', status: 403 }, fault: /allowed values/ },
  { seen: { path: '/api/things/a/b', body: '{"detail":"no"}', status: 404 }, fault: null },
  { seen: { path: '/api/things/a/b', body: '{"detail":"no"}', status: 412 }, fault: /not said to answer 412/ },
  { seen: { method: 'DELETE', path: '/api/things/a/b/parts/c', body: '', status: 204 }, fault: null },
  { seen: { method: 'DELETE', path: '/api/things/a/b', body: '{"detail":"no"}', status: 412 }, fault: null },
  { seen: { path: '/api/things/a/b', body: '{"name":"b"}', headers: { etag: '"1"' } }, fault: null },
  { seen: { path: '/api/things/a/b', body: '{"name":"b"}' }, fault: /a header ETag/ },
  { seen: { path: '/api/things?q=x', body: '{"things":[]}', headers: { etag: '"1"' } }, fault: /no ETag/ },
  { seen: { method: 'PUT', path: '/api/things/a/b/size', body: '', status: 204 }, fault: null },
  {
    seen: { method: 'PUT', path: '/api/things/a/b/size', body: '', status: 204, headers: { etag: '"1"' } },
    fault: null,
  },
  { seen: { method: 'PUT', path: '/api/things/a/b/size', body: '{}', status: 204 }, fault: /no body/ },
  {
    seen: { path: '/api/things/a/b', body: '{"name":"b"}', headers: { etag: 'W/"1"' } },
    fault: /ETag: W\/"1" .*pattern/,
  },
  { seen: { path: '/api/things', body: '{"detail":"no"}', status: 401 }, fault: /a header WWW-Authenticate/ },
  { seen: { path: '/api/things', body: '{"detail":"no"}', status: 401, headers: CHALLENGE }, fault: null },
  { seen: { path: '/api/things', body: '{"detail":"no"}', status: 403, headers: CHALLENGE }, fault: null },
  { seen: { path: '/api/things', body: '{"detail":"no"}', status: 429 }, fault: /a header Retry-After/ },
  { seen: { path: '/api/things', body: '{"detail":"no"}', status: 429, headers: { ...LIMIT } }, fault: null },
  {
    seen: { path: '/api/things', body: '{"detail":"no"}', status: 429, headers: { ...LIMIT, 'retry-after': 'soon' } },
    fault: /Retry-After: soon .*integer/,
  },
  { seen: { path: '/api/things', body: '{"detail":"no"}', status: 503 }, fault: /a header Retry-After/ },
  {
    seen: { path: '/api/things', body: '{"detail":"no"}', status: 503, headers: { 'retry-after': '0' } },
    fault: />= 1/,
  },
])('the check of live answers finds $fault in $seen', ({ seen: { headers, ...seen }, fault }) => {
  const check = createOpenApiCheck(DOCUMENT);
  const sent = new Headers(headers as Record<string, string> | undefined);
  const base = { method: 'GET', status: 200, contentType: 'application/json', headers: sent };
  const found = check.findFault({ ...base, ...seen });
  if (fault === null) expect(found).toBeNull();
  else expect(found).toMatch(fault);
});
