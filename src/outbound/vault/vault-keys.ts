/**
 * The keys of the vault: 32 random bytes each, from a variable or from a key file of its own. The first seals; those
 * after it still open what they sealed. A password is refused: what is behind it could be guessed from a stolen file.
 */
import { createHmac, randomBytes } from 'node:crypto';
import type { Secret } from '../../domain/secret.ts';
import { createPrivateFile, readPrivateFile, writePrivateFile } from './private-file.ts';

export interface VaultKey {
  /** Tells which key sealed something, and nothing of the key. */
  id: string;
  bytes: Buffer;
}

/** Newest first; never empty. */
export type VaultKeys = readonly [VaultKey, ...VaultKey[]];

export type KeysFinding = { ok: true; keys: VaultKeys } | { ok: false; reason: string };

const KEY_BYTES = 32;
const MAX_KEYS = 16;
const MAX_KEY_FILE_BYTES = 4096;

/** `written`: one key, or several with commas or line breaks between, each 32 bytes in base64 or hexadecimal. */
export function readKeys(written: Secret): KeysFinding {
  const texts = written
    .reveal()
    .split(/[\s,]+/)
    .filter(text => text !== '');
  if (texts.length > MAX_KEYS) return { ok: false, reason: `there are more than ${MAX_KEYS} keys` };
  const keys: VaultKey[] = [];
  for (const text of texts) {
    const bytes = decodeKey(text);
    if (bytes === null) return { ok: false, reason: 'a key must be 32 bytes in base64 or hexadecimal' };
    keys.push({ id: keyId(bytes), bytes });
  }
  const [first, ...older] = keys;
  return first === undefined ? { ok: false, reason: 'there is no key' } : { ok: true, keys: [first, ...older] };
}

/** Reads the key file, or makes one where `mayCreate` and there is none. */
export function readKeyFile(path: string, mayCreate: boolean, toSecret: (text: string) => Secret): KeysFinding {
  let found = readPrivateFile(path, MAX_KEY_FILE_BYTES, true);
  if (found.kind === 'absent') {
    if (!mayCreate) return { ok: false, reason: 'the key file is missing, and without it nothing can be read' };
    // Of two that start at once the slower one takes the key of the faster.
    createPrivateFile(path, `${randomBytes(KEY_BYTES).toString('base64')}\n`);
    found = readPrivateFile(path, MAX_KEY_FILE_BYTES, true);
  }
  if (found.kind !== 'text')
    return { ok: false, reason: `the key file: ${found.kind === 'refused' ? found.reason : 'it is gone'}` };
  return readKeys(toSecret(found.text));
}

/**
 * Puts a new key before those of a key file, or gives up all but the newest. Throws when the file cannot be
 * written; it is then as it was.
 */
export function changeKeyFile(
  path: string,
  change: 'renew' | 'newest-alone',
  toSecret: (text: string) => Secret,
): KeysFinding {
  const found = readKeyFile(path, false, toSecret);
  if (!found.ok) return found;
  const [newest, ...older] = found.keys;
  if (change === 'renew' && older.length + 2 > MAX_KEYS)
    return { ok: false, reason: `the key file holds ${MAX_KEYS} keys already` };
  const fresh = randomBytes(KEY_BYTES);
  const keys: VaultKeys = change === 'newest-alone' ? [newest] : [{ id: keyId(fresh), bytes: fresh }, newest, ...older];
  writePrivateFile(path, keys.map(({ bytes }) => `${bytes.toString('base64')}\n`).join(''));
  return { ok: true, keys };
}

function decodeKey(text: string): Buffer | null {
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex');
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === KEY_BYTES ? bytes : null;
}

function keyId(bytes: Buffer): string {
  return createHmac('sha256', bytes).update('gatehouse vault key').digest('hex').slice(0, 16);
}
