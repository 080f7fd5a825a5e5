/**
 * The vault as commands see it: the operator's secrets by name, for the configuration to refer to and for `gatehouse
 * secret` to change. What only looks makes nothing: neither a vault nor a key.
 */
import type { FoundSecret } from '../config/interpolate.ts';
import type { KeptSecrets } from '../config/load.ts';
import type { LocatedVault } from '../config/locate.ts';
import { Secret } from '../domain/secret.ts';
import { createSystemClock } from '../outbound/clock.ts';
import { fileStamp } from '../outbound/files/file-stamp.ts';
import { tryLock } from '../outbound/sqlite/file-lock.ts';
import { createSealer } from '../outbound/vault/sealer.ts';
import { MAX_SECRET, openVault, type VaultPlace } from '../outbound/vault/vault.ts';
import { changeKeyFile } from '../outbound/vault/vault-keys.ts';
import { withVaultLock } from '../outbound/vault/vault-lock.ts';
import type { Sealer, Vault, VaultSlot } from '../ports/vault.ts';

export const LONGEST_SECRET = MAX_SECRET;

export type DeskFinding<T> = { ok: true; value: T } | { ok: false; reason: string };

export interface VaultDesk {
  /** Shape: by name. */
  list(): DeskFinding<{ name: string; changedMs: number }[]>;
  /** `madeKey`: where a key file had to be made first. */
  set(name: string, secret: Secret): Promise<DeskFinding<{ isNew: boolean; madeKey: string | null }>>;
  /** False: there was none. */
  remove(name: string): Promise<DeskFinding<boolean>>;
  /**
   * Makes a new key where a key file is used, and seals everything anew with the newest. With `giveUpOlder` the older ones
   * are gone afterwards; where a secret would be lost with them, nothing is.
   */
  rotateKey(giveUpOlder: boolean): Promise<DeskFinding<{ renewed: number; keyFile: string | null }>>;
}

const GATEWAY = 'gateway';
const PREFIX = 'secret:';
const slotOf = (name: string): VaultSlot => ({ owner: GATEWAY, server: '', field: `${PREFIX}${name}` });

const HINT =
  'give the key it was sealed with in GATEWAY_VAULT_KEY or GATEWAY_VAULT_KEY_FILE; a lost key cannot be made anew';

/** What `${vault:NAME}` stands for. */
export function openSecrets(located: LocatedVault): KeptSecrets {
  if (fileStamp(located.path) === '') return { problem: null, find: () => ({ kind: 'none', names: [] }) };
  const opened = openVault(toPlace(located, false), () => 0);
  if (!opened.ok) {
    const problem = {
      file: located.path,
      path: '',
      message: `the vault cannot be opened: ${opened.reason}`,
      hint: HINT,
    };
    return { problem, find: () => ({ kind: 'unreadable', reason: 'the vault cannot be opened' }) };
  }
  const { vault } = opened;
  return {
    problem: null,
    find(name): FoundSecret {
      const found = vault.find(slotOf(name));
      if (found.kind === 'none') return { kind: 'none', names: namesIn(vault).map(({ name }) => name) };
      if (found.kind === 'secret') return found;
      return { kind: 'unreadable', reason: 'it was changed, or sealed with another key; set it anew' };
    },
  };
}

/** For credentials that are stored elsewhere than in the vault. */
export function openSealer(located: LocatedVault): Sealer {
  return createSealer(toPlace(located, true));
}

export function openVaultDesk(located: LocatedVault): VaultDesk {
  const clock = createSystemClock();
  const isThere = () => fileStamp(located.path) !== '';
  const open = (mayMakeKey: boolean) => openVault(toPlace(located, mayMakeKey), () => clock.wallMs());
  const locked = <T>(change: () => T) => withVaultLock(located.path, { tryLock, clock }, change);

  return {
    list() {
      if (!isThere()) return { ok: true, value: [] };
      const opened = open(false);
      return opened.ok ? { ok: true, value: namesIn(opened.vault) } : opened;
    },
    set: (name, secret) =>
      locked(() => {
        const hadKey = located.keys !== null || fileStamp(located.keyPath) !== '';
        const opened = open(true);
        if (!opened.ok) return opened;
        const isNew = opened.vault.find(slotOf(name)).kind === 'none';
        opened.vault.put(slotOf(name), secret);
        return { ok: true, value: { isNew, madeKey: hadKey ? null : located.keyPath } };
      }),
    async remove(name) {
      if (!isThere()) return { ok: true, value: false };
      return locked(() => {
        const opened = open(false);
        return opened.ok ? { ok: true, value: opened.vault.remove(slotOf(name)) } : opened;
      });
    },
    async rotateKey(giveUpOlder) {
      if (!isThere()) return { ok: false, reason: `there is no vault at ${located.path}` };
      return locked(() => {
        const before = open(false);
        if (!before.ok) return before;
        const { keyPath } = located;
        const keyFile = located.keys === null ? keyPath : null;
        const toSecret = (text: string) => new Secret(text);
        // The new key is on disk before anything is sealed with it, the older ones until everything is.
        if (keyFile !== null) {
          const changed = changeKeyFile(keyPath, 'renew', toSecret);
          if (!changed.ok) return changed;
        }
        const opened = open(false);
        if (!opened.ok) return opened;
        const { renewed, unreadable } = opened.vault.renewKey();
        if (giveUpOlder && unreadable > 0)
          return { ok: false, reason: `${unreadable} secrets could not be read; the older keys were kept` };
        if (giveUpOlder && keyFile !== null) {
          const changed = changeKeyFile(keyPath, 'newest-alone', toSecret);
          if (!changed.ok) return changed;
        }
        return { ok: true, value: { renewed, keyFile } };
      });
    },
  };
}

function namesIn(vault: Vault): { name: string; changedMs: number }[] {
  return vault
    .list(GATEWAY)
    .filter(({ slot }) => slot.field.startsWith(PREFIX))
    .map(({ slot, changedMs }) => ({ name: slot.field.slice(PREFIX.length), changedMs }));
}

function toPlace({ path, keys, keyPath, isKeyNamed }: LocatedVault, mayMake: boolean): VaultPlace {
  return { path, keys, keyPath, mayMakeKey: mayMake && !isKeyNamed };
}
