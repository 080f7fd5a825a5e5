/** `/api/auth/*`: who the caller is and what it may do, whatever it showed, and what a page needs to let somebody log in. */
import { z } from 'zod';
import { failure } from '../../domain/error.ts';
import { type Identity, usernameOf } from '../../domain/identity.ts';
import type { CallerRights } from '../../services/gateway/describe-caller.ts';
import type { LoginSession } from '../../services/identity/admin-login.ts';
import { answer, defineRoute, type RestRoute } from './route.ts';

const texts = z.array(z.string());
const Me = z.object({
  username: z.string(),
  auth_method: z.enum(['local', 'api-key', 'jwt', 'vended', 'login']),
  provider: z.string(),
  scopes: texts,
  groups: texts,
  can_modify_servers: z.boolean(),
  is_admin: z.boolean(),
  ui_permissions: z.record(z.string(), texts),
  accessible_servers: texts,
  accessible_services: texts,
  accessible_agents: texts,
});
const CsrfToken = z.object({ csrf_token: z.string() });
const Providers = z.object({ providers: z.array(z.object({ name: z.string(), display_name: z.string() })) });
const AuthConfig = z.object({
  auth_server_url: z.string(),
  form_login: z.boolean(),
  csrf_header: z.string(),
});

export interface AuthParts {
  rightsOf(who: Identity): CallerRights;
  findSession(cookie: string | undefined): LoginSession | null;
  /** What operators call an issuer; null: it is none of theirs. */
  providerOf(issuer: string): string | null;
  /** How clients reach us, without a slash at the end. */
  publicUrl: string | null;
  hasLogin: boolean;
}

/** Whoever is known by something of ours. */
const OURS = 'local';

export function authRoutes({ rightsOf, findSession, providerOf, publicUrl, hasLogin }: AuthParts): RestRoute[] {
  const usual = { tag: 'auth', method: 'GET' } as const;
  return [
    defineRoute({
      ...{ ...usual, path: '/api/auth/me', operation: 'auth/me', access: { kind: 'caller' } },
      summary: 'Say who the caller is and what it may do',
      answers: { 200: { says: 'The caller.', schema: Me } },
      run({ who }) {
        const rights = rightsOf(who);
        return answer(200, {
          username: usernameOf(who),
          auth_method: who.method,
          provider: who.issuer === null ? OURS : (providerOf(who.issuer) ?? who.issuer),
          scopes: rights.scopes,
          groups: [...who.groups],
          can_modify_servers: rights.mayModifyServers,
          is_admin: rights.isAdmin,
          ui_permissions: Object.fromEntries(rights.ui),
          accessible_servers: rights.servers,
          accessible_services: rights.ui.get('list_service') ?? [],
          accessible_agents: rights.ui.get('list_agents') ?? [],
        });
      },
    }),
    defineRoute({
      ...{ ...usual, path: '/api/auth/csrf-token', operation: 'auth/csrf-token', access: { kind: 'caller' } },
      summary: 'Get what pages must show in X-CSRF-Token with whatever changes something',
      answers: { 200: { says: 'The token of this session.', schema: CsrfToken } },
      fails: ['NOT_FOUND'],
      run({ who, headers }) {
        const session = findSession(headers.cookie);
        if (session === null || session.who !== who) {
          return failure('NOT_FOUND', {}, { say: 'Only the session of a login has such a token, and needs one.' });
        }
        return answer(200, { csrf_token: session.csrf.reveal() });
      },
    }),
    defineRoute({
      ...{ ...usual, path: '/api/auth/providers', operation: 'auth/providers', access: { kind: 'public' } },
      summary: 'List the identity providers that a browser can log in by',
      answers: { 200: { says: 'None: tokens of issuers are shown by clients, in a header.', schema: Providers } },
      run: () => answer(200, { providers: [] }),
    }),
    defineRoute({
      ...{ ...usual, path: '/api/auth/config', operation: 'auth/config', access: { kind: 'public' } },
      summary: 'Say how a page lets somebody log in',
      answers: {
        200: { says: 'Whether there is a form at `/login`, and what a session must show.', schema: AuthConfig },
      },
      run: () => answer(200, { auth_server_url: publicUrl ?? '', form_login: hasLogin, csrf_header: 'X-CSRF-Token' }),
    }),
  ];
}
