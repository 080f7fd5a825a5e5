/**
 * `GET|POST /login` and `POST /logout`: an operator's session in a browser. A failure looks the same for a known and an
 * unknown name; an id of before the login is never kept (session fixation). Ending a session needs no proof that the page
 * is ours: ending is all that a forged one could do.
 */
import { z } from 'zod';
import { failure } from '../../domain/error.ts';
import { toLocalPath } from '../../domain/local-path.ts';
import type { AdminLogin } from '../../services/identity/admin-login.ts';
import { LOGIN_PAGE_HEADERS, renderLoginPage } from './login-page.ts';
import { defineRoute, type RestAnswer, type RestRoute, redirect } from './route.ts';
import type { SessionCookie } from './session-cookie.ts';

const MAX_BODY = 16 * 1024;
const word = z.string().optional().catch(undefined);
const HTML = ['text/html'];
const PageQuery = z.object({ next: word, error: word });
/** What is left out is a wrong name or password like any other. */
const LoginBody = z.object({ username: z.string().default(''), password: z.string().default(''), next: word });

const page = (
  status: number,
  next: string,
  error: string | null,
  headers: Record<string, string> = {},
): RestAnswer => ({
  kind: 'rest',
  status,
  text: renderLoginPage({ next, error }),
  headers: { ...LOGIN_PAGE_HEADERS, ...headers },
});

export function loginRoutes({ login, cookie }: { login: AdminLogin; cookie: SessionCookie }): RestRoute[] {
  const sessionIn = (header: string | undefined) => {
    const value = cookie.find(header);
    return value === null || login.find(value) === null ? null : value;
  };
  const usual = { tag: 'auth', access: { kind: 'public' } } as const;

  return [
    defineRoute({
      ...{ ...usual, method: 'GET', path: '/login', operation: 'login/page', query: PageQuery },
      summary: 'Show the form an operator logs in on',
      answers: {
        200: { says: 'The form.', schema: null, types: HTML },
        302: { says: 'Logged in already.', schema: null },
      },
      run({ query, headers }) {
        const next = toLocalPath(query.next);
        return sessionIn(headers.cookie) === null ? page(200, next, query.error ?? null) : redirect(next);
      },
    }),
    defineRoute({
      ...{ ...usual, method: 'POST', path: '/login', operation: 'login', keepsBook: true, needsCsrf: false },
      ...{ form: true, maxBytes: MAX_BODY, body: LoginBody },
      summary: 'Log in with the name and the password of the operator',
      answers: {
        302: { says: 'To `next` with a session cookie, or back to the form with an error.', schema: null },
        429: { says: 'Too many attempts; `Retry-After` says when the next may be made.', schema: null, types: HTML },
        503: { says: 'Not now: it cannot be recorded.', schema: null, types: HTML },
      },
      async run({ body, headers, address, id }) {
        const next = toLocalPath(body.next);
        const result = await login.login(body.username, body.password, { id, address });
        switch (result.kind) {
          case 'session': {
            const before = sessionIn(headers.cookie);
            if (before !== null) await login.logout(before, { id, address });
            return redirect(next, { 'set-cookie': cookie.set(result.cookie) });
          }
          case 'wrong':
            return redirect(`/login?error=credentials${next === '/' ? '' : `&next=${encodeURIComponent(next)}`}`);
          case 'too_many':
            return page(429, next, 'limited', { 'retry-after': String(Math.ceil(result.retryAfterMs / 1000)) });
          case 'unrecordable':
            return page(503, next, 'unavailable', { 'retry-after': '1' });
        }
      },
    }),
    ...['/logout', '/api/auth/logout'].map(path =>
      defineRoute({
        ...{ ...usual, method: 'POST', path, operation: 'logout', keepsBook: true, needsCsrf: false },
        summary: 'End the session of the cookie',
        answers: { 302: { says: 'To the form; the cookie is gone and good for nothing.', schema: null } },
        async run({ headers, address, id }) {
          // A page of another port of this machine is no other site to a cookie.
          const site = headers['sec-fetch-site'];
          if (site !== undefined && site !== 'same-origin' && site !== 'none') return failure('DENIED_BY_POLICY');
          const value = cookie.find(headers.cookie);
          if (value !== null) await login.logout(value, { id, address });
          return redirect('/login', { 'set-cookie': cookie.clear() });
        },
      }),
    ),
  ];
}
