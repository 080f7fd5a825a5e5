/** A look at a file without reading it: changes whenever another file is there, or another content. */
import { statSync } from 'node:fs';

/** Empty where there is none, or none that can be looked at. */
export function fileStamp(path: string): string {
  try {
    const { ino, size, mtimeMs, ctimeMs } = statSync(path);
    return `${ino} ${size} ${mtimeMs} ${ctimeMs}`;
  } catch {
    return '';
  }
}
