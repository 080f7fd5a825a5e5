import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFileWatch, type FileWatch } from '../../src/outbound/files/watch.ts';
import type { Log } from '../../src/ports/log.ts';

const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent };

let folder: string;
let file: string;
let watch: FileWatch | null;
let changes: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-watch-'));
  file = join(folder, 'servers.json');
  watch = null;
  changes = 0;
});

afterEach(async () => {
  await watch?.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Starts watching and waits until the events of the system reach us. */
async function start(paths: readonly string[], debounceMs = 50): Promise<FileWatch> {
  watch = createFileWatch({
    paths,
    debounceMs,
    log: silent,
    onChange: () => {
      changes += 1;
    },
  });
  await new Promise(resolve => setTimeout(resolve, 150));
  return watch;
}

const told = (count: number) => vi.waitFor(() => expect(changes).toBe(count), { timeout: 15_000, interval: 20 });

const replace = (path: string, text: string) => {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
};

describe('file watch', () => {
  it.each([
    { how: 'a plain write', change: () => writeFileSync(file, 'new text') },
    { how: 'a file renamed over it', change: () => replace(file, 'new text') },
    { how: 'its removal', change: () => rmSync(file) },
    { how: 'new text of the same length', change: () => writeFileSync(file, 'OLD') },
  ])('tells of $how', async ({ change }) => {
    writeFileSync(file, 'old');
    await start([file]);
    change();
    await told(1);
  });

  it('tells of every one of many renames over the same path', async () => {
    writeFileSync(file, '0');
    await start([file], 20);
    for (let round = 1; round <= 10; round++) {
      replace(file, String(round));
      await told(round);
    }
  });

  it('tells of a file that appears in a folder that did not exist, and of what happens to it then', async () => {
    const late = join(folder, 'not', 'yet', 'rules.json');
    await start([late]);
    mkdirSync(dirname(late), { recursive: true });
    writeFileSync(late, 'a');
    await told(1);
    writeFileSync(late, 'ab');
    await told(2);
  });

  it('tells once of a burst of writes', async () => {
    writeFileSync(file, '0');
    await start([file], 300);
    for (let i = 1; i <= 5; i++) writeFileSync(file, 'x'.repeat(i));
    await told(1);
    await new Promise(resolve => setTimeout(resolve, 500));
    expect(changes).toBe(1);
  });

  it('says nothing of neighbours in the same folder', async () => {
    writeFileSync(file, '0');
    await start([file]);
    writeFileSync(join(folder, 'other.json'), 'x');
    await new Promise(resolve => setTimeout(resolve, 400));
    expect(changes).toBe(0);
  });

  it('sees by a look what no event has told of yet, and then tells of it no second time', async () => {
    writeFileSync(file, '0');
    const watching = await start([file], 300);
    expect(await watching.changedSinceLastLook()).toBe(false);
    writeFileSync(file, '1');
    expect(await watching.changedSinceLastLook()).toBe(true);
    expect(await watching.changedSinceLastLook()).toBe(false);
    await new Promise(resolve => setTimeout(resolve, 600));
    expect(changes).toBe(0);
  });

  it('gives one change to one of two looks that run at the same time', async () => {
    writeFileSync(file, '0');
    const watching = await start([file], 10_000);
    writeFileSync(file, '1');
    const looks = await Promise.all([watching.changedSinceLastLook(), watching.changedSinceLastLook()]);
    expect(looks.filter(Boolean)).toHaveLength(1);
  });

  it('sees by a look that a link leads elsewhere now, as in a mounted configuration', async () => {
    for (const version of ['v1', 'v2']) {
      mkdirSync(join(folder, version));
      writeFileSync(join(folder, version, 'servers.json'), version);
    }
    symlinkSync('v1', join(folder, 'data'));
    symlinkSync(join('data', 'servers.json'), file);
    const watching = await start([file]);
    symlinkSync('v2', join(folder, 'data.new'));
    renameSync(join(folder, 'data.new'), join(folder, 'data'));
    await vi.waitFor(async () => {
      const seen = changes > 0 || (await watching.changedSinceLastLook());
      expect(seen).toBe(true);
    });
  });

  it('is quiet after it was closed', async () => {
    writeFileSync(file, '0');
    const watching = await start([file]);
    await watching.close();
    writeFileSync(file, '1');
    await new Promise(resolve => setTimeout(resolve, 300));
    expect(changes).toBe(0);
    expect(await watching.changedSinceLastLook()).toBe(false);
  });

  it('has nothing to do without files', async () => {
    const watching = await start([]);
    expect(await watching.changedSinceLastLook()).toBe(false);
  });
});
