/** What an address of others may cost us, against a server that wastes all it can. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Fetching } from '../../support/children/fetching.ts';
import { openGuardKit, rulesOf } from './guard-kit.ts';

const HERE = rulesOf(['127.0.0.0/8']);
const CAP = 10;
const child = (name: string) => fileURLToPath(new URL(`../../support/children/${name}.ts`, import.meta.url));

let server: ChildProcess;
let origin: string;

beforeAll(async () => {
  server = spawn(process.execPath, [child('misbehaving')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const [port] = (await once(server.stdout ?? server, 'data')) as [Buffer];
  origin = `http://127.0.0.1:${port.toString().trim()}`;
}, 60_000);
afterAll(() => server.kill());

async function send(path: string, timeoutMs: number) {
  const { fetch } = openGuardKit({ rules: HERE });
  const startMs = performance.now();
  const got = await fetch.send({ url: origin + path, purpose: 'test', timeoutMs });
  return { got, tookMs: performance.now() - startMs };
}

describe('an answer', () => {
  test('is taken as it is and unzipped', async () => {
    expect((await send('/good', 5000)).got).toMatchObject({ ok: true, status: 200, body: Buffer.from('{}') });
    expect((await send('/zipped', 5000)).got).toMatchObject({ ok: true, body: Buffer.from('{"a":1}') });
  });

  test.each([
    { path: '/large', why: 'too_large', because: 'a body beyond the cap' },
    { path: '/large-and-told', why: 'too_large', because: 'a length beyond the cap' },
    { path: '/bomb', why: 'too_large', because: 'a hundred megabytes in a hundred kilobytes' },
    { path: '/bombs', why: 'too_large', because: 'one after the other' },
    { path: '/empty-members', why: 'too_large', because: 'bytes without end that unzip to nothing' },
    { path: '/endless-head', why: 'too_large', because: 'headers without end' },
    { path: '/endless-line', why: 'too_large', because: 'one header without end' },
    { path: '/endless-trailers', why: 'too_large', because: 'headers without end behind the body' },
    { path: '/zipped-twice', why: 'unreadable', because: 'an encoding in an encoding' },
    { path: '/brotli', why: 'unreadable', because: 'an encoding that was not asked for' },
    { path: '/not-zipped', why: 'unreadable', because: 'an encoding that it is not in' },
    { path: '/no-http', why: 'unreadable', because: 'another protocol' },
    { path: '/cut', why: 'unreachable', because: 'half of it' },
  ] as const)('$path is $why: $because', async ({ path, why }) => {
    const { got, tookMs } = await send(path, 20_000);
    expect(got).toEqual({ ok: false, why });
    expect(tookMs).toBeLessThan(10_000);
  });

  test.each([
    { path: '/silent', because: 'nothing' },
    { path: '/slow-head', because: 'a head letter by letter' },
    { path: '/slow-body', because: 'a body letter by letter' },
    { path: '/endless-hints', because: 'one head after the other' },
    { path: '/endless-extension', because: 'a length without end' },
  ])('$path is over when its time is: $because', async ({ path }) => {
    const { got, tookMs } = await send(path, 600);
    expect(got).toEqual({ ok: false, why: 'timeout' });
    expect(tookMs).toBeLessThan(3000);
  });
});

test('a connection that is not made in its own time is given up', async () => {
  const silent = createServer().listen(0, '127.0.0.1');
  await once(silent, 'listening');
  onTestFinished(() => void silent.close());
  const { fetch } = openGuardKit({ rules: HERE, connectTimeoutMs: 300 });
  const { port } = silent.address() as { port: number };
  const startMs = performance.now();
  // TLS that is never answered is a connection that is never made.
  const got = await fetch.send({ url: `https://127.0.0.1:${port}/`, purpose: 'test', timeoutMs: 20_000 });
  expect(got).toEqual({ ok: false, why: 'unreachable' });
  expect(performance.now() - startMs).toBeLessThan(5000);
});

describe('the process grows by less than twice the cap', () => {
  test.each(['/large', '/bomb', '/bombs', '/empty-members'])('with %s', async path => {
    const args = ['--expose-gc', child('fetching'), `${origin}/zipped`, origin + path];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const { why, grownMiB } = JSON.parse(stdout) as Fetching;
    expect(why).toBe('too_large');
    expect(grownMiB).toBeLessThan(2 * CAP);
  });
});
