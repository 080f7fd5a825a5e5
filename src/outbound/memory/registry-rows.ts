/** The records of a registry in memory. */
import { ApprovedTool } from '../../domain/approved-tool.ts';
import { Ratings } from '../../domain/rating.ts';
import { RegisteredAgent } from '../../domain/registered-agent.ts';
import { RegisteredGroup } from '../../domain/registered-group.ts';
import { RegisteredServer } from '../../domain/registered-server.ts';
import { keyOfPath } from '../../domain/registry-path.ts';
import { serverOfVersion } from '../../domain/server.ts';
import { ServerHealth } from '../../domain/server-health.ts';
import type { Rated } from '../../ports/rating-repository.ts';
import type { Cursor, Page, PageRequest } from '../../ports/repository.ts';
import { compareTexts, fits, type Narrowing } from '../storage/matching.ts';
import type { RegistryRows } from '../storage/rows.ts';
import type { RecordSet } from './records.ts';

/** Shape: the number of the latest change. */
export interface Sequence {
  revision: number;
}

const RATED_SERVER = 'server ';
const ratingKey = ({ kind, path }: Rated) => `${kind} ${path}`;
const pairKey = (first: string, second: string) => JSON.stringify([first, second]);

/** Of one place among those that share a set and a sequence. */
export function createMemoryRows(set: RecordSet, sequence: Sequence): RegistryRows {
  const servers = set.records(RegisteredServer);
  const agents = set.records(RegisteredAgent);
  const ratings = set.records(Ratings);
  const groups = set.records(RegisteredGroup);
  const definitions = set.records(ApprovedTool);
  const health = set.records(ServerHealth);
  /** Of the definitions; of what was undone, too, which is then looked at for nothing. */
  const revisions = new Map<string, number>();
  function removeDefinition(key: string): boolean {
    revisions.delete(key);
    return definitions.remove(key);
  }
  const listVersions = (path: string) => servers.all().filter(server => server.path === path);

  return {
    nextRevision: () => ++sequence.revision,
    lastRevision: () => sequence.revision,
    knownServers: () =>
      new Set([
        ...[...servers.all(), ...health.all()].map(({ path }) => keyOfPath(path)),
        ...ratings
          .keys()
          .flatMap(key => (key.startsWith(RATED_SERVER) ? keyOfPath(key.slice(RATED_SERVER.length)) : [])),
        ...definitions.all().map(({ server }) => serverOfVersion(server)),
      ]),
    servers: {
      findActive: path => listVersions(path).find(({ isActiveVersion }) => isActiveVersion) ?? null,
      findVersion: (path, version) => servers.find(pairKey(path, version)),
      listVersions,
      listInactive: () =>
        servers
          .all()
          .filter(({ isActiveVersion }) => !isActiveVersion)
          .sort((a, b) => compareTexts(a.path, b.path)),
      list: (filter, page) =>
        cutPage(
          servers.all().filter(({ isActiveVersion }) => isActiveVersion),
          filter,
          page,
        ),
      put: server => servers.put(pairKey(server.path, server.version), server),
      belongs: () => true,
      removeVersion: (path, version) => void servers.remove(pairKey(path, version)),
      remove: path => listVersions(path).filter(({ version }) => servers.remove(pairKey(path, version))).length > 0,
    },
    agents: {
      find: path => agents.find(path),
      list: (filter, page) => cutPage(agents.all(), filter, page),
      put: agent => agents.put(agent.path, agent),
      remove: path => agents.remove(path),
    },
    ratings: {
      find: rated => ratings.find(ratingKey(rated)),
      put: (rated, all) => ratings.put(ratingKey(rated), all),
      remove: rated => void ratings.remove(ratingKey(rated)),
    },
    groups: {
      find: scopeName => groups.find(scopeName),
      all: () => groups.all(),
      put: group => groups.put(group.scopeName, group),
      remove: scopeName => groups.remove(scopeName),
    },
    definitions: {
      find: (server, tool) => definitions.find(pairKey(server, tool)),
      ofServer: server => definitions.all().filter(tool => tool.server === server),
      pending: () => definitions.all().filter(({ pending }) => pending !== null),
      changedSince: revision =>
        definitions.all().filter(({ server, tool }) => (revisions.get(pairKey(server, tool)) ?? 0) > revision),
      put(tool, revision) {
        const key = pairKey(tool.server, tool.tool);
        revisions.set(key, revision);
        definitions.put(key, tool);
      },
      remove: (server, tool) => removeDefinition(pairKey(server, tool)),
      removeServer(server) {
        for (const found of definitions.all())
          if (found.server === server) removeDefinition(pairKey(server, found.tool));
      },
      hasServer: () => true,
    },
    health: {
      find: path => health.find(path),
      all: () => health.all(),
      put: finding => health.put(finding.path, finding),
      remove: path => void health.remove(path),
    },
  };
}

function cutPage<T extends RegisteredServer | RegisteredAgent>(
  records: readonly T[],
  filter: Narrowing,
  page: PageRequest | Cursor,
): Page<T> {
  const found = records.filter(record => fits(record, filter)).sort((a, b) => compareTexts(a.path, b.path));
  const from = 'offset' in page ? Math.max(0, Math.trunc(page.offset)) : countUntil(found, page.after);
  const limit = Math.max(0, Math.trunc(page.limit));
  return { items: found.slice(from, from + limit), total: found.length };
}

function countUntil(found: readonly { path: string }[], after: string | null): number {
  return after === null ? 0 : found.filter(({ path }) => path <= after).length;
}
