/**
 * Seals columns of records kept elsewhere with the key of the vault. The key is read again whenever its files change, so a
 * renewed one is used at once; the first seal lays an empty vault, so that from then on a wrong key is found out at the
 * start. Refused here: sealing without a key.
 */
import { Secret } from '../../domain/secret.ts';
import type { Sealer } from '../../ports/vault.ts';
import { fileStamp } from '../files/file-stamp.ts';
import { openFor, sealFor } from './sealed.ts';
import { layVault, openVault, type VaultPlace } from './vault.ts';
import type { VaultKeys } from './vault-keys.ts';

/** A version first: what it is made of may change while records live on. */
const SHAPE = /^v1\.([0-9a-f]{16})\.([A-Za-z0-9_-]+)$/;

export function createSealer(place: VaultPlace): Sealer {
  let held: { stamp: string; keys: VaultKeys } | null = null;
  const stampNow = () => `${fileStamp(place.path)}/${fileStamp(place.keyPath)}`;

  function requireKeys(mayMakeKey: boolean): VaultKeys {
    const stamp = stampNow();
    if (held?.stamp === stamp) return held.keys;
    const opened = openVault({ ...place, mayMakeKey: mayMakeKey && place.mayMakeKey }, () => 0);
    if (!opened.ok) throw new Error(`nothing can be sealed or opened: ${opened.reason}`);
    if (mayMakeKey) layVault(place.path, opened.keys);
    held = { stamp: stampNow(), keys: opened.keys };
    return opened.keys;
  }

  function open(recordId: string, field: string, sealed: string): { text: string; isNewest: boolean } | null {
    const [, key = '', body = ''] = SHAPE.exec(sealed) ?? [];
    if (body === '') return null;
    let keys: VaultKeys;
    try {
      keys = requireKeys(false);
    } catch {
      return null;
    }
    const text = openFor(placeOf(recordId, field), keys, {
      key,
      sealed: Buffer.from(body, 'base64url').toString('base64'),
    });
    return text === null ? null : { text, isNewest: keys[0].id === key };
  }

  function seal(recordId: string, field: string, text: string): string {
    const { key, sealed } = sealFor(placeOf(recordId, field), requireKeys(true)[0], text);
    return `v1.${key}.${Buffer.from(sealed, 'base64').toString('base64url')}`;
  }

  return {
    seal: (recordId, field, plain) => seal(recordId, field, plain.reveal()),
    open(recordId, field, sealed) {
      const opened = open(recordId, field, sealed);
      return opened === null ? { kind: 'unreadable' } : { kind: 'secret', secret: new Secret(opened.text) };
    },
    renew(recordId, field, sealed) {
      const opened = open(recordId, field, sealed);
      return opened === null || opened.isNewest ? null : seal(recordId, field, opened.text);
    },
  };
}

/** JSON keeps the two apart whatever they hold; the first word keeps them apart from the rows of the vault. */
function placeOf(recordId: string, field: string): string {
  return `gatehouse record ${JSON.stringify([recordId, field])}`;
}
