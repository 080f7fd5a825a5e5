/**
 * The head of a POST as text. What is the same for every request of a channel is checked and joined once per list of
 * headers; only the headers of the one call and the length are added each time (RFC 9112, sections 3 and 5).
 * Refused here: anything that could end a line early, and the fields that frame a message, which are the client's own.
 */
import { Http1Error } from './http1-error.ts';

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/;
const NOT_IN_PATH = /[^\x21-\xff]/;

const FRAMING: ReadonlySet<string> = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

export interface HeadWriter {
  /**
   * Everything up to the value of content-length. `headers` is remembered by identity: a list is never changed after it
   * was given here. Throws Http1Error (HTTP1_REQUEST).
   */
  write(path: string, headers: readonly string[], extra: readonly string[] | null): string;
}

export function createHeadWriter(host: string): HeadWriter {
  const known = new WeakMap<readonly string[], { path: string; text: string }>();
  const frozen = new WeakMap<readonly string[], string>();

  function constantPart(path: string, headers: readonly string[]): string {
    const found = known.get(headers);
    if (found !== undefined && found.path === path) return found.text;
    if (NOT_IN_PATH.test(path)) throw new Http1Error('HTTP1_REQUEST', 'the path cannot be written');
    const named = headers.some((name, i) => i % 2 === 0 && name.toLowerCase() === 'host');
    const ownHost = named ? '' : `host: ${host}\r\n`;
    const text = `POST ${path} HTTP/1.1\r\n${ownHost}connection: keep-alive\r\n${lines(headers)}`;
    known.set(headers, { path, text });
    return text;
  }

  /** A frozen list comes again with the same caller's next call. */
  function extraLines(extra: readonly string[]): string {
    if (!Object.isFrozen(extra)) return lines(extra);
    let text = frozen.get(extra);
    if (text === undefined) {
      text = lines(extra);
      frozen.set(extra, text);
    }
    return text;
  }

  return {
    write(path, headers, extra) {
      const constant = constantPart(path, headers);
      return extra === null ? `${constant}content-length: ` : `${constant}${extraLines(extra)}content-length: `;
    },
  };
}

function lines(headers: readonly string[]): string {
  let text = '';
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    // The value may be a secret: the error names the header alone.
    if (!TOKEN.test(name) || FRAMING.has(name.toLowerCase()) || NOT_IN_VALUE.test(value)) {
      throw new Http1Error('HTTP1_REQUEST', `the header ${JSON.stringify(name.slice(0, 64))} cannot be written`);
    }
    text += `${name}: ${value}\r\n`;
  }
  return text;
}
