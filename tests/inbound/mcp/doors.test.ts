import { describe, expect, test } from 'vitest';
import { findEntrance } from '../../../src/inbound/mcp/doors.ts';

describe('a path', () => {
  test.each([
    { path: '/mcp', server: null, exposure: null, transport: 'streamable', lenient: false },
    { path: '/', server: null, exposure: null, transport: 'streamable', lenient: true },
    { path: '/mcp/direct', server: null, exposure: 'direct', transport: 'streamable', lenient: false },
    { path: '/mcp/agent', server: null, exposure: 'agent', transport: 'streamable', lenient: false },
    { path: '/mcp/discovery', server: null, exposure: 'discovery', transport: 'streamable', lenient: false },
    { path: '/mcp/registry', server: null, exposure: 'registry', transport: 'streamable', lenient: false },
    { path: '/sse', server: null, exposure: null, transport: 'sse', lenient: false },
    { path: '/messages', server: null, exposure: null, transport: 'sse-post', lenient: false },
    { path: '/git/mcp', server: 'git', exposure: null, transport: 'streamable', lenient: false },
    { path: '/git/sse', server: 'git', exposure: null, transport: 'sse', lenient: false },
    { path: '/git/messages', server: 'git', exposure: null, transport: 'sse-post', lenient: false },
    { path: '/my.git_1-x/mcp', server: 'my.git_1-x', exposure: null, transport: 'streamable', lenient: false },
    { path: '/team/git/mcp', server: 'team/git', exposure: null, transport: 'streamable', lenient: false },
    { path: '/a/b/c/d/sse', server: 'a/b/c/d', exposure: null, transport: 'sse', lenient: false },
    { path: '/mcp/mcp', server: 'mcp', exposure: null, transport: 'streamable', lenient: false },
  ])('$path is a door', ({ path, server, exposure, transport, lenient }) =>
    expect(findEntrance(path, () => false)).toEqual({ door: { server, exposure }, transport, lenient }),
  );

  test.each([
    '/mcp/',
    '/MCP',
    '//mcp',
    '/mcp/auto',
    '/git',
    '/git/',
    '/git/mcp/',
    '/api/git/mcp',
    '/a//mcp',
    '/a/b/c/d/e/mcp',
    '/git/mcp/mcp',
    '/%67it/mcp',
    '/a b/mcp',
    `/${'x'.repeat(65)}/mcp`,
    '',
    'constructor',
    '/health',
    '/git/mcp/agent',
  ])('%s is none', path => expect(findEntrance(path, () => false)).toBeNull());
});

describe('a name under which clients look for a registry', () => {
  test.each([
    { path: '/mcpgw/mcp', transport: 'streamable' },
    { path: '/mcpgw/sse', transport: 'sse' },
    { path: '/mcpgw/messages', transport: 'sse-post' },
    { path: '/airegistry-tools/mcp', transport: 'streamable' },
  ])('$path leads to the registry, unless a server has the name', ({ path, transport }) => {
    const door = { server: null, exposure: 'registry' };
    expect(findEntrance(path, () => false)).toEqual({ door, transport, lenient: false });
    const server = path.split('/')[1];
    expect(findEntrance(path, name => name === server)).toMatchObject({ door: { server, exposure: null }, transport });
  });

  test('means nothing as a part of another path', () =>
    expect(findEntrance('/team/mcpgw/mcp', () => false)?.door).toEqual({ server: 'team/mcpgw', exposure: null }));
});
