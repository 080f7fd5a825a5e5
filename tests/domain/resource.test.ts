import { expect, test } from 'vitest';
import { canonicalResource, findEndpoint, findResourceEndpoint } from '../../src/domain/resource.ts';

test.each([
  {
    uri: 'HTTPS://GW.Example.test/Mcp',
    is: 'https://gw.example.test/Mcp',
    because: 'scheme and host have no case, paths do',
  },
  { uri: 'https://gw.test/', is: 'https://gw.test', because: 'a slash alone is no path' },
  { uri: 'https://gw.test/mcp/', is: 'https://gw.test/mcp/', because: 'a slash behind a path is part of it' },
  { uri: 'https://gw.test/mcp/../admin', is: 'https://gw.test/mcp/../admin', because: 'dots are not resolved' },
  { uri: 'https://gw.test:443/mcp', is: 'https://gw.test:443/mcp', because: 'ports are not guessed' },
  { uri: 'API://Gateway', is: 'API://Gateway', because: 'other names are only compared' },
  { uri: '', is: '', because: 'nothing stays nothing' },
])('$because', ({ uri, is }) => expect(canonicalResource(uri)).toBe(is));

test.each([
  { path: '/', is: { path: '', server: null } },
  { path: '/mcp', is: { path: '/mcp', server: null } },
  { path: '/mcp/agent', is: { path: '/mcp/agent', server: null } },
  { path: '/messages', is: { path: '/sse', server: null } },
  { path: '/github/mcp', is: { path: '/github/mcp', server: 'github' } },
  { path: '/github/messages', is: { path: '/github/sse', server: 'github' } },
  { path: '/metrics', is: null },
  { path: '/team/github/mcp', is: { path: '/team/github/mcp', server: 'team/github' } },
  { path: '/api/github/mcp', is: null },
  { path: '/a/b/c/d/e/mcp', is: null },
  { path: '/a%2Fb/mcp', is: null },
  { path: '/mcp/', is: null },
])('$path is the endpoint $is', ({ path, is }) => expect(findEndpoint(path)).toEqual(is));

test('an endpoint is ours only below our own address', () => {
  const at = 'https://gw.test/base';
  expect(findResourceEndpoint(at, 'https://gw.test/base/github/mcp')).toMatchObject({ server: 'github' });
  for (const other of ['https://gw.test/github/mcp', 'https://gw.test/basement/mcp', 'https://gw.test/base.evil/mcp'])
    expect(findResourceEndpoint(at, other)).toBeNull();
});

test.each([
  { path: '/mcpgw/mcp', has: [], server: null, because: 'no server has the name, so it is the registry' },
  { path: '/mcpgw/messages', has: [], server: null, because: 'the same by its other transport' },
  { path: '/airegistry-tools/sse', has: [], server: null, because: 'so it is by its later name' },
  { path: '/mcpgw/mcp', has: ['mcpgw'], server: 'mcpgw', because: 'a server that is there has its name' },
  { path: '/team/mcpgw/mcp', has: [], server: 'team/mcpgw', because: 'the name alone is the registry’s' },
  { path: '/github/mcp', has: [], server: 'github', because: 'other names are servers, there or not' },
])('$path: $because', ({ path, has, server }) => {
  const names: readonly string[] = has;
  expect(findResourceEndpoint('https://gw.test', `https://gw.test${path}`, name => names.includes(name))?.server).toBe(
    server,
  );
  // As long as it is not known which names are taken, a token is bound.
  expect(findResourceEndpoint('https://gw.test', `https://gw.test${path}`)?.server).not.toBeNull();
});
