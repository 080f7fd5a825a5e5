/** What an OAuth client program keeps: whatever it is given; and the browser it opens when it is told to. */
import type { OAuthClientProvider } from '@modelcontextprotocol/client';

export function createVisitor() {
  const kept: { information?: unknown; tokens?: unknown; verifier: string } = { verifier: '' };
  const browser: { url: URL | null } = { url: null };
  const authProvider: OAuthClientProvider = {
    redirectUrl: 'http://127.0.0.1:1/callback',
    clientMetadata: {
      client_name: 'visitor',
      redirect_uris: ['http://127.0.0.1:1/callback'],
      token_endpoint_auth_method: 'none',
    },
    clientInformation: () => kept.information as ReturnType<OAuthClientProvider['clientInformation']>,
    saveClientInformation(given) {
      kept.information = given;
    },
    tokens: () => kept.tokens as ReturnType<OAuthClientProvider['tokens']>,
    saveTokens(given) {
      kept.tokens = given;
    },
    redirectToAuthorization(url) {
      browser.url = url;
    },
    saveCodeVerifier(text) {
      kept.verifier = text;
    },
    codeVerifier: () => kept.verifier,
  };
  return { authProvider, browser };
}
