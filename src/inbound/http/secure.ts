/**
 * TLS for the listener (RFC 8446, RFC 5246): the oldest version that is spoken, a pair that can be exchanged while
 * connections stand, and the word to browsers to come back encrypted (RFC 6797). Ciphers are Node's own choice.
 */
import type { IncomingMessage, RequestListener, ServerOptions, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { Socket } from 'node:net';
import type { TlsConfig } from '../../config/config.ts';
import type { CertificatePair, CertificateSource } from '../../ports/certificates.ts';
import type { HttpResponse } from './http-message.ts';

const HANDSHAKE_TIMEOUT_MS = 15_000;
/** A year, as browsers ask for. Not for the names below ours: they are not ours to speak for. */
const STRICT_TRANSPORT = 'max-age=31536000';

export interface SecureServer<Q extends typeof IncomingMessage, R extends typeof ServerResponse<InstanceType<Q>>> {
  server: Server<Q, R>;
  /** Rejects when there is no pair that can be shown. */
  start(): Promise<void>;
  /** Ends what never got through its handshake, and the watch over the files. */
  stop(): Promise<void>;
}

export function createSecureServer<Q extends typeof IncomingMessage, R extends typeof ServerResponse<InstanceType<Q>>>(
  { minVersion }: TlsConfig,
  certificates: CertificateSource,
  options: ServerOptions<Q, R>,
  onRequest: RequestListener<Q, R>,
): SecureServer<Q, R> {
  const minimum = minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2';
  const server = createServer<Q, R>(
    { ...options, minVersion: minimum, handshakeTimeout: HANDSHAKE_TIMEOUT_MS, ALPNProtocols: ['http/1.1'] },
    onRequest,
  );
  const show = ({ cert, key }: CertificatePair) => server.setSecureContext({ cert, key, minVersion: minimum });
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  let stopWatching: () => Promise<void> = async () => {};

  return {
    server,
    async start() {
      show(await certificates.load());
      stopWatching = certificates.watch(show);
    },
    async stop() {
      for (const socket of sockets) socket.destroy();
      await stopWatching();
    },
  };
}

/** Browsers hold every port of a name to this, so a name that other programs of the machine share is spared. */
export function demandTls(res: Pick<HttpResponse, 'setHeader'>, host: string | undefined): void {
  const name = host?.toLowerCase() ?? 'localhost';
  if (name === 'localhost' || name.startsWith('localhost:')) return;
  res.setHeader('strict-transport-security', STRICT_TRANSPORT);
}
