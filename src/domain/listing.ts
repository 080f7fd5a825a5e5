/** What one server offers, under its own names, in the order it gave. Items are kept as they came. */
import type { Era } from './era.ts';
import type { JsonObject } from './json.ts';

export const LISTING_KINDS = ['tools', 'resources', 'templates', 'prompts'] as const;
export type ListingKind = (typeof LISTING_KINDS)[number];

/** Facts a handshake (or `server/discover`) told about a server. */
export interface ServerFacts {
  era: Era;
  revision: string;
  capabilities: JsonObject;
  serverInfo: JsonObject;
  instructions: string | null;
  /** Of a Gatehouse: its id and those behind it (domain/gateway-path.ts). Empty: of any other server. */
  gateways: readonly string[];
}

export interface Listing {
  tools: readonly JsonObject[];
  resources: readonly JsonObject[];
  templates: readonly JsonObject[];
  prompts: readonly JsonObject[];
}

export const EMPTY_LISTING: Listing = { tools: [], resources: [], templates: [], prompts: [] };

/** Method, member of the result, and the field that identifies an item, per kind. */
export const LISTING_FACTS = {
  tools: { method: 'tools/list', member: 'tools', key: 'name', capability: 'tools' },
  resources: { method: 'resources/list', member: 'resources', key: 'uri', capability: 'resources' },
  templates: {
    method: 'resources/templates/list',
    member: 'resourceTemplates',
    key: 'uriTemplate',
    capability: 'resources',
  },
  prompts: { method: 'prompts/list', member: 'prompts', key: 'name', capability: 'prompts' },
} as const satisfies Record<ListingKind, { method: string; member: string; key: string; capability: string }>;
