/**
 * Problem: one mistake in what an operator wrote, said so that it can be mended without reading code.
 * Problems are collected, never thrown one by one: an operator sees all of them at once. No values are quoted that
 * could be secret; names, paths and kinds are.
 */
export interface Problem {
  /** The file, `environment` or `command line`. */
  file: string;
  /** `servers.github.url`, `GATEWAY_HTTP_PORT`, `--port`; empty for the file as a whole. */
  path: string;
  message: string;
  /** What to do about it, where that is not plain from the message. */
  hint: string | null;
}

/** A mistake inside one document, before it is known which file the document came from. */
export interface Mistake {
  path: readonly (string | number)[];
  message: string;
  hint: string | null;
}

export function toProblem(file: string, mistake: Mistake): Problem {
  return { file, path: formatPath(mistake.path), message: mistake.message, hint: mistake.hint };
}

const PLAIN_SEGMENT = /^[A-Za-z0-9_$-]+$/;

/** `servers.github.args[1]`; a key that holds a dot or a space is quoted: `servers["a.b"].url`. */
export function formatPath(segments: readonly (string | number)[]): string {
  let text = '';
  for (const segment of segments) {
    if (typeof segment === 'number') text += `[${segment}]`;
    else if (PLAIN_SEGMENT.test(segment)) text += text === '' ? segment : `.${segment}`;
    else text += `[${JSON.stringify(segment)}]`;
  }
  return text;
}

/** One line for a terminal or a log. */
export function formatProblem(problem: Problem): string {
  const where = problem.path === '' ? problem.file : `${problem.file}: ${problem.path}`;
  return problem.hint === null ? `${where}: ${problem.message}` : `${where}: ${problem.message} (${problem.hint})`;
}

/** The candidate that was probably meant, or null when none is near. Ties go to the first. */
export function findClosest(word: string, candidates: Iterable<string>): string | null {
  const wanted = word.toLowerCase();
  let best: string | null = null;
  let bestDistance = Math.max(1, Math.min(3, Math.floor(word.length / 3))) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

export function didYouMean(word: string, candidates: Iterable<string>): string | null {
  const closest = findClosest(word, candidates);
  return closest === null ? null : `did you mean ${closest}?`;
}

/** Edits with neighbouring letters swapped counted as one (optimal string alignment); gives up at `limit`. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (last[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        cost = Math.min(cost, (beforeLast[j - 2] ?? 0) + 1);
      }
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length] ?? limit;
}
