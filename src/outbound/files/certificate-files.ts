/**
 * Certificate and key from two files, read again when they change: renewals come without a restart. A pair is shown only
 * when the key belongs to the certificate; a renewal that was caught between its two files is simply looked at again.
 * The key is in no message.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { CertificatePair, CertificateSource } from '../../ports/certificates.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import { createFileWatch } from './watch.ts';

const DEBOUNCE_MS = 200;
/** Mounted secrets are swapped by links, which not every system tells of. */
const LOOK_MS = 10_000;
const SOON_MS = 14 * 86_400_000;

export function createCertificateFiles(options: {
  certPath: string;
  keyPath: string;
  clock: Clock;
  log: Log;
  lookMs?: number;
}): CertificateSource {
  const { certPath, keyPath, clock, log, lookMs = LOOK_MS } = options;

  async function load(): Promise<CertificatePair> {
    const [cert, key] = await Promise.all([readPem(certPath), readPem(keyPath)]);
    const { validToDate, validFromDate, subject } = checkPair(cert, key);
    const leftMs = validToDate.getTime() - clock.wallMs();
    const facts = { subject: subject ?? '', valid_until: validToDate.toISOString() };
    if (leftMs <= 0) log.error('the certificate has expired', facts);
    else if (leftMs < SOON_MS) log.warn('the certificate expires soon', facts);
    if (validFromDate.getTime() > clock.wallMs()) log.warn('the certificate is not valid yet', facts);
    return { cert, key };
  }

  /** By hand first: an empty text passes for none at all in a secure context. */
  function checkPair(cert: string, key: string): X509Certificate {
    let reason: string;
    try {
      const certificate = new X509Certificate(cert);
      if (certificate.checkPrivateKey(createPrivateKey(key))) {
        createSecureContext({ cert, key });
        return certificate;
      }
      reason = 'the key is another one';
    } catch (error) {
      reason = codeOf(error);
    }
    throw new Error(`${certPath} and ${keyPath} are no pair of certificate and key (${reason})`);
  }

  return {
    load,
    watch(onPair) {
      let stopped = false;
      let cancel = () => {};
      let turn: Promise<void> = Promise.resolve();
      const loadAgain = () => {
        turn = turn.then(async () => {
          try {
            const pair = await load();
            if (!stopped) onPair(pair);
          } catch (error) {
            log.error('the new certificate is not shown; the earlier one is kept', {
              detail: error instanceof Error ? error.message : String(error),
            });
          }
        });
      };
      const watch = createFileWatch({
        paths: [certPath, keyPath],
        debounceMs: DEBOUNCE_MS,
        log,
        onChange: loadAgain,
      });
      const look = async () => {
        if ((await watch.changedSinceLastLook()) && !stopped) loadAgain();
        if (!stopped) cancel = clock.after(lookMs, look);
      };
      cancel = clock.after(lookMs, look);
      return async () => {
        stopped = true;
        cancel();
        await watch.close();
        await turn;
      };
    },
  };
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new Error(`${path} cannot be read (${codeOf(error)})`);
  }
}

/** Of a library's error the code alone: some messages hold what was read. */
function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unreadable';
}
