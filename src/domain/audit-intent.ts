/**
 * Announcements as text, kept in `<ledger>.intents`: operations that are about to have an effect, one a line. Each is
 * concluded by the line of the ledger that has its id; the others are written down as interrupted by the next start.
 */

export interface OpenIntent {
  id: string;
  /** The ledger's next line when it was announced: its own is none before that. */
  after: number;
  /** The text of the members known by then. */
  head: string;
}

const WRITTEN = /^\{"intent":"([0-9a-f]{8}-\d{1,15})","after":(\d{1,15}),(.+)\}$/;
/** Quotes inside of values are escaped, so the pattern meets members only. */
const CONCLUDED = /"intent":"([0-9a-f]{8}-\d{1,15})"/g;

export function formatIntent(id: string, after: number, head: string): string {
  return `{"intent":"${id}","after":${after},${head}}\n`;
}

/** Of whole lines; what follows the last line end was never waited for. */
export function parseIntents(text: string): OpenIntent[] {
  return text.split('\n').slice(0, -1).flatMap(parseIntent);
}

function parseIntent(line: string): OpenIntent[] {
  const [, id, after, head] = WRITTEN.exec(line) ?? [];
  if (id === undefined || after === undefined || head === undefined) return [];
  try {
    JSON.parse(`{${head}}`);
  } catch {
    return [];
  }
  return [{ id, after: Number(after), head }];
}

/** Ids of the announcements that a piece of the ledger concludes. */
export function findConcluded(text: string): string[] {
  return Array.from(text.matchAll(CONCLUDED), ([, id = '']) => id);
}
