/**
 * POSIX fnmatch without path rules: `*`, `?`, `[a-z]`, `[!a-z]`; everything else is literal, case counts.
 * One pass with a single point of return per star: linear in the text for a given pattern, whatever the pattern.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let starAt = -1;
  let textAtStar = 0;
  while (t < text.length) {
    const step = matchOne(pattern, p, text[t] ?? '');
    if (pattern[p] === '*') {
      starAt = p++;
      textAtStar = t;
    } else if (step > 0) {
      p += step;
      t++;
    } else if (starAt >= 0) {
      p = starAt + 1;
      t = ++textAtStar;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** How many characters of the pattern this one text character uses up; 0 when it does not match. */
function matchOne(pattern: string, p: number, char: string): number {
  const symbol = pattern[p];
  if (symbol === undefined || symbol === '*') return 0;
  if (symbol === '?') return 1;
  if (symbol !== '[') return symbol === char ? 1 : 0;
  const negated = pattern[p + 1] === '!' || pattern[p + 1] === '^';
  const first = p + (negated ? 2 : 1);
  // A bracket right after the opening is a member; without a closing one the `[` is a literal.
  const end = pattern.indexOf(']', first + 1);
  if (end < 0) return char === '[' ? 1 : 0;
  let hit = false;
  for (let i = first; i < end; i++) {
    const low = pattern[i] ?? '';
    const isRange = pattern[i + 1] === '-' && i + 2 < end;
    const high = isRange ? (pattern[i + 2] ?? '') : low;
    if (char >= low && char <= high) hit = true;
    if (isRange) i += 2;
  }
  return hit !== negated ? end - p + 1 : 0;
}
