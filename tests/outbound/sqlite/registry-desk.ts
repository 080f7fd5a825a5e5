/** Places for registries on disk, and everything that one of them holds. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openSqliteRegistry } from '../../../src/outbound/sqlite/registry-storage.ts';
import type { RegistryStorage, Repositories } from '../../../src/ports/registry-storage.ts';
import {
  approvedTool,
  draftAgent,
  draftGroup,
  draftServer,
  driftedTool,
  healthOf,
  stars,
} from '../../support/registry-drafts.ts';

export function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-registry-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function openAt(path: string, namespace = 'default'): RegistryStorage {
  const storage = openSqliteRegistry({ path, namespace });
  onTestFinished(() => storage.close());
  return storage;
}

/** What its definitions are kept by: what is registered has versions, and a file's server has none. */
export const originOf = (path: string, { kind }: { kind: string } = { kind: 'live' }) =>
  kind === 'file' ? path.slice(1) : `${path.slice(1)}@v1.0.0`;

const PAGE = { offset: 0, limit: 100_000 };

/** Everything that is kept, as one value. */
export async function readEverything(storage: RegistryStorage): Promise<unknown> {
  const servers = (await storage.servers.list({}, PAGE)).items;
  const agents = (await storage.agents.list({}, PAGE)).items;
  const versions = await Promise.all(servers.map(({ path }) => storage.servers.listVersions(path)));
  const rated = [
    ...servers.map(({ path }) => ({ kind: 'server' as const, path })),
    ...agents.map(({ path }) => ({ kind: 'agent' as const, path })),
  ];
  return {
    versions,
    agents,
    ratings: await Promise.all(rated.map(thing => storage.ratings.list(thing))),
    groups: await storage.groups.list(),
    definitions: await Promise.all(servers.map(({ path, source }) => storage.definitions.list(originOf(path, source)))),
    health: await storage.health.list(),
    revision: await storage.revision(),
  };
}

/** Some of everything, in `count` times six changes. */
export async function fill(repositories: Repositories, from: number, count: number): Promise<void> {
  const { servers, agents, ratings, groups, definitions, health } = repositories;
  for (let n = from; n < from + count; n++) {
    const path = `/server-${n}`;
    await servers.add(draftServer(path, { description: `Number ${n}. `.repeat(20), tags: ['some', `tag ${n}`] }));
    await agents.add(draftAgent(`/agent-${n}`));
    await ratings.put({ kind: 'server', path }, stars('ada', 1 + (n % 5)));
    await groups.add(draftGroup(`group ${n}`));
    const origin = originOf(path);
    await definitions.put([approvedTool(origin, 'search'), driftedTool(origin, 'write')]);
    await health.put([healthOf(path)]);
  }
}
