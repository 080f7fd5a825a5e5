/** The configuration read again while the gateway runs: by a change of its files, by a signal, or because somebody asks. */
import { isLoopbackHost } from '../config/access.ts';
import type { Config } from '../config/config.ts';
import { formatProblem, hasCredential, type LoadResult } from '../config/load.ts';
import { changedStaticKeys, keepStanding } from '../config/static-keys.ts';
import { createFileWatch, type FileWatch } from '../outbound/files/watch.ts';
import type { Clock } from '../ports/clock.ts';
import type { ServerDiff } from '../ports/downstreams.ts';
import type { Log } from '../ports/log.ts';
import { createReload, type Reload } from '../services/gateway/reload.ts';

/** Bursts of file events (an editor's save is several) are one reload. */
const DEBOUNCE_MS = 300;

export interface Reloading {
  reload: Reload;
  watch: FileWatch;
  /** Reads the files again where one was written since the last time. */
  reloadIfChanged(): Promise<void>;
}

export function createReloading(deps: {
  started: Config;
  servesHttp: boolean;
  loadAgain: () => Promise<LoadResult>;
  apply(next: Config): Promise<ServerDiff>;
  clock: Clock;
  log: Log;
}): Reloading {
  const { started, servesHttp, loadAgain, apply, clock, log } = deps;
  const paths = started.files.watched;
  const watch = createFileWatch({ paths, debounceMs: DEBOUNCE_MS, log, onChange: () => void reload.now() });
  const reload = createReload<Config>({
    load: async () => {
      const loaded = await loadAgain();
      if (!loaded.ok) return { ok: false, problems: loaded.problems.map(formatProblem) };
      const next = keepStanding(started, loaded.config);
      // The address stays bound whatever the new files say of it: without a credential it would stand open.
      if (!hasCredential(next) && servesHttp && !isLoopbackHost(started.listen.host))
        return { ok: false, problems: [`apiKey: ${started.listen.host} is listened on until a restart and needs one`] };
      const restart = changedStaticKeys(started, loaded.config).map(key => `${key} changes with a restart`);
      return { ok: true, config: next, warnings: [...loaded.warnings, ...restart] };
    },
    ...{ apply, clock, log },
  });
  return {
    reload,
    watch,
    async reloadIfChanged() {
      if (await watch.changedSinceLastLook()) await reload.now();
    },
  };
}
