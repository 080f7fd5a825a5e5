/**
 * The gateway's own variables (`GATEWAY_*`, and the registry's `STORAGE_BACKEND`) as values, with every mistake. An
 * empty variable counts as unset: that is how compose files and shells pass on what nobody gave.
 */
import { EXPOSURES, type Exposure } from '../domain/exposure.ts';
import type { FusionWeights } from '../domain/search/fusion.ts';
import { didYouMean, type Problem } from './problem.ts';
import { addUp, SEARCH_PROVIDERS, type SearchProvider, type SearchVariables } from './search-config.ts';
import { STORAGE_BACKENDS, type StorageBackend } from './storage-config.ts';

export const VARIABLES = [
  ...['GATEWAY_CONFIG', 'GATEWAY_MCP_CONFIG', 'GATEWAY_TRANSPORT', 'GATEWAY_HTTP_HOST', 'GATEWAY_HTTP_PORT'],
  ...['GATEWAY_CORS_ORIGINS', 'GATEWAY_INIT_STRATEGY', 'GATEWAY_DEBUG', 'GATEWAY_DEFAULT_AGENT', 'GATEWAY_API_KEY'],
  ...['GATEWAY_EXPOSURE', 'GATEWAY_TOOL_PREFIX', 'GATEWAY_LOG_LEVEL', 'GATEWAY_RULES', 'GATEWAY_SCOPES'],
  ...['GATEWAY_PROVIDERS', 'GATEWAY_AUDIT_LOG', 'GATEWAY_VAULT', 'GATEWAY_VAULT_KEY'],
  ...['GATEWAY_VAULT_KEY_FILE', 'STORAGE_BACKEND'],
  // Of commands that ask a running gateway.
  ...['GATEWAY_URL', 'GATEWAY_TOKEN'],
  // Names the first registry of this kind gave them.
  ...['EMBEDDINGS_PROVIDER', 'EMBEDDINGS_MODEL_NAME', 'EMBEDDINGS_MODEL_DIMENSIONS', 'EMBEDDINGS_API_KEY'],
  ...['EMBEDDINGS_API_BASE', 'SEARCH_LEXICAL_WEIGHT', 'SEARCH_VECTOR_WEIGHT'],
] as const;

export interface Environment {
  transport: 'stdio' | 'http' | 'both' | undefined;
  host: string | undefined;
  port: number | undefined;
  corsOrigins: string[] | undefined;
  start: 'eager' | 'lazy' | undefined;
  debug: boolean | undefined;
  defaultAgent: string | undefined;
  apiKey: string | undefined;
  exposure: Exposure | undefined;
  prefix: 'server' | 'none' | undefined;
  logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent' | undefined;
  auditLog: string | undefined;
  storageBackend: StorageBackend | undefined;
  embeddings: SearchVariables;
}

export function readEnvironment(env: Readonly<Record<string, string | undefined>>): {
  values: Environment;
  problems: Problem[];
} {
  const problems: Problem[] = [];
  const text = (name: (typeof VARIABLES)[number]) => {
    const value = env[name]?.trim();
    return value === undefined || value === '' ? undefined : value;
  };
  const oneOf = <T extends string>(
    name: (typeof VARIABLES)[number],
    words: readonly T[],
    aliases: Aliases<T> = {},
    told: readonly string[] = words,
  ) => {
    const value = text(name)?.toLowerCase();
    if (value === undefined) return undefined;
    const found = words.find(word => word === value) ?? aliases[value];
    if (found === undefined) {
      const message = `must be one of ${told.join(', ')}`;
      problems.push({ file: 'environment', path: name, message, hint: didYouMean(value, told) });
    }
    return found;
  };

  const debug = oneOf('GATEWAY_DEBUG', ['true', 'false'], DEBUG_WORDS, DEBUG_TOLD);
  const values: Environment = {
    transport: oneOf('GATEWAY_TRANSPORT', ['stdio', 'http', 'both']),
    host: text('GATEWAY_HTTP_HOST'),
    port: undefined,
    corsOrigins: text('GATEWAY_CORS_ORIGINS')
      ?.split(',')
      .map(origin => origin.trim())
      .filter(origin => origin !== ''),
    start: oneOf('GATEWAY_INIT_STRATEGY', ['eager', 'lazy']),
    debug: debug === undefined ? undefined : debug === 'true',
    defaultAgent: text('GATEWAY_DEFAULT_AGENT'),
    apiKey: env.GATEWAY_API_KEY === '' ? undefined : env.GATEWAY_API_KEY,
    exposure: oneOf('GATEWAY_EXPOSURE', EXPOSURES),
    prefix: oneOf('GATEWAY_TOOL_PREFIX', ['server', 'none']),
    logLevel: oneOf('GATEWAY_LOG_LEVEL', ['debug', 'info', 'warn', 'error', 'silent'], { warning: 'warn' }),
    auditLog: text('GATEWAY_AUDIT_LOG'),
    storageBackend: oneOf('STORAGE_BACKEND', STORAGE_BACKENDS),
    embeddings: {
      provider: oneOf('EMBEDDINGS_PROVIDER', SEARCH_PROVIDERS, EMBEDDINGS_WORDS),
      model: text('EMBEDDINGS_MODEL_NAME'),
      dimensions: undefined,
      apiKey: text('EMBEDDINGS_API_KEY'),
      baseUrl: text('EMBEDDINGS_API_BASE'),
      weights: readWeights(text, problems),
    },
  };

  const port = text('GATEWAY_HTTP_PORT');
  if (port !== undefined) {
    if (/^\d{1,5}$/.test(port) && Number(port) <= 65_535) values.port = Number(port);
    else {
      const message = 'must be a whole number from 0 to 65535';
      problems.push({ file: 'environment', path: 'GATEWAY_HTTP_PORT', message, hint: null });
    }
  }
  const dimensions = text('EMBEDDINGS_MODEL_DIMENSIONS');
  if (dimensions !== undefined) {
    if (/^\d{1,4}$/.test(dimensions) && Number(dimensions) > 0) values.embeddings.dimensions = Number(dimensions);
    else {
      const message = 'must be a whole number from 1 to 8192';
      problems.push({ file: 'environment', path: 'EMBEDDINGS_MODEL_DIMENSIONS', message, hint: null });
    }
  }
  return { values, problems };
}

/** One of them says the other; where one is wrong, there are none. */
function readWeights(
  text: (name: (typeof VARIABLES)[number]) => string | undefined,
  problems: Problem[],
): FusionWeights | undefined {
  const problem = (path: string, message: string) =>
    void problems.push({ file: 'environment', path, message, hint: 'for example 0.3 for words and 0.7 for vectors' });
  const share = (name: 'SEARCH_LEXICAL_WEIGHT' | 'SEARCH_VECTOR_WEIGHT') => {
    const written = text(name);
    if (written === undefined) return null;
    const value = /^(\d+\.?\d*|\.\d+)$/.test(written) ? Number(written) : Number.NaN;
    if (!(value <= 1)) problem(name, 'must be a number from 0 to 1');
    return value;
  };
  const [lexical, vector] = [share('SEARCH_LEXICAL_WEIGHT'), share('SEARCH_VECTOR_WEIGHT')];
  if (lexical === null && vector === null) return undefined;
  const weights = { lexical: lexical ?? 1 - (vector ?? 0), vector: vector ?? 1 - (lexical ?? 0) };
  if (!addUp(weights) && weights.lexical <= 1 && weights.vector <= 1)
    problem('SEARCH_LEXICAL_WEIGHT', 'and SEARCH_VECTOR_WEIGHT must add up to 1');
  return weights;
}

type Aliases<T> = { readonly [word: string]: T };

const DEBUG_WORDS: Aliases<'true' | 'false'> = {
  ...{ '1': 'true', yes: 'true', on: 'true' },
  ...{ '0': 'false', no: 'false', off: 'false' },
};
/** Words of the first registry of this kind; LiteLLM is spoken to as OpenAI is. */
const EMBEDDINGS_WORDS: Aliases<SearchProvider> = { 'sentence-transformers': 'transformers', litellm: 'openai' };

const DEBUG_TOLD = ['true', '1', 'yes', 'false', '0', 'no'] as const;

/** Names that look like ours and are not; `used` are those that a configuration file refers to. */
export function findUnknownVariables(
  env: Readonly<Record<string, string | undefined>>,
  used: ReadonlySet<string>,
): string[] {
  const known: ReadonlySet<string> = new Set(VARIABLES);
  return Object.keys(env)
    .filter(name => name.startsWith('GATEWAY_') && !known.has(name) && !used.has(name))
    .map(name => {
      const meant = name === 'GATEWAY_PORT' ? 'did you mean GATEWAY_HTTP_PORT?' : didYouMean(name, VARIABLES);
      return `${name} is not a variable of this gateway and is ignored${meant === null ? '' : `; ${meant}`}`;
    });
}
