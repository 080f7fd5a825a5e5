/**
 * Where Node keeps what it compiled: a gateway that is started from source a hundred times strips and compiles its files
 * once. `vitest.config.ts` names the folder; a process with an environment of its own is handed it here.
 */
const { NODE_COMPILE_CACHE: folder } = process.env;

export const COMPILED: Readonly<Record<string, string>> = folder === undefined ? {} : { NODE_COMPILE_CACHE: folder };
