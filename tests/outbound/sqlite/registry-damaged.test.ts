/**
 * A database that is not as it was left: cut off, overwritten, exchanged, taken away. Either everything that was
 * acknowledged is there, or the program says what is wrong and touches nothing; it never begins anew over what was there.
 */
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSqliteRegistry } from '../../../src/outbound/sqlite/registry-storage.ts';
import type { RegistryStorage } from '../../../src/ports/registry-storage.ts';
import { approvedTool, draftServer } from '../../support/registry-drafts.ts';
import { fill, makeFolder, openAt, readEverything } from './registry-desk.ts';

const NAME = 'registry.db';
/** As the program opens it: with servers in files, too. */
async function openWithFile(path: string): Promise<RegistryStorage> {
  const storage = openSqliteRegistry({ path, namespace: NAMESPACE });
  const file = '/gw/mcp.json';
  await storage.follow(new Map([[file, new Set(['of-a-file'])]]), async ({ servers, definitions }) => {
    if ((await servers.find('/of-a-file')) !== null) return;
    await servers.add(draftServer('/of-a-file', { source: { kind: 'file', file } }));
    await definitions.put([approvedTool('of-a-file', 'search')]);
  });
  return storage;
}
const NAMESPACE = 'default';
type Files = ReadonlyMap<string, Buffer>;

/** Repeatable, and different for each use. */
function dice(seed: number): (below: number) => number {
  let state = seed;
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function take(folder: string): Files {
  const names = fs.readdirSync(folder).filter(name => !name.endsWith('-shm'));
  return new Map(names.map(name => [name, fs.readFileSync(join(folder, name))]));
}

function lay(folder: string, files: Files): void {
  for (const [name, bytes] of files) fs.writeFileSync(join(folder, name), bytes, { mode: 0o600 });
}

let folder: string;
/** After an orderly end; with changes that are only in the log; and as it was before those. */
let closed: Files;
let running: Files;
let earlier: Files;
let everything: unknown;

beforeAll(async () => {
  folder = fs.mkdtempSync(join(tmpdir(), 'gatehouse-registry-'));
  const path = join(folder, NAME);
  const first = await openWithFile(path);
  await first.transaction(inside => fill(inside, 0, 12));
  await first.close();
  earlier = take(folder);
  const second = await openWithFile(path);
  for (let n = 12; n < 18; n++) await second.transaction(inside => fill(inside, n, 1));
  running = take(folder);
  everything = await readEverything(second);
  await second.close();
  closed = take(folder);
});

afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

type Change = (files: Map<string, Buffer>) => void;
interface Variant {
  what: string;
  from: 'closed' | 'running';
  change: Change;
}

const WAL = `${NAME}-wal`;
const MARK = `${NAME}-acknowledged`;

function edit(name: string, make: (bytes: Buffer) => Buffer): Change {
  return files => void files.set(name, make(Buffer.from(files.get(name) as Buffer)));
}

const cut = (name: string, at: (size: number) => number) => edit(name, bytes => bytes.subarray(0, at(bytes.length)));

function flip(name: string, seed: number, from: number, until: (size: number) => number): Change {
  return edit(name, bytes => {
    const roll = dice(seed);
    const at = from + roll(until(bytes.length) - from);
    bytes[at] = (bytes[at] as number) ^ (1 + roll(255));
    return bytes;
  });
}

function wipe(name: string, value: number, part: (size: number) => readonly [number, number]): Change {
  return edit(name, bytes => bytes.fill(value, ...part(bytes.length)));
}

const PAGE = 4096;
const FRAME = PAGE + 24;
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

const VARIANTS: readonly Variant[] = [
  ...[0, 1, 16, 99, 100, 512, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE, 7 * PAGE + 100].map(
    (size): Variant => ({ what: `cut at ${size}`, from: 'closed', change: cut(NAME, () => size) }),
  ),
  ...[1, PAGE, 2 * PAGE + 7].map(
    (less): Variant => ({ what: `cut ${less} short`, from: 'closed', change: cut(NAME, size => size - less) }),
  ),
  ...range(24).map(
    (seed): Variant => ({ what: `header byte (${seed})`, from: 'closed', change: flip(NAME, seed, 0, () => 100) }),
  ),
  ...range(40).map(
    (seed): Variant => ({ what: `byte (${seed})`, from: 'closed', change: flip(NAME, 1000 + seed, 100, size => size) }),
  ),
  ...range(8).map(
    (page): Variant => ({
      what: `page ${page} wiped`,
      from: 'closed',
      change: wipe(NAME, 0, () => [page * PAGE, (page + 1) * PAGE]),
    }),
  ),
  ...[0, 31, 32, 32 + FRAME, 32 + 2 * FRAME + 9, 32 + 5 * FRAME].map(
    (size): Variant => ({ what: `log cut at ${size}`, from: 'running', change: cut(WAL, () => size) }),
  ),
  { what: 'log cut by one', from: 'running', change: cut(WAL, size => size - 1) },
  { what: 'log cut by the last frame', from: 'running', change: cut(WAL, size => size - FRAME) },
  { what: 'log wiped', from: 'running', change: wipe(WAL, 0, size => [0, size]) },
  { what: 'log overwritten', from: 'running', change: wipe(WAL, 255, size => [0, size]) },
  { what: 'log header wiped', from: 'running', change: wipe(WAL, 0, () => [0, 32]) },
  { what: 'log taken away', from: 'running', change: files => void files.delete(WAL) },
  ...range(6).map(
    (seed): Variant => ({ what: `log header (${seed})`, from: 'running', change: flip(WAL, seed, 0, () => 32) }),
  ),
  ...range(14).map(
    (seed): Variant => ({
      what: `log byte (${seed})`,
      from: 'running',
      change: flip(WAL, 77 + seed, 32, size => size),
    }),
  ),
  ...range(6).map(
    (seed): Variant => ({
      what: `byte under a log (${seed})`,
      from: 'running',
      change: flip(NAME, seed, 0, size => size),
    }),
  ),
  {
    what: 'an earlier copy of the database',
    from: 'closed',
    change: files => void files.set(NAME, earlier.get(NAME) as Buffer),
  },
  {
    what: 'an earlier copy under a later log',
    from: 'running',
    change: files => void files.set(NAME, earlier.get(NAME)?.subarray(0, 5 * PAGE) as Buffer),
  },
  { what: 'the mark cut', from: 'closed', change: cut(MARK, () => 10) },
  ...range(4).map(
    (seed): Variant => ({ what: `mark byte (${seed})`, from: 'closed', change: flip(MARK, seed, 0, size => size) }),
  ),
  { what: 'a text', from: 'closed', change: files => void files.set(NAME, Buffer.from('servers: []\n'.repeat(900))) },
  { what: 'noise', from: 'closed', change: files => void files.set(NAME, Buffer.alloc(40_960, 0xa5)) },
  { what: 'nothing but a log', from: 'running', change: files => void files.delete(NAME) },
  { what: 'nothing but a mark', from: 'closed', change: files => void files.delete(NAME) },
];

/** What an operator is told to do, in every refusal. */
const ADVICE = /restore|move it away|remove|chmod|name (?:another|a) file|start the version/i;
const outcomes = { opened: 0, refused: 0 };

describe(`${VARIANTS.length} ways to be damaged`, () => {
  it('is at least a hundred', () => expect(VARIANTS.length).toBeGreaterThanOrEqual(100));

  it.each(VARIANTS)('$what: everything is there, or a clear no', async ({ from, change }) => {
    const here = makeFolder();
    const files = new Map(from === 'closed' ? closed : running);
    change(files);
    lay(here, files);
    const path = join(here, NAME);
    let refusal: unknown = null;
    try {
      const storage = await openWithFile(path);
      try {
        expect(await readEverything(storage)).toEqual(everything);
        await storage.servers.add(draftServer('/afterwards'));
      } finally {
        await storage.close();
      }
      outcomes.opened += 1;
    } catch (error) {
      refusal = error;
    }
    if (refusal === null) {
      expect(await openAt(path).servers.find('/afterwards')).not.toBeNull();
      return;
    }
    outcomes.refused += 1;
    const { message } = refusal as Error;
    expect(message).toContain(path);
    expect(message).toMatch(ADVICE);
    const left = take(here);
    for (const [name, bytes] of files) expect(left.get(name)?.equals(bytes), `${name} is as it was`).toBe(true);
    expect([...left.keys()].filter(name => !files.has(name) && name !== WAL)).toEqual([]);
    expect(left.get(WAL)?.length ?? 0).toBe(files.get(WAL)?.length ?? 0);
  });

  it('is both taken and refused, so that neither is promised by refusing everything', () => {
    expect(outcomes.opened).toBeGreaterThan(5);
    expect(outcomes.refused).toBeGreaterThan(50);
    if (process.env.GATEHOUSE_FULL !== undefined)
      process.stdout.write(`${outcomes.opened} opened with everything, ${outcomes.refused} refused\n`);
  });
});

describe('what is no registry', () => {
  const refused = (path: string) => {
    try {
      openSqliteRegistry({ path, namespace: NAMESPACE });
    } catch (error) {
      return (error as Error).message;
    }
    throw new Error('it was opened');
  };

  it('is refused: a folder', () => {
    const path = join(makeFolder(), NAME);
    fs.mkdirSync(path);
    expect(refused(path)).toMatch(/is not a file.*name a file/);
  });

  it('is refused: a link, even to a good one', async () => {
    const here = makeFolder();
    lay(here, closed);
    const path = join(here, 'link.db');
    fs.symlinkSync(join(here, NAME), path);
    expect(refused(path)).toMatch(/is a symbolic link.*name a file/);
  });

  it('is refused: a database of another program, which is not touched', () => {
    const path = join(makeFolder(), NAME);
    const other = new Database(path);
    other.exec('create table notes (text); insert into notes values (1)');
    other.close();
    fs.chmodSync(path, 0o600);
    const before = fs.readFileSync(path);
    expect(refused(path)).toMatch(/database of another program.*name another file/);
    expect(fs.readFileSync(path).equals(before)).toBe(true);
  });

  it('is refused: a database without tables under our name', () => {
    const path = join(makeFolder(), NAME);
    const other = new Database(path);
    other.pragma(`application_id = ${0x47746872}`);
    other.close();
    fs.chmodSync(path, 0o600);
    expect(refused(path)).toMatch(/does not have the tables/);
  });

  it.each([0o644, 0o640, 0o660, 0o606])('is refused: a file of mode %o, which others may open', async mode => {
    const here = makeFolder();
    lay(here, closed);
    fs.chmodSync(join(here, NAME), mode);
    expect(refused(join(here, NAME))).toMatch(/by others than its owner: chmod 600 it/);
  });

  it('is refused: a place below a file', () => {
    const here = makeFolder();
    fs.writeFileSync(join(here, 'file'), '');
    expect(() => openSqliteRegistry({ path: join(here, 'file', NAME), namespace: NAMESPACE })).toThrow();
    expect(fs.readdirSync(here)).toEqual(['file']);
  });

  it('and a copy without its mark is taken, because a backup may have none', async () => {
    const here = makeFolder();
    lay(here, new Map([...closed].filter(([name]) => name !== MARK)));
    expect(await readEverything(await openWithFile(join(here, NAME)))).toEqual(everything);
    expect(fs.existsSync(join(here, MARK))).toBe(true);
  });
});
