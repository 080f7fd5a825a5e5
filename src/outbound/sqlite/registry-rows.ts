/** The records of one namespace in SQLite. That a path has one active version the database itself sees to. */
import { keyOfPath } from '../../domain/registry-path.ts';
import { serverOfVersion } from '../../domain/server.ts';
import type { RegistryRows } from '../storage/rows.ts';
import { sequenceOf } from './database.ts';
import { listPage } from './listing.ts';
import { type Access, createRecords } from './records.ts';
import { AGENT, agentValues, DEFINITION, GROUP, HEALTH, RATING, SERVER, serverValues } from './tables.ts';

const VERSION = 'path = ? and version = ?';
const TOOL = 'server = ? and tool = ?';
const RATED = 'kind = ? and path = ?';

export function prepareRows(access: Access): RegistryRows {
  return {
    nextRevision: access.nextRevision,
    lastRevision: () => sequenceOf(access.database),
    knownServers: prepareKnownServers(access),
    servers: prepareServers(access),
    agents: prepareAgents(access),
    ratings: prepareRatings(access),
    groups: prepareGroups(access),
    definitions: prepareDefinitions(access),
    health: prepareHealth(access),
  };
}

function prepareKnownServers({ database, namespace }: Access): RegistryRows['knownServers'] {
  const paths = database
    .prepare<{ namespace: string }, string>(
      `select path from server where namespace = @namespace
      union select path from health where namespace = @namespace
      union select path from rating where namespace = @namespace and kind = 'server'`,
    )
    .pluck();
  const defined = database
    .prepare<{ namespace: string }, string>('select distinct server from definition where namespace = @namespace')
    .pluck();
  return () =>
    new Set([...paths.all({ namespace }).map(keyOfPath), ...defined.all({ namespace }).map(serverOfVersion)]);
}

function prepareServers(access: Access): RegistryRows['servers'] {
  const servers = createRecords(access, SERVER);
  const places = access.database.prepare<[string, string], { version: string; place: number }>(
    'select version, place from server where namespace = ? and path = ? order by place',
  );
  /** A version keeps its place among those of its path; a new one comes after all that are there. */
  const placeOf = (path: string, version: string) => {
    const known = places.all(access.namespace, path);
    return known.find(place => place.version === version)?.place ?? (known.at(-1)?.place ?? -1) + 1;
  };
  return {
    findActive: path => servers.one('path = ? and is_active = 1', path),
    findVersion: (path, version) => servers.one(VERSION, path, version),
    listVersions: path => servers.all('path = ? order by place', path),
    listInactive: () => servers.all('is_active = 0 order by path, place'),
    list: (filter, page) => listPage(servers, 'is_active = 1', filter, page),
    put(server) {
      const place = placeOf(server.path, server.version);
      servers.put(serverValues(server, place), server, server.revision);
    },
    belongs: () => true,
    removeVersion: (path, version) => void servers.remove(VERSION, path, version),
    remove: path => servers.remove('path = ?', path) > 0,
  };
}

function prepareAgents(access: Access): RegistryRows['agents'] {
  const agents = createRecords(access, AGENT);
  return {
    find: path => agents.one('path = ?', path),
    list: (filter, page) => listPage(agents, '1 = 1', filter, page),
    put: agent => agents.put(agentValues(agent), agent, agent.revision),
    remove: path => agents.remove('path = ?', path) > 0,
  };
}

/** Those of one thing are one record: they are read, and bounded, together. */
function prepareRatings(access: Access): RegistryRows['ratings'] {
  const ratings = createRecords(access, RATING);
  return {
    find: ({ kind, path }) => ratings.one(RATED, kind, path),
    put: ({ kind, path }, all, revision) => ratings.put([kind, path], all, revision),
    remove: ({ kind, path }) => void ratings.remove(RATED, kind, path),
  };
}

function prepareGroups(access: Access): RegistryRows['groups'] {
  const groups = createRecords(access, GROUP);
  return {
    find: scopeName => groups.one('scope_name = ?', scopeName),
    all: () => groups.all('1 = 1'),
    put: group => groups.put([group.scopeName], group, group.revision),
    remove: scopeName => groups.remove('scope_name = ?', scopeName) > 0,
  };
}

function prepareDefinitions(access: Access): RegistryRows['definitions'] {
  const definitions = createRecords(access, DEFINITION);
  return {
    find: (server, tool) => definitions.one(TOOL, server, JSON.stringify(tool)),
    ofServer: server => definitions.all('server = ?', server),
    pending: () => definitions.all('is_pending = 1'),
    changedSince: revision => definitions.all('revision > ?', revision),
    put(tool, revision) {
      definitions.put([tool.server, JSON.stringify(tool.tool), Number(tool.pending !== null)], tool, revision);
    },
    remove: (server, tool) => definitions.remove(TOOL, server, JSON.stringify(tool)) > 0,
    removeServer: server => void definitions.remove('server = ?', server),
    hasServer: () => true,
  };
}

function prepareHealth(access: Access): RegistryRows['health'] {
  const health = createRecords(access, HEALTH);
  return {
    find: path => health.one('path = ?', path),
    all: () => health.all('1 = 1'),
    put: (finding, revision) => health.put([finding.path], finding, revision),
    remove: path => void health.remove('path = ?', path),
  };
}
