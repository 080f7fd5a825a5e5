/** An agent as the API shows it: a line of a list, and the whole card with what the registry adds to it. */
import { z } from 'zod';
import { meanStars, type Rating } from '../../domain/rating.ts';
import { LIFECYCLES, VISIBILITIES } from '../../domain/registered.ts';
import { AgentSkill, type RegisteredAgent, TRUST_LEVELS } from '../../domain/registered-agent.ts';

export interface CardExtras {
  ratings: readonly Rating[];
}

export const AgentInfo = z.object({
  path: z.string(),
  name: z.string(),
  description: z.string(),
  url: z.string(),
  version: z.string().nullable(),
  tags: z.array(z.string()),
  skills: z.array(AgentSkill),
  num_skills: z.int(),
  num_stars: z.number(),
  is_enabled: z.boolean(),
  visibility: z.enum(VISIBILITIES),
  trust_level: z.enum(TRUST_LEVELS),
  status: z.enum(LIFECYCLES),
  license: z.string().nullable(),
  registered_by: z.string(),
  registered_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
});

/** The members of A2A stand beside these. */
export const AgentCard = z.looseObject({
  path: z.string(),
  name: z.string(),
  description: z.string(),
  url: z.string(),
  tags: z.array(z.string()),
  isEnabled: z.boolean(),
  numStars: z.number(),
  ratingDetails: z.array(z.object({ user: z.string(), rating: z.int() })),
  license: z.string().nullable(),
  registeredAt: z.iso.datetime(),
  updatedAt: z.iso.datetime(),
  registeredBy: z.string(),
  visibility: z.enum(VISIBILITIES),
  allowedGroups: z.array(z.string()),
  trustLevel: z.enum(TRUST_LEVELS),
  status: z.enum(LIFECYCLES),
  supportedProtocol: z.enum(['a2a', 'other']),
  metadata: z.record(z.string(), z.unknown()),
});

const iso = (ms: number) => new Date(ms).toISOString();

export function toInfo(agent: RegisteredAgent, { ratings }: CardExtras): z.output<typeof AgentInfo> {
  const { path, name, description, url, version, tags, skills, visibility, status, license } = agent;
  return {
    ...{ path, name, description, url, version, tags, skills, visibility, status, license },
    num_skills: skills.length,
    num_stars: meanStars(ratings),
    is_enabled: agent.enabled,
    trust_level: agent.trustLevel,
    registered_by: agent.registeredBy,
    registered_at: iso(agent.registeredAtMs),
    updated_at: iso(agent.updatedAtMs),
  };
}

export function toCard(agent: RegisteredAgent, { ratings }: CardExtras): z.output<typeof AgentCard> {
  const { path, tags, license, visibility, allowedGroups, trustLevel, status, metadata } = agent;
  return {
    ...agent.card,
    ...{ name: agent.name, description: agent.description, url: agent.url },
    ...{ path, tags, license, visibility, allowedGroups, trustLevel, status, metadata },
    supportedProtocol: agent.protocol,
    isEnabled: agent.enabled,
    numStars: meanStars(ratings),
    ratingDetails: ratings.map(({ name, stars }) => ({ user: name, rating: stars })),
    registeredAt: iso(agent.registeredAtMs),
    updatedAt: iso(agent.updatedAtMs),
    registeredBy: agent.registeredBy,
  };
}
