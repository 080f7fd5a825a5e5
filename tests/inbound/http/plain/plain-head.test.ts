/** A head is plain only where node's own parser reads the same in it, and knowing the one before changes nothing. */
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import { duplexPair } from 'node:stream';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { PlainHeads } from '../../../../src/inbound/http/plain/plain-head.ts';

interface Reading {
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
}

let node: Server;
let told: (reading: Reading | null) => void = () => {};

beforeAll(() => {
  node = createServer((req, res) => {
    const pieces: Buffer[] = [];
    req.on('data', piece => pieces.push(piece));
    req.on('end', () => {
      const body = Buffer.concat(pieces).toString('latin1');
      told(req.method === 'POST' ? { url: req.url ?? '', headers: req.headers, body } : null);
      res.end();
    });
  });
  node.on('clientError', () => told(null));
});
afterAll(() => void node.close());

/** What node's server makes of these bytes; null: no POST that is all there. */
function byNode(bytes: Buffer): Promise<Reading | null> {
  return new Promise(resolve => {
    const [theirs, ours] = duplexPair();
    told = reading => {
      resolve(reading);
      theirs.destroy();
      ours.destroy();
    };
    theirs.resume();
    theirs.on('close', () => told(null));
    theirs.on('error', () => {});
    ours.on('error', () => {});
    node.emit('connection', ours);
    theirs.end(bytes);
  });
}

const HOST = 'Host: 127.0.0.1:8000';
const text = (...lines: string[]) => ['POST /mcp HTTP/1.1', ...lines, '', ''].join('\r\n');
const read = (bytes: string) => new PlainHeads().read(Buffer.from(bytes, 'latin1'));

describe('of a head that is plain', () => {
  test.each([
    { head: text(HOST, 'Content-Length: 2'), headers: { host: '127.0.0.1:8000', 'content-length': '2' } },
    { head: text(HOST, 'content-length:0'), headers: { host: '127.0.0.1:8000', 'content-length': '0' } },
    {
      head: text(HOST, 'Content-Length: \t2 ', 'Connection: Keep-Alive', 'X-Empty:', 'X-Two:  a  b\t'),
      headers: {
        host: '127.0.0.1:8000',
        'content-length': '2',
        connection: 'Keep-Alive',
        'x-empty': '',
        'x-two': 'a  b',
      },
    },
  ])('every header is there, its name in lower case: $head', ({ head, headers }) => {
    const found = read(`${head}{}`);
    expect(found).toEqual({
      url: '/mcp',
      headers,
      headBytes: head.length,
      bodyBytes: Number(headers['content-length']),
    });
  });
});

describe('not plain, and left to node', () => {
  test.each([
    { because: 'another method', head: text(HOST, 'Content-Length: 2').replace('POST', 'GET') },
    { because: 'HTTP/1.0', head: text(HOST, 'Content-Length: 2').replace('1.1', '1.0') },
    { because: 'a target in absolute form', head: text(HOST, 'Content-Length: 2').replace('/mcp', 'http://a/mcp') },
    { because: 'a fragment in the target', head: text(HOST, 'Content-Length: 2').replace('/mcp', '/mcp#a') },
    { because: 'two blanks in the first line', head: text(HOST, 'Content-Length: 2').replace(' /', '  /') },
    { because: 'no host', head: text('Content-Length: 2') },
    { because: 'two hosts', head: text(HOST, HOST, 'Content-Length: 2') },
    { because: 'no length', head: text(HOST) },
    { because: 'two lengths', head: text(HOST, 'Content-Length: 2', 'Content-Length: 2') },
    { because: 'two lengths, spelled differently', head: text(HOST, 'Content-Length: 2', 'content-length: 3') },
    { because: 'a length with a sign', head: text(HOST, 'Content-Length: +2') },
    { because: 'a length in another base', head: text(HOST, 'Content-Length: 0x2') },
    { because: 'a list of lengths', head: text(HOST, 'Content-Length: 2, 2') },
    { because: 'no digits', head: text(HOST, 'Content-Length:') },
    { because: 'more digits than a body has', head: text(HOST, 'Content-Length: 1000000000') },
    { because: 'chunks', head: text(HOST, 'Transfer-Encoding: chunked') },
    { because: 'chunks and a length', head: text(HOST, 'Content-Length: 2', 'Transfer-Encoding: chunked') },
    { because: 'a client that waits for 100', head: text(HOST, 'Content-Length: 2', 'Expect: 100-continue') },
    { because: 'another protocol', head: text(HOST, 'Content-Length: 2', 'Connection: Upgrade', 'Upgrade: websocket') },
    { because: 'a connection that is to close', head: text(HOST, 'Content-Length: 2', 'Connection: close') },
    { because: 'a folded line', head: text(HOST, 'X-A: 1\r\n 2', 'Content-Length: 2') },
    { because: 'a blank before the colon', head: text(HOST, 'Content-Length : 2') },
    { because: 'a line feed alone', head: text(HOST, 'X-A: 1\nContent-Length: 2') },
    { because: 'a carriage return alone', head: text(HOST, 'X-A: 1\rX-B: 2', 'Content-Length: 2') },
    { because: 'a control in a value', head: text(HOST, 'X-A: \0', 'Content-Length: 2') },
    { because: 'a letter beyond ASCII', head: text(HOST, 'X-A: \xe9', 'Content-Length: 2') },
    { because: 'a name that objects take for something else', head: text(HOST, '__proto__: 1', 'Content-Length: 2') },
    { because: 'more than 16 KB', head: text(HOST, `X-A: ${'a'.repeat(16_384)}`, 'Content-Length: 2') },
    { because: 'its end is not here yet', head: text(HOST, 'Content-Length: 2').slice(0, -1) },
    { because: 'nothing', head: '' },
  ])('$because', ({ head }) => {
    expect(read(`${head}{}`.slice(0, head.length === 0 ? 0 : undefined))).toBeNull();
  });
});

const NAMES = ['X-A', 'accept', 'Authorization', 'Content-Type', 'MCP-Session-Id', 'connection', 'content-length'];
const ODD = [
  '\r',
  '\n',
  '\r\n',
  ' ',
  '\t',
  ':',
  ',',
  ';',
  '\0',
  '\x7f',
  '\xe9',
  '0',
  '1',
  'chunked',
  'close',
  'HTTP/1.1',
];
const line = fc
  .tuple(fc.constantFrom(...NAMES), fc.string({ maxLength: 12 }))
  .map(([name, value]) => `${name}: ${value}`);
/** Mostly well made, so that most of them are nearly plain. */
const request = fc
  .tuple(
    fc.array(line, { maxLength: 5 }),
    fc.nat(5),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom(...ODD), fc.nat(3)), { maxLength: 2 }),
  )
  .map(([lines, length, spoilt]) => {
    let whole = `${text(HOST, ...lines, `Content-Length: ${length}`)}${'b'.repeat(length)}`;
    for (const [at, odd, cut] of spoilt) {
      const place = at % whole.length;
      whole = whole.slice(0, place) + odd + whole.slice(place + cut);
    }
    return Buffer.from(whole, 'latin1');
  });

test('whatever is taken for plain node reads in the same way', async () => {
  let plain = 0;
  await fc.assert(
    fc.asyncProperty(request, async bytes => {
      const found = new PlainHeads().read(bytes);
      if (found === null || bytes.length < found.headBytes + found.bodyBytes) return;
      plain += 1;
      const body = bytes.toString('latin1', found.headBytes, found.headBytes + found.bodyBytes);
      expect(await byNode(bytes.subarray(0, found.headBytes + found.bodyBytes))).toEqual({
        url: found.url,
        headers: found.headers,
        body,
      });
    }),
    { numRuns: 3_000 },
  );
  // Or nothing was shown.
  expect(plain).toBeGreaterThan(300);
}, 60_000);

test('what was read before on a connection changes nothing in what is read now', () => {
  const similar = fc
    .tuple(request, fc.array(fc.tuple(fc.nat(), fc.constantFrom(...ODD), fc.nat(2)), { maxLength: 1 }))
    .map(([first, spoilt]) => {
      let second = first.toString('latin1');
      for (const [at, odd, cut] of spoilt) {
        const place = at % second.length;
        second = second.slice(0, place) + odd + second.slice(place + cut);
      }
      return [first, Buffer.from(second, 'latin1')] as const;
    });
  let again = 0;
  fc.assert(
    fc.property(similar, ([first, second]) => {
      const heads = new PlainHeads();
      const known = heads.read(first);
      const found = heads.read(second);
      if (known !== null && found !== null) again += 1;
      expect(found).toEqual(new PlainHeads().read(second));
    }),
    { numRuns: 10_000 },
  );
  expect(again).toBeGreaterThan(500);
});

test('only the length may differ from a head that is known, wherever it stands', () => {
  const heads = new PlainHeads();
  const head = (length: string, key: string) =>
    Buffer.from(text(HOST, `Content-Length: ${length}`, `Authorization: Bearer ${key}`), 'latin1');
  for (const [length, key] of [
    ['5', 'a'],
    ['5', 'b'],
    ['12', 'b'],
    ['5', 'b'],
    ['123456789', 'a'],
    ['012', 'a'],
  ] as const) {
    const found = heads.read(head(length, key));
    expect(found?.headers).toEqual({
      host: '127.0.0.1:8000',
      'content-length': length,
      authorization: `Bearer ${key}`,
    });
    expect(found?.bodyBytes).toBe(Number(length));
  }
  expect(heads.read(head('1234567890', 'a'))).toBeNull();
  expect(heads.read(head('', 'a'))).toBeNull();
});

test('no head takes longer than its length: blanks, names and values without end', () => {
  const long = (piece: string) => piece.repeat(Math.floor(16_200 / piece.length));
  const lines = [
    `a:${long(' ')}\xe9`,
    `a:${long(' \t')}\x01`,
    `a:${long('x ')}\x01`,
    `${long('a')}\xe9:`,
    long('a:'),
    long(':'),
    long('a:\r\n'),
    long(' '),
  ];
  const heads = lines.map(line => Buffer.from(text(HOST, line, 'Content-Length: 2'), 'latin1'));
  const startedAt = performance.now();
  for (let n = 0; n < 50; n += 1) for (const head of heads) new PlainHeads().read(head);
  // Where one is tried in many ways, they take a minute.
  expect(performance.now() - startedAt).toBeLessThan(10_000);
});
