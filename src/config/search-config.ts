/**
 * The `search` section: what finding tools in plain words makes its vectors with, and how much words and vectors count.
 * By default nothing is downloaded and nothing leaves the process. EMBEDDINGS_* and SEARCH_*_WEIGHT win over the section. A
 * relative path is relative to the file; by default kept vectors are beside the audit ledger.
 */
import { dirname, isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import type { FusionWeights } from '../domain/search/fusion.ts';
import { Secret } from '../domain/secret.ts';
import { isLoopbackHost } from './access.ts';
import type { Mistake } from './problem.ts';
import { duration, whole } from './written-values.ts';

export const SEARCH_PROVIDERS = ['builtin', 'openai', 'titan', 'transformers'] as const;
export type SearchProvider = (typeof SEARCH_PROVIDERS)[number];

const share = z.number().min(0).max(1);
export const SearchSection = z.strictObject({
  provider: z.enum(SEARCH_PROVIDERS).optional(),
  model: z.string().min(1).optional(),
  dimensions: whole(1, 8192).optional(),
  baseUrl: z.string().min(1).optional(),
  apiKey: z.string().min(1).optional(),
  modelFolder: z.string().min(1).optional(),
  timeout: duration(100, 600_000).optional(),
  vectorsFile: z.string().min(1).optional(),
  weights: z.strictObject({ lexical: share, vector: share }).optional(),
});
export type SearchSection = z.output<typeof SearchSection>;

export interface SearchConfig {
  provider: SearchProvider;
  /** Name of the model; empty for `builtin`. */
  model: string;
  /** 0 for `builtin`. */
  dimensions: number;
  /** Without a slash at the end; empty where nothing is called. */
  baseUrl: string;
  apiKey: Secret | null;
  /** Absolute folder that models lie in; null: they are fetched from the hub once. */
  modelFolder: string | null;
  /** For one request to the provider. */
  timeoutMs: number;
  /** Absolute. */
  vectorsFile: string;
  /** Add up to 1; null: what suits the provider. */
  weights: FusionWeights | null;
}

export interface SearchVariables {
  provider: SearchProvider | undefined;
  model: string | undefined;
  dimensions: number | undefined;
  apiKey: string | undefined;
  baseUrl: string | undefined;
  weights: FusionWeights | undefined;
}

interface Usual {
  model: string;
  baseUrl: string;
}
const USUAL: Readonly<Record<Exclude<SearchProvider, 'builtin'>, Usual>> = {
  openai: { model: 'text-embedding-3-small', baseUrl: 'https://api.openai.com/v1' },
  titan: { model: 'amazon.titan-embed-text-v2:0', baseUrl: '' },
  transformers: { model: 'Xenova/all-MiniLM-L6-v2', baseUrl: '' },
};

/** By the end of the model's name, so that `openai/...` or `Xenova/...` in front of it does not matter. */
const DIMENSIONS: readonly (readonly [name: string, dimensions: number])[] = [
  ['text-embedding-3-small', 1536],
  ['text-embedding-3-large', 3072],
  ['text-embedding-ada-002', 1536],
  ['amazon.titan-embed-text-v2:0', 1024],
  ['amazon.titan-embed-text-v1', 1536],
  ['all-minilm-l6-v2', 384],
];

/** What is said of a model; nothing to what is built in. */
const MODEL_KEYS = ['model', 'dimensions', 'baseUrl', 'apiKey', 'modelFolder', 'timeout', 'vectorsFile'] as const;

const VECTORS_FILE = 'search-vectors.db';
const TIMEOUT_MS = 30_000;

/** `folder`: of the file the section was written in; `auditPath`: absolute. */
export function toSearchConfig(
  written: SearchSection | undefined,
  from: { variables: SearchVariables; folder: string; auditPath: string },
): { config: SearchConfig; mistakes: Mistake[]; warnings: string[] } {
  const { variables, folder, auditPath } = from;
  const mistakes: Mistake[] = [];
  const mistake = (key: string, message: string, hint: string | null = null) =>
    void mistakes.push({ path: ['search', key], message, hint });
  const path = (given: string) => (isAbsolute(given) ? given : resolve(folder, given));

  const provider = variables.provider ?? written?.provider ?? 'builtin';
  const usual = provider === 'builtin' ? null : USUAL[provider];
  const model = usual === null ? '' : (variables.model ?? written?.model ?? usual.model);
  const dimensions = variables.dimensions ?? written?.dimensions ?? findDimensions(model);
  if (usual !== null && dimensions === null)
    mistake('dimensions', `must be given for ${model}`, 'the number of values in one of its vectors');

  const calls = provider === 'openai' || provider === 'titan';
  const baseUrl = calls ? (variables.baseUrl ?? written?.baseUrl ?? usual?.baseUrl ?? '') : '';
  const apiKey = variables.apiKey ?? written?.apiKey;
  if (calls) checkUrl(baseUrl, apiKey !== undefined, mistake);
  if (calls && apiKey === undefined && baseUrl === USUAL.openai.baseUrl)
    mistake('apiKey', `must be given for ${baseUrl}`, 'set EMBEDDINGS_API_KEY, or apiKey: ${' + 'NAME}');
  const unused = variables.provider === 'builtin' ? MODEL_KEYS.filter(key => written?.[key] !== undefined) : [];
  if (provider === 'builtin' && variables.provider === undefined && written?.model !== undefined)
    mistake('model', 'means nothing without a provider', 'add provider: openai or provider: transformers');

  const weights = variables.weights ?? written?.weights ?? null;
  if (weights !== null && weights !== variables.weights && !addUp(weights))
    mistake('weights', 'lexical and vector must add up to 1', 'for example lexical: 0.3 and vector: 0.7');

  return {
    mistakes,
    warnings:
      unused.length === 0
        ? []
        : [`EMBEDDINGS_PROVIDER is builtin, so these are not used: ${unused.map(key => `search.${key}`).join(', ')}`],
    config: {
      provider,
      model,
      dimensions: usual === null ? 0 : (dimensions ?? 0),
      baseUrl: baseUrl.replace(/\/+$/, ''),
      apiKey: apiKey === undefined ? null : new Secret(apiKey),
      modelFolder: written?.modelFolder === undefined ? null : path(written.modelFolder),
      timeoutMs: written?.timeout ?? TIMEOUT_MS,
      vectorsFile:
        written?.vectorsFile === undefined ? resolve(dirname(auditPath), VECTORS_FILE) : path(written.vectorsFile),
      weights,
    },
  };
}

export const addUp = ({ lexical, vector }: FusionWeights): boolean => Math.abs(lexical + vector - 1) <= 1e-9;

function findDimensions(model: string): number | null {
  return DIMENSIONS.find(([name]) => model.toLowerCase().endsWith(name))?.[1] ?? null;
}

/** A key travels in every request: in the open only to this machine. */
function checkUrl(
  written: string,
  hasKey: boolean,
  mistake: (key: string, message: string, hint?: string) => void,
): void {
  if (written === '') return mistake('baseUrl', 'must be given for this provider', 'set EMBEDDINGS_API_BASE');
  const url = URL.canParse(written) ? new URL(written) : null;
  if (url === null || !/^https?:$/.test(url.protocol))
    return mistake('baseUrl', 'must be an http or https URL', 'for example https://api.openai.com/v1');
  if (url.username !== '' || url.password !== '')
    return mistake('baseUrl', 'must not hold a user or a password', 'give the key as apiKey');
  if (url.protocol === 'http:' && hasKey && !isLoopbackHost(url.hostname.replace(/^\[|\]$/g, '')))
    mistake('baseUrl', 'would send the key in the open', 'use https, or leave the key out');
}
