/**
 * Several gateways on one registry, each with servers in files of its own. What is registered is everybody's; what is kept
 * of a file's server (record, ratings, health, approved definitions) is that file's, and seen by the gateways that read the
 * file. So two files may use one name, and neither gateway approves, rates, switches or forgets for the other. Where a
 * server is asks whether there is something, and never what: it is asked with every record.
 */
import type { RegisteredServer } from '../../domain/registered-server.ts';
import { keyOfPath, pathOfKey } from '../../domain/registry-path.ts';
import { serverOfVersion } from '../../domain/server.ts';
import type { Rated } from '../../ports/rating-repository.ts';
import type { Cursor, Page, PageRequest } from '../../ports/repository.ts';
import type { ServerFiles } from '../../ports/server-files.ts';
import { compareTexts, type Narrowing } from './matching.ts';
import type { RegistryRows } from './rows.ts';

export interface PlacesOfRows {
  /** What is registered. */
  shared: RegistryRows;
  /** What is kept for one file. */
  rowsOf(file: string): RegistryRows;
  /** Of versions that did not tell files apart: copied by each file that names the server, and left for the others. */
  earlier: RegistryRows;
}

/** `files`: those of this gateway. */
export function withRowsPerFile({ shared, rowsOf, earlier }: PlacesOfRows, files: ServerFiles): RegistryRows {
  const ofFiles = () => files.all().map(rowsOf);

  /** Where a file's server may be, the file that names it first; one that none names any more is where it was. */
  function placesOf(server: string): RegistryRows[] {
    const file = files.fileOf(server);
    return file === null ? ofFiles() : [...new Set([rowsOf(file), ...ofFiles(), earlier])];
  }

  /** Of what a file names nothing is in what is registered: whoever registers the same path does not know of the file. */
  const homeOf = (path: string): RegistryRows =>
    placesOf(keyOfPath(path)).find(rows => rows.servers.hasActive(path)) ?? ownOf(keyOfPath(path));

  /** Where a server is that has nothing yet. */
  function ownOf(server: string): RegistryRows {
    const file = files.fileOf(server);
    return file === null ? shared : rowsOf(file);
  }

  /** The same for many paths at this moment. */
  function homesNow(): (path: string) => RegistryRows {
    const pathsIn = new Map([...ofFiles(), earlier].map(rows => [rows, new Set(rows.servers.activePaths())]));
    const holds = (rows: RegistryRows, path: string) => pathsIn.get(rows)?.has(path) ?? rows.servers.hasActive(path);
    return path => placesOf(keyOfPath(path)).find(rows => holds(rows, path)) ?? ownOf(keyOfPath(path));
  }

  /** What was shared by files is nobody's to change: whoever says something of it has it as its own from then on. */
  function homeToWrite(path: string): RegistryRows {
    const from = homeOf(path);
    const file = files.fileOf(keyOfPath(path));
    const server = from === earlier && file !== null ? from.servers.findActive(path) : null;
    if (file === null || server === null) return from;
    const to = rowsOf(file);
    bring(path, from, to);
    to.servers.put(server);
    return to;
  }

  /** Where new definitions of a server go: of one that a file names, to that file, shown in the registry or not. */
  function deskOf(server: string): RegistryRows {
    const file = files.fileOf(server);
    return file === null ? homeOf(pathOfKey(server)) : rowsOf(file);
  }

  /** Where its definitions are: as long as its file has none, where they were before, so that nothing is trusted anew. */
  function definitionsAt(server: string): RegistryRows {
    const desk = deskOf(server);
    if (desk === shared || desk.definitions.has(server)) return desk;
    return placesOf(server).find(rows => rows.definitions.has(server)) ?? desk;
  }

  /** Whether no file names it there any more: else it stays, for other gateways read that file. */
  const isLeft = (server: string, rows: RegistryRows) =>
    rows !== earlier && !files.all().some(file => rowsOf(file) === rows && files.isNamedIn(file, server));

  function bringDefinitions(server: string, from: RegistryRows, to: RegistryRows): void {
    if (from === to || to.definitions.has(server)) return;
    for (const tool of from.definitions.ofServer(server)) to.definitions.put(tool, to.nextRevision());
    if (isLeft(server, from)) from.definitions.removeServer(server);
  }

  function definitionsToWrite(server: string): RegistryRows {
    const to = deskOf(server);
    bringDefinitions(server, definitionsAt(server), to);
    return to;
  }

  /** A server goes from file to file with all that is kept of it: what stayed behind would be true again one day. */
  function bring(path: string, from: RegistryRows, to: RegistryRows): void {
    const rated = { kind: 'server', path } as const;
    const ratings = from.ratings.find(rated);
    if (ratings !== null) to.ratings.put(rated, ratings, to.nextRevision());
    const health = from.health.find(path);
    if (health !== null) to.health.put(health, to.nextRevision());
    bringDefinitions(keyOfPath(path), from, to);
    if (!isLeft(keyOfPath(path), from)) return;
    from.ratings.remove(rated);
    from.health.remove(path);
    from.definitions.removeServer(keyOfPath(path));
    from.servers.remove(path);
  }

  return {
    ...shared,
    servers: {
      findActive: path => homeOf(path).servers.findActive(path),
      hasActive: path => homeOf(path).servers.hasActive(path),
      activePaths: () => {
        const homeAt = homesNow();
        const all = [...ofFiles(), earlier, shared];
        return all.flatMap(rows => rows.servers.activePaths().filter(path => homeAt(path) === rows));
      },
      findVersion: (path, version) => homeOf(path).servers.findVersion(path, version),
      listVersions: path => homeOf(path).servers.listVersions(path),
      // A file's server has one version.
      listInactive() {
        const homeAt = homesNow();
        return shared.servers.listInactive().filter(({ path }) => homeAt(path) === shared);
      },
      list,
      put(server) {
        const { path, source } = server;
        if (source.kind !== 'file' && files.fileOf(keyOfPath(path)) !== null)
          throw new RangeError(`a file names ${path}: it cannot be registered beside it here`);
        const to = source.kind === 'file' ? rowsOf(source.file) : shared;
        const from = homeOf(path);
        if (source.kind === 'file' && from !== to && from !== shared) bring(path, from, to);
        to.servers.put(server);
      },
      removeVersion: (path, version) => homeOf(path).servers.removeVersion(path, version),
      remove: path => homeOf(path).servers.remove(path),
    },
    ratings: {
      find: rated => partOf(rated, homeOf).ratings.find(rated),
      put: (rated, ratings, revision) => partOf(rated, homeToWrite).ratings.put(rated, ratings, revision),
      remove: rated => partOf(rated, homeToWrite).ratings.remove(rated),
    },
    definitions: {
      find: (server, tool) => definitionsAt(server).definitions.find(server, tool),
      has: server => definitionsAt(server).definitions.has(server),
      ofServer: server => definitionsAt(server).definitions.ofServer(server),
      pending() {
        const known = new Map<string, RegistryRows>();
        const isIn = (server: string, rows: RegistryRows) => {
          const at = known.get(server) ?? definitionsAt(server);
          known.set(server, at);
          return at === rows;
        };
        const all = [...ofFiles(), earlier, shared];
        return all.flatMap(rows => rows.definitions.pending().filter(({ server }) => isIn(server, rows)));
      },
      put: (tool, revision) => definitionsToWrite(tool.server).definitions.put(tool, revision),
      remove: (server, tool) => definitionsToWrite(server).definitions.remove(server, tool),
      // Of every version: those of a registered server of the same path are not this one's.
      removeServer: server => homeOf(pathOfKey(serverOfVersion(server))).definitions.removeServer(server),
    },
    health: {
      find: path => homeOf(path).health.find(path),
      all() {
        const homeAt = homesNow();
        const all = [...ofFiles(), earlier, shared];
        return all.flatMap(rows => rows.health.all().filter(({ path }) => homeAt(path) === rows));
      },
      put: (finding, revision) => homeToWrite(finding.path).health.put(finding, revision),
      remove: path => homeOf(path).health.remove(path),
    },
  };

  function partOf({ kind, path }: Rated, home: (path: string) => RegistryRows): RegistryRows {
    return kind === 'server' ? home(path) : shared;
  }

  /** One list of all parts. Of each just what may come before the end of the page is read. */
  function list(filter: Narrowing, page: PageRequest | Cursor): Page<RegisteredServer> {
    const homeAt = homesNow();
    const inFiles = [...ofFiles(), earlier].map(rows => ({ rows, paths: rows.servers.activePaths() }));
    const ours = [...inFiles.flatMap(({ paths }) => paths), ...Array.from(files.named(), pathOfKey)];
    const parts = [
      ...inFiles.map(({ rows, paths }) => ({ rows, hidden: paths.filter(path => homeAt(path) !== rows) })),
      { rows: shared, hidden: ours.filter(path => homeAt(path) !== shared) },
    ].map(({ rows, hidden }) => ({ servers: rows.servers, filter: { ...filter, except: hidden } }));
    const totals = parts.map(({ servers, filter }) => servers.list(filter, { offset: 0, limit: 0 }).total);
    const total = totals.reduce((sum, each) => sum + each, 0);
    if (!('offset' in page)) {
      const found = parts.flatMap(({ servers, filter }) => servers.list(filter, page).items);
      return { items: found.sort(byPath).slice(0, Math.max(0, page.limit)), total };
    }
    const [offset, limit] = [Math.max(0, Math.trunc(page.offset)), Math.max(0, page.limit)];
    // Of a part so many are on pages before as the others cannot fill.
    const skipped = totals.map(own => Math.max(0, offset - (total - own)));
    const found = parts.flatMap(({ servers, filter }, at) => {
      const skip = skipped[at] ?? 0;
      return servers.list(filter, { offset: skip, limit: offset + limit - skip }).items;
    });
    const begin = offset - skipped.reduce((sum, each) => sum + each, 0);
    return { items: found.sort(byPath).slice(begin, begin + limit), total };
  }
}

const byPath = (one: RegisteredServer, other: RegisteredServer) => compareTexts(one.path, other.path);
