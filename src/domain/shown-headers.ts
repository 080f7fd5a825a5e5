/**
 * The headers of a request as they may be shown to whoever sent them, and so to a model: which there are, and what stands
 * in those that are no credential. What is secret by its name, by its look, or because it is meant for a server behind us
 * is masked whole or in part.
 */
import { maskSecrets } from './sanitise.ts';
import { isSecretHeader } from './secret-names.ts';

const MASKED = '[redacted]';
const MAX_CHARS = 1_000;

/**
 * Names as they came, in lower case. `forwarded`: names and values in turn, of what servers behind us asked for: whoever
 * set those up knows what is in them, we do not.
 */
export function showHeaders(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
  forwarded: readonly string[] | null,
): Record<string, string> {
  const foreign = new Set(forwarded?.filter((_, index) => index % 2 === 0));
  const shown: [string, string][] = [];
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined) continue;
    const isSecret = isSecretHeader(name) || foreign.has(name);
    shown.push([name, isSecret ? MASKED : show(typeof value === 'string' ? value : value.join(', '))]);
  }
  // Defined, not assigned: a header may be called `__proto__`.
  return Object.fromEntries(shown);
}

/** Masked before it is cut: half a secret may not look like one. */
function show(value: string): string {
  const said = maskSecrets(value);
  return said.length > MAX_CHARS ? `${said.slice(0, MAX_CHARS)}…` : said;
}
