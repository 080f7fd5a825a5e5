/** What register_service takes, in the words of the registry's documents; out of it comes the wish of services/registry. */
import { z } from 'zod';
import type { JsonObject } from '../../../domain/json.ts';
import { LIFECYCLES, VISIBILITIES } from '../../../domain/registered.ts';
import { AUTH_SCHEMES, TRANSPORTS } from '../../../domain/registered-server.ts';
import { Secret } from '../../../domain/secret.ts';
import { type NewServer, type ServerWish, UNSAID } from '../../registry/register.ts';
import { nameList } from './registry-tool.ts';

const url = z.string().trim().min(1).max(2048);
/** Of older clients; it has no effect: who rates is who calls, and what a server is written in is its own matter. */
const ignored = z.unknown().optional().describe('Has no effect.');

export const RegisterArguments = z.strictObject({
  server_name: z.string().trim().min(1).max(256).describe('Name for people: GitHub.'),
  path: z.string().min(1).max(512).describe('Where the server is found in the registry: /github.'),
  proxy_pass_url: url.optional().describe('Where the server answers: https://mcp.example.com/mcp.'),
  description: z.string().max(8192).default('').describe('What the server is for; people and models find it by this.'),
  tags: nameList.optional().describe('Words to find it by.'),
  license: z.string().trim().max(4096).optional(),
  mcp_endpoint: url.optional().describe('Where Streamable HTTP is spoken, if that is elsewhere.'),
  sse_endpoint: url.optional().describe('Where HTTP+SSE is spoken, if that is elsewhere.'),
  transport: z.enum(TRANSPORTS).optional(),
  supported_transports: nameList.optional(),
  visibility: z.enum(VISIBILITIES).optional().describe('Who sees it: everybody, its owner, or allowed_groups.'),
  allowed_groups: nameList.optional(),
  status: z.enum(LIFECYCLES).optional(),
  sunset_date: z.string().trim().min(1).max(64).optional().describe('When a deprecated server ends: 2027-06-30.'),
  auth_scheme: z.enum(AUTH_SCHEMES).optional().describe('How the gateway shows a credential to the server.'),
  auth_credential: z.string().max(8192).optional().describe('Kept sealed, and shown to nobody again.'),
  auth_header_name: z.string().trim().min(1).max(4096).optional(),
  headers: z
    .record(z.string().min(1).max(128), z.string().max(8192))
    .optional()
    .describe('Sent with every request to the server; values are kept sealed.'),
  version: z.string().trim().min(1).max(128).optional().describe('v1.0.0 unless said; another one stands beside it.'),
  overwrite: z.boolean().default(false).describe('Take the place of a server at that path.'),
  metadata: z.looseObject({}).optional(),
  num_tools: z.int().min(0).optional().describe('Counts until the server has listed its tools.'),
  num_stars: ignored,
  is_python: ignored,
});
export type RegisterArguments = z.output<typeof RegisterArguments>;

export function toNewServer(args: RegisterArguments): NewServer {
  const { auth_scheme: scheme, auth_credential: credential, auth_header_name: headerName = null, headers } = args;
  const said: { [field in keyof ServerWish]?: ServerWish[field] | undefined } = {
    ...{ tags: args.tags, license: args.license, visibility: args.visibility, allowedGroups: args.allowed_groups },
    ...{
      status: args.status,
      sunsetDate: args.sunset_date,
      proxyUrl: args.proxy_pass_url,
      mcpEndpoint: args.mcp_endpoint,
    },
    ...{ sseEndpoint: args.sse_endpoint, transport: args.transport, supportedTransports: args.supported_transports },
    ...{ numTools: args.num_tools, metadata: args.metadata as JsonObject | undefined },
  };
  const given = Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined));
  return {
    ...{ path: args.path, version: args.version ?? null, overwrite: args.overwrite },
    wish: { ...UNSAID, name: args.server_name, description: args.description, ...given },
    ...(scheme === undefined
      ? {}
      : { auth: { scheme, credential: credential ? new Secret(credential) : null, headerName } }),
    ...(headers === undefined
      ? {}
      : { headers: Object.entries(headers).map(([name, value]) => ({ name, value: new Secret(value) })) }),
  };
}
