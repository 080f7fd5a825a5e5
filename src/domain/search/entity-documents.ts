/**
 * Entries of the registry as documents. A server's holds nothing of its tools: who may list a server need not be one who
 * may use all of them, so tools are found by documents of their own and speak for their server there.
 */
import type { JsonObject } from '../json.ts';
import type { AgentSkill, RegisteredAgent } from '../registered-agent.ts';
import type { RegisteredServer } from '../registered-server.ts';
import { keyOfPath } from '../registry-path.ts';
import { entityDocument, type SearchDocument } from './document.ts';

export function serverDocument({ path, name, description, tags, metadata }: RegisteredServer): SearchDocument {
  return entityDocument({
    ...{ id: path, kind: 'server', name, description, tags },
    alsoKnownAs: keyOfPath(path),
    parts: textsOf(metadata),
  });
}

export function agentDocument({ path, name, description, tags, skills, card }: RegisteredAgent): SearchDocument {
  const { provider } = card;
  const organization = typeof provider === 'object' && provider !== null && 'organization' in provider;
  return entityDocument({
    ...{ id: path, kind: 'agent', name, description, tags, parts: skills },
    alsoKnownAs: organization ? `${keyOfPath(path)} ${String(provider.organization)}` : keyOfPath(path),
  });
}

/** No path holds a `#`, so no two skills share one. */
export const skillId = (path: string, { id }: Pick<AgentSkill, 'id'>): string => `${path}#${id}`;

export function skillDocument({ path, name, tags }: RegisteredAgent, skill: AgentSkill): SearchDocument {
  return entityDocument({
    ...{ id: skillId(path, skill), kind: 'skill', name: skill.name, description: skill.description },
    // What is asked of an agent is asked of its skills.
    tags: [...new Set([...skill.tags, ...tags])],
    alsoKnownAs: `${skill.id} ${name}`,
  });
}

function textsOf(metadata: JsonObject): { name: string; description: string }[] {
  return Object.entries(metadata).flatMap(([name, value]) => {
    const texts = (Array.isArray(value) ? value : [value]).filter(text => typeof text === 'string');
    return texts.length === 0 ? [] : [{ name, description: texts.join(' ') }];
  });
}
