import { describe, expect, test } from 'vitest';
import { createSessionCookie } from '../../../src/inbound/rest/session-cookie.ts';

const ID = 'A'.repeat(43);

describe('over TLS', () => {
  const cookie = createSessionCookie({ isSecure: true, ttlMs: 28_800_000 });

  test('is for this host alone, encrypted, kept from scripts and from other sites', () => {
    expect(cookie.set(ID)).toBe(
      `__Host-mcp_gateway_session=${ID}; Max-Age=28800; Path=/; HttpOnly; SameSite=Lax; Secure`,
    );
    expect(cookie.clear()).toBe('__Host-mcp_gateway_session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure');
  });

  test('is not the one that a plain page could have set', () => {
    expect(cookie.find(`mcp_gateway_session=${ID}`)).toBeNull();
  });
});

describe('over plain HTTP', () => {
  const cookie = createSessionCookie({ isSecure: false, ttlMs: 1000 });

  test('has another name, because no browser takes the other', () => {
    expect(cookie.set(ID)).toBe(`mcp_gateway_session=${ID}; Max-Age=1; Path=/; HttpOnly; SameSite=Lax`);
  });

  test.each([
    { header: `mcp_gateway_session=${ID}`, found: ID, because: 'it is alone' },
    { header: `a=b; mcp_gateway_session=${ID};c=d`, found: ID, because: 'others are not looked at' },
    { header: undefined, found: null, because: 'there is none' },
    { header: `my_mcp_gateway_session=${ID}`, found: null, because: 'the name is another' },
    { header: `MCP_gateway_session=${ID}`, found: null, because: 'names are read as they are' },
    { header: `mcp_gateway_session="${ID}"`, found: null, because: 'ours is not quoted' },
    { header: `mcp_gateway_session=${ID}A`, found: null, because: 'ours is not so long' },
    {
      header: `mcp_gateway_session=${ID}; mcp_gateway_session=${'B'.repeat(43)}`,
      found: null,
      because: 'one is planted',
    },
  ])('finds $found, because $because', ({ header, found }) => expect(cookie.find(header)).toBe(found));
});
