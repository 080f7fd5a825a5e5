/** How each server was found when somebody last looked: what is said after a restart until somebody looks again. */
import type { ServerHealth } from '../domain/server-health.ts';

export interface HealthRepository {
  find(path: string): Promise<ServerHealth | null>;
  /** In the order of their paths, by code unit. */
  list(): Promise<readonly ServerHealth[]>;
  /** All of them or none: the findings of one round are one write. */
  put(findings: readonly ServerHealth[]): Promise<void>;
}
