/** The files of the page that shows the API: beside the bundle, or in the package they come from while run from source. */
import { readFile } from 'node:fs/promises';

const FOLDER = import.meta.url.endsWith('.ts') ? '../../../node_modules/swagger-ui-dist/' : '../docs/';

/** Null: not installed. */
export async function readDocsFile(name: string): Promise<string | null> {
  try {
    return await readFile(new URL(FOLDER + name, import.meta.url), 'utf8');
  } catch {
    return null;
  }
}
