/** Routes that are about the caller: how it logs in, who it is, what it may do, tokens for a part of that. */
import type { Config } from '../config/config.ts';
import { type PolicySet, scopesOf } from '../domain/policy.ts';
import type { ServerKey } from '../domain/server.ts';
import { authRoutes } from '../inbound/rest/auth.ts';
import { loginRoutes } from '../inbound/rest/login.ts';
import type { RestRoute } from '../inbound/rest/route.ts';
import { tokenRoutes } from '../inbound/rest/tokens.ts';
import { validateRoutes } from '../inbound/rest/validate.ts';
import type { CatalogBook } from '../services/catalog/catalog-book.ts';
import type { Pins } from '../services/catalog/pins.ts';
import { describeCaller } from '../services/gateway/describe-caller.ts';
import { createMayCall } from '../services/gateway/may-call.ts';
import type { Quarantine } from '../services/limits/quarantine.ts';
import type { IdentityParts } from './identity.ts';

export interface CallerParts {
  /** As it was started. */
  config: Config;
  who: Pick<IdentityParts, 'tokens' | 'login' | 'findSession'>;
  policy(): PolicySet;
  catalog: Pick<CatalogBook, 'current'>;
  quarantine: Quarantine;
  pins: Pins;
  settledOne(server: ServerKey): Promise<void>;
}

export function createCallerRoutes(parts: CallerParts): RestRoute[] {
  const { config, who, policy, catalog, quarantine, pins, settledOne } = parts;
  const { tokens, login, findSession } = who;
  const { identity, defaultAgent, debug } = config;
  const { publicUrl } = identity;
  const mayCall = createMayCall({
    policy,
    catalog: catalog.current,
    quarantine,
    pins,
    settledOne,
    defaultAgent,
    debug,
  });
  return [
    ...(login === null ? [] : loginRoutes(login)),
    ...authRoutes({
      rightsOf: caller => describeCaller(policy(), caller, catalog.current().servers.keys(), defaultAgent),
      findSession,
      providerOf: issuer => identity.issuers.find(known => known.issuer === issuer)?.name ?? null,
      publicUrl,
      hasLogin: login !== null,
    }),
    ...validateRoutes({
      ...{ mayCall, scopesOf: caller => scopesOf(policy(), caller), publicUrl },
      hasServer: server => catalog.current().servers.has(server),
    }),
    ...(tokens === null ? [] : tokenRoutes(tokens)),
  ];
}
