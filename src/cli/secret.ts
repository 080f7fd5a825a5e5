/**
 * `gatehouse secret set|list|remove|rotate-key`: secrets kept sealed, for `${vault:NAME}` in the configuration. A value
 * comes from stdin or from a prompt that does not show it; never from the command line, where other users of the machine
 * and the history of a shell would see it. None is ever printed.
 */
import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import type { VaultDesk } from '../app/vault-desk.ts';
import { isSecretName } from '../config/interpolate.ts';
import { Secret } from '../domain/secret.ts';
import type { Host } from './host.ts';

const DONE = 0;
const FAILED = 1;
const MISUSED = 2;
/** As a shell reports a program that Ctrl-C ended. */
const STOPPED = 130;

const MAX_BYTES = 64 * 1024;

export async function setSecret(host: Host, desk: VaultDesk, name: string): Promise<number> {
  const { stdout, stderr } = host;
  if (!isSecretName(name)) return refuseName(host);
  const given = await readValue(host, name);
  if (given.kind === 'stopped') {
    stderr.line('Stopped; nothing was changed.');
    return STOPPED;
  }
  if (given.kind === 'refused') {
    stderr.line(`error: ${given.reason}`);
    return MISUSED;
  }
  const kept = await desk.set(name, given.secret);
  if (!kept.ok) return fail(host, kept.reason);
  const { isNew, madeKey } = kept.value;
  stdout.line(`${name} is ${isNew ? 'kept' : 'replaced'}; refer to it as \${vault:${name}}`);
  if (madeKey !== null) {
    stdout.line(`A key was made: ${madeKey}`);
    stdout.line('Keep a copy of it elsewhere: without it nothing in the vault can be read.');
  }
  return DONE;
}

export async function listSecrets(host: Host, desk: VaultDesk): Promise<number> {
  const found = desk.list();
  if (!found.ok) return fail(host, found.reason);
  if (found.value.length === 0) host.stdout.line('There are no secrets in the vault.');
  const width = Math.max(0, ...found.value.map(({ name }) => name.length));
  for (const { name, changedMs } of found.value)
    host.stdout.line(`${name.padEnd(width)}  ${new Date(changedMs).toISOString()}`);
  return DONE;
}

export async function removeSecret(host: Host, desk: VaultDesk, name: string): Promise<number> {
  if (!isSecretName(name)) return refuseName(host);
  const removed = await desk.remove(name);
  if (!removed.ok) return fail(host, removed.reason);
  if (!removed.value) return fail(host, `there is no secret ${name}`);
  host.stdout.line(`${name} is removed.`);
  return DONE;
}

export async function rotateVaultKey(host: Host, desk: VaultDesk, giveUpOlder: boolean): Promise<number> {
  const rotated = await desk.rotateKey(giveUpOlder);
  if (!rotated.ok) return fail(host, rotated.reason);
  const { renewed, keyFile } = rotated.value;
  host.stdout.line(`${renewed === 1 ? 'One secret was' : `${renewed} secrets were`} sealed anew with the newest key.`);
  if (keyFile === null) host.stdout.line('Older keys may now be left out of GATEWAY_VAULT_KEY.');
  else if (giveUpOlder) host.stdout.line(`${keyFile} holds the newest key alone.`);
  else host.stdout.line(`Older keys stay in ${keyFile} for what was sealed elsewhere; --give-up-older removes them.`);
  return DONE;
}

function refuseName({ stderr }: Host): number {
  // What was typed in the place of a name may be the value.
  stderr.line('error: a name has letters, digits, underscores, dots and hyphens, up to 128');
  return MISUSED;
}

function fail({ stderr }: Host, reason: string): number {
  stderr.line(`error: ${reason}`);
  return FAILED;
}

type Value = { kind: 'value'; secret: Secret } | { kind: 'refused'; reason: string } | { kind: 'stopped' };

async function readValue(host: Host, name: string): Promise<Value> {
  const text = host.stdin.isTTY ? await askHidden(host, name) : await readAll(host.stdin);
  if (text === null) return { kind: 'stopped' };
  if (text === 'too long') return { kind: 'refused', reason: `a secret has at most ${MAX_BYTES} bytes` };
  let value: string;
  try {
    value = new TextDecoder('utf-8', { fatal: true }).decode(text).replace(/\r?\n$/, '');
  } catch {
    return { kind: 'refused', reason: 'a secret is text in UTF-8; encode what is not, in base64 for example' };
  }
  if (value === '') return { kind: 'refused', reason: 'the secret is empty; write it to stdin' };
  return { kind: 'value', secret: new Secret(value) };
}

async function readAll(stdin: Host['stdin']): Promise<Buffer | 'too long'> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stdin as AsyncIterable<Buffer | string>) {
    const part = Buffer.from(chunk);
    bytes += part.length;
    if (bytes > MAX_BYTES) return 'too long';
    chunks.push(part);
  }
  return Buffer.concat(chunks);
}

/** null: Ctrl-C or Ctrl-D. */
function askHidden({ stdin, stderr }: Host, name: string): Promise<Buffer | null> {
  stderr.stream.write(`Value of ${name} (not shown): `);
  // The terminal is in raw mode, so what is typed shows only where readline repeats it: nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: stdin, output: nowhere, terminal: true, historySize: 0 });
  return new Promise(resolve => {
    let answer: Buffer | null = null;
    terminal.on('line', line => {
      answer = Buffer.from(line);
      terminal.close();
    });
    terminal.on('close', () => {
      stderr.line();
      resolve(answer);
    });
  });
}
