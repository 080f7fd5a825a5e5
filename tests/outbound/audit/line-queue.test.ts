/** Lines are chained in the order in which their operations finished, whenever the ledger is opened and written. */
import { expect, test } from 'vitest';
import { readSeal, type Sealed } from '../../../src/domain/audit-chain.ts';
import { LineQueue } from '../../../src/outbound/audit/line-queue.ts';

const START = { seq: 7, hash: 'a'.repeat(64) };

/** Takes two lines at a time. */
function createPaper() {
  const lines: string[] = [];
  const write = (sealed: readonly Sealed[]) => {
    lines.push(...sealed.slice(0, 2).map(({ line }) => line));
    return Math.min(2, sealed.length);
  };
  return { lines, write };
}

function expectChain(lines: readonly string[], members: readonly string[]): void {
  let { seq, hash } = START;
  for (const [n, line] of lines.entries()) {
    const seal = readSeal(line);
    expect(seal).toMatchObject({ seq: seq + 1, prev: hash, isIntact: true });
    expect(line).toContain(`,${members[n]},`);
    ({ seq, hash } = seal ?? START);
  }
  expect(lines).toHaveLength(members.length);
}

test('what waited for the ledger comes behind what the opening has to say', () => {
  const queue = new LineQueue();
  const { lines, write } = createPaper();
  queue.add('"a":1');
  queue.add('"a":2');
  queue.drain(write);
  expect(lines).toEqual([]);
  queue.begin(START, ['"opened":1', '"opened":2']);
  queue.add('"a":3');
  expect(queue.size).toBe(5);
  expect(queue.nextSeq).toBe(START.seq + 6);
  queue.drain(write);
  expectChain(lines, ['"opened":1', '"opened":2', '"a":1', '"a":2', '"a":3']);
  expect(queue).toMatchObject({ size: 0, chars: 0, nextSeq: START.seq + 6 });
});

test('a line keeps its number through writes that fail, and lines added meanwhile come after it', () => {
  const queue = new LineQueue();
  const { lines, write } = createPaper();
  queue.begin(START, []);
  queue.add('"a":1');
  queue.add('"a":2');
  queue.add('"a":3');
  let calls = 0;
  const fails = (sealed: readonly Sealed[]) => {
    calls += 1;
    if (calls === 2) throw new Error('full');
    return write(sealed);
  };
  expect(() => queue.drain(fails)).toThrow('full');
  queue.add('"a":4');
  expect(queue.size).toBe(2);
  queue.writeAtOnce('"not":1', write);
  queue.drain(write);
  queue.writeAtOnce('"a":5', write);
  expectChain(lines, ['"a":1', '"a":2', '"a":3', '"a":4', '"a":5']);
});
