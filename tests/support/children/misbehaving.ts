/**
 * An HTTP server on bare sockets that does what no server should: too much, too slowly, without end. The path says what;
 * prints its port. A process of its own, so that what it wastes is not counted as anybody else's.
 */
import { createServer, type Socket } from 'node:net';
import { gzipSync } from 'node:zlib';

const OK = 'HTTP/1.1 200 OK\r\n';
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;
const MEGABYTE = 1024 * 1024;
/** A hundred megabytes of nothing, at a thousandth of the size. */
const BOMB = gzipSync(Buffer.alloc(100 * MEGABYTE), { level: 9 });
const EMPTY_MEMBER = gzipSync(Buffer.alloc(0));

const chunk = (bytes: Buffer) =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);

/** As fast as the other side reads. */
function flood(socket: Socket, piece: Buffer, times = Number.POSITIVE_INFINITY): void {
  let left = times;
  const more = () => {
    while (left > 0 && !socket.destroyed) {
      left -= 1;
      if (!socket.write(piece)) {
        socket.once('drain', more);
        return;
      }
    }
  };
  more();
}

function drip(socket: Socket, bytes: string, everyMs: number): void {
  const timer = setInterval(() => socket.write(bytes), everyMs);
  socket.once('close', () => clearInterval(timer));
}

const gzipHead = (more = '') => `${OK}content-encoding: gzip\r\n${more}`;

const WAYS: Readonly<Record<string, (socket: Socket) => void>> = {
  '/good': socket => socket.write(`${OK}content-length: 2\r\n\r\n{}`),
  '/zipped': socket => {
    const body = gzipSync('{"a":1}');
    socket.write(gzipHead(`content-length: ${body.length}\r\n\r\n`));
    socket.write(body);
  },
  '/large': socket => {
    socket.write(CHUNKED);
    flood(socket, chunk(Buffer.alloc(MEGABYTE)), 100);
  },
  '/large-and-told': socket => {
    socket.write(`${OK}content-length: ${100 * MEGABYTE}\r\n\r\n`);
    flood(socket, Buffer.alloc(MEGABYTE), 100);
  },
  '/bomb': socket => {
    socket.write(gzipHead(`content-length: ${BOMB.length}\r\n\r\n`));
    socket.write(BOMB);
  },
  '/bombs': socket => {
    socket.write(gzipHead('transfer-encoding: chunked\r\n\r\n'));
    flood(socket, chunk(BOMB), 10);
  },
  '/empty-members': socket => {
    socket.write(gzipHead('transfer-encoding: chunked\r\n\r\n'));
    flood(socket, chunk(Buffer.concat(new Array<Buffer>(1000).fill(EMPTY_MEMBER))));
  },
  '/zipped-twice': socket => socket.write(`${OK}content-encoding: gzip, gzip\r\ncontent-length: 2\r\n\r\n{}`),
  '/brotli': socket => socket.write(`${OK}content-encoding: br\r\ncontent-length: 2\r\n\r\n{}`),
  '/not-zipped': socket => socket.write(gzipHead('content-length: 9\r\n\r\nnot gzip.')),
  '/endless-head': socket => {
    socket.write(OK);
    flood(socket, Buffer.from(`x-more: ${'a'.repeat(1000)}\r\n`));
  },
  '/endless-line': socket => {
    socket.write(`${OK}x-more: `);
    flood(socket, Buffer.alloc(64 * 1024, 'a'));
  },
  '/endless-hints': socket => flood(socket, Buffer.from('HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n'.repeat(100))),
  '/endless-trailers': socket => {
    socket.write(`${CHUNKED}0\r\n`);
    flood(socket, Buffer.from(`x-more: ${'a'.repeat(1000)}\r\n`));
  },
  '/endless-extension': socket => {
    socket.write(`${CHUNKED}1;x=`);
    flood(socket, Buffer.alloc(64 * 1024, 'a'));
  },
  '/slow-head': socket => {
    socket.write(`${OK}x-slow: `);
    drip(socket, 'a', 100);
  },
  '/slow-body': socket => {
    socket.write(CHUNKED);
    drip(socket, '1\r\n{\r\n', 100);
  },
  '/silent': () => {},
  '/cut': socket => socket.end(`${OK}content-length: 10\r\n\r\n{`),
  '/no-http': socket => socket.end('220 mail.example ESMTP\r\n'),
};

const server = createServer(socket => {
  socket.on('error', () => {});
  socket.on('data', head => {
    const path = / (\S+) /.exec(head.toString('latin1'))?.[1] ?? '';
    WAYS[path]?.(socket);
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.stdout.write(`${typeof address === 'object' ? address?.port : ''}\n`);
});
