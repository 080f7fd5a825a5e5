/**
 * A server as the registry keeps it: one record per path and version, of which one version per path is active. Secrets
 * are here only sealed, and on no card that leaves the gateway. What an operator's file says about a server is in server.ts.
 */
import { z } from 'zod';
import { entryFields, JsonDocument, texts } from './registered.ts';
import { keyOfPath, RegistryPath } from './registry-path.ts';
import type { ServerKey } from './server.ts';

export const TRANSPORTS = ['auto', 'streamable-http', 'sse', 'stdio'] as const;
export type RegisteredTransport = (typeof TRANSPORTS)[number];

export const AUTH_SCHEMES = ['none', 'bearer', 'api_key'] as const;
export type AuthScheme = (typeof AUTH_SCHEMES)[number];

/** A process that we start ourselves; only operators may write one. */
export const Launch = z.strictObject({
  command: z.string().min(1),
  args: texts,
  /** Names of variables of the gateway's own environment that the process gets; values are kept nowhere here. */
  env: texts,
});
export type Launch = z.output<typeof Launch>;

/** A stored record; strict, because an unknown field was written by a newer program that meant something by it. */
export const RegisteredServer = z.strictObject({
  path: RegistryPath,
  /** `v1.0.0` and the like; unique per path. */
  version: z.string().min(1).max(128),
  isActiveVersion: z.boolean(),
  ...entryFields,
  /** http or https; null for a server that is started, or known by its endpoints only. */
  proxyUrl: z.string().nullable(),
  mcpEndpoint: z.string().nullable(),
  sseEndpoint: z.string().nullable(),
  transport: z.enum(TRANSPORTS),
  supportedTransports: texts,
  launch: Launch.nullable(),
  numTools: z.number().int().nonnegative(),
  /** When a deprecated server ends; ISO 8601 date or date and time. */
  sunsetDate: z.string().nullable(),
  /** `local`: it runs on the machine of whoever uses it, and `localRuntime` says how; the gateway never calls it. */
  deployment: z.enum(['remote', 'local']),
  localRuntime: JsonDocument.nullable(),
  authScheme: z.enum(AUTH_SCHEMES),
  authHeaderName: z.string().nullable(),
  sealedCredential: z.string().nullable(),
  sealedHeaders: z.string().nullable(),
  metadata: JsonDocument,
  /** Of the latest change, higher than any earlier one in the storage, so that no two states ever share an ETag. */
  revision: z.number().int().positive(),
});
export type RegisteredServer = z.output<typeof RegisteredServer>;

/** As it is handed to be stored: the storage gives the revision. */
export type ServerDraft = Omit<RegisteredServer, 'revision'>;

/** All of a record that may be shown to whoever may see the server. */
export type ServerCard = Omit<RegisteredServer, 'sealedCredential' | 'sealedHeaders'>;

export function serverKeyOf({ path }: Pick<RegisteredServer, 'path'>): ServerKey {
  return keyOfPath(path);
}

export function toServerCard(server: RegisteredServer): ServerCard {
  const { sealedCredential: _credential, sealedHeaders: _headers, ...card } = server;
  return card;
}
