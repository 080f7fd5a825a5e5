import { expect, it } from 'vitest';
import { keyOfPath, pathOfKey, RegistryPath, readRegistryPath } from '../../src/domain/registry-path.ts';

it.each([
  { written: '/github', path: '/github', because: 'it is canonical' },
  { written: 'github', path: '/github', because: 'a missing leading slash is forgiven' },
  { written: '/github/', path: '/github', because: 'a trailing slash is forgiven' },
  { written: '/team/a/b/c', path: '/team/a/b/c', because: 'four parts are enough for a peer, a team and a name' },
  { written: '/Team.v2_x-1', path: '/Team.v2_x-1', because: 'case and marks are kept' },
  { written: `/${'a'.repeat(64)}`, path: `/${'a'.repeat(64)}`, because: 'a part may have 64 characters' },
  { written: '/mcpgw', path: '/mcpgw', because: 'only whole parts are reserved' },
  { written: '/rate', path: '/rate', because: 'addresses below a server are reserved below one only' },
])('takes $written, because $because', ({ written, path }) => {
  expect(readRegistryPath(written)).toEqual({ ok: true, path });
  expect(pathOfKey(keyOfPath(path))).toBe(path);
  expect(RegistryPath.safeParse(path).success).toBe(true);
});

it.each([
  { written: '', because: 'it names nothing' },
  { written: '/', because: 'it names nothing' },
  { written: '//a', because: 'two slashes have two readings' },
  { written: '/a//b', because: 'two slashes have two readings' },
  { written: '/a//', because: 'two slashes have two readings' },
  { written: '/.', because: 'a dot is resolved away by whoever reads the address' },
  { written: '/a/../b', because: 'it leaves the place' },
  { written: '/a/%2e%2e', because: 'an escape has two spellings' },
  { written: '/a b', because: 'a blank is not written in an address' },
  { written: '/a\n', because: 'a line end is not written in an address' },
  { written: '/ä', because: 'letters outside ASCII have several spellings' },
  { written: '/a\\b', because: 'some read it as a slash' },
  { written: '/a?b', because: 'what follows is a query' },
  { written: `/${'a'.repeat(65)}`, because: 'the part is too long' },
  { written: '/a/b/c/d/e', because: 'there are too many parts' },
  { written: '/mcp', because: 'it is the MCP endpoint' },
  { written: '/MCP', because: 'some file systems and proxies do not tell case apart' },
  { written: '/api/servers', because: 'everything below /api is ours' },
  { written: '/v0.1/x', because: 'the compatibility API is there' },
  { written: '/.well-known/x', because: 'clients look for our metadata there' },
  { written: '/oauth2', because: 'logins are there' },
  { written: '/all', because: 'it stands for every server' },
  { written: '/a/mcp', because: 'it is the endpoint of /a' },
  { written: '/a/Rating', because: 'it is an address of /a' },
  { written: '/a/versions/b', because: 'it is a version of /a' },
])('refuses $written, because $because', ({ written }) => {
  const read = readRegistryPath(written);
  expect(read.ok).toBe(false);
  expect(!read.ok && read.reason).toMatch(/^(?:must|has|begins|holds) /);
  expect(RegistryPath.safeParse(written).success).toBe(false);
});

it.each(['github', '/github/', 'a/'])('forgives nothing in what is stored: %s', written => {
  expect(RegistryPath.safeParse(written).success).toBe(false);
});
