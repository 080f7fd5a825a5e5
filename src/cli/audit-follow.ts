/**
 * What is written to a ledger from now on, however often the gateway begins a new file meanwhile: a file is read to its
 * end, then the one whose first line comes next.
 */
import { closeSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { findLedgerFiles } from '../domain/audit-names.ts';
import { listLedgers } from './audit-files.ts';

const MAX_READ = 1024 * 1024;
const LINE_END = 10;

/** Each call returns the lines written since the last. `path`: as configured; `name`: of the ledger beside it. */
export function createFollower(path: string, name: string): () => string[] {
  const buffer = Buffer.allocUnsafe(MAX_READ);
  const files = () => listLedgers(path).find(ledger => ledger.name === name)?.files ?? [];
  const written = files().at(-1) ?? path;
  let fd = openSync(written, 'r');
  let at = statSync(written).size;
  let lastSeq = seekLastSeq();

  function seekLastSeq(): number {
    const length = readSync(fd, buffer, 0, MAX_READ, Math.max(0, at - MAX_READ));
    return findLastSeq(buffer.toString('latin1', 0, length)) ?? 0;
  }

  function readMore(): string[] {
    const length = readSync(fd, buffer, 0, MAX_READ, at);
    const end = buffer.subarray(0, length).lastIndexOf(LINE_END) + 1;
    at += end;
    if (end === 0) return [];
    const text = buffer.toString('utf8', 0, end);
    lastSeq = findLastSeq(text) ?? lastSeq;
    return text.split('\n').slice(0, -1);
  }

  /** True when there is another file to read. */
  function moveOn(): boolean {
    const now = files();
    const parts = findLedgerFiles(
      name,
      now.map(file => basename(file)),
    );
    const next = now[parts.findIndex(({ firstSeq }) => firstSeq === null || firstSeq > lastSeq)];
    if (next === undefined || statSync(next, { throwIfNoEntry: false })?.ino === fstatSync(fd).ino) return false;
    closeSync(fd);
    fd = openSync(next, 'r');
    at = 0;
    return true;
  }

  return () => {
    const lines = readMore();
    // Read out: what comes now may stand in another file.
    for (let more = lines; more.length === 0 && moveOn(); ) {
      more = readMore();
      lines.push(...more);
    }
    return lines;
  };
}

function findLastSeq(text: string): number | null {
  const at = text.lastIndexOf('\n{"seq":');
  const start = at === -1 ? 0 : at + 1;
  const seq = /^\{"seq":(\d{1,15}),/.exec(text.slice(start, start + 32))?.[1];
  return seq === undefined ? null : Number(seq);
}
