/**
 * What the official MCP Registry's API (v0.1) answers, as far as a client may rely on it. Read by whoever asks a registry,
 * ours or another's; what is not said here may be there too.
 */
import { z } from 'zod';

const webAddress = z.url({ protocol: /^https?$/ });
const Transport = z.looseObject({ type: z.enum(['streamable-http', 'sse', 'stdio']), url: webAddress.optional() });

export const ServerAnswer = z.looseObject({
  server: z.looseObject({
    /** Reverse domain and a name, one slash between. */
    name: z.string().regex(/^[A-Za-z0-9.-]+\/[A-Za-z0-9._-]+$/),
    description: z.string().min(1).max(100),
    title: z.string().min(1).max(100).optional(),
    version: z.string().min(1).max(255),
    packages: z
      .array(
        z.looseObject({
          registryType: z.string().min(1),
          identifier: z.string().min(1),
          transport: Transport.optional(),
        }),
      )
      .optional(),
    remotes: z.array(Transport.extend({ type: z.enum(['streamable-http', 'sse']), url: webAddress })).optional(),
    _meta: z.record(z.string(), z.unknown()).optional(),
  }),
  _meta: z.record(z.string(), z.unknown()),
});
export type ServerAnswer = z.output<typeof ServerAnswer>;

export const ServerListAnswer = z.looseObject({
  servers: z.array(ServerAnswer),
  metadata: z.looseObject({ nextCursor: z.string().min(1).nullish(), count: z.int().nonnegative() }),
});
export type ServerListAnswer = z.output<typeof ServerListAnswer>;

/** Null: it has the shape. Else where it has not, and why, in one line. */
export function findShapeMistake(shape: z.ZodType, answer: unknown): string | null {
  const read = shape.safeParse(answer);
  const [first] = read.error?.issues ?? [];
  return first === undefined ? null : `${first.path.join('.') || 'the answer'}: ${first.message}`;
}
