/**
 * Searching the registry as one caller. What may be seen is settled before anything is ranked, by the questions that the
 * lists ask (servers and agents by `mayList`, tools as `tools/list`), and once more for whatever is shown, because rights
 * may have changed while a model was asked.
 */
import type { CatalogEntry } from '../../domain/catalog.ts';
import { type Failure, failure } from '../../domain/error.ts';
import type { Identity } from '../../domain/identity.ts';
import type { PolicySet } from '../../domain/policy.ts';
import type { AgentSkill, RegisteredAgent } from '../../domain/registered-agent.ts';
import type { RegisteredServer } from '../../domain/registered-server.ts';
import { pathOfKey } from '../../domain/registry-path.ts';
import { type Confidence, confidenceIn } from '../../domain/search/confidence.ts';
import type { DocumentKind, SearchDocument } from '../../domain/search/document.ts';
import { serverDocument } from '../../domain/search/entity-documents.ts';
import { type Included, isOffered, type LeftOut, whyLeftOut } from '../../domain/search/offered.ts';
import { shareOut } from '../../domain/search/share-out.ts';
import { SearchClosedError, type SearchIndex, type SearchMode, type SearchResult } from '../../ports/search-index.ts';
import { mayList } from '../registry/access.ts';
import type { Agents } from '../registry/agents.ts';
import type { ServerView } from '../registry/read.ts';
import type { Registry } from '../registry/registry.ts';
import type { Entities } from './entities.ts';
import { liftServers, type Ranked } from './server-lift.ts';

export interface SearchWish {
  text: string;
  kinds: readonly DocumentKind[];
  /** Lower case; all of them must be there. */
  tags: readonly string[];
  limit: number;
  include: Included;
  /** Whether it is told what fits and was left out. Absent: no. */
  receipt?: boolean;
}

/** Why something that fits was left out: there were better ones, or it is not asked for as it is. */
export interface Withheld {
  document: SearchDocument;
  why: 'max_results' | LeftOut;
}

export interface FoundTool {
  entry: CatalogEntry;
  path: string;
  /** As people call it, for whoever may list it; for others its key, which the tool's name says anyway. */
  serverName: string;
  hit: Ranked;
}

export interface Found {
  mode: SearchMode;
  /** Of the best of them all, whatever its kind. */
  confidence: Confidence;
  /** Each best first, all of them together at most as many as wished for. */
  servers: readonly { view: ServerView; tools: readonly FoundTool[]; hit: Ranked }[];
  tools: readonly FoundTool[];
  agents: readonly { agent: RegisteredAgent; hit: Ranked }[];
  skills: readonly { agent: RegisteredAgent; skill: AgentSkill; hit: Ranked }[];
  /** Best first of each reason, only what the caller may see; empty where no receipt was wished for. */
  withheld: readonly Withheld[];
}

export interface Finder {
  /** Yields `SERVER_UNAVAILABLE` while the index is closed. */
  find(who: Identity, wish: SearchWish): Promise<Found | Failure>;
  /** Of what is found without asking for more; as they are written, by name. */
  tags(who: Identity): string[];
}

export interface FinderDeps {
  index: SearchIndex;
  registry: Pick<Registry, 'current' | 'read'>;
  agents: Pick<Agents, 'mayList'>;
  entities: Entities;
  policy(): PolicySet;
  /** Tools as the caller lists them, by public name; the index knows of them afterwards. */
  tools(who: Identity): ReadonlyMap<string, CatalogEntry>;
}

/** As many as the index ranks. */
const DEPTH = 100;
const TOOLS_PER_SERVER = 5;
/** Relevance below which a tool is no reason to have found its server. */
const LEAST_MATCHING = 0.2;

export function createFinder(deps: FinderDeps): Finder {
  const { index, registry, agents, entities, policy } = deps;
  const serverOf = ({ server }: CatalogEntry) => registry.current().servers.get(pathOfKey(server)) ?? null;

  /** As things stand now. */
  function sightOf(who: Identity) {
    const rights = policy();
    const tools = deps.tools(who);
    const listed = (server: RegisteredServer | null | undefined) =>
      server !== null && server !== undefined && mayList(rights, who, server) ? server : null;
    const shown = (agent: RegisteredAgent | null | undefined) =>
      agent !== null && agent !== undefined && agents.mayList(who, agent);
    const isVisible = ({ kind, id }: SearchDocument): boolean => {
      switch (kind) {
        case 'server':
          return listed(registry.current().servers.get(id)) !== null;
        case 'tool':
          return tools.has(id);
        case 'agent':
          return shown(entities.findAgent(id));
        case 'skill':
          return shown(entities.findSkill(id)?.agent);
      }
    };
    return { tools, listed, isVisible };
  }

  /** What is said of a document besides its texts. A tool is of its server, as far as the caller may know of that. */
  function factsOf({ kind, id, tags }: SearchDocument, { tools, listed }: ReturnType<typeof sightOf>) {
    if (kind === 'server') return { entry: registry.current().servers.get(id) ?? null, tags };
    if (kind === 'agent') return { entry: entities.findAgent(id), tags };
    if (kind === 'skill') return { entry: entities.findSkill(id)?.agent ?? null, tags };
    const tool = tools.get(id);
    const server = tool === undefined ? null : serverOf(tool);
    return { entry: server, tags: (listed(server)?.tags ?? []).map(tag => tag.toLowerCase()) };
  }

  async function search(who: Identity, wish: SearchWish): Promise<Found> {
    const { text, kinds, tags, limit, include, receipt = false } = wish;
    const before = sightOf(who);
    const whyNot = (document: SearchDocument, sight = before) => whyLeftOut(factsOf(document, sight).entry, include);
    const hasTags = (document: SearchDocument): boolean => {
      const facts = factsOf(document, before);
      return tags.every(tag => facts.tags.includes(tag));
    };
    const accepts = (document: SearchDocument): boolean => whyNot(document) === null && hasTags(document);
    const ask = (asked: readonly DocumentKind[], accepted = accepts) =>
      index.search({ query: text, kinds: asked, limit: DEPTH, isVisible: before.isVisible, accepts: accepted });
    const main = await ask(kinds);
    const asleep = receipt ? toRanked(await ask(kinds, each => whyNot(each) !== null && hasTags(each))) : [];
    const found = toRanked(main);
    const wantsServers = kinds.includes('server');
    // A search for servers alone is ranked among servers; their tools are told beside it.
    const tools = !wantsServers || kinds.includes('tool') ? found.filter(isTool) : toRanked(await ask(['tool']));

    const now = sightOf(who);
    const liftable = ({ id }: SearchDocument) => {
      const entry = now.tools.get(id);
      const server = entry === undefined ? null : now.listed(serverOf(entry));
      const document = server === null ? null : serverDocument(server);
      return document !== null && accepts(document) ? document : null;
    };
    const lifted = wantsServers ? liftServers(found, tools, liftable, main.weights) : found;
    const ranked = lifted.filter(({ document }) => now.isVisible(document));
    const chosen = shareOut(ranked, ({ document }) => document.kind, limit);

    /** A tool tells how far along its server is only to whoever may list that. */
    const mayTellWhy = ({ kind, id }: SearchDocument): boolean => {
      const entry = now.tools.get(id);
      return kind !== 'tool' || (entry !== undefined && now.listed(serverOf(entry)) !== null);
    };
    function findWithheld(): Withheld[] {
      const places = new Set(chosen);
      const worse = ranked.filter(hit => !places.has(hit) && isMatching(hit));
      const others = asleep.filter(hit => now.isVisible(hit.document) && mayTellWhy(hit.document) && isMatching(hit));
      return [
        ...worse.map(({ document }) => ({ document, why: 'max_results' as const })),
        ...others.flatMap(({ document }) => {
          const why = whyNot(document, now);
          return why === null ? [] : [{ document, why }];
        }),
      ];
    }

    const toTool = (hit: Ranked): FoundTool[] => {
      const entry = now.tools.get(hit.document.id);
      if (entry === undefined) return [];
      const name = now.listed(serverOf(entry))?.name ?? entry.server;
      return [{ entry, path: pathOfKey(entry.server), serverName: name, hit }];
    };
    const foundTools = tools.flatMap(toTool);
    const servers = chosen
      .filter(({ document }) => document.kind === 'server')
      .map(async hit => {
        const view = await registry.read.find(who, hit.document.id);
        const matching = foundTools
          .filter(({ path, hit: tool }) => path === hit.document.id && isMatching(tool))
          .slice(0, TOOLS_PER_SERVER);
        return view.kind === 'failure' ? [] : [{ view: view.value, tools: matching, hit }];
      });
    return {
      mode: main.mode,
      confidence: confidenceIn(chosen),
      servers: (await Promise.all(servers)).flat(),
      tools: chosen.filter(isTool).flatMap(toTool),
      agents: chosen.flatMap(hit => {
        const agent = hit.document.kind === 'agent' ? entities.findAgent(hit.document.id) : null;
        return agent === null ? [] : [{ agent, hit }];
      }),
      skills: chosen.flatMap(hit => {
        const skill = hit.document.kind === 'skill' ? entities.findSkill(hit.document.id) : null;
        return skill === null ? [] : [{ ...skill, hit }];
      }),
      withheld: receipt ? findWithheld() : [],
    };
  }

  return {
    async find(who, wish) {
      try {
        return await search(who, wish);
      } catch (cause) {
        if (!(cause instanceof SearchClosedError)) throw cause;
        return failure('SERVER_UNAVAILABLE', {}, { say: 'Search is not available now; try again later.' });
      }
    },
    tags(who) {
      const servers = [...registry.current().servers.values()].filter(server => mayList(policy(), who, server));
      const seen = [...entities.agents()].filter(agent => agents.mayList(who, agent));
      const written = [...servers, ...seen]
        .filter(entry => isOffered(entry))
        .flatMap(entry => [...entry.tags, ...('skills' in entry ? entry.skills.flatMap(({ tags }) => tags) : [])]);
      const byWord = new Map(written.reverse().map(tag => [tag.toLowerCase(), tag]));
      return [...byWord.keys()].sort().map(word => byWord.get(word) ?? word);
    },
  };
}

/** Relevance compares with the best, and where little is seen the best may be poor: a word or the meaning has to fit, too. */
const isMatching = ({ relevance, lexicalScore, confidence }: Ranked): boolean =>
  relevance >= LEAST_MATCHING && (lexicalScore > 0 || confidence !== 'none');

const isTool = ({ document }: Ranked): boolean => document.kind === 'tool';

function toRanked({ hits }: SearchResult): Ranked[] {
  return hits.map(({ relevanceScore, ...hit }) => ({ ...hit, relevance: relevanceScore }));
}
