/** How a registered server was found when somebody last looked: the words of the registry's interfaces. */
import { z } from 'zod';
import { RegistryPath } from './registry-path.ts';

export const HEALTH_STATUSES = [
  'healthy',
  /** Reachable, and it refuses the credential we have: it stays in use. */
  'healthy-auth-expired',
  'unhealthy: timeout',
  'unhealthy: connection error',
  'unhealthy: endpoint check failed',
  'unhealthy: missing proxy URL',
  'checking',
  'unknown',
  'disabled',
  'local',
] as const;
export type HealthStatus = (typeof HEALTH_STATUSES)[number];

export const ServerHealth = z.strictObject({
  path: RegistryPath,
  status: z.enum(HEALTH_STATUSES),
  /** Unix milliseconds; null: nobody has looked yet. */
  checkedAtMs: z.number().int().nonnegative().nullable(),
  numTools: z.number().int().nonnegative(),
});
export type ServerHealth = z.output<typeof ServerHealth>;
