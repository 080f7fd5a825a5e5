/** Issuers of tokens for tests: keys, raw signing (so that any mistake can be signed), and a server of key sets that counts. */
import {
  constants,
  createHmac,
  generateKeyPairSync,
  type JsonWebKey,
  type KeyObject,
  randomBytes,
  sign as signBytes,
} from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface SigningKey {
  kid: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
  jwk: JsonWebKey & { kid: string };
}

export function createRsaKey(kid: string, modulusLength = 2048): SigningKey {
  return toKey(kid, generateKeyPairSync('rsa', { modulusLength }));
}

export function createEcKey(kid: string, namedCurve = 'P-256'): SigningKey {
  return toKey(kid, generateKeyPairSync('ec', { namedCurve }));
}

function toKey(kid: string, { privateKey, publicKey }: { privateKey: KeyObject; publicKey: KeyObject }): SigningKey {
  return { kid, privateKey, publicKey, jwk: { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' } };
}

export const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Signs what it is given, as `algorithm` says; header and payload may be raw JSON texts. */
export function signToken(header: unknown, payload: unknown, key: KeyObject, algorithm: string): string {
  return signInput(`${encode(header)}.${encode(payload)}`, key, algorithm);
}

export function signInput(input: string, key: KeyObject, algorithm: string): string {
  const digest = `sha${algorithm.slice(2)}`;
  const bytes = Buffer.from(input);
  const options = algorithm.startsWith('ES')
    ? ({ key, dsaEncoding: 'ieee-p1363' } as const)
    : algorithm.startsWith('PS')
      ? { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
      : key;
  return `${input}.${signBytes(digest, bytes, options).toString('base64url')}`;
}

export function signWithSecret(header: unknown, payload: unknown, secret: string | Buffer, bits = '256'): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac(`sha${bits}`, secret).update(input).digest('base64url')}`;
}

export interface KeyServer {
  origin: string;
  /** Key sets by path; may be changed at any time. */
  sets: Map<string, readonly object[]>;
  /** Any other document by path. */
  documents: Map<string, unknown>;
  /** Requests so far, by path. */
  fetches: Map<string, number>;
  total(): number;
  /** What a request gets instead of an answer. */
  trouble: 'none' | 'hang' | 'cut' | 'error' | ((res: ServerResponse) => void);
  close(): Promise<void>;
}

export async function startKeyServer(): Promise<KeyServer> {
  const held = new Set<ServerResponse>();
  const server = createServer((req, res) => {
    const path = req.url ?? '';
    keyServer.fetches.set(path, (keyServer.fetches.get(path) ?? 0) + 1);
    const { trouble } = keyServer;
    if (typeof trouble === 'function') return trouble(res);
    if (trouble === 'hang') return void held.add(res);
    if (trouble === 'cut') return void res.destroy();
    if (trouble === 'error') return void res.writeHead(500).end();
    const keys = keyServer.sets.get(path);
    const document = keys === undefined ? keyServer.documents.get(path) : { keys };
    res.writeHead(document === undefined ? 404 : 200, { 'content-type': 'application/json' });
    res.end(JSON.stringify(document ?? {}));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const keyServer: KeyServer = {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    sets: new Map(),
    documents: new Map(),
    fetches: new Map(),
    total: () => [...keyServer.fetches.values()].reduce((sum, count) => sum + count, 0),
    trouble: 'none',
    async close() {
      for (const res of held) res.destroy();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return keyServer;
}

export const randomSecret = (): string => randomBytes(24).toString('base64url');
