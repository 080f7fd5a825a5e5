/**
 * The vault: named secrets in one file, each sealed under a random nonce; owner, server and field are additional data, so
 * a row put in another's place cannot be read there. The file is JSON, replaced whole at every change and bounded. One
 * process at a time changes it. Refused here: starting over a file that none of the keys opens.
 */
import { z } from 'zod';
import { Secret } from '../../domain/secret.ts';
import type { Vault, VaultSlot } from '../../ports/vault.ts';
import { createPrivateFile, readPrivateFile, writePrivateFile } from './private-file.ts';
import { openFor, sealFor } from './sealed.ts';
import { type KeysFinding, readKeyFile, readKeys, type VaultKeys } from './vault-keys.ts';

const MAX_FILE_BYTES = 64 * 1024 * 1024;
const MAX_ROWS = 100_000;
export const MAX_SECRET = 64 * 1024;

const Sealed = z.strictObject({ key: z.string(), sealed: z.base64() });
const Row = z.strictObject({
  owner: z.string(),
  server: z.string(),
  field: z.string(),
  changed: z.iso.datetime(),
  ...Sealed.shape,
});
/** `check` is known text: with it a wrong key is found out before anything is kept. */
const VaultFile = z.strictObject({ version: z.literal(1), check: Sealed, rows: z.array(Row).max(MAX_ROWS) });
type Row = z.output<typeof Row>;

const CHECK: VaultSlot = { owner: '', server: '', field: 'check' };
const CHECK_TEXT = 'gatehouse vault';

export interface VaultPlace {
  path: string;
  /** Of the operator; null: the key file is used. */
  keys: Secret | null;
  keyPath: string;
  /** Whether a key file is made where neither it nor a vault is there. */
  mayMakeKey: boolean;
}

export type OpenedVault = { ok: true; vault: Vault; keys: VaultKeys } | { ok: false; reason: string };

/** `wallMs`: for the dates of what is put in. */
export function openVault(place: VaultPlace, wallMs: () => number): OpenedVault {
  const read = readPrivateFile(place.path, MAX_FILE_BYTES, false);
  if (read.kind === 'refused') return { ok: false, reason: `the vault: ${read.reason}` };
  const found = findKeys(place, read.kind === 'absent' && place.mayMakeKey);
  if (!found.ok) return found;
  const { keys } = found;
  if (read.kind === 'absent') return { ok: true, keys, vault: new FileVault(place.path, keys, wallMs, []) };

  const file = VaultFile.safeParse(parse(read.text));
  if (!file.success) return { ok: false, reason: 'the vault is damaged' };
  const { check, rows } = file.data;
  if (openFor(placeOf(CHECK), keys, check) !== CHECK_TEXT)
    return { ok: false, reason: 'the key does not open the vault' };
  const slots = new Set(rows.map(slotName));
  if (slots.size !== rows.length) return { ok: false, reason: 'the vault is damaged: a secret is there twice' };
  return { ok: true, keys, vault: new FileVault(place.path, keys, wallMs, rows) };
}

/** An empty vault, so that its key is known from now on. False: there is one already, which is left as it is. */
export function layVault(path: string, keys: VaultKeys): boolean {
  return createPrivateFile(path, written(keys, []));
}

function findKeys({ keys, keyPath }: VaultPlace, mayMake: boolean): KeysFinding {
  if (keys !== null) return readKeys(keys);
  try {
    return readKeyFile(keyPath, mayMake, text => new Secret(text));
  } catch (error) {
    return { ok: false, reason: `the key file cannot be made: ${error instanceof Error ? error.name : 'error'}` };
  }
}

class FileVault implements Vault {
  readonly #path: string;
  readonly #keys: VaultKeys;
  readonly #wallMs: () => number;
  #rows: ReadonlyMap<string, Row>;

  constructor(path: string, keys: VaultKeys, wallMs: () => number, rows: readonly Row[]) {
    this.#path = path;
    this.#keys = keys;
    this.#wallMs = wallMs;
    this.#rows = new Map(rows.map(row => [slotName(row), row]));
  }

  list(owner: string): ReturnType<Vault['list']> {
    const rows = [...this.#rows.values()].filter(row => row.owner === owner);
    const byName = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
    return rows
      .sort((a, b) => byName(a.server, b.server) || byName(a.field, b.field))
      .map(({ server, field, changed }) => ({ slot: { owner, server, field }, changedMs: Date.parse(changed) }));
  }

  find(slot: VaultSlot): ReturnType<Vault['find']> {
    const row = this.#rows.get(slotName(slot));
    if (row === undefined) return { kind: 'none' };
    const text = openFor(placeOf(slot), this.#keys, row);
    return text === null ? { kind: 'unreadable' } : { kind: 'secret', secret: new Secret(text) };
  }

  put({ owner, server, field }: VaultSlot, secret: Secret): void {
    const slot = { owner, server, field };
    const text = secret.reveal();
    if (text.length > MAX_SECRET) throw new RangeError('the secret is too long for the vault');
    const changed = new Date(this.#wallMs()).toISOString();
    const row = { ...slot, changed, ...sealFor(placeOf(slot), this.#keys[0], text) };
    const rows = new Map(this.#rows).set(slotName(slot), row);
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
      const text = openFor(placeOf(row), this.#keys, row);
      if (text === null) {
        unreadable += 1;
        continue;
      }
      renewed += 1;
      rows.set(name, { ...row, ...sealFor(placeOf(row), newest, text) });
    }
    // Also with nothing renewed: the check is sealed anew, and the older key can go.
    this.#replace(rows);
    return { renewed, unreadable };
  }

  /** First the disk, then memory: what was not written was not kept. */
  #replace(rows: ReadonlyMap<string, Row>): void {
    writePrivateFile(this.#path, written(this.#keys, [...rows.values()]));
    this.#rows = rows;
  }
}

function written([newest]: VaultKeys, rows: readonly Row[]): string {
  const check = sealFor(placeOf(CHECK), newest, CHECK_TEXT);
  return `${JSON.stringify({ version: 1, check, rows })}\n`;
}

function slotName({ owner, server, field }: VaultSlot): string {
  return JSON.stringify([owner, server, field]);
}

function placeOf(slot: VaultSlot): string {
  return `gatehouse vault ${slotName(slot)}`;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
