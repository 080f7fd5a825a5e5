/** A tool's name or text that reaches over to another server's; what makes two warnings the same one. */
import { type Likeness, skeletonOf } from './look-alike.ts';
import type { ServerKey } from './server.ts';

export const WARNING_KINDS = ['look-alike', 'foreign-prefix', 'foreign-mention'] as const;

export interface NameWarning {
  kind: (typeof WARNING_KINDS)[number];
  server: ServerKey;
  tool: string;
  /** Whose name it is; the tool is null where a server alone is named. */
  other: { server: ServerKey; tool: string | null };
  /** Of a look-alike. */
  likeness: Likeness | null;
}

/** What a tool is warned of. Whoever has the name that is meant: a text that names what ten servers have is one warning. */
export const meaningOf = ({ kind, other }: Pick<NameWarning, 'kind' | 'other'>): string =>
  JSON.stringify([kind, other.tool === null ? ['server', other.server] : skeletonOf(other.tool)]);
