/**
 * The shape of an A2A agent card and of what the registry adds to it, with the words for what is wrong. Fields nobody knows
 * are let through: cards are extended all the time. Caps are far above what a card needs.
 */
import { z } from 'zod';
import { JsonDocument, LIFECYCLES, VISIBILITIES } from './registered.ts';
import { TRUST_LEVELS } from './registered-agent.ts';

const MAX_NAME = 256;
const MAX_TEXT = 16_384;
const MAX_LIST = 500;

const name = z.string('must be text').trim().min(1, 'must not be empty').max(MAX_NAME, `is longer than ${MAX_NAME}`);
const prose = z.string('must be text').trim().min(1, 'must not be empty').max(MAX_TEXT, `is longer than ${MAX_TEXT}`);
const shortText = z.string('must be text').max(MAX_NAME, `is longer than ${MAX_NAME}`);
const list = <T extends z.ZodType>(item: T) =>
  z.array(item, 'must be a list').max(MAX_LIST, `has more than ${MAX_LIST}`);
const object = <T extends z.ZodRawShape>(shape: T) => z.looseObject(shape, 'must be an object');
const oneOf = <const T extends readonly string[]>(words: T) => z.enum(words, `must be one of ${words.join(', ')}`);

const address = z
  .string('must be text')
  .max(2048, 'is longer than 2048')
  .refine(isHttpUrl, 'must be an http or https address without a user name or password in it');

function isHttpUrl(text: string): boolean {
  const url = URL.parse(text);
  return url !== null && /^https?:\/\//i.test(text) && url.username === '' && url.password === '';
}

const words = z.preprocess(
  written => (typeof written === 'string' ? written.split(',').map(tag => tag.trim()) : written),
  list(shortText).transform(tags => [...new Set(tags.filter(tag => tag !== ''))]),
);

const modes = list(shortText);
/** A2A: names of schemes with their scopes; a bare name is what small cards say. */
const security = list(
  z.union([shortText, z.record(z.string(), list(shortText))], 'must be a name or names with scopes'),
);

const Skill = object({
  id: name.refine(id => !/\s/.test(id), 'must not hold blanks'),
  name,
  description: prose,
  tags: words.optional(),
  examples: z.array(z.unknown(), 'must be a list').optional(),
  inputModes: modes.optional(),
  outputModes: modes.optional(),
  security: security.optional(),
});

const SecurityScheme = object({
  type: oneOf(['apiKey', 'http', 'oauth2', 'openIdConnect', 'mutualTLS']),
  scheme: shortText.optional(),
  in: oneOf(['header', 'query', 'cookie']).optional(),
  name: shortText.optional(),
  bearerFormat: shortText.optional(),
  flows: JsonDocument.optional(),
  openIdConnectUrl: address.optional(),
});

export const CardShape = object({
  protocolVersion: z
    .string('must be text')
    .regex(/^\d{1,4}\.\d{1,4}(?:\.\d{1,4})?$/, 'must be X.Y or X.Y.Z')
    .default('1.0'),
  name,
  description: prose,
  url: address,
  version: shortText.optional(),
  capabilities: JsonDocument.optional(),
  defaultInputModes: modes.default(['text/plain']),
  defaultOutputModes: modes.default(['text/plain']),
  skills: list(Skill).default([]),
  preferredTransport: shortText.default('JSONRPC'),
  provider: object({ organization: name, url: address }).optional(),
  iconUrl: address.optional(),
  documentationUrl: address.optional(),
  securitySchemes: z.record(z.string(), SecurityScheme, 'must be an object').optional(),
  security: security.optional(),
  supportsAuthenticatedExtendedCard: z.boolean('must be true or false').optional(),
  metadata: JsonDocument.optional(),
  path: shortText.optional(),
  tags: words.default([]),
  license: shortText.optional(),
  visibility: oneOf(VISIBILITIES).default('public'),
  allowedGroups: words.default([]),
  trustLevel: oneOf(TRUST_LEVELS).default('unverified'),
  status: oneOf(LIFECYCLES).default('active'),
  supportedProtocol: oneOf(['a2a', 'other']).default('a2a'),
});
export type CardShape = z.output<typeof CardShape>;

/** What the registry adds to a card, by the words of its interface: not a part of the card of the agent. */
export const REGISTRY_FIELDS: ReadonlySet<string> = new Set([
  ...['path', 'tags', 'license', 'visibility', 'allowedGroups', 'trustLevel', 'status', 'supportedProtocol'],
]);

/** What only the registry itself knows: who sends it back with a card means no change by it. */
export const KEPT_FIELDS: ReadonlySet<string> = new Set([
  ...['isEnabled', 'numStars', 'ratingDetails', 'registeredAt', 'updatedAt', 'registeredBy', 'syncMetadata'],
  ...['healthStatus', 'lastHealthCheck', 'externalTags', 'relevanceScore', 'numSkills'],
]);
