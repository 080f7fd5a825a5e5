/**
 * What is sent to register and to change a server, form or JSON, in the fields of the registry's documents; out of it come
 * the wishes of services/registry. A field nobody knows is a mistake: it was meant to do something.
 */
import { z } from 'zod';
import { LIFECYCLES, VISIBILITIES } from '../../domain/registered.ts';
import { AUTH_SCHEMES, Launch, TRANSPORTS } from '../../domain/registered-server.ts';
import { Secret } from '../../domain/secret.ts';
import type { OwnHeader } from '../../domain/server-mistakes.ts';
import { type NewServer, type ServerChange, type ServerWish, UNSAID } from '../../services/registry/register.ts';
import { count, document, flag, jsonObject, list, listText, optionalText } from './written.ts';

const header = z.strictObject({ name: z.string().min(1).max(128), value: z.string().max(8192) });
/** `[{name, value}]`, or an object of values by name. */
const headers = document(
  z.union([
    z.array(header),
    z
      .record(z.string(), z.string().max(8192))
      .transform(map => Object.entries(map).map(([name, value]) => ({ name, value }))),
    z.null(),
  ]),
);

/** `group` and `internal` are older spellings. */
const visibility = z.preprocess(written => (written === 'group' ? 'group-restricted' : written), z.enum(VISIBILITIES));
const transport = z.preprocess(
  written => (written === 'http' || written === 'streamable_http' ? 'streamable-http' : written),
  z.enum(TRANSPORTS),
);

const { command, args, env } = Launch.shape;
const LaunchBody = z.strictObject({ command, args: args.default([]), env: env.default([]) });

/** What may be said of a server whenever it is written; each of them optional. */
const fields = {
  tags: list,
  license: optionalText.nullable(),
  mcp_endpoint: optionalText.nullable(),
  sse_endpoint: optionalText.nullable(),
  transport,
  supported_transports: listText,
  metadata: jsonObject,
  status: z.enum(LIFECYCLES),
  visibility,
  allowed_groups: list,
  deployment: z.enum(['remote', 'local']),
  local_runtime: jsonObject,
  launch: document(LaunchBody.nullable()),
  num_tools: count,
  sunset_date: optionalText.nullable(),
  auth_scheme: z.enum(AUTH_SCHEMES),
  auth_credential: z.string().max(8192),
  auth_header_name: optionalText.nullable(),
  custom_headers: headers,
};

// Names and descriptions reach every client's model and every operator's terminal.
const NAME = z
  .string()
  .trim()
  .min(1)
  .max(256)
  .regex(/^\P{Cc}*$/u, 'holds control characters');
const DESCRIPTION = z
  .string()
  .max(8192)
  .regex(/^(?:\P{Cc}|[\t\n\r])*$/u, 'holds control characters');
const URL_TEXT = z.string().trim().max(2048);

/** Of the documents' time, with no effect: who rates is who calls, and tools are the server's to list. */
const ignored = {
  num_stars: z.unknown().optional(),
  is_python: z.unknown().optional(),
  tool_list_json: z.unknown().optional(),
  auth_provider: z.unknown().optional(),
};

export const RegisterBody = z.strictObject({
  name: NAME,
  description: DESCRIPTION,
  path: z.string().max(512),
  proxy_pass_url: URL_TEXT.nullish(),
  ...z.object(fields).partial().shape,
  headers: headers.optional(),
  version: z.string().trim().min(1).max(128).optional(),
  overwrite: flag.optional(),
  ...ignored,
});
export type RegisterBody = z.output<typeof RegisterBody>;

/** A whole server: what is left out is as if it had never been said, but for `status` and `sunset_date`, which stay. */
export const PutBody = z.strictObject({
  name: NAME,
  description: DESCRIPTION,
  path: z.string().max(512).optional(),
  proxy_pass_url: URL_TEXT.nullish(),
  ...z.object(fields).partial().shape,
  headers: headers.optional(),
  version: z.string().optional(),
  ...ignored,
});
export type PutBody = z.output<typeof PutBody>;

/** What is left out stays as it is. */
export const PatchBody = PutBody.partial();
export type PatchBody = z.output<typeof PatchBody>;

export const CredentialBody = z.strictObject({
  auth_scheme: z.enum(AUTH_SCHEMES),
  auth_credential: z.string().max(8192).nullish(),
  auth_header_name: optionalText.nullish(),
});

export function toNewServer(body: RegisterBody): NewServer {
  return {
    ...{ path: body.path, version: body.version ?? null, overwrite: body.overwrite ?? false },
    wish: { ...UNSAID, name: body.name, description: body.description, ...toWish(body) },
    ...toSecrets(body),
  };
}

/** Secrets that a PUT does not name stay: nobody can read them to send them back. */
export function toWholeChange(body: PutBody): ServerChange {
  const wish = { ...UNSAID, name: body.name, description: body.description, ...toWish(body) };
  return { wish, ...toSecrets(body) };
}

export function toChange(body: PatchBody): ServerChange {
  return { wish: toWish(body), ...toSecrets(body) };
}

function toWish(body: PatchBody): Partial<ServerWish> {
  const { proxy_pass_url: proxyUrl, metadata, deployment, local_runtime: localRuntime } = body;
  const wish: { [field in keyof ServerWish]?: ServerWish[field] | undefined } = {
    ...{ name: body.name, description: body.description, tags: body.tags, license: body.license },
    ...{ visibility: body.visibility, allowedGroups: body.allowed_groups, status: body.status },
    proxyUrl: proxyUrl === '' ? null : proxyUrl,
    ...{ mcpEndpoint: body.mcp_endpoint, sseEndpoint: body.sse_endpoint, transport: body.transport },
    ...{ supportedTransports: body.supported_transports, launch: body.launch, numTools: body.num_tools },
    ...{ sunsetDate: body.sunset_date, deployment, localRuntime, metadata: metadata === null ? {} : metadata },
  };
  return Object.fromEntries(Object.entries(wish).filter(([, value]) => value !== undefined));
}

function toSecrets(body: PatchBody): Pick<ServerChange, 'auth' | 'headers'> {
  const { auth_scheme: scheme, auth_credential: credential, auth_header_name: headerName = null } = body;
  const own = body.custom_headers ?? body.headers;
  return {
    ...(scheme === undefined ? {} : { auth: { scheme, credential: toSecret(credential), headerName } }),
    ...(own === undefined ? {} : { headers: toHeaders(own) }),
  };
}

export function toSecret(written: string | null | undefined): Secret | null {
  return written === undefined || written === null || written === '' ? null : new Secret(written);
}

function toHeaders(written: readonly { name: string; value: string }[] | null): OwnHeader[] {
  return (written ?? []).map(({ name, value }) => ({ name, value: new Secret(value) }));
}
