/** The sections `definitions` and `health`: what happens to a tool that changes its words, and how servers are watched. */
import { z } from 'zod';
import { duration, whole } from './written-values.ts';

export const DefinitionsSection = z.strictObject({
  onDrift: z.enum(['hold', 'serve', 'off']).optional(),
});
export type DefinitionsSection = z.output<typeof DefinitionsSection>;

export const HealthSection = z.strictObject({
  interval: duration(1000).optional(),
  concurrency: whole(1, 1000).optional(),
  failuresToUnhealthy: whole(1, 100).optional(),
});
export type HealthSection = z.output<typeof HealthSection>;

export interface DefinitionsConfig {
  /** See services/catalog/pins.ts. */
  onDrift: 'hold' | 'serve' | 'off';
}

export interface HealthConfig {
  intervalMs: number;
  concurrency: number;
  failuresToUnhealthy: number;
}

export function toDefinitionsConfig(written: DefinitionsSection | undefined): DefinitionsConfig {
  return { onDrift: written?.onDrift ?? 'hold' };
}

export function toHealthConfig(written: HealthSection | undefined): HealthConfig {
  return {
    intervalMs: written?.interval ?? 30_000,
    concurrency: written?.concurrency ?? 10,
    failuresToUnhealthy: written?.failuresToUnhealthy ?? 2,
  };
}
