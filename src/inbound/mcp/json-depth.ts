/**
 * How deep a JSON text nests, before anything recursive touches it. Most texts hold few brackets and cost one search;
 * only a text with many is walked.
 */
const QUOTE = 0x22;
const BACKSLASH = 0x5c;

export const MAX_DEPTH = 128;

/** Texts up to this are walked: a search costs more to begin. */
const SHORT = 512;

/** True when brackets outside strings nest deeper than MAX_DEPTH. The text need not be valid. */
export function isTooDeep(text: Buffer): boolean {
  return text.length > MAX_DEPTH && hasMany(text) && depthExceeds(text);
}

function hasMany(text: Buffer): boolean {
  let left = MAX_DEPTH;
  if (text.length <= SHORT) {
    for (let i = 0; i < text.length; i++) if ((text[i] === 0x7b || text[i] === 0x5b) && --left < 0) return true;
    return false;
  }
  for (const bracket of [0x7b, 0x5b]) {
    for (let at = text.indexOf(bracket); at >= 0; at = text.indexOf(bracket, at + 1)) if (--left < 0) return true;
  }
  return false;
}

function depthExceeds(text: Buffer): boolean {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const byte = text[i];
    if (byte === QUOTE) {
      i = endOfString(text, i + 1);
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > MAX_DEPTH) return true;
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--;
    }
  }
  return false;
}

/** Index of the closing quote, or of the end. */
function endOfString(text: Buffer, from: number): number {
  for (let at = text.indexOf(QUOTE, from); at >= 0; at = text.indexOf(QUOTE, at + 1)) {
    let slashes = 0;
    while (text[at - 1 - slashes] === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}
