/**
 * The parts of `listen` that say how connections are secured and whom to believe about where they come from: `tls` and
 * `trustedProxies`. Certificate and key are files, so that a renewal needs no restart; relative paths are relative to the
 * configuration.
 */
import { isIP } from 'node:net';
import { isAbsolute, resolve } from 'node:path';
import { z } from 'zod';
import type { TlsConfig } from './config.ts';
import type { Mistake } from './problem.ts';

export const TlsSection = z.strictObject({
  cert: z.string().min(1),
  key: z.string().min(1),
  // YAML reads 1.2 as a number.
  minVersion: z
    .union([z.literal('1.2'), z.literal('1.3'), z.literal(1.2), z.literal(1.3)], { error: 'must be 1.2 or 1.3' })
    .optional(),
});
export type TlsSection = z.output<typeof TlsSection>;

/** `folder`: of the file the section was written in. */
export function toTlsConfig(written: TlsSection | undefined, folder: string): TlsConfig | null {
  if (written === undefined) return null;
  const toPath = (path: string) => (isAbsolute(path) ? path : resolve(folder, path));
  return {
    certPath: toPath(written.cert),
    keyPath: toPath(written.key),
    minVersion: String(written.minVersion ?? '1.2') === '1.3' ? '1.3' : '1.2',
  };
}

export const TrustedProxies = z.array(z.string());

export function findProxyMistakes(ranges: readonly string[], at: readonly (string | number)[]): Mistake[] {
  return ranges.flatMap((range, index) =>
    isAddressRange(range)
      ? []
      : [
          {
            path: [...at, index],
            message: `${JSON.stringify(range.slice(0, 64))} is not an address or a range of addresses`,
            hint: 'for example 10.0.0.0/8, 192.0.2.7 or 2001:db8::/32',
          },
        ],
  );
}

/** An address, or a range of them in CIDR form that is not everybody. */
export function isAddressRange(written: string): boolean {
  const [, address = '', bits] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(written) ?? [];
  const family = isIP(address);
  if (family === 0 || address.includes('%')) return false;
  return bits === undefined || (Number(bits) >= 1 && Number(bits) <= (family === 4 ? 32 : 128));
}
