/** The table of words that ships with the gateway, read when search is first built. */
import { readFileSync } from 'node:fs';
import { readWordVectors, type WordVectors } from '../../domain/search/word-vectors.ts';

/** From source it lies beside this file; a bundle has it at its root, and us in a folder of pieces. */
export function readWordTable(): WordVectors {
  const isSource = import.meta.url.endsWith('.ts');
  return readWordVectors(
    readFileSync(new URL(isSource ? './word-vectors.bin' : '../word-vectors.bin', import.meta.url)),
  );
}
