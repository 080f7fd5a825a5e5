/**
 * A process that changes a registry until it is killed, or counts one server up. It says every change when, and only when,
 * it was acknowledged: `<entry> <how far it came>`.
 */

import type { RegisteredServer } from '../../../src/domain/registered-server.ts';
import { openSqliteRegistry } from '../../../src/outbound/sqlite/registry-storage.ts';
import type { Repositories } from '../../../src/ports/registry-storage.ts';
import { approvedTool, draftAgent, draftServer, healthOf, stars } from '../../support/registry-drafts.ts';

const [path = '', run = '', times = ''] = process.argv.slice(2);
const storage = openSqliteRegistry({ path, namespace: 'default' });
/** Every other entry is a server of the operator's file, which names one more each time. */
const file = `/gw/run-${run}.json`;
const named = new Set<string>();
/** Once it is on its way: what waits here would end with this process, and look as if it had never been said. */
const say = (line: string) => new Promise(told => process.stdout.write(`${line}\n`, told));

const draftOf: typeof draftServer = (entry, more) =>
  draftServer(entry, named.has(entry.slice(1)) ? { ...more, source: { kind: 'file', file } } : more);

/** The life of an entry, one change after the other; a transaction where two records change. */
const STEPS: readonly ((repositories: Repositories, path: string) => Promise<unknown>)[] = [
  async ({ servers, agents }, entry) => {
    await servers.add(draftOf(entry, { description: 'x'.repeat((Number(run) * 37) % 3_000) }));
    await agents.add(draftAgent(entry));
  },
  ({ definitions }, entry) => {
    const origin = named.has(entry.slice(1)) ? entry.slice(1) : `${entry.slice(1)}@v1.0.0`;
    return definitions.put([approvedTool(origin, 'a'), approvedTool(origin, 'b')]);
  },
  ({ ratings }, entry) => ratings.put({ kind: 'server', path: entry }, stars('ada', 4)),
  async ({ servers, health }, entry) => {
    await servers.update(entry, null, draftOf(entry, { numTools: 2 }));
    await health.put([healthOf(entry)]);
  },
  async ({ servers, agents }, entry) => {
    await servers.remove(entry);
    await agents.remove(entry);
  },
];

if (times === '') {
  for (let n = 0; ; n++) {
    const entry = `/run-${run}/entry-${n}`;
    if (n % 2 === 1) named.add(entry.slice(1));
    // Every third is taken away again, so that removals are among what must not be lost.
    for (const [at, step] of STEPS.slice(0, n % 3 === 0 ? 5 : 4).entries()) {
      const work = (repositories: Repositories) => step(repositories, entry);
      if (n % 2 === 1 && at === 0) await storage.follow(new Map([[file, new Set(named)]]), work);
      else await storage.transaction(work);
      await say(`${entry} ${at + 1}`);
    }
  }
}

for (let n = 0; n < Number(times); n++) {
  await storage.transaction(async ({ servers }) => {
    const server = (await servers.find('/counter')) as RegisteredServer;
    await servers.update('/counter', server.revision, { ...server, numTools: server.numTools + 1 });
  });
  await say(`/counter ${n}`);
}
await storage.close();
