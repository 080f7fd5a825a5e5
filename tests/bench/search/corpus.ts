/**
 * Public relevance data, where it is at hand: catalogs of tools and requests with the tools that answer them. It lies
 * beside the repository and is never part of it; without it whoever asks says so and goes on.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { JsonObject } from '../../../src/domain/json.ts';
import { type SearchDocument, toolDocument } from '../../../src/domain/search/document.ts';

const FOLDER = fileURLToPath(new URL('../../../../shared/corpus/retrieval/', import.meta.url));
export const hasCorpus = existsSync(FOLDER);
export const NO_CORPUS = `no relevance data beside the repository (${FOLDER}): nothing was measured`;

export interface Tool {
  id: string;
  server: string;
  serverTitle?: string;
  name: string;
  description?: string;
  inputSchema?: JsonObject;
}

export interface AnnotatedQuery {
  id: string;
  query: string;
  /** Needed tools; each as the set of those that would do. */
  groups: readonly (readonly string[])[];
}

/** Set of requests -> catalog it is asked of. */
export const SETS = {
  livemcp: 'livemcp',
  'livemcp-step': 'livemcp',
  'livemcp-agent': 'livemcp',
  mcpbench: 'mcpbench',
  toole: 'toole',
  'toole-multi': 'toole',
  sealtools: 'sealtools',
  bfcl: 'bfcl',
  'bfcl-live': 'bfcl',
  azure: 'azure',
  restbench: 'restbench',
  toolalpaca: 'toolalpaca',
} as const;
export type SetName = keyof typeof SETS;

/** Made of real MCP servers. */
export const MCP_SETS: readonly SetName[] = ['livemcp', 'livemcp-step', 'livemcp-agent', 'mcpbench', 'azure'];

export const readTools = (catalog: string): Tool[] => readLines<Tool>(`${catalog}.tools.jsonl`);

export function readQueries(set: SetName | 'notool'): AnnotatedQuery[] {
  return readLines<{ id: string; query: string; relevant?: string[]; groups?: string[][] }>(
    `${set}.queries.dev.jsonl`,
  ).map(({ id, query, relevant = [], groups }) => ({ id, query, groups: groups ?? relevant.map(tool => [tool]) }));
}

/** As many as wished for, evenly spread: what lies at the beginning of a file is often alike. */
export function sampleOf<T>(all: readonly T[], most: number): readonly T[] {
  const step = all.length / most;
  return step <= 1 ? all : Array.from({ length: most }, (_, at) => all[Math.floor(at * step)] as T);
}

export function toDocument({ id, server, serverTitle, name, description, inputSchema }: Tool): SearchDocument {
  const item: JsonObject = { name, description: description ?? '', inputSchema: inputSchema ?? {} };
  return toolDocument({ id, server, item, ...(serverTitle === undefined ? {} : { serverText: serverTitle }) });
}

function readLines<T>(file: string): T[] {
  return readFileSync(FOLDER + file, 'utf8')
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as T);
}
