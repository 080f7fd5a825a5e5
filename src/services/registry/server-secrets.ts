/**
 * The secrets of a registered server: a credential and headers of its own, sealed when they are stored and opened only
 * where they are sent or shown to whoever may change them. Sealed for one version of one path, good in no other place.
 */
import { type Failure, failure } from '../../domain/error.ts';
import type { AuthScheme, RegisteredServer } from '../../domain/registered-server.ts';
import { Secret } from '../../domain/secret.ts';
import {
  findHeaderMistakes,
  findHeaderNameMistake,
  findHeaderValueMistake,
  type OwnHeader,
} from '../../domain/server-mistakes.ts';
import type { Sealer } from '../../ports/vault.ts';
import { done, type Result } from './desk.ts';

export interface AuthWish {
  scheme: AuthScheme;
  credential: Secret | null;
  headerName: string | null;
}

export interface SecretsWish {
  auth?: AuthWish | undefined;
  headers?: readonly OwnHeader[] | undefined;
}

type Place = Pick<RegisteredServer, 'path' | 'version'>;
export type SealedFields = Pick<
  RegisteredServer,
  'authScheme' | 'authHeaderName' | 'sealedCredential' | 'sealedHeaders'
>;

export const NO_SECRETS: SealedFields = {
  authScheme: 'none',
  authHeaderName: null,
  sealedCredential: null,
  sealedHeaders: null,
};

const recordOf = ({ path, version }: Place) => `server ${path} ${version}`;

/** The header that carries the credential, lower-case; null: there is none. */
export function credentialHeader({ authScheme, authHeaderName }: SealedFields): string | null {
  if (authScheme === 'none') return null;
  return (authHeaderName ?? (authScheme === 'bearer' ? 'authorization' : 'x-api-key')).toLowerCase();
}

/** What is wrong with what is to be sealed; null: nothing. Leaves nothing behind. */
export function findSecretsObjection(
  sealer: Sealer | null,
  place: Place,
  { auth, headers }: SecretsWish,
  before: SealedFields,
): Failure | null {
  if (auth === undefined && headers === undefined) return null;
  const mistakes = auth === undefined ? [] : findAuthMistakes(auth);
  const own = headers ?? openHeaders(sealer, { ...place, ...before }) ?? [];
  mistakes.push(...findHeaderMistakes(own, credentialHeader(withScheme(before, auth))));
  return mistakes.length > 0 ? failure('INVALID_PARAMS', {}, { say: mistakes.join('; ') }) : null;
}

/**
 * To be called last, once everything else has been accepted: the first seal of a gateway lays its vault, and what is
 * refused is to leave nothing behind. Fails where there is no usable key: nothing is kept in clear.
 */
export function sealSecrets(
  sealer: Sealer | null,
  place: Place,
  { auth, headers }: SecretsWish,
  before: SealedFields,
): Result<SealedFields> {
  const next = withScheme(before, auth);
  try {
    if (auth !== undefined) next.sealedCredential = seal(sealer, place, 'credential', auth.credential);
    if (headers !== undefined) {
      const text = JSON.stringify(headers.map(({ name, value }) => [name, value.reveal()]));
      next.sealedHeaders = seal(sealer, place, 'headers', headers.length === 0 ? null : new Secret(text));
    }
  } catch (cause) {
    return noVault(cause);
  }
  return done(next);
}

function withScheme(before: SealedFields, auth: AuthWish | undefined): SealedFields {
  const { authScheme, authHeaderName, sealedCredential, sealedHeaders } = before;
  const next: SealedFields = { authScheme, authHeaderName, sealedCredential, sealedHeaders };
  if (auth === undefined) return next;
  return { ...next, authScheme: auth.scheme, authHeaderName: auth.scheme === 'none' ? null : auth.headerName };
}

function seal(sealer: Sealer | null, place: Place, field: string, plain: Secret | null): string | null {
  if (plain === null) return null;
  if (sealer === null) throw new Error('there is no vault');
  return sealer.seal(recordOf(place), field, plain);
}

function noVault(cause: unknown): Failure {
  const say = 'Credentials cannot be kept: the vault of this gateway has no key. An operator has to give it one.';
  return failure('SERVER_UNAVAILABLE', {}, { say, detail: cause instanceof Error ? cause.message : String(cause) });
}

function findAuthMistakes({ scheme, credential, headerName }: AuthWish): string[] {
  if (scheme === 'none') {
    return credential === null ? [] : ['auth_credential: is not used with the auth_scheme none'];
  }
  const mistakes: string[] = [];
  const name = headerName === null ? null : findHeaderNameMistake(headerName);
  if (name !== null) mistakes.push(`auth_header_name: ${name}`);
  const value = credential === null ? 'is missing' : findHeaderValueMistake(credential.reveal());
  if (value !== null) mistakes.push(`auth_credential: ${value}`);
  return mistakes;
}

/** Null: they cannot be read with the keys at hand. */
export function openHeaders(sealer: Sealer | null, server: Place & SealedFields): OwnHeader[] | null {
  if (server.sealedHeaders === null) return [];
  const opened = sealer?.open(recordOf(server), 'headers', server.sealedHeaders);
  if (opened?.kind !== 'secret') return null;
  const pairs = JSON.parse(opened.secret.reveal()) as [name: string, value: string][];
  return pairs.map(([name, value]) => ({ name, value: new Secret(value) }));
}

/** Everything that goes with each request, names lower-case; null: a part cannot be read, so nothing is sent at all. */
export function openRequestHeaders(
  sealer: Sealer | null,
  server: Place & SealedFields,
): ReadonlyMap<string, Secret> | null {
  const own = openHeaders(sealer, server);
  if (own === null) return null;
  const headers = new Map(own.map(({ name, value }) => [name.toLowerCase(), value]));
  const name = credentialHeader(server);
  if (name === null) return headers;
  if (server.sealedCredential === null) return null;
  const opened = sealer?.open(recordOf(server), 'credential', server.sealedCredential);
  if (opened?.kind !== 'secret') return null;
  const value = opened.secret.reveal();
  return headers.set(name, server.authScheme === 'bearer' ? new Secret(`Bearer ${value}`) : opened.secret);
}

export function hasSecrets({ sealedCredential, sealedHeaders }: SealedFields): boolean {
  return sealedCredential !== null || sealedHeaders !== null;
}
