/** What is wrong with a value that a caller sent, as a schema found it. */
import type { z } from 'zod';

const ABSENT = /^Invalid input: (expected .*), received undefined$/;

/** Of several ways of writing one value all are named: "Invalid input" alone helps nobody. */
export function sayIssue(issue: z.core.$ZodIssue): string {
  const wanted = ABSENT.exec(issue.message)?.[1];
  if (wanted !== undefined) return `is missing, ${wanted}`;
  // A schema may have words of its own.
  if (issue.code !== 'invalid_union' || issue.message !== 'Invalid input') return issue.message;
  const ways = issue.errors.flatMap(([first]) => (first === undefined ? [] : [wayOf(first)]));
  return ways.length === 0 ? issue.message : `Invalid input: expected ${[...new Set(ways)].join(', or ')}`;
}

function wayOf(issue: z.core.$ZodIssue): string {
  const said = sayIssue(issue)
    .replace(/^(?:[^:]*: |is missing, )(?:expected )?/, '')
    .replace(/, received .*$/, '');
  return issue.path.length === 0 ? said : `${said} at ${issue.path.map(String).join('.')}`;
}
