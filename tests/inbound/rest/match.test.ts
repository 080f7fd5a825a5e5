import { describe, expect, test } from 'vitest';
import { compileRoutes } from '../../../src/inbound/rest/match.ts';
import { answer, defineRoute, type Method } from '../../../src/inbound/rest/route.ts';

const route = (method: Method, path: string) =>
  defineRoute({
    ...{ method, path, operation: `${method} ${path}`, summary: '', tag: 'test', answers: {} },
    ...{ access: { kind: 'caller' }, run: () => answer(200, {}) },
  });

const TABLE = [
  route('GET', '/api/servers'),
  route('GET', '/api/servers/health'),
  route('GET', '/api/servers/{path+}'),
  route('PUT', '/api/servers/{path+}'),
  route('POST', '/api/servers/{path+}/rate'),
  route('DELETE', '/api/servers/{path+}/versions/{version}'),
  route('GET', '/v0.1/servers/{name}/versions/{version}'),
];
const find = compileRoutes(TABLE);

describe('a path finds its route', () => {
  test.each([
    { asked: 'GET /api/servers', route: '/api/servers', params: {}, because: 'it is written so' },
    { asked: 'GET /api/servers/health', route: '/api/servers/health', params: {}, because: 'what is fixed wins' },
    { asked: 'GET /api/servers/a', route: '/api/servers/{path+}', params: { path: 'a' }, because: 'one segment' },
    { asked: 'HEAD /api/servers/a', route: '/api/servers/{path+}', params: { path: 'a' }, because: 'HEAD is GET' },
    { asked: 'GET /api/servers/a/b', route: '/api/servers/{path+}', params: { path: 'a/b' }, because: 'or several' },
    {
      ...{ asked: 'POST /api/servers/a/b/rate', route: '/api/servers/{path+}/rate', params: { path: 'a/b' } },
      because: 'a longer tail is tried first',
    },
    {
      ...{ asked: 'DELETE /api/servers/a/versions/v1.2', route: '/api/servers/{path+}/versions/{version}' },
      ...{ params: { path: 'a', version: 'v1.2' }, because: 'places before and behind' },
    },
    {
      ...{ asked: 'GET /v0.1/servers/io.x%2Fa/versions/latest', route: '/v0.1/servers/{name}/versions/{version}' },
      ...{ params: { name: 'io.x/a', version: 'latest' }, because: 'an encoded slash stays in its segment' },
    },
    {
      asked: 'GET /api/servers/__proto__',
      route: '/api/servers/{path+}',
      params: { path: '__proto__' },
      because: 'data',
    },
  ])('$asked: $because', ({ asked, route: path, params }) => {
    const [method = '', target = ''] = asked.split(' ');
    const match = find(method, target);
    expect(match).toMatchObject({ kind: 'found', route: { path } });
    expect({ ...(match?.kind === 'found' ? match.params : null) }).toEqual(params);
  });
});

test.each([
  { path: '/api/servers/%2e%2e/admin', because: 'a step up' },
  { path: '/api/servers/..', because: 'a step up, as it is' },
  { path: '/api/servers/a%2F..%2Fb', because: 'a step up behind encoded slashes' },
  { path: '/api/servers/a%00', because: 'NUL' },
  { path: '/api/servers/a%0d%0ax', because: 'a line end' },
  { path: '/api/servers/a%5Cb', because: 'a backslash' },
  { path: '/api/servers/%zz', because: 'no encoding' },
])('$path is malformed: $because', ({ path }) => {
  expect(find('GET', path)).toEqual({ kind: 'malformed' });
});

test('another method is told which there are, an unknown path nothing', () => {
  expect(find('PATCH', '/api/servers/health')).toEqual({ kind: 'method', allow: ['GET', 'HEAD', 'PUT'] });
  expect(find('GET', '/api/unknown')).toBeNull();
  expect(find('GET', '/api/servers/')).toBeNull();
});

test('two routes for one method and path are a mistake', () => {
  expect(() => compileRoutes([route('GET', '/a/{x}'), route('GET', '/a/{x}')])).toThrow('two routes answer');
  expect(() => compileRoutes([route('GET', '/a/{x}'), route('PUT', '/a/{y}')])).toThrow('names its places anew');
});
