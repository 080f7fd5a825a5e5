/**
 * Vectors from a model that runs in this process, through transformers.js. The library weighs hundreds of megabytes with
 * its runtime, so it is no dependency: who wants it installs it, and it is loaded with the first text. With a model
 * folder nothing is fetched; without one the model comes from the hub once.
 */
import { createRequire } from 'node:module';
import { isAbsolute, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { toLengthOne } from '../../domain/search/latent.ts';
import { type Embedder, EmbedderError } from '../../ports/embedder.ts';

export interface TransformersOptions {
  /** Folder below `modelFolder`, or a name on the hub. */
  model: string;
  dimensions: number;
  /** Absolute; null: the hub. */
  modelFolder: string | null;
  /** Where the library is looked for besides the gateway's own modules: a folder with node_modules. */
  installedIn: string;
}

const LIBRARY = '@huggingface/transformers';
const BATCH = 32;
const MAX_TEXT = 4_000;

/** The part of the library that is used. */
interface Library {
  env: { allowRemoteModels: boolean; localModelPath: string; useFSCache: boolean };
  pipeline(task: 'feature-extraction', model: string, options: { dtype: 'fp32' }): Promise<Extract>;
}
type Extract = (
  texts: string[],
  options: { pooling: 'mean'; normalize: true },
) => Promise<{ dims: readonly number[]; data: Float32Array }>;

export function createTransformersEmbedder(options: TransformersOptions): Embedder {
  const { model, dimensions, modelFolder } = options;
  let loading: Promise<Extract> | null = null;

  async function load(): Promise<Extract> {
    const library = await importLibrary(options.installedIn);
    if (modelFolder !== null) {
      library.env.allowRemoteModels = false;
      library.env.localModelPath = join(modelFolder, '/');
      library.env.useFSCache = false;
    }
    try {
      return await library.pipeline('feature-extraction', model, { dtype: 'fp32' });
    } catch (cause) {
      const where =
        modelFolder === null ? 'could not be fetched from the hub' : `could not be read from ${modelFolder}`;
      const layout = `${model}/{config.json, tokenizer.json, tokenizer_config.json, onnx/model.onnx}`;
      const message = `the model ${model} ${where}; search.modelFolder must hold ${layout}`;
      throw new EmbedderError(message, { passing: modelFolder === null, cause });
    }
  }

  return {
    model: `transformers:${model}`,
    dimensions,
    async embed(texts, signal) {
      loading ??= load();
      const extract = await loading.catch(cause => {
        // The next text tries again: the library may be installed meanwhile.
        loading = null;
        throw cause;
      });
      const found: Float32Array[] = [];
      for (let at = 0; at < texts.length; at += BATCH) {
        signal.throwIfAborted();
        const batch = texts.slice(at, at + BATCH).map(text => text.slice(0, MAX_TEXT));
        const { dims, data } = await extract(batch, { pooling: 'mean', normalize: true });
        const size = dims.at(-1) ?? 0;
        if (size !== dimensions) {
          const message = `${model} gives vectors of ${size} values, not ${dimensions}; set search.dimensions to ${size}`;
          throw new EmbedderError(message, { passing: false });
        }
        for (let row = 0; row < batch.length; row++) {
          const vector = data.slice(row * size, (row + 1) * size);
          toLengthOne(vector);
          found.push(vector);
        }
      }
      return found;
    },
  };
}

/** Beside the gateway first, then where the operator works. */
async function importLibrary(installedIn: string): Promise<Library> {
  const places: (() => string)[] = [
    () => LIBRARY,
    () => {
      const resolved = createRequire(join(installedIn, 'package.json')).resolve(LIBRARY);
      return isAbsolute(resolved) ? pathToFileURL(resolved).href : resolved;
    },
  ];
  let cause: unknown;
  for (const place of places) {
    try {
      return (await import(place())) as Library;
    } catch (error) {
      cause = error;
    }
  }
  const isAbsent = (cause as { code?: string }).code === 'MODULE_NOT_FOUND';
  const message = isAbsent
    ? `search.provider transformers needs the package ${LIBRARY}, which is not installed; run: npm install ${LIBRARY}@4.3.1`
    : `the package ${LIBRARY} could not be loaded; reinstall it with: npm install ${LIBRARY}@4.3.1`;
  throw new EmbedderError(message, { passing: false, cause });
}
