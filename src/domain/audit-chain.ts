/**
 * The chain of the ledger: every line carries the hash of the line before it and its own, SHA-256 over the line as
 * written without its hash. So a line that was edited, removed, moved or added is found by reading; a tail that was cut
 * off is found by the checkpoint that is kept apart. No key is involved: who may rewrite every file can rewrite the
 * chain, which is why checkpoints are also said in the log.
 */
import { hash } from 'node:crypto';

/** Where a ledger stands. `hash` of seq 0 is the ledger's random id. */
export interface ChainEnd {
  seq: number;
  hash: string;
}

export interface Sealed extends ChainEnd {
  /** Without a line end. */
  line: string;
}

/** `members`: the text of all members between `seq` and `prev`. */
export function seal(after: ChainEnd, members: string): Sealed {
  const seq = after.seq + 1;
  const body = `{"seq":${seq},${members},"prev":"${after.hash}"`;
  const digest = hash('sha256', `${body}}`, 'hex');
  return { seq, hash: digest, line: `${body},"hash":"${digest}"}` };
}

const START = /^\{"seq":(\d{1,15}),/;
const END = /,"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}$/;

export interface Seal extends ChainEnd {
  prev: string;
  /** The line's own hash is that of its text. */
  isIntact: boolean;
}

/** The seal of a line, or null for what was never sealed. */
export function readSeal(line: string): Seal | null {
  const seq = START.exec(line)?.[1];
  const end = END.exec(line);
  if (seq === undefined || end === null) return null;
  const [, prev = '', digest = ''] = end;
  const body = `${line.slice(0, line.length - `,"hash":"${digest}"}`.length)}}`;
  return { seq: Number(seq), prev, hash: digest, isIntact: hash('sha256', body, 'hex') === digest };
}

/** What is kept apart from the lines: where they begin (older files may be gone by retention) and how far they got. */
export interface Checkpoint {
  /** The first line that must be there, and the hash of the one before it. */
  base: { seq: number; prev: string };
  last: ChainEnd;
}

export type FaultKind =
  | 'unreadable'
  | 'altered'
  | 'missing'
  | 'out of order'
  | 'rewritten'
  | 'truncated'
  | 'unanchored';

export interface Fault {
  kind: FaultKind;
  /** The first line that is not as it was written. */
  seq: number;
  message: string;
}

export interface ChainWalk {
  /** Takes the next line; a fault ends the walk. */
  take(line: string): Fault | null;
  /** After the last line. */
  finish(): Fault | null;
  /** The line last taken; seq 0 before the first. */
  readonly end: ChainEnd;
}

/** `checkpoint` null: there is none, so the two ends of the ledger cannot be vouched for, and `finish` says so. */
export function walkChain(checkpoint: Checkpoint | null): ChainWalk {
  let end: ChainEnd | null = null;
  let isCheckpointMet = false;

  const fault = (kind: FaultKind, seq: number, message: string): Fault => ({ kind, seq, message });

  function takeFirst(found: Seal): Fault | null {
    if (checkpoint === null) return null;
    const { base } = checkpoint;
    if (found.seq > base.seq) return fault('missing', base.seq, `lines ${base.seq} to ${found.seq - 1} are missing`);
    if (found.seq === base.seq && found.prev !== base.prev)
      return fault('rewritten', found.seq, 'it does not continue what stood before it');
    return null;
  }

  function takeNext(found: Seal, last: ChainEnd): Fault | null {
    const expected = last.seq + 1;
    if (found.seq > expected) {
      const gone = found.seq - 1 === expected ? 'it is' : `lines ${expected} to ${found.seq - 1} are`;
      return fault('missing', expected, `${gone} missing or moved`);
    }
    if (found.seq < expected) return fault('out of order', expected, `line ${found.seq} stands in its place`);
    if (found.prev !== last.hash)
      return fault('rewritten', last.seq, 'the line after it was written after another one');
    return null;
  }

  return {
    get end() {
      return end ?? { seq: 0, hash: '' };
    },
    take(line) {
      const expected = end === null ? (checkpoint?.base.seq ?? 1) : end.seq + 1;
      const found = readSeal(line);
      if (found === null) return fault('unreadable', expected, 'it is not a sealed line');
      if (!found.isIntact) return fault('altered', expected, 'its text does not match its hash');
      const broken = end === null ? takeFirst(found) : takeNext(found, end);
      if (broken !== null) return broken;
      if (checkpoint !== null && found.seq === checkpoint.last.seq) {
        if (found.hash !== checkpoint.last.hash) return fault('rewritten', found.seq, 'the checkpoint knows another');
        isCheckpointMet = true;
      }
      end = { seq: found.seq, hash: found.hash };
      return null;
    },
    finish() {
      if (checkpoint === null) {
        if (end === null) return null;
        return fault('unanchored', end.seq, 'the checkpoint is missing, so lines after this one may be, too');
      }
      const { base, last } = checkpoint;
      // Made when there was no line yet, or none left.
      if (isCheckpointMet || last.seq < base.seq) return null;
      const next = end === null ? base.seq : end.seq + 1;
      return fault('truncated', next, `the ledger ends before it, and it had ${last.seq} lines`);
    },
  };
}
