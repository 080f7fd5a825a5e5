import { describe, expect, test } from 'vitest';
import { createChallenges } from '../../../src/services/identity/challenge.ts';

const WHERE = 'https://gw.example.test/.well-known/oauth-protected-resource';

describe('with issuers', () => {
  const challenges = createChallenges({ publicUrl: 'https://gw.example.test', scopes: ['mcp:tools.list'] });

  test('asks without an error who showed nothing', () => {
    expect(challenges.missing('/mcp')).toEqual({
      kind: 'challenge',
      status: 401,
      reason: 'missing',
      wwwAuthenticate: `Bearer resource_metadata="${WHERE}/mcp", scope="mcp:tools.list"`,
    });
  });

  test('says invalid_token to who showed what is not good, and never why', () => {
    expect(challenges.invalid('/mcp', 'expired')).toMatchObject({
      status: 401,
      reason: 'expired',
      wwwAuthenticate: `Bearer error="invalid_token", resource_metadata="${WHERE}/mcp", scope="mcp:tools.list"`,
    });
  });

  test('names every scope that a call needs at once', () => {
    expect(challenges.insufficientScope('/mcp', ['mcp:tools.call', 'b'])).toMatchObject({
      status: 403,
      wwwAuthenticate: `Bearer error="insufficient_scope", resource_metadata="${WHERE}/mcp", scope="mcp:tools.call b"`,
    });
  });

  test('asks for no other token where none would help', () => {
    expect(challenges.forbidden('/mcp', 'group_overage')).toMatchObject({
      status: 403,
      wwwAuthenticate: `Bearer resource_metadata="${WHERE}/mcp"`,
    });
  });

  test.each([
    { path: '/', to: '' },
    { path: '/mcp/agent', to: '/mcp/agent' },
    { path: '/github/mcp', to: '/github/mcp' },
    { path: '/github/sse', to: '/github/sse' },
    { path: '/github/messages', to: '/github/sse' },
    { path: '/metrics', to: '' },
    { path: '/a"b/mcp', to: '' },
    { path: '/x\r\ny: z/mcp', to: '' },
  ])('points from $path to the metadata of its own resource', ({ path, to }) => {
    expect(challenges.missing(path).wwwAuthenticate).toContain(`resource_metadata="${WHERE}${to}"`);
  });

  test('leaves out what could break out of its quotes', () => {
    const { wwwAuthenticate } = challenges.insufficientScope('/mcp', ['a"', 'b\r\nX: y', 'c']);
    expect(wwwAuthenticate).toMatch(/scope="c"$/);
  });
});

test('without issuers there is no metadata to point to, and no scope to ask for', () => {
  const challenges = createChallenges({ publicUrl: null, scopes: ['mcp:tools.list'] });
  expect(challenges.missing('/mcp').wwwAuthenticate).toBe('Bearer realm="mcp"');
  expect(challenges.invalid('/mcp', 'unknown').wwwAuthenticate).toBe('Bearer realm="mcp", error="invalid_token"');
  expect(challenges.forbidden('/mcp', 'x').wwwAuthenticate).toBe('Bearer realm="mcp"');
});
