/**
 * What of a log field may be written: secrets masked by the field's name and by the look of the value, length and
 * number bounded, characters that move a terminal's cursor or reorder its text made visible where a person reads.
 */
import { maskSecrets } from '../../domain/sanitise.ts';
import { isSecretField } from '../../domain/secret-names.ts';
import type { LogFields } from '../../ports/log.ts';

export type LogValue = string | number | boolean | null | readonly string[];

const MAX_CHARS = 4_096;
/** Masking sees more than is kept, so that a secret across the cut is known for one. */
const MASK_WINDOW = 2 * MAX_CHARS;
const MAX_ITEMS = 64;
const MAX_NAME = 128;
/** Ids that we make ourselves and that a log is searched by; they may look as random as a key. */
const OWN_IDS: ReadonlySet<string> = new Set(['id', 'request_id']);
/** Names the log line itself uses: a second member of that name could shadow the true one. */
const RESERVED: ReadonlySet<string> = new Set(['time', 'level', 'msg', '__proto__']);
/** Line ends by Unicode, which JSON may carry raw but line readers of other languages split at. */
const LINE_ENDS = /[\u0085\u2028\u2029]/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: making them visible is the purpose.
const TERMINAL = /[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Masked, bounded, on one line for every reader. */
export function redactText(text: string): string {
  const masked = maskSecrets(text.length > MASK_WINDOW ? text.slice(0, MASK_WINDOW) : text);
  const kept = masked.length > MAX_CHARS ? masked.slice(0, MAX_CHARS) : masked;
  const bounded =
    kept === masked && text.length <= MASK_WINDOW ? kept : `${kept}… [truncated, ${text.length} characters]`;
  return bounded.replace(LINE_ENDS, escaped);
}

/** Fields as they may be written; members that are undefined are left out. */
export function redactFields(fields: LogFields): Record<string, LogValue> {
  const clean: Record<string, LogValue> = {};
  for (const name of Object.keys(fields)) {
    const value = fields[name];
    if (value === undefined) continue;
    clean[RESERVED.has(name) ? `${name}_` : name.slice(0, MAX_NAME).replace(LINE_ENDS, escaped)] = redactValue(
      name,
      value,
    );
  }
  return clean;
}

function redactValue(name: string, value: LogValue): LogValue {
  if (value === null || typeof value === 'boolean') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (isSecretField(name)) return '[redacted]';
  if (typeof value === 'string') return OWN_IDS.has(name) && value.length <= 128 ? value : redactText(value);
  const items = value.slice(0, MAX_ITEMS).map(redactText);
  return value.length > MAX_ITEMS ? [...items, `… [${value.length} items]`] : items;
}

/** For a terminal: every control and direction character spelled out. */
export function spellControls(text: string): string {
  return text.replace(TERMINAL, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
