/**
 * Holds what V8 takes under load at what calls need. Left alone it doubles the part of the heap where everything starts (the
 * young generation) up to 64 MB or more and keeps it; and memory of its compiler, when destroyed by another thread than
 * made it, stays with glibc. Both together were three quarters of the growth, and no call was faster for them.
 */
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/** Both halves together. With less, what a call needs for a moment is moved to the old generation first. */
const ENOUGH_BYTES = 16 * 1024 * 1024;

/** A finished job of the compiler then no longer waits, with all its memory, for a thread that destroys it. */
const CLEAN_UP_AT_ONCE = '--no-maglev-destroy-on-background';
/** Of Node 22 and 24. One that does not know a flag complains on standard error. */
const KNOWN_BY_V8 = /^1[23]\./;

/**
 * From now on, and best before anything is loaded: nothing grows meanwhile. `nodeOptions` are those of this process:
 * whoever set a size there has decided. The size can only be given there; the factor it grows by is read at every growth.
 * The returned function lets it grow again.
 */
export function holdMemoryGrowth(nodeOptions: readonly string[]): () => void {
  if (KNOWN_BY_V8.test(process.versions.v8)) setFlagsFromString(CLEAN_UP_AT_ONCE);
  if (nodeOptions.some(option => /semi[-_]space/.test(option))) return () => {};
  let factor = 0;
  const growBy = (next: 1 | 2) => {
    if (next === factor) return;
    factor = next;
    setFlagsFromString(`--semi-space-growth-factor=${next}`);
  };
  growBy(1);
  // Not set once for all: V8 shrinks it while little happens, and then it must be able to grow again.
  const observer = new PerformanceObserver(() => growBy(youngBytes() < ENOUGH_BYTES ? 2 : 1));
  observer.observe({ entryTypes: ['gc'] });
  return () => {
    observer.disconnect();
    growBy(2);
  };
}

function youngBytes(): number {
  return getHeapSpaceStatistics().find(space => space.space_name === 'new_space')?.space_size ?? 0;
}
