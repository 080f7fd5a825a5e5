/**
 * Whether a name or URI means the same to everybody who reads it. With a backslash, a dot segment or a control character in
 * it, a rule about `file:///public/*` would be asked about one thing and the server would open another (RFC 3986, 5.2.4).
 */

// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const NEVER = /[\u0000-\u001f\u007f\\]|%00/;
/** `.` or `..` between separators, plain or escaped. */
const DOT_SEGMENT = /(?:^|[/:]|%2f|%5c)(?:\.|%2e){1,2}(?:$|\/|%2f|%5c)/i;

export function isPlainReference(text: string): boolean {
  // What stands behind `?` or `#` is no path.
  return !NEVER.test(text) && !DOT_SEGMENT.test(text.split(/[?#]/, 1)[0] ?? '');
}
