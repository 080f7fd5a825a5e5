/**
 * Every file that a configuration makes the gateway read or write, by name: what an operator backs up, mounts, or looks at
 * when something is not as expected. Not here: the files that are searched for (locate.ts), and what servers do with
 * theirs.
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { findLedgerFiles, headName, indexName, intentsName, lockName } from '../domain/audit-names.ts';
import { acknowledgedName, walName } from '../domain/registry-names.ts';
import type { AuditConfig } from './audit-config.ts';
import type { Config } from './config.ts';
import type { LocatedVault } from './locate.ts';

export interface UsedFile {
  name: string;
  /** Absolute; null: there is none, and `because` says why. */
  path: string | null;
  because: string | null;
  exists: boolean;
}

const at = (name: string, path: string): UsedFile => ({ name, path, because: null, exists: existsSync(path) });
const none = (name: string, because: string): UsedFile => ({ name, path: null, because, exists: false });

export function vaultFiles({ path, keys, keyPath }: LocatedVault): UsedFile[] {
  return [
    at('vault', path),
    at('vault lock', lockName(path)),
    keys === null ? at('vault key', keyPath) : none('vault key', 'GATEWAY_VAULT_KEY holds it'),
  ];
}

/**
 * Shape: what is read first, then what is written; a folder of models is one of them. Of what SQLite keeps beside its
 * databases the registry's log alone is said: after a kill it holds acknowledged changes. The others (`-shm`, `-journal`,
 * and the logs of what is made anew from elsewhere) hold nothing that a copy would miss.
 */
export function listUsedFiles(config: Config): UsedFile[] {
  const { audit, files, limits, listen, search, storage, tokens } = config;
  return [
    ...files.referred.map(path => at('referred to', path)),
    ...(listen.tls ? [at('TLS certificate', listen.tls.certPath), at('TLS key', listen.tls.keyPath)] : []),
    ...(search.modelFolder === null ? [] : [at('search models', search.modelFolder)]),
    ...vaultFiles(config.vault),
    ...ledgerFiles(audit),
    ...(storage.backend === 'memory'
      ? [none('registry', 'it is kept in memory')]
      : [
          at('registry', storage.path),
          at('registry log', walName(storage.path)),
          at('registry mark', acknowledgedName(storage.path)),
        ]),
    at('quarantine', limits.quarantineFile),
    at('quarantine lock', lockName(limits.quarantineFile)),
    ...(tokens.enabled
      ? [at('token keys', tokens.keyFile), at('token revocations', tokens.revocationsFile)]
      : [none('token keys', 'tokens are switched off')]),
    search.provider === 'builtin'
      ? none('search vectors', 'the built-in ones are kept in memory')
      : at('search vectors', search.vectorsFile),
  ];
}

/** Older parts, and ledgers that other processes keep on the same path, where there are any. */
function ledgerFiles({ enabled, path, index }: AuditConfig): UsedFile[] {
  if (!enabled) return [none('audit ledger', 'it is switched off')];
  const folder = dirname(path);
  const name = basename(path);
  const others = existsSync(folder)
    ? findLedgerFiles(name, readdirSync(folder)).filter(file => file.name !== name)
    : [];
  return [
    at('audit ledger', path),
    ...others.flatMap(file =>
      file.firstSeq === null
        ? [
            at('audit ledger, another process', join(folder, file.name)),
            at('audit checkpoint, another process', join(folder, headName(file.name))),
            at('audit intents, another process', join(folder, intentsName(file.name))),
          ]
        : [at('audit ledger, older part', join(folder, file.name))],
    ),
    at('audit checkpoint', join(folder, headName(name))),
    at('audit intents', join(folder, intentsName(name))),
    at('audit lock', join(folder, lockName(name))),
    ...(index ? [at('audit index', join(folder, indexName(name)))] : []),
  ];
}
