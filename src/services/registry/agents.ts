/**
 * Agents of the registry: registering, finding, changing and rating A2A cards. What an agent may do is its own matter; the
 * gateway is not in the way between agents. Seen by whoever was granted it and is meant to see it; changed by its owner and
 * by whoever may change it by name.
 */
import { type CardReading, type OfferedAgent, readAgentCard } from '../../domain/agent-card.ts';
import { type AgentMatch, rankAgents } from '../../domain/agent-match.ts';
import { type Failure, failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import type { JsonObject } from '../../domain/json.ts';
import { mayUi, type PolicySet } from '../../domain/policy.ts';
import type { Rating } from '../../domain/rating.ts';
import { type ExpectedRevisions, isExpected } from '../../domain/registered.ts';
import type { AgentDraft, RegisteredAgent } from '../../domain/registered-agent.ts';
import { readRegistryPath } from '../../domain/registry-path.ts';
import { isOffered } from '../../domain/search/offered.ts';
import type { AgentFilter } from '../../ports/agent-repository.ts';
import type { Clock } from '../../ports/clock.ts';
import type { RegistryStorage } from '../../ports/registry-storage.ts';
import { ungranted } from './access.ts';
import { deniedServer } from './desk.ts';

export type AgentResult<T> = { kind: 'done'; value: T } | Failure;

export interface AgentPage {
  items: readonly RegisteredAgent[];
  /** Of all that the caller may see and that fit. */
  total: number;
}

export interface Agents {
  register(who: Identity, written: unknown): Promise<AgentResult<RegisteredAgent>>;
  list(who: Identity, filter: AgentFilter, page: { limit: number; offset: number }): Promise<AgentPage>;
  find(who: Identity, path: string): Promise<AgentResult<RegisteredAgent>>;
  replace(
    who: Identity,
    path: string,
    written: JsonObject,
    expected: ExpectedRevisions,
  ): Promise<AgentResult<RegisteredAgent>>;
  /** Members that are not given stay. */
  change(
    who: Identity,
    path: string,
    written: JsonObject,
    expected: ExpectedRevisions,
  ): Promise<AgentResult<RegisteredAgent>>;
  toggle(
    who: Identity,
    path: string,
    enabled: boolean,
    expected: ExpectedRevisions,
  ): Promise<AgentResult<RegisteredAgent>>;
  remove(who: Identity, path: string, expected: ExpectedRevisions): Promise<AgentResult<null>>;
  rate(who: Identity, path: string, stars: number): Promise<AgentResult<readonly Rating[]>>;
  ratings(who: Identity, path: string): Promise<AgentResult<readonly Rating[]>>;
  /** The ratings that go on a card: of an agent that was found. */
  ratingsOf(agent: RegisteredAgent): Promise<readonly Rating[]>;
  discover(
    who: Identity,
    wanted: { skills: readonly string[]; tags: readonly string[] },
    limit: number,
  ): Promise<readonly AgentMatch[]>;
  /** Whether an agent is there for a caller: for lists and searches alike. */
  mayList(who: Identity, agent: RegisteredAgent): boolean;
  onChange(listener: (change: AgentChange) => void): void;
}

export type AgentChange = { kind: 'agent.put'; agent: RegisteredAgent } | { kind: 'agent.removed'; path: string };

type AgentAction = 'get_agent' | 'modify_agent' | 'delete_agent';

const PAGE = 500;
/** Each one that fails is another's that did not. */
const ATTEMPTS = 100;
const NO_AGENT = () => failure('NOT_FOUND', {}, { say: 'There is no agent at this path.' });
const done = <T>(value: T): AgentResult<T> => ({ kind: 'done', value });

export function createAgents(deps: {
  storage: RegistryStorage;
  policy(): PolicySet;
  clock: Pick<Clock, 'wallMs'>;
}): Agents {
  const { storage, policy, clock } = deps;
  const listeners: ((change: AgentChange) => void)[] = [];
  const tell = (change: AgentChange) => {
    for (const listener of listeners) listener(change);
  };

  /** Meant for the caller at all, whatever it was granted. */
  function isInSight(who: Identity, { visibility, owner, allowedGroups, path }: RegisteredAgent): boolean {
    if (visibility === 'public' || owner === who.subject) return true;
    if (visibility === 'group-restricted' && allowedGroups.some(group => who.groups.has(group))) return true;
    // Whoever may change it may see it.
    return mayUi(policy(), who, 'modify_agent', path);
  }

  const mayList = (who: Identity, agent: RegisteredAgent) =>
    isInSight(who, agent) && (mayUi(policy(), who, 'list_agents', agent.path) || agent.owner === who.subject);

  function may(who: Identity, action: AgentAction, agent: RegisteredAgent): boolean {
    return isInSight(who, agent) && (agent.owner === who.subject || mayUi(policy(), who, action, agent.path));
  }

  async function findFor(who: Identity, path: string, action: AgentAction): Promise<AgentResult<RegisteredAgent>> {
    const read = readRegistryPath(path);
    const agent = read.ok ? await storage.agents.find(read.path) : null;
    if (agent === null) return NO_AGENT();
    return may(who, action, agent) ? done(agent) : deniedServer(ungranted(action));
  }

  async function visible(who: Identity, filter: AgentFilter): Promise<RegisteredAgent[]> {
    const found: RegisteredAgent[] = [];
    for (let after: string | null = null; ; ) {
      const { items } = await storage.agents.list(filter, { after, limit: PAGE });
      for (const agent of items) if (mayList(who, agent)) found.push(agent);
      after = items.at(-1)?.path ?? null;
      if (items.length < PAGE) return found;
    }
  }

  /** What becomes of an agent as it is now; once more where somebody else has changed it in between. */
  async function update(
    who: Identity,
    path: string,
    expected: ExpectedRevisions,
    become: (agent: RegisteredAgent) => AgentResult<AgentDraft>,
  ): Promise<AgentResult<RegisteredAgent>> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const found = await findFor(who, path, 'modify_agent');
      if (found.kind === 'failure') return found;
      if (!isExpected(expected, found.value)) break;
      const next = become(found.value);
      if (next.kind === 'failure') return next;
      const updated = await storage.agents.update(found.value.path, found.value.revision, next.value);
      if (updated.kind === 'missing') return NO_AGENT();
      if (updated.kind === 'conflict') continue;
      tell({ kind: 'agent.put', agent: updated.value });
      return done(updated.value);
    }
    return failure('STALE');
  }

  /** Whose it is, and since when, is not the writer's to say; neither is how much it is trusted, unless it may change all. */
  const rewrite = (
    who: Identity,
    path: string,
    expected: ExpectedRevisions,
    write: (agent: RegisteredAgent) => JsonObject,
  ) =>
    update(who, path, expected, agent => {
      const reading = readAgentCard({ ...write(agent), path: agent.path });
      if (!reading.ok) return unprocessable(reading);
      const { revision: _, ...before } = agent;
      const offered = withTrust(who, reading.agent, agent.trustLevel);
      return done({ ...before, ...offered, updatedAtMs: clock.wallMs() });
    });

  function withTrust(who: Identity, offered: OfferedAgent, trustLevel: RegisteredAgent['trustLevel']): OfferedAgent {
    return mayUi(policy(), who, 'modify_agent', offered.path) ? offered : { ...offered, trustLevel };
  }

  return {
    async register(who, written) {
      const reading = readAgentCard(written);
      if (!reading.ok) return unprocessable(reading);
      const nowMs = clock.wallMs();
      const added = await storage.agents.add({
        ...withTrust(who, reading.agent, 'unverified'),
        ...{ enabled: true, owner: who.subject, registeredBy: who.name ?? who.subject },
        ...{ registeredAtMs: nowMs, updatedAtMs: nowMs, source: { kind: 'live' } },
      });
      if (added.kind === 'exists') {
        const suggestion = `Use another path, or change the agent with PUT /api/agents${reading.agent.path}.`;
        return failure('CONFLICT', { fields: { suggestion } }, { say: 'There is an agent at this path already.' });
      }
      tell({ kind: 'agent.put', agent: added.value });
      return done(added.value);
    },
    async list(who, filter, { limit, offset }) {
      const all = await visible(who, filter);
      return { items: all.slice(offset, offset + limit), total: all.length };
    },
    find: (who, path) => findFor(who, path, 'get_agent'),
    replace: (who, path, written, expected) => rewrite(who, path, expected, () => written),
    change: (who, path, written, expected) =>
      rewrite(who, path, expected, agent => ({ ...toWritten(agent), ...written })),
    toggle: (who, path, enabled, expected) =>
      update(who, path, expected, ({ revision: _, ...agent }) =>
        done({ ...agent, enabled, updatedAtMs: clock.wallMs() }),
      ),
    async remove(who, path, expected) {
      const found = await findFor(who, path, 'delete_agent');
      if (found.kind === 'failure') return found;
      const removed = await storage.transaction(async ({ agents }) => {
        const agent = await agents.find(found.value.path);
        if (agent !== null && !isExpected(expected, agent)) return 'stale';
        return agents.remove(found.value.path);
      });
      if (removed === 'stale') return failure('STALE');
      if (!removed) return NO_AGENT();
      tell({ kind: 'agent.removed', path: found.value.path });
      return done(null);
    },
    async rate(who, path, stars) {
      const found = await findFor(who, path, 'get_agent');
      if (found.kind === 'failure') return found;
      const rating = { issuer: who.issuer, subject: who.subject, name: who.name ?? who.subject, stars };
      const rated = { kind: 'agent', path: found.value.path } as const;
      return done(await storage.ratings.put(rated, { ...rating, atMs: clock.wallMs() }));
    },
    async ratings(who, path) {
      const found = await findFor(who, path, 'get_agent');
      if (found.kind === 'failure') return found;
      return done(await storage.ratings.list({ kind: 'agent', path: found.value.path }));
    },
    ratingsOf: ({ path }) => storage.ratings.list({ kind: 'agent', path }),
    async discover(who, wanted, limit) {
      const agents = await visible(who, { enabled: true });
      return rankAgents(
        agents.filter(agent => isOffered(agent)),
        wanted,
      ).slice(0, limit);
    },
    mayList,
    onChange: listener => void listeners.push(listener),
  };
}

function unprocessable({ errors, warnings }: Extract<CardReading, { ok: false }>): Failure {
  const message = 'The agent card is not valid.';
  return failure(
    'UNPROCESSABLE',
    { fields: { message, errors, warnings } },
    { say: `${message} ${errors.join('; ')}` },
  );
}

/** As somebody would write it: the card, and what the registry adds to it. */
function toWritten(agent: RegisteredAgent): JsonObject {
  const { path, tags, license, visibility, allowedGroups, trustLevel, status, protocol, metadata } = agent;
  return {
    ...agent.card,
    ...{ path, tags, visibility, allowedGroups, trustLevel, status, supportedProtocol: protocol, metadata },
    ...(license === null ? {} : { license }),
  };
}
