/**
 * One tool of the registry as data: what a model is told of it, what it takes, who may use it, what it does. A list of
 * tools, a call and the book read the same entry, so none of them can say something else than the others.
 */
import { z } from 'zod';
import type { Line } from '../../../domain/call.ts';
import type { Identity } from '../../../domain/identity.ts';
import type { JsonObject } from '../../../domain/json.ts';
import { mayUiToAll, type PolicySet } from '../../../domain/policy.ts';
import type { ServerKey } from '../../../domain/server.ts';
import { mayAsk, type RegistryNeed } from '../../registry/access.ts';
import type { Agents } from '../../registry/agents.ts';
import type { Result } from '../../registry/desk.ts';
import type { Registry } from '../../registry/registry.ts';
import type { Finder } from '../../search/finder.ts';
import type { ToolFinder } from '../gateway-tools/tool-finder.ts';

/** Who may use a tool, decided on the caller alone. */
export type ToolNeed =
  /** Whoever can be identified, by a token for one server too: it tells the caller what it showed itself. */
  | { kind: 'self' }
  /** Whoever is not bound to one server; to what exactly, the registry asks. */
  | { kind: 'caller' }
  /** `orAll`: also whoever may do that to whatever there is. */
  | ({ kind: 'ui'; orAll?: string } & RegistryNeed)
  /** Whoever may do it to whatever there is. */
  | { kind: 'all'; action: string };

/** What the tools work with: the services that the REST routes ask too. */
export interface RegistryMeans {
  registry: Registry;
  agents: Pick<Agents, 'list'>;
  finder: ToolFinder;
  /** Over everything that is registered. */
  search: Pick<Finder, 'find'>;
  policy(): PolicySet;
  /** Connected, in order. */
  servers(): Iterable<ServerKey>;
  defaultAgent: string | null;
}

export interface Asking {
  /** As identified: rights in the registry are a caller's, not its agent's. */
  who: Identity;
  /** As policy judges calls of it. */
  acting: Identity;
  line: Line;
}

export interface RegistryTool {
  readonly name: string;
  readonly title: string;
  /** Written for a model: when to use it and what comes back. */
  readonly description: string;
  readonly needs: ToolNeed;
  /** Whether it changes anything: announced in the book before it is done. */
  readonly hasEffect: boolean;
  /** Whether something is lost by it. */
  readonly isDestructive: boolean;
  readonly args: z.ZodType;
  /** For the book: what it concerns. */
  about(args: unknown): string | null;
  run(means: RegistryMeans, asking: Asking, args: unknown): Result<JsonObject> | Promise<Result<JsonObject>>;
}

export interface ToolSpec<A> {
  name: string;
  title: string;
  description: string;
  needs: ToolNeed;
  hasEffect?: boolean;
  isDestructive?: boolean;
  args: z.ZodType<A>;
  about?(args: A): string | null;
  run(means: RegistryMeans, asking: Asking, args: A): Result<JsonObject> | Promise<Result<JsonObject>>;
}

export function defineTool<A>(spec: ToolSpec<A>): RegistryTool {
  return {
    ...{ ...spec, hasEffect: spec.hasEffect ?? false, isDestructive: spec.isDestructive ?? false },
    // They were read by this very schema before.
    about: (spec.about ?? (() => null)) as RegistryTool['about'],
    run: spec.run as RegistryTool['run'],
  };
}

/** The rule that keeps a caller from a tool, for the book; null: it may be used. */
export function findToolDenial(policy: PolicySet, who: Identity, { needs }: RegistryTool): string | null {
  if (needs.kind === 'self') return null;
  if (who.boundServer !== null) return 'token: bound to another server';
  if (needs.kind === 'caller') return null;
  const toAll = needs.kind === 'all' ? needs.action : needs.orAll;
  if (needs.kind === 'ui' && mayAsk(policy, who, needs)) return null;
  if (toAll !== undefined && mayUiToAll(policy, who, toAll)) return null;
  return `ui: no grant of ${needs.action}${needs.kind === 'all' ? ' on all' : ''}`;
}

/** As a list of tools shows it. */
export function toToolItem({ name, title, description, args, hasEffect, isDestructive }: RegistryTool): JsonObject {
  const { $schema: _dialect, ...inputSchema } = z.toJSONSchema(args, { io: 'input', target: 'draft-2020-12' });
  return {
    ...{ name, title, description },
    inputSchema: inputSchema as JsonObject,
    annotations: { readOnlyHint: !hasEffect, destructiveHint: isDestructive, openWorldHint: false },
  };
}

/** A list, or text with commas as older clients send it; each once. */
export const nameList = z
  .union([
    z.array(z.string().trim().min(1).max(512)).max(256),
    z
      .string()
      .max(64 * 1024)
      .transform(text =>
        text
          .split(',')
          .map(part => part.trim())
          .filter(part => part !== ''),
      ),
  ])
  .transform(names => [...new Set(names)]);
