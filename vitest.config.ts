import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Whole gateways, child processes and real servers: few at a time, after everything else. */
const HEAVY = ['tests/stories/**', 'tests/e2e/**', 'tests/contracts/**', 'tests/conformance/**', 'tests/bench/**'];

// Of all processes that run from source, for those that come after.
process.env.NODE_COMPILE_CACHE ??= fileURLToPath(new URL('.build/compiled', import.meta.url));

const limits = { testTimeout: 30_000, hookTimeout: 30_000, pool: 'forks' as const };

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          ...limits,
          name: 'parts',
          include: ['tests/**/*.test.ts'],
          exclude: [...HEAVY, '**/node_modules/**'],
          // One core less is the default, which on two cores is half of them.
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...limits,
          name: 'whole',
          include: HEAVY.map(folder => `${folder}/*.test.ts`),
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
    ],
  },
});
