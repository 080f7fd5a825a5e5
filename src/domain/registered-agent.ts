/**
 * An A2A agent as the registry keeps it: its card as it was shown, and what the registry itself says about it. The gateway
 * is not in the way between agents; the card's address is the agent's own. Cards are judged in agent-card.ts.
 */
import { z } from 'zod';
import { entryFields, JsonDocument, texts } from './registered.ts';
import { RegistryPath } from './registry-path.ts';

export const TRUST_LEVELS = ['unverified', 'community', 'verified', 'trusted'] as const;
export type TrustLevel = (typeof TRUST_LEVELS)[number];

/** What of a skill is searched and listed; the card has the rest. */
export const AgentSkill = z.strictObject({ id: z.string(), name: z.string(), description: z.string(), tags: texts });
export type AgentSkill = z.output<typeof AgentSkill>;

export const RegisteredAgent = z.strictObject({
  path: RegistryPath,
  ...entryFields,
  url: z.string(),
  version: z.string().nullable(),
  skills: z.array(AgentSkill),
  trustLevel: z.enum(TRUST_LEVELS),
  protocol: z.enum(['a2a', 'other']),
  /** The card in the spelling of A2A, unknown fields included. */
  card: JsonDocument,
  metadata: JsonDocument,
  /** Of the latest change, higher than any earlier one in the storage. */
  revision: z.number().int().positive(),
});
export type RegisteredAgent = z.output<typeof RegisteredAgent>;

/** As it is handed to be stored: the storage gives the revision. */
export type AgentDraft = Omit<RegisteredAgent, 'revision'>;
