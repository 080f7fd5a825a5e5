/**
 * What must not be read by others is taken out of a text here: secrets (for logs and clients alike), and paths,
 * addresses and stack traces (for clients). Pure; every pattern runs in linear time: a run of characters is entered
 * only at its start (lookbehind), and everything else that repeats is bounded or anchored.
 * Errs on the side of taking too much: a lost word costs a look into the log, a lost key costs the key.
 */

const REDACTED = '[redacted]';

/** Texts are cut to this before any pattern sees them. */
const MAX_INPUT = 16_384;
const MAX_SAID = 2_000;

const PEM = /-----BEGIN [A-Z0-9 ]{1,64}-----[\s\S]*?(?:-----END [A-Z0-9 ]{1,64}-----|$)/g;
/** Whole header values: what follows the name is secret up to the end of the line or quote. */
const HEADER =
  /((?:authorization|cookie)(?:\\?["'])?[ \t]{0,4}[:=][ \t]{0,4})(?!\[redacted\])(?:\\?["'][^"'\n]+|[^\s"'][^\r\n"']*)/gi;
const SCHEME = /(?<![A-Za-z0-9])(bearer|basic|dpop)[ \t]{1,4}[A-Za-z0-9._~+/=-]{4,}/gi;
const JWT = /(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{6,}(?:\.[A-Za-z0-9_-]*){0,4}/g;
const USER_INFO = /([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s/?#"'<>]*@/gi;
const QUERY = /([?#])[\w.~%+[\]-]{1,64}=[^\s"'<>]*/g;
const ASSIGNED =
  /((?:token|secret|passw(?:or)?d|passphrase|pwd|credentials?|(?:api|access|private|signing|vault|encryption|master)[_-]?key|code[_-]?verifier|session[_-]?id)(?:\\?["'])?[ \t]{0,4}[=:][ \t]{0,4})(?!\[redacted\])(?:\\?["'][^"'\n]+|[^\s"'&,;<>{][^\s"'&,;<>]*)/gi;
const FORM_FIELD = /((?:(?<![A-Za-z0-9_])(?:key|code)|&[A-Za-z_]{1,40})=)[^\s"'&,;<>(){}[\]]{6,}/g;
const KNOWN_PREFIX =
  /(?<![A-Za-z0-9])(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|sk-|[sp]k_live_|AKIA|ASIA|AIza|hf_|shpat_|ya29\.)[A-Za-z0-9_-]{16,}/g;
const RUN = /(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{32,}={0,2}/g;
const SEPARATORS = /[+/_=-]+/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const HEX = /^[0-9a-f]+$/i;
/** An errno word after `code=` says what went wrong and is nobody's secret. */
const ERRNO = /=[A-Z][A-Z_0-9]+$/;

/** Returns the text with credentials, tokens, keys, query strings and URL user info replaced by `[redacted]`. */
export function maskSecrets(text: string): string {
  if (text.length < 6) return text;
  return text
    .replace(PEM, REDACTED)
    .replace(HEADER, `$1${REDACTED}`)
    .replace(SCHEME, `$1 ${REDACTED}`)
    .replace(JWT, REDACTED)
    .replace(USER_INFO, `$1${REDACTED}@`)
    .replace(QUERY, `$1${REDACTED}`)
    .replace(ASSIGNED, `$1${REDACTED}`)
    .replace(FORM_FIELD, (whole, name: string) => (ERRNO.test(whole) ? whole : name + REDACTED))
    .replace(KNOWN_PREFIX, REDACTED)
    .replace(RUN, run => (looksRandom(run) || hasRandomPart(run) ? REDACTED : run));
}

/**
 * Tells a random key from a long identifier by how often neighbouring characters change between lower case, upper
 * case and digits: two thirds of the time in base64, a quarter at most in camelCase names and paths.
 */
function looksRandom(run: string): boolean {
  if (UUID.test(run)) return false;
  if (HEX.test(run)) return true;
  let last = 0;
  let changes = 0;
  let counted = 0;
  let digits = 0;
  for (let i = 0; i < run.length; i += 1) {
    const kind = kindOf(run.charCodeAt(i));
    if (kind === 0) continue;
    if (kind === 3) digits += 1;
    if (last !== 0 && kind !== last) changes += 1;
    last = kind;
    counted += 1;
  }
  if (counted < 24) return false;
  const share = changes / counted;
  return share > (digits > 0 ? 0.38 : 0.5);
}

/** A key behind a prefix or in a path: the words before it would hide it in the sum. */
function hasRandomPart(run: string): boolean {
  return run.split(SEPARATORS).some(part => part.length >= 32 && looksRandom(part));
}

/** 1 lower case, 2 upper case, 3 digit, 0 separator. */
function kindOf(code: number): 0 | 1 | 2 | 3 {
  if (code >= 97 && code <= 122) return 1;
  if (code >= 65 && code <= 90) return 2;
  if (code >= 48 && code <= 57) return 3;
  return 0;
}

const STACK_LINE = /(?:^|\n)[ \t]+at [^\n]*/g;
const PYTHON_FRAME = /(?:^|\n)[ \t]*File "[^"\n]*", line \d+[^\n]*(?:\n[ \t]{2,}[^\n]*)?/g;
const TRACEBACK = /(?:^|\n)[ \t]*(?:Traceback \(most recent call last\):|goroutine \d+ \[[^\]\n]*\]:)[ \t]*/g;
const FILE_URL = /file:\/\/[^\s"'<>)]*/gi;
const QUOTED_PATH = /(["'`])(?:\/|~\/|[A-Za-z]:[\\/]|\\\\)[^"'`\n]+\1/g;
const WINDOWS_PATH = /(?<![A-Za-z0-9])(?:[A-Za-z]:[\\/](?!\/)|\\\\)[^\s"'<>|,;)]+/g;
const POSIX_PATH = /(?<![\w.:/~@-])~?\/(?:[\w.@%+~-]+\/)+[\w.@%+~-]*(?::\d+){0,2}/g;
const POSIX_FILE = /(?<![\w.:/~@-])~?\/[\w-]*\.[\w.-]+(?::\d+){0,2}/g;
const SOURCE_LINE = /(?<![\w./@-])[\w./@-]+\.(?:[cm]?[jt]sx?|py|go|rs|java|rb|php|cs|cpp|c):\d+(?::\d+)?/g;
const URL_TEXT = /(?<![a-z0-9+.-])([a-z][a-z0-9+.-]{1,20}):\/\/([^\s/?#"'<>]*)[^\s?#"'<>]*/gi;
const IPV4 = /(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.]*\d)(?::\d{1,5})?/g;
const BRACKETED = /\[[0-9a-f:.]{2,45}(?:%\w{1,16})?\](?::\d{1,5})?/gi;
const IPV6_RUN = /(?<![\w:.])(?=[0-9a-f]*:)[0-9a-f:.]{2,45}(?![\w:])/gi;
const HOST_PORT = /(?<![\w.-])(?:localhost|[\w-]+(?:\.[\w-]+)+):\d{1,5}(?!\d)/gi;
const DIALLED =
  /((?:ECONNREFUSED|ECONNRESET|ENOTFOUND|EAI_AGAIN|ETIMEDOUT|EHOSTUNREACH|getaddrinfo|lookup|dial|tcp|host|connect(?:ing|ion)? to)[ \t]{1,4})(?!ENOTFOUND|EAI_AGAIN|tcp |\[)[\w.-]+(?::\d{1,5})?/g;
const INNER_NAME = /(?<![\w.-])[\w-]+(?:\.[\w-]+)*\.(?:internal|local|lan|corp|intranet|localdomain|svc)(?![\w-])/gi;
const INNER_HOST =
  /^(?:localhost|[\w-]+|.*\.(?:internal|local|lan|corp|intranet|localdomain|svc|test)|[\d.]+|\[.*\])$/i;
/** Control characters but tab and line feed, and the marks that reorder text on a screen. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: removing them is the purpose.
const UNPRINTABLE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/**
 * Returns what a client may read of a text that somebody else wrote: no secret, absolute path, stack
 * line, address, internal host or URL with one; public URLs keep host and path. At most 2,000 characters.
 */
export function sanitiseForClient(text: string): string {
  const bounded = text.length > MAX_INPUT ? text.slice(0, MAX_INPUT) : text;
  const said = maskSecrets(bounded.replace(UNPRINTABLE, ' '))
    .replace(TRACEBACK, '')
    .replace(PYTHON_FRAME, '')
    .replace(STACK_LINE, '')
    .replace(FILE_URL, '[path]')
    .replace(URL_TEXT, sayUrl)
    .replace(QUOTED_PATH, '$1[path]$1')
    .replace(WINDOWS_PATH, '[path]')
    .replace(POSIX_PATH, '[path]')
    .replace(POSIX_FILE, '[path]')
    .replace(SOURCE_LINE, '[source]')
    .replace(IPV4, '[address]')
    .replace(BRACKETED, whole => (isIpv6(whole.slice(1, whole.indexOf(']'))) ? '[address]' : whole))
    .replace(IPV6_RUN, run => (isIpv6(run) ? '[address]' : run))
    .replace(HOST_PORT, '[host]')
    .replace(DIALLED, '$1[host]')
    .replace(INNER_NAME, '[host]')
    .trim();
  return said.length > MAX_SAID ? `${said.slice(0, MAX_SAID)}…` : said;
}

function sayUrl(whole: string, scheme: string, authority: string): string {
  const isPublic =
    /^https?$/i.test(scheme) && !authority.includes(':') && !authority.includes('@') && !INNER_HOST.test(authority);
  return isPublic ? whole : '[url]';
}

function isIpv6(text: string): boolean {
  const colons = text.split(':').length - 1;
  return text.includes('::') ? /[0-9a-f]/i.test(text) : colons === 7;
}
