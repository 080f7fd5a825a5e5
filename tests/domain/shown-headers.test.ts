import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { showHeaders } from '../../src/domain/shown-headers.ts';

const OPAQUE = 'hunter2';

test.each([
  ...['authorization', 'x-authorization', 'proxy-authorization', 'cookie', 'cookie2', 'set-cookie'],
  ...['x-api-key', 'apikey', 'x-functions-key', 'ocp-apim-subscription-key', 'x-auth', 'x-auth-token', 'x-csrf-token'],
  ...['mcp-session-id', 'x-session', 'x-amz-security-token', 'x-hub-signature-256', 'x-goog-iap-jwt-assertion'],
  ...['x-client-secret', 'x-user-password', 'dpop', 'x-amzn-oidc-data', 'X_Access_Token'],
])('%s is masked whatever stands in it', name => {
  expect(showHeaders({ [name]: OPAQUE }, null)).toEqual({ [name]: '[redacted]' });
});

test.each([
  { name: 'x-note', value: `Bearer ${randomBytes(12).toString('hex')}`, because: 'a bearer token' },
  { name: 'x-data', value: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.c2ln', because: 'a JWT' },
  { name: 'x-id', value: `ghp_${randomBytes(18).toString('hex')}`, because: 'a known prefix' },
  { name: 'x-any', value: 'Zp3Wd8Rk1Qs6Lx0Vb5Nt9Jc4Mg7Yh2Fu', because: 'a random run' },
  { name: 'referer', value: 'https://a.example/cb?code=4711-abc', because: 'a query' },
  { name: 'x-target', value: 'postgres://joe:pw-of-joe@db/x', because: 'user and password in a URL' },
])('a value that looks like $because is masked under any name', ({ name, value }) => {
  const shown = showHeaders({ [name]: value }, null)[name] ?? '';
  expect(shown).toContain('[redacted]');
  for (const part of value.split(/[ ?=@]/).slice(1)) if (part.length > 6) expect(shown).not.toContain(part);
});

test('what tells nothing is shown as it came, in its order', () => {
  const plain = {
    ...{ host: 'gw.example.test', 'user-agent': 'agent/1.0 (linux)', accept: 'application/json, text/event-stream' },
    ...{ 'mcp-protocol-version': '2025-11-25', 'x-forwarded-for': '198.51.100.7', 'x-tags': 'a, b' },
  };
  expect(Object.entries(showHeaders(plain, null))).toEqual(Object.entries(plain));
});

test('what is meant for a server behind us is masked, under whatever name', () => {
  const headers = { 'x-tenant': OPAQUE, 'x-color': 'red' };
  expect(showHeaders(headers, ['x-tenant', OPAQUE])).toEqual({ 'x-tenant': '[redacted]', 'x-color': 'red' });
});

test('a long value is cut, and a secret across the cut is masked before', () => {
  const secret = 'Kx7Rm2Wq9Tz4Lp8Vn5Bs0Yc3Gj6Hd1FuAeOi7Zt2Qk9Xw4Ns8Pd';
  const shown = showHeaders({ 'x-long': `${'word '.repeat(195)}${secret} ${'word '.repeat(2_000)}` }, null)['x-long'];
  expect(shown).toHaveLength(1_001);
  expect(shown).not.toContain(secret.slice(0, 12));
});

test('several values are one text, absent ones are absent, and no name reaches the prototype', () => {
  const headers = Object.fromEntries([
    ['x-many', ['a', 'b']],
    ['x-none', undefined],
    ['__proto__', 'x'],
  ]);
  const shown = showHeaders(headers, null);
  expect(Object.entries(shown)).toEqual([
    ['x-many', 'a, b'],
    ['__proto__', 'x'],
  ]);
  expect(Object.getPrototypeOf(shown)).toBe(Object.prototype);
});
