/**
 * Takes a server's own configured values (environment, headers) out of the errors it answers with: they reach clients
 * and logs. Results are not touched: what a tool answers is between the server and its caller.
 */
import { changeTexts } from '../../domain/json.ts';
import type { RpcError } from '../../domain/rpc.ts';
import { Secret } from '../../domain/secret.ts';
import type { ServerSpec } from '../../domain/server.ts';
import { createSecretMask } from './secret-mask.ts';

/** Below it there is null: what was not looked at does not travel. */
const MAX_DATA_DEPTH = 32;
const WITH_SCHEME = /^[A-Za-z0-9_-]+[ \t]+(\S.*)$/s;

export type MaskError = (error: RpcError) => RpcError;

export function createErrorMask({ link }: ServerSpec): MaskError {
  const secrets = link.kind === 'stdio' ? [...link.env.values()] : [...link.headers.values()].flatMap(withoutScheme);
  const mask = createSecretMask(secrets);
  if (mask.longestBytes === 0) return error => error;
  return ({ code, message, data }) => ({
    code,
    message: mask.apply(message),
    ...(data === undefined ? {} : { data: changeTexts(data, MAX_DATA_DEPTH, mask.apply) }),
  });
}

/** A server knows the token of `Bearer <token>` by itself, and says it without the word before. */
function withoutScheme(header: Secret): Secret[] {
  const bare = WITH_SCHEME.exec(header.reveal())?.[1];
  return bare === undefined ? [header] : [header, new Secret(bare)];
}
