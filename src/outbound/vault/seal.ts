/**
 * The seal: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce per handle; purpose and subject are additional data,
 * so a handle shown by another, or in another place, fails exactly as a made-up one does. The time limit is inside.
 * Without a key of one's own the handles of a process die with it. Refused here: storing anything (vault.ts does).
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import type { Clock } from '../../ports/clock.ts';
import type { Seal } from '../../ports/seal.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const EXPIRY_BYTES = 8;
const SHAPE = /^[A-Za-z0-9_-]+$/;
/** Random nonces are safe for 2^32 handles under one key (SP 800-38D, 8.3); a key of ours is replaced long before. */
const HANDLES_PER_KEY = 2 ** 31;

export function createSeal(clock: Pick<Clock, 'wallMs'>, givenKey?: Buffer): Seal {
  if (givenKey !== undefined && givenKey.length !== 32) throw new RangeError('a seal needs a key of 32 bytes');
  /** The first seals; the one before it still opens. */
  let keys: readonly Buffer[] = [givenKey ?? randomBytes(32)];
  let made = 0;

  function sealingKey(): Buffer {
    if (givenKey === undefined && ++made > HANDLES_PER_KEY) {
      keys = [randomBytes(32), ...keys.slice(0, 1)];
      made = 1;
    }
    return keys[0] as Buffer;
  }

  return {
    seal(purpose, subject, text, ttlMs = Number.POSITIVE_INFINITY) {
      const expiry = Buffer.alloc(EXPIRY_BYTES);
      expiry.writeDoubleBE(clock.wallMs() + ttlMs);
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv('aes-256-gcm', sealingKey(), nonce);
      cipher.setAAD(boundTo(purpose, subject));
      const sealed = [nonce, cipher.update(expiry), cipher.update(text, 'utf8'), cipher.final()];
      return Buffer.concat([...sealed, cipher.getAuthTag()]).toString('base64url');
    },
    open(purpose, subject, handle) {
      if (!SHAPE.test(handle)) return null;
      const bytes = Buffer.from(handle, 'base64url');
      if (bytes.length < NONCE_BYTES + EXPIRY_BYTES + TAG_BYTES) return null;
      // Base64 has bits that mean nothing: with another of those it would be another handle for the same thing.
      if (bytes.toString('base64url') !== handle) return null;
      for (const key of keys) {
        const plain = decrypt(key, bytes, boundTo(purpose, subject));
        if (plain === null) continue;
        return plain.readDoubleBE(0) > clock.wallMs() ? plain.toString('utf8', EXPIRY_BYTES) : null;
      }
      return null;
    },
  };
}

/** JSON keeps the two apart whatever they hold. */
function boundTo(purpose: string, subject: string): Buffer {
  return Buffer.from(JSON.stringify([purpose, subject]));
}

function decrypt(key: Buffer, bytes: Buffer, bound: Buffer): Buffer | null {
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES));
  decipher.setAAD(bound);
  decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  try {
    const body = bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES);
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch {
    return null;
  }
}
