/**
 * One thing sealed for one place: AES-256-GCM (NIST SP 800-38D) under a random 96-bit nonce, the place as additional data.
 * The id of the key stands beside it, so that the right one of several is taken.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { VaultKey, VaultKeys } from './vault-keys.ts';

export interface Sealed {
  /** Which key. */
  key: string;
  /** Nonce, text and tag, in base64. */
  sealed: string;
}

const NONCE_BYTES = 12;
const TAG_BYTES = 16;

export function sealFor(place: string, { id, bytes }: VaultKey, text: string): Sealed {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', bytes, nonce);
  cipher.setAAD(Buffer.from(place));
  const sealed = Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { key: id, sealed: sealed.toString('base64') };
}

/** null: changed, moved, or sealed with a key that is not at hand. */
export function openFor(place: string, keys: VaultKeys, { key: id, sealed }: Sealed): string | null {
  const key = keys.find(one => one.id === id);
  const bytes = Buffer.from(sealed, 'base64');
  if (key === undefined || bytes.length < NONCE_BYTES + TAG_BYTES) return null;
  const decipher = createDecipheriv('aes-256-gcm', key.bytes, bytes.subarray(0, NONCE_BYTES));
  decipher.setAAD(Buffer.from(place));
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  try {
    const body = bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES);
    return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
  } catch {
    return null;
  }
}
