/** A real authorization server (oidc-provider) on loopback that signs access tokens for the resources it is asked for. */
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createEcKey, createRsaKey } from './token-issuer.ts';

export interface ServiceClient {
  id: string;
  secret: string;
  /** Put into the claim `groups` of its tokens. */
  groups: readonly string[];
}

export interface AuthorizationServer {
  issuer: string;
  /** Client credentials for a resource (RFC 6749, 4.4; RFC 8707). */
  token(client: ServiceClient, resource: string, scope: string): Promise<string>;
  /** What a person does in a browser: signs in, agrees, and is sent back with a code. Returns where to. */
  signIn(authorizationUrl: URL, user: string): Promise<URL>;
  close(): Promise<void>;
}

interface ResourceInfo {
  scope: string;
  accessTokenFormat: 'jwt';
  accessTokenTTL: number;
  jwt: { sign: { alg: string } };
}

/** What is used of the library, which brings no types. */
interface Library {
  Provider: new (issuer: string, configuration: object) => { callback(): RequestListener; proxy: boolean };
}

export interface AuthorizationServerOptions {
  clients: readonly ServiceClient[];
  scopes: readonly string[];
  /** People with an account, and the groups in their tokens; clients that register themselves may ask for them. */
  people?: ReadonlyMap<string, readonly string[]>;
  /** `RS256` unless told otherwise. */
  algorithm?: string;
}

export async function startAuthorizationServer(options: AuthorizationServerOptions): Promise<AuthorizationServer> {
  const name: string = 'oidc-provider';
  const { Provider } = (await import(name)) as Library;
  let answer: RequestListener = (_, res) => void res.writeHead(503).end();
  const server = createServer((req, res) => answer(req, res));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const resourceInfo: ResourceInfo = {
    scope: options.scopes.join(' '),
    accessTokenFormat: 'jwt',
    accessTokenTTL: 300,
    jwt: { sign: { alg: options.algorithm ?? 'RS256' } },
  };
  const keys = [createRsaKey('as-rsa'), createEcKey('as-ec')];
  const provider = new Provider(issuer, {
    jwks: { keys: keys.map(({ privateKey, kid }) => ({ ...privateKey.export({ format: 'jwk' }), kid, use: 'sig' })) },
    ttl: {
      ClientCredentials: 300,
      AccessToken: 300,
      Grant: 300,
      Interaction: 300,
      Session: 300,
      IdToken: 300,
      RefreshToken: 300,
    },
    findAccount: (_: unknown, id: string) => ({ accountId: id, claims: () => ({ sub: id }) }),
    clients: options.clients.map(({ id, secret }) => ({
      client_id: id,
      client_secret: secret,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    })),
    scopes: ['openid', 'offline_access', ...options.scopes],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        getResourceServerInfo: () => resourceInfo,
        useGrantedResource: () => true,
      },
    },
    extraTokenClaims: (_: unknown, token: { clientId?: string; accountId?: string }) => {
      const own = options.clients.find(({ id }) => id === token.clientId)?.groups;
      return { groups: options.people?.get(token.accountId ?? '') ?? own ?? [] };
    },
  });
  answer = provider.callback();
  return {
    issuer,
    async token({ id, secret }, resource, scope) {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope }),
      });
      const { access_token: token } = (await response.json()) as { access_token?: string };
      if (token === undefined) throw new Error(`no token: ${response.status}`);
      return token;
    },
    signIn: (authorizationUrl, user) => browse(authorizationUrl, issuer, user),
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

const MAX_STEPS = 16;

/** Follows redirects with cookies and fills in the two forms, until it is sent away from the server. */
async function browse(from: URL, issuer: string, user: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = from;
  let form: URLSearchParams | null = null;
  for (let step = 0; step < MAX_STEPS; step++) {
    const response: Response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(form === null ? {} : { method: 'POST', body: form }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      if (name !== undefined && value !== undefined) cookies.set(name, value);
    }
    const location = response.headers.get('location');
    const page = await response.text();
    if (location !== null) {
      url = new URL(location, url);
      form = null;
      if (url.origin !== issuer) return url;
    } else {
      const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
      if (prompt === undefined) throw new Error(`no form on ${url.pathname}: ${response.status}`);
      form = new URLSearchParams({ prompt, ...(prompt === 'login' ? { login: user, password: 'any' } : {}) });
    }
  }
  throw new Error('sent from page to page');
}
