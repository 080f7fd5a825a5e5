/** In processes of their own: what V8 grew once it does not give back when asked. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

const MODULE = new URL('../../src/cli/memory-growth.ts', import.meta.url).href;

/**
 * Calls as a gateway sees them: each holds on to something for a while, and the event loop turns in between. The answer is
 * the size it stays at. While it collects V8 adds single pages of a quarter MB to both halves when what survives
 * does not fit tightly, and drops them at the next collection: the smallest size of the last turns leaves them out.
 */
const WORK = `
  import { getHeapSpaceStatistics } from 'node:v8';
  const size = () => getHeapSpaceStatistics().find(space => space.space_name === 'new_space').space_size / 2 ** 20;
  async function work() {
    const held = [];
    const sizes = [];
    for (let turn = 0; turn < 400; turn++) {
      for (let n = 0; n < 5000; n++) held[(turn * 5000 + n) % 60_000] = { n, list: [n] };
      await new Promise(resolve => setImmediate(resolve));
      sizes.push(size());
    }
    return Math.min(...sizes.slice(-50));
  }`;

async function run(program: string, ...options: string[]): Promise<number[]> {
  const source = `import { holdMemoryGrowth } from '${MODULE}'; ${WORK} console.log(JSON.stringify(${program}));`;
  const argv = ['--no-warnings', ...options, '--input-type=module', '--eval', source];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, argv);
  // V8 writes here when it does not know a flag.
  expect(stderr).toBe('');
  return JSON.parse(stdout) as number[];
}

test('the young generation grows to what calls need and no further', async () => {
  const [held = 0] = await run('[(holdMemoryGrowth([]), await work())]');
  expect(held).toBeGreaterThanOrEqual(4);
  expect(held).toBeLessThanOrEqual(16);
  const [alone = 0] = await run('[await work()]');
  expect(alone).toBeGreaterThanOrEqual(held * 2);
});

/** How often it doubles is its own guess at what will survive; held it does not once. */
test('let go, V8 does as it always did', async () => {
  const [held = 0, letGo = 0] = await run(
    '[await (async () => { globalThis.stop = holdMemoryGrowth([]); return work(); })(), (stop(), await work())]',
  );
  expect(letGo).toBeGreaterThanOrEqual(held * 2);
});

test.each(['--max-semi-space-size=32', '--min_semi_space_size=16'])(
  'an operator who set %s has decided',
  async option => {
    const [size = 0] = await run('[(holdMemoryGrowth(process.execArgv), await work())]', option);
    expect(size).toBeGreaterThan(16);
  },
);
