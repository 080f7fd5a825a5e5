import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls';
import { afterEach, expect, test } from 'vitest';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { createCertificateFiles } from '../../../src/outbound/files/certificate-files.ts';
import type { Log } from '../../../src/ports/log.ts';
import {
  LOCALHOST_CERTIFICATE,
  LOCALHOST_KEY,
  RENEWED_CERTIFICATE,
  RENEWED_KEY,
  TEST_AUTHORITY,
} from '../../support/certificates.ts';
import { eventually, exchange, openSocket, parse, type Running, startServer } from './wire.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Secure {
  server: Running;
  folder: string;
  lines: string[];
  put(cert: string, key: string): void;
}

async function startSecure(
  minVersion: '1.2' | '1.3' = '1.2',
  pair: readonly [cert: string, key: string] = [LOCALHOST_CERTIFICATE, LOCALHOST_KEY],
): Promise<Secure> {
  const folder = mkdtempSync(join(tmpdir(), 'tls-'));
  ends.push(() => rmSync(folder, { recursive: true, force: true }));
  const [certPath, keyPath] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  const put = (cert: string, key: string) => {
    for (const [path, text] of [
      [certPath, cert],
      [keyPath, key],
    ] as const) {
      writeFileSync(`${path}.new`, text, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    }
  };
  put(...pair);
  const lines: string[] = [];
  const say = (message: string, fields?: object) => void lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  const log: Log = { debug: say, info: say, warn: say, error: say, with: () => log };
  const certificates = createCertificateFiles({ certPath, keyPath, clock: createSystemClock(), log, lookMs: 200 });
  const server = await startServer({ tls: { certPath, keyPath, minVersion } }, { certificates });
  ends.push(() => server.stop(0));
  return { server, folder, lines, put };
}

function shakeHands(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername: 'localhost', ca: TEST_AUTHORITY, ...options }, () =>
      resolve(socket),
    );
    socket.on('error', reject);
    ends.push(() => socket.destroy());
  });
}

function get(port: number, path: string, host = `localhost:${port}`) {
  return new Promise<{ status: number; headers: NodeJS.Dict<string | string[]> }>((resolve, reject) => {
    request(
      { port, path, host: '127.0.0.1', servername: 'localhost', ca: TEST_AUTHORITY, headers: { host }, agent: false },
      res => {
        res.resume();
        res.on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers }));
      },
    )
      .on('error', reject)
      .end();
  });
}

const namesOf = (socket: TLSSocket) => socket.getPeerCertificate().serialNumber;

test('serves every route over TLS, with the guards in front', async () => {
  const { server } = await startSecure();
  expect((await get(server.port, '/health')).status).toBe(200);
  expect((await get(server.port, '/mcp')).status).toBe(200);
  expect((await get(server.port, '/health', 'evil.example')).status).toBe(403);
});

test('tells browsers to stay with TLS, but not for a name other programs share', async () => {
  const { server } = await startSecure();
  for (const path of ['/health', '/mcp', '/nowhere']) {
    expect((await get(server.port, path, '127.0.0.1')).headers['strict-transport-security']).toBe('max-age=31536000');
    expect((await get(server.port, path)).headers).not.toHaveProperty('strict-transport-security');
  }
  const refused = await get(server.port, '/health', 'evil.example');
  expect(refused.headers['strict-transport-security']).toBe('max-age=31536000');
  expect((await get(server.port, '/health', `LOCALHOST:${server.port}`)).headers).not.toHaveProperty(
    'strict-transport-security',
  );
});

test.each([
  { floor: '1.2', offered: 'TLSv1.1', works: false },
  { floor: '1.2', offered: 'TLSv1.2', works: true },
  { floor: '1.2', offered: 'TLSv1.3', works: true },
  { floor: '1.3', offered: 'TLSv1.2', works: false },
  { floor: '1.3', offered: 'TLSv1.3', works: true },
] as const)('with a floor of $floor a client of $offered gets in: $works', async ({ floor, offered, works }) => {
  const { server } = await startSecure(floor);
  // Level 0, or the client itself would not offer so old a version.
  const versions = { minVersion: offered, maxVersion: offered, ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  const met = shakeHands(server.port, versions);
  if (works) expect((await met).getProtocol()).toBe(offered);
  else await expect(met).rejects.toMatchObject({ code: expect.stringMatching(/ALERT|ECONNRESET/) });
});

test('plain HTTP on the TLS port is told so, and closed', async () => {
  const { server } = await startSecure();
  const answer = await exchange(server.port, 'GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n');
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.body)).toMatchObject({
    error: 'https_required',
    detail: expect.stringContaining('use https'),
  });
  await exchange(server.port, Buffer.from([0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0xff])).catch(() => {});
  await exchange(server.port, 'hello\r\n\r\n').catch(() => {});
  expect((await get(server.port, '/health')).status).toBe(200);
  await eventually(() => server.connections() === 0, 'no connection is left behind');
});

test('a renewed pair is shown to new connections; those that stand go on', async () => {
  const { server, put } = await startSecure();
  const standing = await shakeHands(server.port);
  const before = namesOf(standing);
  put(RENEWED_CERTIFICATE, RENEWED_KEY);
  let renewed = '';
  for (const until = Date.now() + 10_000; renewed !== '02' && Date.now() < until; ) {
    const socket = await shakeHands(server.port, { rejectUnauthorized: false });
    renewed = namesOf(socket);
    socket.destroy();
  }
  expect(renewed).toBe('02');
  expect(renewed).not.toBe(before);
  let raw = '';
  standing.on('data', chunk => {
    raw += chunk;
  });
  standing.write('GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  await eventually(() => raw.includes('healthy'), 'the old connection is served');
  expect(parse(raw).status).toBe(200);
});

test('a secret that is mounted through links is seen to change', async () => {
  const { server, folder } = await startSecure();
  for (const [name, cert, key] of [
    ['one', LOCALHOST_CERTIFICATE, LOCALHOST_KEY],
    ['two', RENEWED_CERTIFICATE, RENEWED_KEY],
  ] as const) {
    writeFileSync(join(folder, `${name}.cert`), cert);
    writeFileSync(join(folder, `${name}.key`), key);
    for (const [file, kind] of [
      ['cert.pem', 'cert'],
      ['key.pem', 'key'],
    ] as const) {
      symlinkSync(join(folder, `${name}.${kind}`), join(folder, 'link'));
      renameSync(join(folder, 'link'), join(folder, file));
    }
  }
  let shown = '';
  for (const until = Date.now() + 10_000; shown !== '02' && Date.now() < until; ) {
    const socket = await shakeHands(server.port, { rejectUnauthorized: false });
    shown = namesOf(socket);
    socket.destroy();
  }
  expect(shown).toBe('02');
});

test.each([
  { cert: RENEWED_CERTIFICATE, key: LOCALHOST_KEY, because: 'a key of another certificate' },
  { cert: 'nothing', key: RENEWED_KEY, because: 'no certificate' },
  { cert: RENEWED_CERTIFICATE, key: '', because: 'an empty key' },
])(
  'a renewal that brings $because keeps the old pair, and says so without a word of the key',
  async ({ cert, key }) => {
    const { server, put, lines } = await startSecure();
    const before = namesOf(await shakeHands(server.port));
    put(cert, key);
    await eventually(() => lines.some(line => line.includes('the earlier one is kept')), 'it is said');
    expect(namesOf(await shakeHands(server.port))).toBe(before);
    const [, secret = ''] = LOCALHOST_KEY.split('\n');
    expect(lines.join()).not.toContain(secret);
  },
);

test('does not start without a pair that can be shown, and says which files', async () => {
  await expect(startSecure('1.2', [RENEWED_CERTIFICATE, LOCALHOST_KEY])).rejects.toThrow(
    /cert\.pem and .*key\.pem are no pair/,
  );
  await expect(startSecure('1.2', ['', ''])).rejects.toThrow('are no pair');
});

test('a connection that never shakes hands does not hold up the end', async () => {
  const { server } = await startSecure();
  const sockets = await Promise.all(Array.from({ length: 5 }, () => openSocket(server.port)));
  sockets[0]?.write(Buffer.from([0x16, 3, 1]));
  await eventually(() => server.connections() === 5, 'they are connected');
  await server.stop(0);
  expect(server.connections()).toBe(0);
});
