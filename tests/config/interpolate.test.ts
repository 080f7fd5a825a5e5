// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are what is tested
import { afterEach, beforeEach, describe, expect, it, test } from 'vitest';
import { type FindSecret, type FoundSecret, interpolate } from '../../src/config/interpolate.ts';
import { formatProblem } from '../../src/config/load.ts';
import { Secret } from '../../src/domain/secret.ts';
import { createDesk, type Desk } from './desk.ts';

let desk: Desk;
beforeEach(() => {
  desk = createDesk();
});
afterEach(() => desk.remove());

const VAULT: Readonly<Record<string, FoundSecret>> = {
  github: { kind: 'secret', secret: new Secret('s3cr3t ${A}') },
  moved: { kind: 'unreadable', reason: 'it was changed' },
};
const findSecret: FindSecret = name => VAULT[name] ?? { kind: 'none', names: Object.keys(VAULT) };

const fill = (value: unknown, env: Record<string, string> = {}) =>
  interpolate(value, { env, folder: desk.folder, findSecret });

describe('references in configured text', () => {
  test.each([
    { text: '${A}', filled: 'one', because: 'a variable' },
    { text: 'x${A}y${B}z', filled: 'xoneytwoz', because: 'several in one text' },
    { text: '${A:-d}', filled: 'one', because: 'a default is not needed' },
    { text: '${NOPE:-d}', filled: 'd', because: 'a default is' },
    { text: '${EMPTY:-d}', filled: 'd', because: 'empty counts as unset for a default, as in a shell' },
    { text: '${EMPTY}', filled: '', because: 'empty is a value' },
    { text: '${NOPE:-}', filled: '', because: 'the default may be empty' },
    { text: '${NOPE:-a:-b}', filled: 'a:-b', because: 'the first :- divides' },
    { text: '$${A}', filled: '${A}', because: '$${ stands for ${' },
    { text: 'pa$$word$', filled: 'pa$$word$', because: 'other dollars are ordinary letters' },
    { text: '$A', filled: '$A', because: 'only braces refer' },
    { text: '${QUOTED}', filled: '"}, {"x": "', because: 'a value never becomes structure' },
    { text: '${NESTED}', filled: '${A}', because: 'a value is not looked through again' },
    { text: '${config:dir}/x', filled: 'DIR/x', because: 'the folder of the file' },
    { text: '${file:token}', filled: 'from a file', because: 'relative to the folder, without the last line break' },
    { text: 'Bearer ${vault:github}', filled: 'Bearer s3cr3t ${A}', because: 'a secret of the vault, as it is' },
  ])('$text becomes $filled: $because', ({ text, filled }) => {
    desk.write('token', 'from a file\n');
    const env = { A: 'one', B: 'two', EMPTY: '', QUOTED: '"}, {"x": "', NESTED: '${A}' };
    const { value, mistakes } = fill(text, env);
    expect(mistakes).toEqual([]);
    expect(value).toBe(filled.replace('DIR', desk.folder));
  });

  it('looks into lists and maps and leaves keys, numbers and the rest alone', () => {
    const { value } = fill({ '${A}': ['${A}', 1, true, null, { b: '${A}' }] }, { A: 'x' });
    expect(value).toEqual({ '${A}': ['x', 1, true, null, { b: 'x' }] });
  });

  test.each([
    { text: '${TOK}', says: 'TOK is not set', because: 'an unset variable is a mistake' },
    { text: '${HMOE}', says: 'did you mean HOME?', because: 'a near name is suggested' },
    { text: '${A', says: 'never closed', because: 'the brace is missing' },
    { text: '${}', says: 'not a reference', because: 'there is no name' },
    { text: '${env:A}', says: 'not a reference', because: "another program's form" },
    { text: '${file:nope}', says: 'does not exist', because: 'the file is missing' },
    { text: '${file:.}', says: 'it is a folder', because: 'a folder has no text' },
    { text: '${file:/dev/zero}', says: 'not a regular file', because: 'a device would never end' },
    { text: '${file:big}', says: 'larger than 64 KiB', because: 'secrets are small' },
    { text: '${vault:githbu}', says: 'did you mean github?', because: 'a near secret is suggested' },
    {
      text: '${vault:nothing-like-it}',
      says: 'gatehouse secret set nothing-like-it',
      because: 'there is no such secret',
    },
    { text: '${vault:moved}', says: 'cannot be read: it was changed', because: 'the secret does not open' },
    { text: '${vault:}', says: 'names no secret', because: 'there is no name' },
    {
      text: '${vault:github:-x}',
      says: 'there is no default',
      because: 'a default beside a secret would stand in clear',
    },
  ])('$text is a mistake: $because', ({ text, says }) => {
    desk.write('big', 'x'.repeat(70_000));
    const { mistakes } = fill({ a: { b: [text] } }, { A: 'x', HOME: '/h' });
    expect(mistakes).toHaveLength(1);
    expect(mistakes[0]?.path).toEqual(['a', 'b', 0]);
    expect(`${mistakes[0]?.message} ${mistakes[0]?.hint}`).toContain(says);
  });

  it('replaces in args, env, url and headers of both files, and names an unset variable once', async () => {
    desk.write('cwd/.mcp.json', {
      mcpServers: {
        a: { command: 'x', args: ['--token=${TOK}'], env: { T: '${TOK}' } },
        b: { url: 'https://${HOST}/mcp', headers: { Authorization: 'Bearer ${TOK}' } },
      },
    });
    desk.write('cwd/gateway.config.yaml', 'servers:\n  c: {url: "https://${HOST}/c"}\nlisten: {port: "${PORT}"}\n');
    const config = await desk.config({ TOK: 't0k', HOST: 'h.example', PORT: '9000' });
    expect(config.listen.port).toBe(9000);
    expect(config.servers.map(({ link }) => (link.kind === 'http' ? link.url : link.args[0]))).toEqual([
      'https://h.example/c',
      '--token=t0k',
      'https://h.example/mcp',
    ]);

    const found = (await desk.problems({ HOST: 'h' })).map(formatProblem);
    expect(found.filter(line => line.includes('TOK is not set'))).toHaveLength(3);
    expect(found.filter(line => line.includes('PORT is not set'))).toHaveLength(1);
    // What follows from an unset variable (a port that is no number) is not said on top.
    expect(found).toHaveLength(4);
  });
});
