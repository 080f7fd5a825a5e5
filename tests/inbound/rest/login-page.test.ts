import { createHash } from 'node:crypto';
import { expect, test } from 'vitest';
import { LOGIN_PAGE_HEADERS, renderLoginPage } from '../../../src/inbound/rest/login-page.ts';

const plain = renderLoginPage({ next: '/', error: null });

test('holds no script and asks for nothing from elsewhere', () => {
  expect(plain).not.toMatch(/<script|\son\w+=|javascript:|https?:|\bsrc=|<link|@import|url\(/i);
  const csp = LOGIN_PAGE_HEADERS['content-security-policy'] ?? '';
  expect(csp).toMatch(/^default-src 'none'; /);
  expect(csp).not.toContain('unsafe');
  for (const rule of ["form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"]) expect(csp).toContain(rule);
});

test('its style is the one that the policy names', () => {
  const style = /<style>([\s\S]*)<\/style>/.exec(plain)?.[1] ?? '';
  const digest = createHash('sha256').update(style).digest('base64');
  expect(LOGIN_PAGE_HEADERS['content-security-policy']).toContain(`style-src 'sha256-${digest}'`);
});

test('every field has a label, and says to a password manager what it is', () => {
  const fields = [...plain.matchAll(/<input id="(\w+)"/g)].map(([, id]) => id);
  expect(fields).toEqual(['username', 'password']);
  for (const id of fields) expect(plain).toContain(`<label for="${id}">`);
  expect(plain).toMatch(/autocomplete="username"[\s\S]*autocomplete="current-password"/);
  expect(plain).toContain('<html lang="en">');
  expect(plain).not.toContain('role="alert"');
});

test('an error is told to whoever cannot see it too, in words of its own', () => {
  const wrong = renderLoginPage({ next: '/', error: 'credentials' });
  expect(wrong).toContain('<p id="error" role="alert">The name or the password is wrong.</p>');
  expect(wrong.match(/aria-describedby="error"/g)).toHaveLength(2);
  expect(wrong).toContain('<title>Error: ');
  expect(renderLoginPage({ next: '/', error: 'Call 555-0100 to unlock' })).toBe(plain);
});

test('what it was given stays text', () => {
  const html = renderLoginPage({ next: `"><img src=x onerror='a'>&amp;`, error: null });
  expect(html).toContain('value="&quot;&gt;&lt;img src=x onerror=&#39;a&#39;&gt;&amp;amp;"');
  expect(html).not.toContain('<img');
});
