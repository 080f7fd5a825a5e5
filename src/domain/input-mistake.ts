/** What is wrong with a value that a caller sent, as a schema found it. */
import type { z } from 'zod';

/** Of several ways of writing one value all are named: "Invalid input" alone helps nobody. */
export function sayIssue(issue: z.core.$ZodIssue): string {
  // A schema may have words of its own.
  if (issue.code !== 'invalid_union' || issue.message !== 'Invalid input') return issue.message;
  const ways = issue.errors.flatMap(([first]) => (first === undefined ? [] : [wayOf(first)]));
  return ways.length === 0 ? issue.message : `Invalid input: expected ${[...new Set(ways)].join(', or ')}`;
}

function wayOf(issue: z.core.$ZodIssue): string {
  const said = sayIssue(issue)
    .replace(/^[^:]*: (?:expected )?/, '')
    .replace(/, received .*$/, '');
  return issue.path.length === 0 ? said : `${said} at ${issue.path.map(String).join('.')}`;
}
