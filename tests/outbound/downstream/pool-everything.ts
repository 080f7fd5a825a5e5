/** Starts the reference server over HTTP on a free port for one test; it would bind all interfaces, and is kept to loopback. */
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { onTestFinished } from 'vitest';
import { until } from './pool-kit.ts';

const FILE = createRequire(import.meta.url).resolve('@modelcontextprotocol/server-everything/dist/index.js');

const LOOPBACK_ONLY = `import net from 'node:net';
  const listen = net.Server.prototype.listen;
  net.Server.prototype.listen = function (port, ...rest) {
    return listen.call(this, Number(port), '127.0.0.1', ...rest.filter(one => typeof one === 'function'));
  };`;

export async function startEverything(mode: 'sse' | 'streamableHttp'): Promise<string> {
  const port = await freePort();
  const preload = `data:text/javascript,${encodeURIComponent(LOOPBACK_ONLY)}`;
  const child = spawn(process.execPath, ['--import', preload, FILE, mode], {
    env: { ...process.env, PORT: String(port) },
    stdio: 'ignore',
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}/${mode === 'sse' ? 'sse' : 'mcp'}`;
  await until(async () => {
    // Any HTTP answer will do; a DELETE opens nothing.
    return fetch(url, { method: 'DELETE' }).then(
      () => true,
      () => false,
    );
  }, `everything listens (${mode})`);
  return url;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise<void>(resolve => server.close(() => resolve()));
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
