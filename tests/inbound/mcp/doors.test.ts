import { describe, expect, test } from 'vitest';
import { findEntrance } from '../../../src/inbound/mcp/doors.ts';

describe('a path', () => {
  test.each([
    { path: '/mcp', server: null, exposure: null, transport: 'streamable', lenient: false },
    { path: '/', server: null, exposure: null, transport: 'streamable', lenient: true },
    { path: '/mcp/direct', server: null, exposure: 'direct', transport: 'streamable', lenient: false },
    { path: '/mcp/agent', server: null, exposure: 'agent', transport: 'streamable', lenient: false },
    { path: '/mcp/discovery', server: null, exposure: 'discovery', transport: 'streamable', lenient: false },
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
    expect(findEntrance(path)).toEqual({ door: { server, exposure }, transport, lenient }),
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
  ])('%s is none', path => expect(findEntrance(path)).toBeNull());
});
