/**
 * Several gateways on one registry, each with servers in files of its own. What is registered is everybody's; what is kept
 * of a file's server (record, ratings, health, approved definitions) is that file's, and seen by the gateways that read the
 * file. So two files may use one name, and neither gateway approves, rates, switches or forgets for the other.
 *
 * Where a server is follows from its name and the files in force, and from nothing that is stored: every file keeps what it
 * names and no more, which is seen to in one place, when the files come into force.
 */
import type { ApprovedTool } from '../../domain/approved-tool.ts';
import type { RegisteredServer } from '../../domain/registered-server.ts';
import { keyOfPath, pathOfKey, readRegistryPath } from '../../domain/registry-path.ts';
import { type ServerKey, serverOfVersion, versionOfKey } from '../../domain/server.ts';
import { fileOf, NO_FILES, type ServerFiles } from '../../domain/server-files.ts';
import type { Rated } from '../../ports/rating-repository.ts';
import type { FilesFollowed } from '../../ports/registry-storage.ts';
import type { Cursor, Page, PageRequest } from '../../ports/repository.ts';
import { compareTexts, type Narrowing } from './matching.ts';
import type { RegistryRows } from './rows.ts';

export interface PlacesOfRows {
  /** What is registered. */
  shared: RegistryRows;
  /** What is kept for one file. */
  rowsOf(file: string): RegistryRows;
  /** What versions kept that did not tell files apart: for each file once, and null ever after. It is copied, not moved. */
  claimEarlier(file: string): RegistryRows | null;
}

export interface RowsPerFile extends RegistryRows {
  /** Puts these files in force. `putBack`: as before; the rows are the engine's to put back. */
  follow(files: ServerFiles): { followed: FilesFollowed; putBack(): void };
}

/** Rows, and which of their paths are not to be seen because what a file names counts. */
interface Part {
  rows: RegistryRows;
  hidden: readonly string[];
}

export function withRowsPerFile({ shared, rowsOf, claimEarlier }: PlacesOfRows): RowsPerFile {
  let files = NO_FILES;
  let parts: readonly Part[] = [{ rows: shared, hidden: [] }];

  /**
   * Of what a file names nothing is in what is registered: whoever registers the same path does not know of the file.
   * Versions are of registered servers alone.
   */
  function homeOf(server: string): RegistryRows {
    const file = fileOf(files, server);
    return file === null ? shared : rowsOf(file);
  }
  const homeAt = (path: string) => homeOf(keyOfPath(path));
  /** Of all places, what is kept where it is looked for. */
  const seenOf = (find: (rows: RegistryRows) => ApprovedTool[]) =>
    parts.flatMap(({ rows }) => find(rows).filter(({ server }) => homeOf(serverOfVersion(server)) === rows));
  const homeOfRated = ({ kind, path }: Rated) => (kind === 'server' ? homeAt(path) : shared);

  return {
    ...shared,
    servers: {
      findActive: path => homeAt(path).servers.findActive(path),
      findVersion: (path, version) => homeAt(path).servers.findVersion(path, version),
      listVersions: path => homeAt(path).servers.listVersions(path),
      // A file's server has one version.
      listInactive: () => shared.servers.listInactive().filter(({ path }) => homeAt(path) === shared),
      list: (filter, page) => listParts(parts, filter, page),
      put(server) {
        const { path, source } = server;
        if (!belongs(path, source)) throw new RangeError(`${path} would not be found where it is kept`);
        homeAt(path).servers.put(server);
      },
      belongs,
      removeVersion: (path, version) => homeAt(path).servers.removeVersion(path, version),
      remove: path => homeAt(path).servers.remove(path),
    },
    ratings: {
      find: rated => homeOfRated(rated).ratings.find(rated),
      put: (rated, ratings, revision) => homeOfRated(rated).ratings.put(rated, ratings, revision),
      remove: rated => homeOfRated(rated).ratings.remove(rated),
    },
    definitions: {
      find: (server, tool) => homeOf(server).definitions.find(server, tool),
      ofServer: server => homeOf(server).definitions.ofServer(server),
      pending: () => seenOf(rows => rows.definitions.pending()),
      changedSince: revision => seenOf(rows => rows.definitions.changedSince(revision)),
      put: (tool, revision) => homeOf(tool.server).definitions.put(tool, revision),
      remove: (server, tool) => homeOf(server).definitions.remove(server, tool),
      // Of a file's server no version goes that was registered at the same path.
      removeServer: server => homeOf(serverOfVersion(server)).definitions.removeServer(server),
      hasServer,
    },
    health: {
      find: path => homeAt(path).health.find(path),
      all: () => parts.flatMap(({ rows }) => rows.health.all().filter(({ path }) => homeAt(path) === rows)),
      put: (finding, revision) => homeAt(finding.path).health.put(finding, revision),
      remove: path => homeAt(path).health.remove(path),
    },
    follow(next) {
      const before = { files, parts };
      const gone = settle(next);
      files = new Map(Array.from(next, ([file, names]) => [file, new Set(names)]));
      parts = partsOf(next);
      const named = new Set([...next.values()].flatMap(names => Array.from(names, pathOfKey)));
      const behind = [...named].filter(path => shared.servers.findActive(path) !== null);
      return {
        followed: { gone: gone.map(pathOfKey), behind },
        putBack() {
          ({ files, parts } = before);
        },
      };
    },
  };

  function partsOf(next: ServerFiles): Part[] {
    const seen = new Set<ServerKey>();
    const ofFiles = Array.from(next, ([file, names]) => {
      const hidden = [...names].filter(server => seen.has(server)).map(pathOfKey);
      for (const server of names) seen.add(server);
      return { rows: rowsOf(file), hidden };
    });
    return [...ofFiles, { rows: shared, hidden: [...seen].map(pathOfKey) }];
  }

  function hasServer(origin: string): boolean {
    const path = pathOfKey(serverOfVersion(origin));
    const version = versionOfKey(origin);
    if (version !== null) return shared.servers.findVersion(path, version) !== null;
    // What is registered has versions. Of a name that the registry does not show there is no record: the file's word counts.
    if (fileOf(files, origin) === null) return false;
    return homeOf(origin).servers.findActive(path) !== null || !readRegistryPath(path).ok;
  }

  function belongs(path: string, source: RegisteredServer['source']): boolean {
    return fileOf(files, keyOfPath(path)) === (source.kind === 'file' ? source.file : null);
  }

  /**
   * Every file keeps what it names: what it has already, else what was kept of it for another file of ours that names or
   * named the server, else what earlier versions kept, so that a server which moves is not trusted anew. And nothing that
   * it no longer names: that would be true again one day. What another file names stays there, for other gateways read it.
   * Returns what none of these files names any more.
   */
  function settle(next: ServerFiles): ServerKey[] {
    const kept = new Map(Array.from(next.keys(), file => [file, rowsOf(file).knownServers()]));
    for (const [file, names] of next) {
      const own = kept.get(file) ?? new Set();
      const earlier = claimEarlier(file);
      const before = earlier?.knownServers();
      for (const server of names) {
        const isNew = !own.has(server);
        const other = isNew && fileOf(next, server) === file ? [...kept].find(([, has]) => has.has(server)) : undefined;
        if (other !== undefined) copyServer(server, rowsOf(other[0]), rowsOf(file), file);
        // A version between had taken over a part.
        else if (earlier !== null && before?.has(server)) copyServer(server, earlier, rowsOf(file), file);
        else continue;
        own.add(server);
      }
    }
    const left = [...kept].flatMap(([file, servers]) =>
      [...servers].filter(server => !next.get(file)?.has(server)).map(server => ({ server, rows: rowsOf(file) })),
    );
    for (const { server, rows } of left) removeServer(server, rows);
    if (left.length > 0) shared.nextRevision();
    return [...new Set(left.map(({ server }) => server))].filter(server => fileOf(next, server) === null);
  }
}

/** What is kept of a server, as far as there is nothing of its kind yet; it is then `file`'s. */
function copyServer(server: ServerKey, from: RegistryRows, to: RegistryRows, file: string): void {
  const path = pathOfKey(server);
  const rated = { kind: 'server', path } as const;
  const record = from.servers.findActive(path);
  if (record !== null && to.servers.findActive(path) === null)
    to.servers.put({ ...record, source: { kind: 'file', file }, revision: to.nextRevision() });
  const ratings = from.ratings.find(rated);
  if (ratings !== null && to.ratings.find(rated) === null) to.ratings.put(rated, ratings, to.nextRevision());
  const health = from.health.find(path);
  if (health !== null && to.health.find(path) === null) to.health.put(health, to.nextRevision());
  if (to.definitions.ofServer(server).length > 0) return;
  for (const tool of from.definitions.ofServer(server)) to.definitions.put(tool, to.nextRevision());
}

function removeServer(server: ServerKey, { servers, ratings, health, definitions }: RegistryRows): void {
  const path = pathOfKey(server);
  servers.remove(path);
  ratings.remove({ kind: 'server', path });
  health.remove(path);
  definitions.removeServer(server);
}

/** One list of all parts. Of each just what may come before the end of the page is read. */
function listParts(parts: readonly Part[], filter: Narrowing, page: PageRequest | Cursor): Page<RegisteredServer> {
  const lists = parts.map(
    ({ rows, hidden }) =>
      (page: PageRequest | Cursor) =>
        rows.servers.list({ ...filter, except: hidden }, page),
  );
  const totals = lists.map(list => list({ offset: 0, limit: 0 }).total);
  const total = totals.reduce((sum, each) => sum + each, 0);
  if (!('offset' in page)) {
    const found = lists.flatMap(list => list(page).items);
    return { items: found.sort(byPath).slice(0, Math.max(0, page.limit)), total };
  }
  const [offset, limit] = [Math.max(0, Math.trunc(page.offset)), Math.max(0, page.limit)];
  // Of a part so many are on pages before as the others cannot fill.
  const skipped = totals.map(own => Math.max(0, offset - (total - own)));
  const found = lists.flatMap((list, at) => {
    const skip = skipped[at] ?? 0;
    return list({ offset: skip, limit: offset + limit - skip }).items;
  });
  const begin = offset - skipped.reduce((sum, each) => sum + each, 0);
  return { items: found.sort(byPath).slice(begin, begin + limit), total };
}

const byPath = (one: RegisteredServer, other: RegisteredServer) => compareTexts(one.path, other.path);
