/**
 * What a child process may see of our environment: an allow-list of names that carry no authority, plus what the
 * operator declared for it. Refused here: everything else, above all NODE_*, proxies (their URLs hold passwords),
 * agent sockets and our own settings.
 */
import { LAUNCHERS } from '../../domain/gateway-path.ts';
import type { Secret } from '../../domain/secret.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** XDG_RUNTIME_DIR is left out on purpose: it leads to sockets of the desktop session. */
const POSIX_NAMES: ReadonlySet<string> = new Set([
  'PATH',
  'HOME',
  'LANG',
  'LANGUAGE',
  'TZ',
  'TMPDIR',
  'USER',
  'LOGNAME',
  'SHELL',
  'TERM',
  'XDG_CACHE_HOME',
  'XDG_CONFIG_HOME',
  'XDG_DATA_HOME',
  'XDG_STATE_HOME',
  LAUNCHERS,
]);

/** Without SystemRoot most programs on Windows cannot open a socket; the rest is where they look for themselves. */
const WINDOWS_NAMES: ReadonlySet<string> = new Set([
  'APPDATA',
  'COMSPEC',
  'HOMEDRIVE',
  'HOMEPATH',
  'LOCALAPPDATA',
  'NUMBER_OF_PROCESSORS',
  'OS',
  'PATH',
  'PATHEXT',
  'PROCESSOR_ARCHITECTURE',
  'PROGRAMDATA',
  'PROGRAMFILES',
  'PROGRAMFILES(X86)',
  'SYSTEMDRIVE',
  'SYSTEMROOT',
  'TEMP',
  'TMP',
  'TZ',
  'USERNAME',
  'USERPROFILE',
  'WINDIR',
  LAUNCHERS,
]);

function isAllowed(name: string, platform: NodeJS.Platform): boolean {
  if (platform === 'win32') return WINDOWS_NAMES.has(name.toUpperCase());
  return POSIX_NAMES.has(name) || name.startsWith('LC_');
}

/** Declared values win over inherited ones. */
export function buildChildEnvironment(
  base: Environment,
  declared: ReadonlyMap<string, Secret>,
  platform: NodeJS.Platform,
): Record<string, string> {
  const env = new Map<string, string>();
  for (const [name, value] of Object.entries(base)) {
    // "()" marks an exported shell function: code, not a value.
    if (value !== undefined && !value.startsWith('()') && isAllowed(name, platform)) env.set(name, value);
  }
  for (const [name, secret] of declared) {
    if (platform === 'win32') {
      // Names differ only by case there: two spellings of PATH would leave it to chance which one counts.
      for (const known of env.keys()) if (known.toUpperCase() === name.toUpperCase()) env.delete(known);
    }
    env.set(name, secret.reveal());
  }
  return Object.fromEntries(env);
}
