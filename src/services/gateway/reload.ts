/**
 * Reload: read everything again, and only when all of it is good put it in force, in one step. On any mistake the old
 * configuration stays and the mistake is kept for whoever asks. One at a time; asked for during one, it runs once more.
 */
import type { JsonObject } from '../../domain/json.ts';
import type { Clock } from '../../ports/clock.ts';
import type { ServerDiff } from '../../ports/downstreams.ts';
import type { Log } from '../../ports/log.ts';

export type Loaded<C> =
  | { ok: true; config: C; warnings: readonly string[] }
  | { ok: false; problems: readonly string[] };

export interface ReloadResult {
  ok: boolean;
  problems: readonly string[];
  /** Of what is in force since; none when it is refused. */
  warnings: readonly string[];
}

export interface Reload {
  now(): Promise<ReloadResult>;
  /** Times are ISO 8601 in UTC, or null. */
  status(): JsonObject;
}

export function createReload<C>(deps: {
  load: () => Promise<Loaded<C>>;
  apply: (config: C) => Promise<ServerDiff>;
  clock: Clock;
  log: Log;
}): Reload {
  const { load, apply, clock, log } = deps;
  let running: Promise<ReloadResult> | null = null;
  let again: Promise<ReloadResult> | null = null;
  let attempts = 0;
  let successes = 0;
  let lastAttempt: string | null = null;
  let lastSuccess: string | null = null;
  let lastError: string | null = null;
  let warnings: readonly string[] = [];

  const isoNow = () => new Date(clock.wallMs()).toISOString();

  async function reload(): Promise<ReloadResult> {
    attempts++;
    lastAttempt = isoNow();
    const loaded = await load().catch(
      (cause: unknown): Loaded<C> => ({
        ok: false,
        problems: [cause instanceof Error ? cause.message : String(cause)],
      }),
    );
    if (!loaded.ok) {
      lastError = loaded.problems.join('\n');
      log.error('[HOT RELOAD] refused, the old configuration stays in force', { problems: loaded.problems });
      return { ...loaded, warnings: [] };
    }
    let diff: ServerDiff;
    try {
      diff = await apply(loaded.config);
    } catch (cause) {
      lastError = cause instanceof Error ? cause.message : String(cause);
      log.error('[HOT RELOAD] could not be put in force', { problems: [lastError] });
      return { ok: false, problems: [lastError], warnings: [] };
    }
    const { added, removed, updated, unchanged } = diff;
    successes++;
    lastSuccess = isoNow();
    lastError = null;
    warnings = loaded.warnings;
    log[warnings.length > 0 ? 'warn' : 'info']('[HOT RELOAD] done', {
      added,
      removed,
      updated,
      unchanged: unchanged.length,
      warnings,
    });
    return { ok: true, problems: [], warnings };
  }

  return {
    now() {
      if (running === null) {
        running = reload().finally(() => {
          running = null;
        });
        return running;
      }
      // What changed while files are being read may have been missed: once more, shared by all who ask meanwhile.
      again ??= running.then(() => {
        again = null;
        return this.now();
      });
      return again;
    },
    status() {
      const state = {
        last_attempt: lastAttempt,
        last_success: lastSuccess,
        last_error: lastError,
        attempt_count: attempts,
        success_count: successes,
      };
      return { mcp_config: state, gateway_rules: { ...state, last_warnings: [...warnings] } };
    },
  };
}
