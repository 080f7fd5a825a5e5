/** A real process that changes the registry is killed again and again; nothing that anybody was told of may be missing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { expect, it } from 'vitest';
import type { RegistryStorage } from '../../../src/ports/registry-storage.ts';
import { draftServer } from '../../support/registry-drafts.ts';
import { makeFolder, openAt, originOf } from './registry-desk.ts';

const CHILD = fileURLToPath(new URL('./registry-child.ts', import.meta.url));
/** 500 for the figure that is published; a few keep the promise watched. */
const KILLS = Number(process.env.GATEHOUSE_KILLS ?? (process.env.GATEHOUSE_FULL === undefined ? 8 : 500));

async function runAndKill(path: string, run: number, afterMs: number): Promise<string[]> {
  // Most of a life this short would otherwise go into compiling.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(dirname(path), 'compiled') };
  const child = spawn(process.execPath, [CHILD, path, String(run)], { stdio: ['ignore', 'pipe', 'inherit'], env });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', text => {
    said += text;
  });
  await once(child.stdout, 'data');
  setTimeout(() => child.kill('SIGKILL'), afterMs);
  await once(child, 'close');
  return said.split('\n').slice(0, -1);
}

/** How far an entry came, as the steps of the child leave it; -1: a state between two steps. */
async function stepOf({ servers, agents, definitions, ratings, health }: RegistryStorage, path: string) {
  const server = await servers.find(path);
  const rest = [
    (await agents.find(path)) !== null,
    server !== null && (await definitions.list(originOf(path, server.source)))?.length === 2,
    (await ratings.list({ kind: 'server', path })).length === 1,
    server?.numTools === 2,
    (await health.find(path)) !== null,
  ];
  const steps = ['00000', '10000', '11000', '11100', '11111'];
  const step = steps.indexOf(rest.map(Number).join(''));
  return server === null ? (step === 0 ? 'gone' : 'torn') : step < 1 ? 'torn' : step;
}

it(`keeps every acknowledged change over ${KILLS} kills, and none by halves`, {
  timeout: 60_000 + KILLS * 10_000,
}, async () => {
  const path = join(makeFolder(), 'registry.db');
  let acknowledged = 0;
  let ahead = 0;
  const latest = new Map<string, number>();
  const wrong: string[] = [];

  /** As the child names them, and one more, which it may have been at. */
  const files = new Map<string, Set<string>>();
  const openWithFiles = async () => {
    const storage = openAt(path);
    await storage.follow(files, async () => {});
    return storage;
  };

  const check = async (storage: RegistryStorage, entries: Iterable<[string, number]>) => {
    for (const [entry, told] of entries) {
      const found = await stepOf(storage, entry);
      const isLast = (step: number) => step === 5;
      // The change that was under way may be there or not.
      const may: (number | string)[] = [told, told + 1].map(step => (isLast(step) ? 'gone' : step));
      if (!may.includes(found)) wrong.push(`${entry}: told ${told}, found ${found}`);
      else if (found !== may[0]) ahead += 1;
    }
  };

  for (let run = 1; run <= KILLS; run++) {
    const said = await runAndKill(path, run, Math.random() * 60);
    acknowledged += said.length;
    const ofRun = new Map(said.map(line => line.split(' ')).map(([entry = '', step]) => [entry, Number(step)]));
    const odd = Array.from({ length: ofRun.size + 2 }, (_, n) => n).filter(n => n % 2 === 1);
    files.set(`/gw/run-${run}.json`, new Set(odd.map(n => `run-${run}/entry-${n}`)));
    // Opening looks through the whole file; it throws where that is not in order.
    const storage = await openWithFiles();
    await check(storage, ofRun);
    await storage.close();
    for (const [entry, step] of ofRun) latest.set(entry, step);
  }
  const storage = await openWithFiles();
  ahead = 0;
  await check(storage, latest);
  expect(wrong).toEqual([]);
  expect(acknowledged).toBeGreaterThan(KILLS);
  expect((await storage.servers.list({}, { offset: 0, limit: 1 })).total).toBe(
    (await storage.agents.list({}, { offset: 0, limit: 1 })).total,
  );
  await storage.close();
  const database = new Database(path, { readonly: true });
  expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
  database.close();
  if (KILLS > 100)
    process.stdout.write(`${KILLS} kills: ${acknowledged} changes acknowledged, ${ahead} there before they were\n`);
});

it('counts right when two processes change one server at once', async () => {
  const path = join(makeFolder(), 'registry.db');
  const storage = openAt(path);
  await storage.servers.add(draftServer('/counter'));
  const child = spawn(process.execPath, [CHILD, path, '0', '40'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  await once(child.stdout, 'data');
  for (let n = 0; n < 40; n++) {
    await storage.transaction(async ({ servers }) => {
      const server = await servers.find('/counter');
      if (server === null) throw new Error('the counter is gone');
      await servers.update('/counter', server.revision, { ...server, numTools: server.numTools + 1 });
    });
  }
  expect((await ended)[0]).toBe(0);
  expect((await storage.servers.find('/counter'))?.numTools).toBe(80);
});
