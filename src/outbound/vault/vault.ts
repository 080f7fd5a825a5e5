/**
 * The vault: named secrets in one file, each sealed with AES-256-GCM under a random nonce; owner, server and field are
 * additional data, so a row put in another's place cannot be read there. The file is JSON, replaced whole at every change
 * and bounded. One process writes it. Refused here: starting over a file that none of the keys opens.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { Secret } from '../../domain/secret.ts';
import type { Vault, VaultSlot } from '../../ports/vault.ts';
import { readPrivateFile, writePrivateFile } from './private-file.ts';
import { type KeysFinding, readKeyFile, readKeys, type VaultKey, type VaultKeys } from './vault-keys.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_ROWS = 100_000;
const MAX_SECRET = 64 * 1024;

const Sealed = z.strictObject({ key: z.string(), sealed: z.base64() });
const Row = z.strictObject({ owner: z.string(), server: z.string(), field: z.string(), ...Sealed.shape });
/** `check` is known text: with it a wrong key is found out before anything is kept. */
const VaultFile = z.strictObject({ version: z.literal(1), check: Sealed, rows: z.array(Row).max(MAX_ROWS) });
type Row = z.output<typeof Row>;

const CHECK: VaultSlot = { owner: '', server: '', field: 'check' };
const CHECK_TEXT = 'gatehouse vault';

export interface VaultPlace {
  path: string;
  /** Of the operator; null: the key file is used, and made where neither it nor a vault is there. */
  keys: Secret | null;
  keyPath: string;
}

export type OpenedVault = { ok: true; vault: Vault } | { ok: false; reason: string };

export function openVault(place: VaultPlace): OpenedVault {
  const read = readPrivateFile(place.path, MAX_FILE_BYTES, false);
  if (read.kind === 'refused') return { ok: false, reason: `the vault: ${read.reason}` };
  const isNew = read.kind === 'absent';
  let found: KeysFinding;
  try {
    found = place.keys === null ? readKeyFile(place.keyPath, isNew, text => new Secret(text)) : readKeys(place.keys);
  } catch (error) {
    return { ok: false, reason: `the key file cannot be made: ${error instanceof Error ? error.name : 'error'}` };
  }
  if (!found.ok) return found;
  const { keys } = found;
  if (isNew) return { ok: true, vault: new FileVault(place.path, keys, []) };

  const file = VaultFile.safeParse(parse(read.text));
  if (!file.success) return { ok: false, reason: 'the vault is damaged' };
  const { check, rows } = file.data;
  if (openSealed(keys, CHECK, check) !== CHECK_TEXT) return { ok: false, reason: 'the key does not open the vault' };
  const slots = new Set(rows.map(slotName));
  if (slots.size !== rows.length) return { ok: false, reason: 'the vault is damaged: a secret is there twice' };
  return { ok: true, vault: new FileVault(place.path, keys, rows) };
}

class FileVault implements Vault {
  readonly #path: string;
  readonly #keys: VaultKeys;
  #rows: ReadonlyMap<string, Row>;

  constructor(path: string, keys: VaultKeys, rows: readonly Row[]) {
    this.#path = path;
    this.#keys = keys;
    this.#rows = new Map(rows.map(row => [slotName(row), row]));
  }

  find(slot: VaultSlot): ReturnType<Vault['find']> {
    const row = this.#rows.get(slotName(slot));
    if (row === undefined) return { kind: 'none' };
    const text = openSealed(this.#keys, slot, row);
    return text === null ? { kind: 'unreadable' } : { kind: 'secret', secret: new Secret(text) };
  }

  put({ owner, server, field }: VaultSlot, secret: Secret): void {
    const slot = { owner, server, field };
    if (secret.reveal().length > MAX_SECRET) throw new RangeError('the secret is too long for the vault');
    const rows = new Map(this.#rows).set(slotName(slot), { ...slot, ...seal(this.#keys[0], slot, secret.reveal()) });
    if (rows.size > MAX_ROWS) throw new RangeError('the vault is full');
    this.#replace(rows);
  }

  remove(slot: VaultSlot): boolean {
    const rows = new Map(this.#rows);
    if (!rows.delete(slotName(slot))) return false;
    this.#replace(rows);
    return true;
  }

  removeServer(server: string): number {
    const rows = new Map([...this.#rows].filter(([, row]) => row.server !== server));
    const removed = this.#rows.size - rows.size;
    if (removed > 0) this.#replace(rows);
    return removed;
  }

  renewKey(): { renewed: number; unreadable: number } {
    const [newest] = this.#keys;
    const rows = new Map(this.#rows);
    let unreadable = 0;
    let renewed = 0;
    for (const [name, row] of this.#rows) {
      if (row.key === newest.id) continue;
      const text = openSealed(this.#keys, row, row);
      if (text === null) {
        unreadable += 1;
        continue;
      }
      renewed += 1;
      const { owner, server, field } = row;
      rows.set(name, { owner, server, field, ...seal(newest, row, text) });
    }
    // Also with nothing renewed: the check is sealed anew, and the older key can go.
    this.#replace(rows);
    return { renewed, unreadable };
  }

  /** First the disk, then memory: what was not written was not kept. */
  #replace(rows: ReadonlyMap<string, Row>): void {
    const check = seal(this.#keys[0], CHECK, CHECK_TEXT);
    writePrivateFile(this.#path, `${JSON.stringify({ version: 1, check, rows: [...rows.values()] })}\n`);
    this.#rows = rows;
  }
}

function slotName({ owner, server, field }: VaultSlot): string {
  return JSON.stringify([owner, server, field]);
}

function boundTo(slot: VaultSlot): Buffer {
  return Buffer.from(`gatehouse vault ${slotName(slot)}`);
}

function seal(key: VaultKey, slot: VaultSlot, text: string): z.output<typeof Sealed> {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce).setAAD(boundTo(slot));
  const body = [nonce, cipher.update(text, 'utf8'), cipher.final()];
  return { key: key.id, sealed: Buffer.concat([...body, cipher.getAuthTag()]).toString('base64') };
}

function openSealed(keys: VaultKeys, slot: VaultSlot, { key, sealed }: z.output<typeof Sealed>): string | null {
  const held = keys.find(({ id }) => id === key);
  const bytes = Buffer.from(sealed, 'base64');
  if (held === undefined || bytes.length < NONCE_BYTES + TAG_BYTES) return null;
  const decipher = createDecipheriv('aes-256-gcm', held.bytes, bytes.subarray(0, NONCE_BYTES));
  decipher.setAAD(boundTo(slot)).setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
  try {
    const body = bytes.subarray(NONCE_BYTES, bytes.length - TAG_BYTES);
    return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
  } catch {
    return null;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
