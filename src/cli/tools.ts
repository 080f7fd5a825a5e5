/**
 * `gatehouse tools diff|approve|acknowledge`: definitions that changed since they were approved, and the approval; names and
 * texts that reach over to another server's tools, and the word that somebody has looked at them.
 */
import { serverOfVersion } from '../domain/server.ts';
import { atGateway, type GatewayOptions, REFUSED } from './gateway.ts';
import type { Host } from './host.ts';
import { printable } from './report.ts';

export type DiffOptions = GatewayOptions & { json?: boolean | undefined; all?: boolean | undefined };
export type ApproveOptions = GatewayOptions & { hash?: string | undefined };
export type AcknowledgeOptions = GatewayOptions & { kind?: string | undefined };

interface Waiting {
  server: string;
  tool: string;
  effect: string;
  seen_at: string;
  changes: { pointer: string; kind: string }[];
  approved: { definition: unknown };
  offered: { definition: unknown; hash: string };
  /** A gateway of an earlier version does not tell. */
  warnings?: Warning[];
}

interface Approved {
  server: string;
  tool: string;
  hash: string;
}

interface Warning {
  server: string;
  tool: string;
  kind: string;
  likeness: string | null;
  other: { server: string; tool: string | null };
  /** A gateway of an earlier version does not tell. */
  acknowledged?: { by: string; at: string } | null;
}

const DONE = 0;
/** Something waits: for scripts that look. */
const WAITING = 1;
const MAX_SHOWN = 200;

/** 0: nothing waits; there may be warnings, on which nothing waits. 1: something does. */
export function diffTools(host: Host, server: string | undefined, options: DiffOptions): Promise<number> {
  const wanted = server?.replace(/^\/+/, '');
  return atGateway(host, options, async gateway => {
    const answer = await gateway.ask({ method: 'GET', path: '/api/definitions/pending' });
    if (answer === null) return REFUSED;
    const all = answer.body as { pending: Waiting[]; warnings?: Warning[] };
    // What waits is of a version; a server named without one means all of them.
    const isWanted = ({ server: of }: { server: string }) =>
      wanted === undefined || of === wanted || serverOfVersion(of) === wanted;
    const pending = all.pending.filter(isWanted);
    // On their own channel: a program that reads the differences is not to trip over a warning.
    const warnings = (all.warnings ?? []).filter(isWanted);
    const open = warnings.filter(({ acknowledged = null }) => acknowledged === null);
    for (const warning of options.all === true ? warnings : open) host.stderr.line(describeWarning(warning));
    if (options.json === true) host.stdout.line(JSON.stringify(pending, null, 2));
    else for (const waiting of pending) for (const line of describe(host, waiting)) host.stdout.line(line);
    if (pending.length === 0) host.stderr.line('Every tool says what was approved.');
    else host.stderr.line(`Approve with: gatehouse tools approve ${pending[0]?.server} [TOOL [--hash SHA256]]`);
    const known = warnings.length - open.length;
    if (known > 0 && options.all !== true)
      host.stderr.line(
        `${known} ${known === 1 ? 'warning' : 'warnings'} acknowledged: --all shows ${known === 1 ? 'it' : 'them'}`,
      );
    return pending.length === 0 ? DONE : WAITING;
  });
}

export function approveTools(
  host: Host,
  server: string,
  tool: string | undefined,
  options: ApproveOptions,
): Promise<number> {
  return atGateway(host, options, async gateway => {
    // What is left out is not in the JSON.
    const body = { server: server.replace(/^\/+/, ''), tool, hash: options.hash };
    const answer = await gateway.ask({ method: 'POST', path: '/api/definitions/approve', body });
    if (answer === null) return REFUSED;
    for (const { server: of, tool: name, hash } of (answer.body as { definitions: Approved[] }).definitions)
      host.stdout.line(`${printable(of)}  ${printable(name)}: approved as it is now (sha256 ${printable(hash)})`);
    return DONE;
  });
}

export function acknowledgeWarnings(
  host: Host,
  server: string,
  tool: string,
  { kind, ...options }: AcknowledgeOptions,
): Promise<number> {
  return atGateway(host, options, async gateway => {
    const body = { server: server.replace(/^\/+/, ''), tool, kind };
    const answer = await gateway.ask({ method: 'POST', path: '/api/definitions/acknowledge', body });
    if (answer === null) return REFUSED;
    for (const warning of (answer.body as { acknowledged: Warning[] }).acknowledged)
      host.stdout.line(describeWarning(warning));
    return DONE;
  });
}

function describeWarning({ server, tool, kind, likeness, other, acknowledged = null }: Warning): string {
  const whose = spelled(other.tool === null ? other.server : `${other.server} ${other.tool}`);
  const what =
    kind === 'look-alike'
      ? `may be taken for ${whose} (${printable(likeness ?? kind)})`
      : kind === 'foreign-prefix'
        ? `begins like a public name of ${whose}`
        : `speaks of ${whose} in its description`;
  const said = `${spelled(server)}  ${spelled(tool)}: ${what}`;
  if (acknowledged === null) return `warning: ${said}`;
  return `acknowledged: ${said} (by ${spelled(acknowledged.by)}, ${printable(acknowledged.at)})`;
}

/** Two names that look equal are to be told apart here of all places. */
const spelled = (name: string) =>
  printable(name).replace(/[^\p{ASCII}]/gu, letter => `\\u{${letter.codePointAt(0)?.toString(16)}}`);

function describe(host: Host, waiting: Waiting): string[] {
  const { server, tool, effect, seen_at: seen, changes, approved, offered, warnings = [] } = waiting;
  const { paint } = host.stdout;
  const what = effect === 'block' ? 'what it takes or claims has changed' : 'its description has changed';
  const when = `seen ${printable(seen)}, sha256 ${printable(offered.hash)}`;
  const lines = [`${printable(server)}  ${printable(tool)}: ${what} (${when})`];
  for (const { pointer, kind } of changes) {
    lines.push(`  ${printable(pointer === '' ? '/' : pointer)} ${printable(kind)}`);
    // A stranger wrote these words, for models to read: here they are shown as they are, in quotes and cut.
    if (kind !== 'added') lines.push(paint.red(`    - ${show(at(approved.definition, pointer))}`));
    if (kind !== 'removed') lines.push(paint.green(`    + ${show(at(offered.definition, pointer))}`));
  }
  // Before it is approved is when it is worth knowing.
  for (const warning of warnings) lines.push(paint.yellow(`  ${describeWarning(warning)}`));
  return lines;
}

/** RFC 6901. */
function at(definition: unknown, pointer: string): unknown {
  let here = definition;
  for (const step of pointer.split('/').slice(1)) {
    if (typeof here !== 'object' || here === null) return undefined;
    here = (here as Record<string, unknown>)[step.replaceAll('~1', '/').replaceAll('~0', '~')];
  }
  return here;
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return printable(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)} ... (${text.length} characters)` : text);
}
