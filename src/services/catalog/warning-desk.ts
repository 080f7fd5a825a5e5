/**
 * Warnings of names, and who has looked at them. An acknowledgement is kept with the definition that is warned of: it
 * outlasts restarts, and goes when other words of that tool are approved. It takes nothing away: the warning still stands,
 * for whoever wants to see all of them.
 */
import type { Acknowledgement, ApprovedTool } from '../../domain/approved-tool.ts';
import { type Failure, failure } from '../../domain/error.ts';
import { meaningOf, type NameWarning } from '../../domain/name-warning.ts';
import { type ServerKey, serverOfVersion } from '../../domain/server.ts';
import type { Clock } from '../../ports/clock.ts';
import type { NameWatch } from './name-watch.ts';
import type { Pins } from './pins.ts';

export interface ToldWarning extends NameWarning {
  /** Null: nobody has looked at it. */
  acknowledged: Pick<Acknowledgement, 'by' | 'atMs'> | null;
}

export interface AcknowledgementWish {
  tool: string;
  /** Null, here and below: whichever. */
  kind: NameWarning['kind'] | null;
  other: { server: ServerKey; tool: string | null } | null;
  /** Whether whoever asks may know of a server: other warnings are not there for them. */
  isFor(server: ServerKey): boolean;
}

export type Acknowledged = { kind: 'acknowledged'; warnings: readonly ToldWarning[] } | Failure;

export interface WarningDesk {
  /** As `NameWatch.warnings`. */
  warnings(): readonly ToldWarning[];
  isAcknowledged(found: NameWarning): boolean;
  /** What a tool that waits would be warned of once it is approved. Of versions that are not active nobody is. */
  foresee(waiting: ApprovedTool, isFor: (server: ServerKey) => boolean): Promise<readonly NameWarning[]>;
  /**
   * `server`: with its version or without. What is acknowledged already stays as it is, and is told. Yields NOT_FOUND where
   * no such warning stands, and where nothing is kept of the tool.
   */
  acknowledge(server: ServerKey, wish: AcknowledgementWish, by: string): Promise<Acknowledged>;
}

export function createWarningDesk(deps: {
  names: Pick<NameWatch, 'warnings' | 'compare' | 'foresee'>;
  pins: Pick<Pins, 'find' | 'amend'>;
  /** A server named without a version means the one that is active. */
  originOf: (server: ServerKey) => ServerKey;
  /** Called between two tools; what it returns is waited for. */
  pause: () => Promise<void> | null;
  clock: Pick<Clock, 'wallMs'>;
}): WarningDesk {
  const { names, pins, originOf, pause, clock } = deps;

  const tell = (found: NameWarning) => told(found, pins.find(originOf(found.server), found.tool)?.acknowledged);

  return {
    warnings: () => names.warnings().map(tell),
    isAcknowledged: found => tell(found).acknowledged !== null,
    async foresee({ server, tool, pending }, isFor) {
      const key = serverOfVersion(server);
      if (pending === null || originOf(key) !== server) return [];
      const others = pause();
      if (others !== null) await others;
      return names.foresee(key, tool, pending.definition, isFor);
    },
    async acknowledge(server, { tool, kind, other, isFor }, by) {
      const key = serverOfVersion(server);
      const origin = originOf(server);
      // Only what is active is compared with others.
      if (originOf(key) !== origin || !isFor(key)) return noSuchWarning();
      const found = names
        .warnings()
        .filter(each => each.server === key && each.tool === tool && isFor(each.other.server))
        .filter(each => kind === null || each.kind === kind)
        .filter(({ other: { server: of, tool: its } }) => other === null || isMeant(other, of, its));
      if (found.length === 0) return noSuchWarning();
      const atMs = clock.wallMs();
      const kept = await pins.amend(origin, tool, entry => ({
        ...entry,
        acknowledged: [
          ...entry.acknowledged,
          ...found
            .filter(each => told(each, entry.acknowledged).acknowledged === null)
            .map(each => ({ kind: each.kind, other: each.other, by, atMs })),
        ],
      }));
      if (kept === null) return nothingKept();
      names.compare(key);
      return { kind: 'acknowledged', warnings: found.map(each => told(each, kept.acknowledged)) };
    },
  };
}

function told(found: NameWarning, acknowledged: readonly Acknowledgement[] = []): ToldWarning {
  const meaning = acknowledged.length > 0 ? meaningOf(found) : '';
  const { by, atMs } = acknowledged.find(each => meaningOf(each) === meaning) ?? {};
  return { ...found, acknowledged: by === undefined || atMs === undefined ? null : { by, atMs } };
}

const isMeant = (wanted: { server: ServerKey; tool: string | null }, server: ServerKey, tool: string | null) =>
  wanted.server === server && (wanted.tool === null || wanted.tool === tool);

/** The same for a warning that names a server whoever asks may not know of. */
const noSuchWarning = (): Failure => failure('NOT_FOUND', {}, { say: 'No such warning stands.' });

function nothingKept(): Failure {
  const say =
    'Nothing is kept of this tool that could be acknowledged: definitions are kept unless "definitions.onDrift" is "off".';
  return failure('NOT_FOUND', {}, { say });
}
