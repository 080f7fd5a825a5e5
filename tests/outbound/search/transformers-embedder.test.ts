import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createTransformersEmbedder } from '../../../src/outbound/search/transformers-embedder.ts';
import { writeTinyModel } from '../../support/tiny-model.ts';
import { fetchTransformers, WITHOUT_TRANSFORMERS } from '../../support/transformers-package.ts';

const NEVER = new AbortController().signal;
let folder = '';
let installedIn: string | null = null;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-model-'));
  writeTinyModel(folder, 'tiny');
  installedIn = fetchTransformers();
}, 320_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dot = (a: Float32Array | undefined, b: Float32Array | undefined) =>
  Array.from(a ?? []).reduce((sum, value, at) => sum + value * (b?.[at] ?? 0), 0);

describe('createTransformersEmbedder', () => {
  it('runs a model of a folder, offline, and finds what means the same near', async ({ skip }) => {
    if (installedIn === null) return skip(WITHOUT_TRANSFORMERS);
    const network = globalThis.fetch;
    globalThis.fetch = () => Promise.reject(new Error('no network here'));
    try {
      const embedder = createTransformersEmbedder({ model: 'tiny', dimensions: 32, modelFolder: folder, installedIn });
      const texts = ['create an issue', 'open a new bug ticket', 'weather forecast for rain', ''];
      const [asked, same, other, none] = await embedder.embed(texts, NEVER);
      expect(asked).toHaveLength(32);
      expect(none).toHaveLength(32);
      expect(dot(asked, asked)).toBeCloseTo(1, 5);
      expect(dot(asked, same)).toBeGreaterThan(0.9);
      expect(dot(asked, other)).toBeLessThan(0.5);
    } finally {
      globalThis.fetch = network;
    }
  });

  it('gives the same vector whichever texts it comes with', async ({ skip }) => {
    if (installedIn === null) return skip(WITHOUT_TRANSFORMERS);
    const embedder = createTransformersEmbedder({ model: 'tiny', dimensions: 32, modelFolder: folder, installedIn });
    const [alone] = await embedder.embed(['send a letter'], NEVER);
    const many = await embedder.embed(
      [...new Array(40).fill('a much longer text about files and folders'), 'send a letter'],
      NEVER,
    );
    expect(many).toHaveLength(41);
    expect(dot(alone, many[40])).toBeCloseTo(1, 4);
  });

  it('says which size to configure when the model has another', async ({ skip }) => {
    if (installedIn === null) return skip(WITHOUT_TRANSFORMERS);
    const embedder = createTransformersEmbedder({ model: 'tiny', dimensions: 384, modelFolder: folder, installedIn });
    await expect(embedder.embed(['a'], NEVER)).rejects.toThrow(
      'vectors of 32 values, not 384; set search.dimensions to 32',
    );
  });

  it('says what must lie where when the model is not there', async ({ skip }) => {
    if (installedIn === null) return skip(WITHOUT_TRANSFORMERS);
    const embedder = createTransformersEmbedder({ model: 'absent', dimensions: 32, modelFolder: folder, installedIn });
    await expect(embedder.embed(['a'], NEVER)).rejects.toThrow(
      /could not be read from .*must hold absent\/\{config\.json/,
    );
  });

  it('says what to install when the library is not there', async () => {
    const embedder = createTransformersEmbedder({
      model: 'tiny',
      dimensions: 32,
      modelFolder: folder,
      installedIn: folder,
    });
    await expect(embedder.embed(['a'], NEVER)).rejects.toThrow(
      'which is not installed; run: npm install @huggingface/transformers@4.3.1',
    );
  });
});
