/**
 * Several gateways on one registry, each with servers in files of its own. What is registered is everybody's; what is kept
 * of a file's server (record, ratings, health, approved definitions) is that file's, and seen by the gateways that read the
 * file. So two files may use one name, and neither gateway approves, rates, switches or forgets for the other.
 */
import type { ApprovedTool } from '../../domain/approved-tool.ts';
import type { RegisteredServer } from '../../domain/registered-server.ts';
import { keyOfPath, pathOfKey } from '../../domain/registry-path.ts';
import { serverOfVersion } from '../../domain/server.ts';
import type { Rated } from '../../ports/rating-repository.ts';
import type { Cursor, Page, PageRequest } from '../../ports/repository.ts';
import type { ServerFiles } from '../../ports/server-files.ts';
import { compareTexts, type Narrowing } from './matching.ts';
import type { RegistryRows } from './rows.ts';

/** `rowsOf`: what is kept for one file; `files`: those of this gateway. */
export function withRowsPerFile(
  shared: RegistryRows,
  rowsOf: (file: string) => RegistryRows,
  files: ServerFiles,
): RegistryRows {
  const ofFiles = () => files.all().map(rowsOf);

  /** Those of every file, of the one that names the server first. */
  function inOrder(server: string): RegistryRows[] {
    const file = files.fileOf(server);
    return file === null ? ofFiles() : [...new Set([rowsOf(file), ...ofFiles()])];
  }

  /** A file's server stands before a registered one of the same path: others register without knowing of it. */
  const homeOf = (path: string): RegistryRows =>
    inOrder(keyOfPath(path)).find(rows => rows.servers.findActive(path) !== null) ?? shared;

  /** The same for many paths at this moment. */
  function homesNow(): (path: string) => RegistryRows {
    const pathsIn = new Map(ofFiles().map(rows => [rows, new Set(rows.servers.activePaths())]));
    const holds = (rows: RegistryRows, path: string) =>
      pathsIn.get(rows)?.has(path) ?? rows.servers.findActive(path) !== null;
    return path => inOrder(keyOfPath(path)).find(rows => holds(rows, path)) ?? shared;
  }

  const ratedIn = ({ kind, path }: Rated) => (kind === 'server' ? homeOf(path) : shared);

  /** Where new definitions of a server go: of one that a file names, to that file, shown in the registry or not. */
  function definitionsFor(server: string): RegistryRows {
    const file = files.fileOf(server);
    return file === null ? homeOf(pathOfKey(server)) : rowsOf(file);
  }

  /**
   * Where its definitions are. As long as its file has none of them, those of another file of ours, in which it was
   * written before, and those of earlier versions, which did not tell files apart: nothing is trusted anew for that.
   */
  const definitionsOf = (server: string): RegistryRows =>
    [...inOrder(server), shared].find(rows => rows.definitions.ofServer(server).length > 0) ?? definitionsFor(server);

  /** Copied, since another gateway may read them where they are. */
  function adoptDefinitions(server: string): RegistryRows {
    const [from, to] = [definitionsOf(server), definitionsFor(server)];
    if (from !== to) for (const tool of from.definitions.ofServer(server)) to.definitions.put(tool, to.nextRevision());
    return to;
  }

  /** What was said of a server goes with it from file to file. */
  function copySayings(from: RegistryRows, to: RegistryRows, path: string): void {
    const rated = { kind: 'server', path } as const;
    const ratings = from.ratings.find(rated);
    if (ratings !== null) to.ratings.put(rated, ratings, to.nextRevision());
    const health = from.health.find(path);
    if (health !== null) to.health.put(health, to.nextRevision());
  }

  function homeFor({ source }: RegisteredServer): RegistryRows {
    return source.kind === 'file' && files.all().includes(source.file) ? rowsOf(source.file) : shared;
  }

  return {
    ...shared,
    servers: {
      findActive: path => homeOf(path).servers.findActive(path),
      findVersion: (path, version) => homeOf(path).servers.findVersion(path, version),
      listVersions: path => homeOf(path).servers.listVersions(path),
      // A file's server has one version.
      listInactive() {
        const homeAt = homesNow();
        return shared.servers.listInactive().filter(({ path }) => homeAt(path) === shared);
      },
      activePaths() {
        return [...new Set([...ofFiles(), shared].flatMap(rows => rows.servers.activePaths()))];
      },
      list,
      put(server) {
        const [from, to] = [homeOf(server.path), homeFor(server)];
        if (from !== to && from !== shared) copySayings(from, to, server.path);
        to.servers.put(server);
      },
      removeVersion: (path, version) => homeOf(path).servers.removeVersion(path, version),
      remove: path => homeOf(path).servers.remove(path),
    },
    ratings: {
      find: rated => ratedIn(rated).ratings.find(rated),
      put: (rated, ratings, revision) => ratedIn(rated).ratings.put(rated, ratings, revision),
      remove: rated => ratedIn(rated).ratings.remove(rated),
    },
    definitions: {
      find: (server, tool) => definitionsOf(server).definitions.find(server, tool),
      ofServer: server => definitionsOf(server).definitions.ofServer(server),
      pending: () => [...ofFiles(), shared].flatMap(rows => rows.definitions.pending().filter(isIn(rows))),
      put: (tool, revision) => adoptDefinitions(tool.server).definitions.put(tool, revision),
      remove: (server, tool) => adoptDefinitions(server).definitions.remove(server, tool),
      // Of every version: those of a registered server of the same path are not this one's.
      removeServer: server => homeOf(pathOfKey(serverOfVersion(server))).definitions.removeServer(server),
    },
    health: {
      find: path => homeOf(path).health.find(path),
      all() {
        const homeAt = homesNow();
        return [...ofFiles(), shared].flatMap(rows => rows.health.all().filter(({ path }) => homeAt(path) === rows));
      },
      put: (finding, revision) => homeOf(finding.path).health.put(finding, revision),
      remove: path => homeOf(path).health.remove(path),
    },
  };

  function isIn(rows: RegistryRows): (tool: ApprovedTool) => boolean {
    return ({ server }) => definitionsOf(server) === rows;
  }

  /** One list of all parts. Of each just what may come before the end of the page is read. */
  function list(filter: Narrowing, page: PageRequest | Cursor): Page<RegisteredServer> {
    const homeAt = homesNow();
    const inFiles = ofFiles().map(rows => ({ rows, paths: rows.servers.activePaths() }));
    const parts = [
      ...inFiles.map(({ rows, paths }) => ({ rows, hidden: paths.filter(path => homeAt(path) !== rows) })),
      { rows: shared, hidden: inFiles.flatMap(({ paths }) => paths) },
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
