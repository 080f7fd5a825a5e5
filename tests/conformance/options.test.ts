/** The command line of a conformance run: a mistake is said before anything is installed or started. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, test } from 'vitest';
import { readOptions, USAGE } from './options.ts';
import { SUITES } from './suites.ts';

const RUN = fileURLToPath(new URL('run.ts', import.meta.url));
const runWith = (...args: string[]) => spawnSync(process.execPath, [RUN, ...args], { encoding: 'utf8' });

describe('the command line', () => {
  it('runs everything through the gateway unless it is told otherwise', () => {
    expect(readOptions([])).toEqual({
      suites: ['0.1.16', '2025-11-25', '2026-07-28'],
      columns: ['http', 'stdio'],
      eras: ['legacy', 'modern'],
      scenario: null,
      target: null,
      isDirect: false,
      isBuilt: false,
      isHelp: false,
    });
  });

  it('takes a server of both eras where it is asked for by name only', () => {
    expect(readOptions(['--era', 'dual']).eras).toEqual(['dual']);
    expect(readOptions(['--era', 'all']).eras).toEqual(['legacy', 'modern']);
  });

  it('explains every option and every suite, and its examples are accepted', () => {
    const options = ['--column', '--suite', '--era', '--scenario', '--built', '--direct', '--target', '--help'];
    for (const word of [...options, 'dual', ...Object.keys(SUITES)]) expect(USAGE).toContain(word);
    const examples = [...USAGE.matchAll(/^ {2}npm run conformance -- (.+?)(?: {2,}.*)?$/gm)];
    expect(examples.length).toBeGreaterThan(2);
    for (const [, args = ''] of examples) expect(() => readOptions(args.split(' '))).not.toThrow();
  });

  test.each([
    { args: ['--suite', '2025'], says: '--suite: 2025 is none of 0.1.16, ', because: 'a suite nobody has' },
    { args: ['--column', ''], says: '--column: nothing is none of http, stdio, all', because: 'no transport at all' },
    { args: ['--era', 'new'], says: '--era: new is none of legacy, modern, dual, all', because: 'an era of no server' },
    { args: ['--target', 'localhost:8000'], says: '--target: an address such as', because: 'an address of no web' },
    { args: ['--fast'], says: "'--fast'", because: 'an option nobody knows' },
    { args: ['http'], says: "'http'", because: 'a word without its option' },
  ])('refuses $because in one sentence', ({ args, says }) => {
    expect(() => readOptions(args)).toThrow(says);
  });
});

describe('a run', () => {
  it('prints the help and does nothing else', () => {
    const { status, stdout, stderr } = runWith('--help');
    expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: `${USAGE}\n`, stderr: '' });
  });

  it('ends with 2 and a sentence, not a trace, for an option that it does not know', () => {
    const { status, stdout, stderr } = runWith('--colum', 'http');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
    expect(stderr).toMatch(/^conformance: Unknown option '--colum'.*\nSee --help\.\n$/);
    expect(stderr).not.toContain('    at ');
  });
});
