import { afterAll, describe, expect, it, test } from 'vitest';
import { createDesk } from './desk.ts';

const desk = createDesk();
afterAll(() => desk.remove());

const KEY = 'sk-3kf9Zq0c1B7mWx5Tn8Vy2Lr6Ju4Hd';
const write = (search: object) => desk.write('cwd/gateway.config.yaml', { servers: {}, search });
async function read(search: object, env: Record<string, string> = {}) {
  write(search);
  return (await desk.config(env)).search;
}
async function mistakes(search: object, env: Record<string, string> = {}) {
  write(search);
  return (await desk.problems(env)).map(({ path, message }) => `${path} ${message}`);
}

describe('search', () => {
  it('needs nothing and calls nobody by default', async () => {
    expect(await read({})).toMatchObject({ provider: 'builtin', model: '', baseUrl: '', apiKey: null, weights: null });
  });

  test.each([
    { search: { provider: 'openai' }, expected: { model: 'text-embedding-3-small', dimensions: 1536 } },
    { search: { provider: 'openai', model: 'openai/text-embedding-ada-002' }, expected: { dimensions: 1536 } },
    { search: { provider: 'transformers' }, expected: { model: 'Xenova/all-MiniLM-L6-v2', dimensions: 384 } },
    {
      search: { provider: 'titan', baseUrl: 'https://bedrock-runtime.eu-west-1.amazonaws.com/' },
      expected: { dimensions: 1024, baseUrl: 'https://bedrock-runtime.eu-west-1.amazonaws.com' },
    },
    { search: { provider: 'openai', model: 'own', dimensions: '77' }, expected: { model: 'own', dimensions: 77 } },
  ])('knows the model and its size: $search', async ({ search, expected }) => {
    expect(await read(search, { EMBEDDINGS_API_KEY: KEY })).toMatchObject(expected);
  });

  it('lets the variables of the first registry win', async () => {
    const config = await read(
      { provider: 'transformers', model: 'x', dimensions: 3 },
      {
        EMBEDDINGS_PROVIDER: 'litellm',
        EMBEDDINGS_MODEL_NAME: 'bedrock/amazon.titan-embed-text-v2:0',
        EMBEDDINGS_MODEL_DIMENSIONS: '1024',
        EMBEDDINGS_API_KEY: KEY,
        EMBEDDINGS_API_BASE: 'https://llm.example.com/v1',
      },
    );
    expect(config).toMatchObject({
      provider: 'openai',
      model: 'bedrock/amazon.titan-embed-text-v2:0',
      dimensions: 1024,
      baseUrl: 'https://llm.example.com/v1',
    });
    expect(config.apiKey?.reveal()).toBe(KEY);
    expect(JSON.stringify(config)).not.toContain(KEY);
  });

  it('takes the documented weights and keeps vectors beside the ledger', async () => {
    const config = await read(
      { weights: { lexical: 0.3, vector: 0.7 } },
      { GATEWAY_AUDIT_LOG: '/var/log/gate/audit.jsonl' },
    );
    expect(config).toMatchObject({
      weights: { lexical: 0.3, vector: 0.7 },
      vectorsFile: '/var/log/gate/search-vectors.db',
    });
  });

  test.each([
    { search: { provider: 'opnai' }, says: 'search.provider must be one of builtin, openai, titan, transformers' },
    { search: { providr: 'openai' }, says: 'search.providr is not a key this gateway knows' },
    {
      search: { provider: 'openai', baseUrl: 'http://127.0.0.1:1', model: 'own' },
      says: 'search.dimensions must be given for own',
    },
    { search: { provider: 'openai' }, says: 'search.apiKey must be given for https://api.openai.com/v1' },
    { search: { provider: 'titan' }, says: 'search.baseUrl must be given for this provider' },
    { search: { provider: 'openai', baseUrl: 'ftp://x' }, says: 'search.baseUrl must be an http or https URL' },
    {
      search: { provider: 'openai', baseUrl: 'http://llm.example.com', apiKey: KEY },
      says: 'search.baseUrl would send the key in the open',
    },
    {
      search: { provider: 'openai', baseUrl: 'https://a:b@llm.example.com', apiKey: KEY },
      says: 'search.baseUrl must not hold a user or a password',
    },
    { search: { model: 'x' }, says: 'search.model means nothing without a provider' },
    { search: { weights: { lexical: 0.5, vector: 0.7 } }, says: 'search.weights lexical and vector must add up to 1' },
    { search: { dimensions: 0 }, says: 'search.dimensions must be a whole number from 1 to 8192' },
  ])('refuses $search', async ({ search, says }) => {
    const told = await mistakes(search);
    expect(told).toContain(says);
    expect(told.join()).not.toContain(KEY);
  });

  test.each([
    { env: { SEARCH_LEXICAL_WEIGHT: '0.4' }, weights: { lexical: 0.4, vector: 0.6 }, because: 'one says the other' },
    { env: { SEARCH_VECTOR_WEIGHT: ' .75 ' }, weights: { lexical: 0.25, vector: 0.75 }, because: 'so does the other' },
    { env: { SEARCH_LEXICAL_WEIGHT: '1' }, weights: { lexical: 1, vector: 0 }, because: 'words may be everything' },
    {
      env: { SEARCH_LEXICAL_WEIGHT: '0.1', SEARCH_VECTOR_WEIGHT: '0.9' },
      ...{ weights: { lexical: 0.1, vector: 0.9 }, because: 'both may be given' },
    },
    {
      env: { SEARCH_LEXICAL_WEIGHT: '', SEARCH_VECTOR_WEIGHT: ' ' },
      ...{ weights: { lexical: 0.3, vector: 0.7 }, because: 'what is empty was not given' },
    },
  ])('weighs by $env before the file: $because', async ({ env, weights }) => {
    const config = await read({ weights: { lexical: 0.3, vector: 0.7 } }, env as Record<string, string>);
    expect(config.weights?.lexical).toBeCloseTo(weights.lexical, 12);
    expect(config.weights?.vector).toBeCloseTo(weights.vector, 12);
  });

  test.each([
    { env: { SEARCH_LEXICAL_WEIGHT: '30' }, says: ['SEARCH_LEXICAL_WEIGHT must be a number from 0 to 1'] },
    { env: { SEARCH_VECTOR_WEIGHT: '-0.1' }, says: ['SEARCH_VECTOR_WEIGHT must be a number from 0 to 1'] },
    { env: { SEARCH_VECTOR_WEIGHT: 'much' }, says: ['SEARCH_VECTOR_WEIGHT must be a number from 0 to 1'] },
    {
      env: { SEARCH_LEXICAL_WEIGHT: '0,3', SEARCH_VECTOR_WEIGHT: '1e0' },
      says: ['SEARCH_LEXICAL_WEIGHT must be a number from 0 to 1', 'SEARCH_VECTOR_WEIGHT must be a number from 0 to 1'],
    },
    {
      env: { SEARCH_LEXICAL_WEIGHT: '0.3', SEARCH_VECTOR_WEIGHT: '0.3' },
      says: ['SEARCH_LEXICAL_WEIGHT and SEARCH_VECTOR_WEIGHT must add up to 1'],
    },
  ])('refuses the weights of $env', async ({ env, says }) => {
    expect(await mistakes({}, env as Record<string, string>)).toEqual(says);
  });

  it('makes vectors here where the environment says so, and says what of the file is not used then', async () => {
    write({ provider: 'openai', model: 'own', baseUrl: 'https://llm.example.com/v1', apiKey: KEY });
    const result = await desk.load({ EMBEDDINGS_PROVIDER: 'builtin' });
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    expect(result.config.search).toMatchObject({ provider: 'builtin', model: '', dimensions: 0, baseUrl: '' });
    expect(result.warnings).toContain(
      'EMBEDDINGS_PROVIDER is builtin, so these are not used: search.model, search.baseUrl, search.apiKey',
    );
  });

  it('refuses a size in the environment that is none', async () => {
    expect(await mistakes({}, { EMBEDDINGS_MODEL_DIMENSIONS: 'many' })).toContain(
      'EMBEDDINGS_MODEL_DIMENSIONS must be a whole number from 1 to 8192',
    );
    expect(await mistakes({}, { EMBEDDINGS_PROVIDER: 'bert' })).toContain(
      'EMBEDDINGS_PROVIDER must be one of builtin, openai, titan, transformers',
    );
  });

  it('allows a local endpoint without a key, and in the open', async () => {
    const search = { provider: 'openai', model: 'own', dimensions: 8, baseUrl: 'http://localhost:11434/v1' };
    expect(await read(search)).toMatchObject({ apiKey: null, baseUrl: 'http://localhost:11434/v1' });
  });
});
