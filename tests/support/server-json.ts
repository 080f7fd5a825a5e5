/**
 * The part of the official registry's `server.json` schema (2025-10-17) that our documents use, from its published
 * description: names, lengths, transports. Returns what is wrong, each with its place; empty: it keeps to the schema.
 */
import { z } from 'zod';

const Remote = z.looseObject({
  type: z.enum(['streamable-http', 'sse']),
  url: z.string().regex(/^https?:\/\/[^\s]+$/),
});

const Package = z.looseObject({
  registryType: z.enum(['npm', 'pypi', 'oci', 'nuget', 'mcpb']),
  identifier: z.string().min(1),
  version: z
    .string()
    .min(1)
    .refine(version => version !== 'latest'),
  runtimeHint: z.string().optional(),
  transport: z.union([Remote, z.looseObject({ type: z.literal('stdio') })]),
});

const ServerJson = z.looseObject({
  $schema: z.url(),
  name: z
    .string()
    .min(3)
    .max(200)
    .regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
  description: z.string().min(1).max(100),
  title: z.string().min(1).max(100).optional(),
  version: z.string().min(1).max(255),
  repository: z.looseObject({ url: z.url(), source: z.string() }).optional(),
  websiteUrl: z.url().optional(),
  packages: z.array(Package).optional(),
  remotes: z.array(Remote).optional(),
  _meta: z.looseObject({}).optional(),
});

export function findServerJsonMistakes(document: unknown): string[] {
  const read = ServerJson.safeParse(document);
  return read.success ? [] : read.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
}
