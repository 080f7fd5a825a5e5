/**
 * Takes declared values out of text that a child wrote. A value is also known in the spellings in which programs
 * print it: JSON-escaped, percent-encoded, base64, and line by line where it has several (a PEM block).
 */
import type { Secret } from '../../domain/secret.ts';

/** Shorter values ("1", "on") are no secrets, and masking them would leave no text to read. */
const MIN_LENGTH = 4;

export interface SecretMask {
  apply(text: string): string;
  /** Of the longest spelling, in UTF-8: a text cut sooner than this after a point may hold half a secret there. */
  readonly longestBytes: number;
}

function spellings(value: string): string[] {
  const base64 = Buffer.from(value).toString('base64').replace(/=+$/, '');
  return [
    value,
    ...value.split(/\r?\n/).map(line => line.trim()),
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value.toWellFormed()),
    base64,
    base64.replaceAll('+', '-').replaceAll('/', '_'),
  ];
}

export function createSecretMask(secrets: Iterable<Secret>): SecretMask {
  const known = new Set<string>();
  for (const secret of secrets) {
    const value = secret.reveal();
    if (value.length < MIN_LENGTH) continue;
    for (const form of spellings(value)) if (form.length >= MIN_LENGTH) known.add(form);
  }
  // Longest first, so that a value which contains another is taken out whole.
  const forms = [...known].sort((a, b) => b.length - a.length);
  return {
    apply: text => forms.reduce((left, form) => left.replaceAll(form, '[secret]'), text),
    longestBytes: forms.reduce((most, form) => Math.max(most, Buffer.byteLength(form)), 0),
  };
}
