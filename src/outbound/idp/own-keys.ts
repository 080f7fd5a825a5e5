/**
 * The keys that sign tokens of our own: ES256, in one private file as a JWK set (RFC 7517) whose first key signs. An older
 * key stays as its public half until nothing it signed is good any more. The file is made once and never repaired: what
 * cannot be read, or can be read by others, signs nothing.
 */
import {
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { z } from 'zod';
import type { JsonObject } from '../../domain/json.ts';
import { createPrivateFile, readPrivateFile, writePrivateFile } from '../vault/private-file.ts';
import { type KeySet, pickKey, readKeySet, type VerifyKey } from './key-set.ts';

const base64url = z.string().regex(/^[A-Za-z0-9_-]{16,128}$/);
const PublicJwk = z.strictObject({
  kty: z.literal('EC'),
  crv: z.literal('P-256'),
  x: base64url,
  y: base64url,
  kid: base64url,
  alg: z.literal('ES256'),
  use: z.literal('sig'),
});
const KeysFile = z.strictObject({
  /** Chosen at random: names this gateway where it has no address. */
  instance: base64url,
  /** For marks. */
  secret: base64url,
  signing: PublicJwk.extend({ d: base64url }),
  /** Unix milliseconds until which a key still verifies. */
  older: z.array(z.strictObject({ untilMs: z.number(), key: PublicJwk })).max(32),
});
type KeysFile = z.output<typeof KeysFile>;

export interface OwnKeys {
  instance: string;
  signing: { id: string; key: KeyObject };
  /** Of the kind; null: not one of these. */
  find(id: string | null): VerifyKey | null;
  published(): JsonObject;
  mark(words: readonly string[]): string;
  /** Keys that are still there keep their objects; those that are gone are dead afterwards. */
  readonly set: KeySet;
}

export type OwnKeysFinding = { ok: true; keys: OwnKeys } | { ok: false; reason: string };

const MAX_BYTES = 65_536;
const MARK_CHARS = 22;

/** Reads the file, or makes one where there is none. `before`: what was read of it earlier. */
export function openOwnKeys(path: string, nowMs: number, before: OwnKeys | null = null): OwnKeysFinding {
  try {
    let found = readPrivateFile(path, MAX_BYTES, true);
    if (found.kind === 'absent') {
      // Gone while we run: who took it away has to start us anew, or every token would be over unnoticed.
      if (before !== null) return { ok: false, reason: 'it is gone' };
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      // Of two that start at once the slower one takes the keys of the faster.
      createPrivateFile(path, write({ instance: random(16), secret: random(32), signing: createKey(), older: [] }));
      found = readPrivateFile(path, MAX_BYTES, true);
    }
    if (found.kind !== 'text') return { ok: false, reason: found.kind === 'refused' ? found.reason : 'it is gone' };
    const file = parse(found.text);
    return file === null ? { ok: false, reason: 'it is damaged' } : { ok: true, keys: toKeys(file, nowMs, before) };
  } catch (error) {
    return { ok: false, reason: error instanceof Error && 'code' in error ? String(error.code) : 'it cannot be used' };
  }
}

/**
 * A new key signs from now on. The one before verifies for `keepMs` more, which is as long as a token may live; 0: what it
 * signed is over at once. Running gateways follow the file. Throws what the file system says.
 */
export function rotateOwnKeys(
  path: string,
  nowMs: number,
  keepMs: number,
): { ok: true } | { ok: false; reason: string } {
  const found = readPrivateFile(path, MAX_BYTES, true);
  if (found.kind !== 'text') return { ok: false, reason: found.kind === 'refused' ? found.reason : 'there is none' };
  const file = parse(found.text);
  if (file === null) return { ok: false, reason: 'it is damaged' };
  const { d: _private, ...former } = file.signing;
  const older = [{ untilMs: nowMs + keepMs, key: former }, ...file.older].filter(({ untilMs }) => untilMs > nowMs);
  writePrivateFile(path, write({ ...file, signing: createKey(), older: older.slice(0, 32) }));
  return { ok: true };
}

function toKeys(file: KeysFile, nowMs: number, before: OwnKeys | null): OwnKeys {
  const { d: _private, ...current } = file.signing;
  const jwks = [current, ...file.older.filter(({ untilMs }) => untilMs > nowMs).map(({ key }) => key)];
  const set = readKeySet({ keys: jwks }, before?.set) ?? [];
  const secret = Buffer.from(file.secret, 'base64url');
  return {
    instance: file.instance,
    signing: {
      id: file.signing.kid,
      key: createPrivateKey({ key: file.signing as JsonWebKey, format: 'jwk' }),
    },
    find: id => (id === null ? null : pickKey(set, id, 'ES256')),
    published: () => ({ keys: jwks.map(key => ({ ...key })) }),
    mark: words => createHmac('sha256', secret).update(JSON.stringify(words)).digest('base64url').slice(0, MARK_CHARS),
    set,
  };
}

function createKey(): KeysFile['signing'] {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { x = '', y = '', d = '' } = privateKey.export({ format: 'jwk' });
  return { kty: 'EC', crv: 'P-256', x, y, d, kid: random(16), alg: 'ES256', use: 'sig' };
}

function random(bytes: number): string {
  return randomBytes(bytes).toString('base64url');
}

function parse(text: string): KeysFile | null {
  try {
    return KeysFile.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function write(file: KeysFile): string {
  return `${JSON.stringify(file, null, 2)}\n`;
}
