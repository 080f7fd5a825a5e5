import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openSealer, openSecrets, openVaultDesk } from '../../src/app/vault-desk.ts';
import type { Host } from '../../src/cli/host.ts';
import { listSecrets, removeSecret, rotateVaultKey, setSecret } from '../../src/cli/secret.ts';
import { type LocatedVault, locateVault } from '../../src/config/locate.ts';
import { Secret } from '../../src/domain/secret.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'gatehouse-secret-'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const KEY = 'a'.repeat(64);
const OTHER_KEY = 'b'.repeat(64);
const placed = (env: Record<string, string> = {}): LocatedVault => locateVault({ env, cwd: home, home });
const folder = () => join(home, '.config', 'agent-mcp-gateway');
const at = (name: string) => join(folder(), name);

function sitDown(input: string | Buffer | null = '', env: Record<string, string> = {}) {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const output = { line: (text = '') => void lines.push(text), stream };
  const stdin = new PassThrough() as PassThrough & { isTTY?: boolean };
  if (input === null) stdin.isTTY = true;
  else stdin.end(input);
  const host = { stdin, stdout: output, stderr: output } as unknown as Host;
  return { host, stdin, desk: openVaultDesk(placed(env)), lines, said: () => lines.join('\n') };
}

const textOf = (name: string, env: Record<string, string> = {}) => {
  const found = openSecrets(placed(env)).find(name);
  return found.kind === 'secret' ? found.secret.reveal() : found.kind;
};

async function keep(name: string, value: string, env: Record<string, string> = {}) {
  const { host, desk } = sitDown(value, env);
  expect(await setSecret(host, desk, name)).toBe(0);
}

describe('a secret', () => {
  test('is kept from stdin without its last line break, listed by name and date, replaced and removed', async () => {
    const first = sitDown('s3cret value\r\n');
    expect(await setSecret(first.host, first.desk, 'git.token')).toBe(0);
    expect(first.said()).toContain('vault:git.token');
    expect(first.said()).toContain(at('vault.key'));
    expect(textOf('git.token')).toBe('s3cret value');
    await keep('git.token', 'other\nlines\n');
    expect(textOf('git.token')).toBe('other\nlines');

    const second = sitDown();
    expect(await listSecrets(second.host, second.desk)).toBe(0);
    expect(second.said()).toMatch(/^git\.token {2}\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(await removeSecret(second.host, second.desk, 'git.token')).toBe(0);
    expect(await removeSecret(second.host, second.desk, 'git.token')).toBe(1);
    expect(textOf('git.token')).toBe('none');
    for (const { said } of [first, second]) expect(said()).not.toMatch(/s3cret|other/);
  });

  test('is for its owner alone, and in no file in clear text', async () => {
    await keep('one', 'canary-of-one');
    await keep('two', 'canary-of-two');
    expect(statSync(folder()).mode & 0o777).toBe(0o700);
    const names = readdirSync(folder());
    expect(names).toEqual(expect.arrayContaining(['vault.json', 'vault.key']));
    for (const name of ['vault.json', 'vault.key']) expect(statSync(at(name)).mode & 0o777).toBe(0o600);
    const everything = names.map(name => readFileSync(at(name), 'latin1')).join();
    expect(everything).not.toContain('canary');
    expect(everything).not.toContain(Buffer.from('canary-of-one').toString('base64').slice(2, -4));
  });

  test('typed at a prompt is not shown', async () => {
    const { host, stdin, desk, said } = sitDown(null);
    const done = setSecret(host, desk, 'typed');
    await new Promise(resolve => setImmediate(resolve));
    stdin.write('hush hush\r');
    expect(await done).toBe(0);
    expect(textOf('typed')).toBe('hush hush');
    expect(said()).toContain('Value of typed (not shown)');
    expect(said()).not.toContain('hush hush');
  });

  test('is not asked for any longer after Ctrl-C', async () => {
    const { host, stdin, desk } = sitDown(null);
    const done = setSecret(host, desk, 'typed');
    await new Promise(resolve => setImmediate(resolve));
    stdin.write('half a sec\u0003');
    expect(await done).toBe(130);
    expect(readdirSync(home)).toEqual([]);
  });

  test.each([
    { name: 'a b', value: 'x', says: 'a name has' },
    { name: 'x}y', value: 'x', says: 'a name has' },
    { name: '', value: 'x', says: 'a name has' },
    { name: 'x', value: '', says: 'the secret is empty' },
    { name: 'x', value: '\n', says: 'the secret is empty' },
    { name: 'x', value: 'x'.repeat(64 * 1024 + 1), says: 'at most 65536 bytes' },
    { name: 'x', value: Buffer.from([0xff, 0xfe]), says: 'text in UTF-8' },
  ])('that is none is exit 2 and makes nothing: $says', async ({ name, value, says }) => {
    const { host, desk, said } = sitDown(value);
    expect(await setSecret(host, desk, name)).toBe(2);
    expect(said()).toContain(says);
    expect(readdirSync(home)).toEqual([]);
  });

  test('of twelve kept at the same moment is there twelve times', async () => {
    await Promise.all(Array.from({ length: 12 }, (_, i) => keep(`n${i}`, `v${i}`)));
    expect(Array.from({ length: 12 }, (_, i) => textOf(`n${i}`))).toEqual(
      Array.from({ length: 12 }, (_, i) => `v${i}`),
    );
  });
});

test('looking makes neither a vault nor a key', async () => {
  const { host, desk } = sitDown();
  expect([textOf('x'), await listSecrets(host, desk), await removeSecret(host, desk, 'x')]).toEqual(['none', 0, 1]);
  expect(await rotateVaultKey(host, desk, false)).toBe(1);
  expect(readdirSync(home)).toEqual([]);
});

describe('the key', () => {
  test('may be a variable: then no key file is made, and another one is refused by every command', async () => {
    await keep('x', 'v', { GATEWAY_VAULT_KEY: KEY });
    expect(readdirSync(folder())).not.toContain('vault.key');
    expect(openSecrets(placed({ GATEWAY_VAULT_KEY: OTHER_KEY })).problem).toMatchObject({
      file: at('vault.json'),
      message: 'the vault cannot be opened: the key does not open the vault',
      hint: expect.stringContaining('GATEWAY_VAULT_KEY'),
    });
    for (const act of [
      () => sitDown('w', { GATEWAY_VAULT_KEY: OTHER_KEY }),
      () => sitDown('w', { GATEWAY_VAULT_KEY: '' }),
    ]) {
      const { host, desk, said } = act();
      expect(await setSecret(host, desk, 'x')).toBe(1);
      expect([await listSecrets(host, desk), await removeSecret(host, desk, 'x')]).toEqual([1, 1]);
      expect(said()).not.toMatch(/[ab]{20}/);
    }
    expect(textOf('x', { GATEWAY_VAULT_KEY: KEY })).toBe('v');
  });

  test('may be a file elsewhere, which has to be there', async () => {
    const env = { GATEWAY_VAULT: join(home, 'v', 'my.json'), GATEWAY_VAULT_KEY_FILE: join(home, 'my.key') };
    const { host, desk, said } = sitDown('v', env);
    expect(await setSecret(host, desk, 'x')).toBe(1);
    expect(said()).toContain('the key file is missing');
    writeFileSync(env.GATEWAY_VAULT_KEY_FILE, KEY, { mode: 0o600 });
    await keep('x', 'v', env);
    expect(textOf('x', env)).toBe('v');
  });

  test('is rotated in its file: older ones still open what was sealed elsewhere, until they are given up', async () => {
    await keep('x', 'v');
    await keep('y', 'w');
    const sealer = openSealer(placed());
    const sealed = sealer.seal('server', 'credential', new Secret('of a record'));
    const before = readFileSync(at('vault.key'), 'utf8').trim();
    const first = sitDown();
    expect(await rotateVaultKey(first.host, first.desk, false)).toBe(0);
    expect(first.said()).toContain('2 secrets were sealed anew');
    const after = readFileSync(at('vault.key'), 'utf8').trim().split('\n');
    expect(after).toEqual([expect.not.stringContaining(before), before]);
    expect(readFileSync(at('vault.json'), 'utf8').match(/"key":"[0-9a-f]+"/g)).toHaveLength(3);
    expect(new Set(readFileSync(at('vault.json'), 'utf8').match(/"key":"[0-9a-f]+"/g)).size).toBe(1);
    expect([textOf('x'), sealer.open('server', 'credential', sealed).kind]).toEqual(['v', 'secret']);

    const second = sitDown();
    expect(await rotateVaultKey(second.host, second.desk, true)).toBe(0);
    expect(readFileSync(at('vault.key'), 'utf8').trim()).not.toContain('\n');
    expect([textOf('x'), textOf('y')]).toEqual(['v', 'w']);
    expect(sealer.open('server', 'credential', sealed).kind).toBe('unreadable');
  });

  test('is not given up while a secret needs it', async () => {
    await keep('x', 'v');
    const vault = JSON.parse(readFileSync(at('vault.json'), 'utf8')) as { rows: { key: string }[] };
    vault.rows[0] = { ...vault.rows[0], key: '0123456789abcdef' };
    writeFileSync(at('vault.json'), JSON.stringify(vault));
    const { host, desk, said } = sitDown();
    expect(await rotateVaultKey(host, desk, true)).toBe(1);
    expect(said()).toContain('the older keys were kept');
    expect(readFileSync(at('vault.key'), 'utf8').trim().split('\n')).toHaveLength(2);
  });

  test('in a variable is rotated by naming the new one first', async () => {
    await keep('x', 'v', { GATEWAY_VAULT_KEY: KEY });
    const { host, desk, said } = sitDown('', { GATEWAY_VAULT_KEY: `${OTHER_KEY},${KEY}` });
    expect(await rotateVaultKey(host, desk, false)).toBe(0);
    expect(said()).toContain('GATEWAY_VAULT_KEY');
    expect(textOf('x', { GATEWAY_VAULT_KEY: OTHER_KEY })).toBe('v');
  });
});
