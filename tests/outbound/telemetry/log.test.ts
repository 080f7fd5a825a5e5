import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { createLog, type LogOptions } from '../../../src/outbound/telemetry/log.ts';
import { CANARIES, SENTENCES, spellings } from './canaries.ts';

const LOG = fileURLToPath(new URL('../../../src/outbound/telemetry/log.ts', import.meta.url));

function collect(options: Partial<LogOptions> = {}) {
  const lines: string[] = [];
  const log = createLog({
    level: 'debug',
    format: 'json',
    destination: { write: line => lines.push(line) },
    ...options,
  });
  return { log, lines };
}

describe('JSON lines', () => {
  test('each is one object with time, level and msg, and the fields beside them', () => {
    const { log, lines } = collect();
    log.info('server connected', { server: 'git', tools: 12, ready: true, names: ['a', 'b'] });
    log.warn('slow operation');
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      level: 'info',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      msg: 'server connected',
      server: 'git',
      tools: 12,
      ready: true,
      names: ['a', 'b'],
    });
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ level: 'warn', msg: 'slow operation' });
  });

  test.each([
    { level: 'debug', expected: ['d', 'i', 'w', 'e'] },
    { level: 'info', expected: ['i', 'w', 'e'] },
    { level: 'warn', expected: ['w', 'e'] },
    { level: 'error', expected: ['e'] },
    { level: 'silent', expected: [] },
  ] as const)('at level $level it writes $expected', ({ level, expected }) => {
    const { log, lines } = collect({ level });
    log.debug('d');
    log.info('i');
    log.warn('w');
    log.error('e');
    expect(lines.map(line => JSON.parse(line).msg)).toEqual(expected);
  });

  test('bound fields are on every line, each name once, the later value winning', () => {
    const { log, lines } = collect();
    const bound = log.with({ request_id: 'r1', server: 'a' }).with({ server: 'b' });
    bound.info('x', { server: 'c' });
    expect(lines[0]?.match(/"server"/g)).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ request_id: 'r1', server: 'c' });
  });

  test.each([
    { value: 'a\r\nb', because: 'line ends' },
    { value: '\x1b[31mred\x1b[0m\x07', because: 'terminal codes' },
    { value: 'x","level":"fatal', because: 'JSON in a value' },
    { value: 'a\u2028b\u2029c\u0085d', because: 'line ends of Unicode' },
    { value: '\0\ud800', because: 'NUL and half a character' },
    { value: 'm'.repeat(1_000_000), because: 'a megabyte' },
  ])('$because make exactly one record that every reader can parse', ({ value }) => {
    const { log, lines } = collect();
    log.with({ bound: value }).info(value, { [value.slice(0, 50)]: value, list: [value] });
    const text = lines.join('');
    expect(text.split(/\r\n|[\n\r\u0085\u2028\u2029]/)).toEqual([expect.any(String), '']);
    expect(text).not.toContain('\x1b');
    expect(JSON.parse(text)).toMatchObject({ level: 'info' });
    expect(text.length).toBeLessThan(20_000);
  });

  test('no canary is written, whatever way it comes in', () => {
    const { log, lines } = collect();
    for (const sentence of Object.values(SENTENCES).flat()) {
      log.error(sentence, { detail: sentence, list: [sentence] });
      log.with({ detail: sentence }).debug('bound');
    }
    for (const [name, secret] of Object.entries(CANARIES)) log.info('by name', { [`${name}_token`]: secret });
    const text = lines.join('');
    for (const [kind, secret] of Object.entries(CANARIES)) {
      for (const spelling of spellings(secret)) expect(text, kind).not.toContain(spelling);
    }
  });
});

describe('pretty lines', () => {
  test('say level, message and fields on one line without a control character of the data', () => {
    const { log, lines } = collect({ format: 'pretty' });
    log.with({ server: 'a\x1b[2Jb' }).warn('first\nsecond \x1b[31m', { detail: 'x\r\ny \u202e txt', list: ['\x07'] });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: first\\u000asecond/);
    expect(lines[0]).toContain('"server":"a\\u001b[2Jb"');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there.
    expect(lines[0]?.trimEnd()).not.toMatch(/[\x00-\x1f\x7f-\x9f\u202e]/);
  });

  test('auto is JSON where nobody sits at a terminal', () => {
    const { log, lines } = collect({ format: 'auto' });
    log.info('x');
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ msg: 'x' });
  });
});

describe('the real stderr', () => {
  const script = (body: string) =>
    `import { createLog } from ${JSON.stringify(LOG)}; const log = createLog({ level: 'info', format: 'auto' }); ${body}`;
  const node = (body: string) => ['--input-type=module', '--eval', script(body)];

  test('lines go to stderr and none to stdout, and the last is written before the process ends', () => {
    const child = spawnSync(
      process.execPath,
      node(`for (let i = 0; i < 500; i += 1) log.info('line', { i }); log.error('last'); process.exit(3)`),
      { encoding: 'utf8' },
    );
    expect(child.status).toBe(3);
    expect(child.stdout).toBe('');
    const records = child.stderr
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line));
    expect(records).toHaveLength(501);
    expect(records.at(-1)).toMatchObject({ level: 'error', msg: 'last' });
  });

  test('flush writes what is queued before an abort', () => {
    const child = spawnSync(
      process.execPath,
      node(`log.error('last words'); log.flush(); process.kill(process.pid, 'SIGKILL')`),
      {
        encoding: 'utf8',
      },
    );
    expect(child.signal).toBe('SIGKILL');
    expect(JSON.parse(child.stderr)).toMatchObject({ msg: 'last words' });
  });

  test('a parent that never reads does not stop the work, memory stays bounded, and the loss is told', async () => {
    const body = `
      const line = 'x '.repeat(1500);
      for (let i = 0; i < 40; i += 1) {
        for (let j = 0; j < 100; j += 1) log.info(line);
        await new Promise(resolve => setImmediate(resolve));
      }
      process.stdout.write('worked\\n');
      process.stdin.once('data', async () => {
        for (let i = 0; i < 200; i += 1) await new Promise(resolve => setTimeout(resolve, 5));
        log.info('after');
        process.stdin.pause();
      });`;
    const child = spawn(process.execPath, node(body), { stdio: ['pipe', 'pipe', 'pipe'] });
    child.stderr.pause();
    const [said] = await once(child.stdout, 'data');
    expect(String(said)).toBe('worked\n');
    let text = '';
    child.stderr.on('data', chunk => {
      text += chunk;
    });
    child.stderr.resume();
    child.stdin.end('go');
    await once(child, 'close');
    const records = text
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line));
    const notes = records.filter(record => record.msg === 'log lines were dropped');
    const lost = notes.reduce((sum, note) => sum + note.count, 0);
    expect(lost).toBeGreaterThan(1_000);
    expect(records.length - notes.length - 1 + lost).toBe(4_000);
    expect(records.at(-1)).toMatchObject({ msg: 'after' });
  }, 30_000);

  test('a parent that never reads does not keep the process from ending', async () => {
    const body = `for (let i = 0; i < 2000; i += 1) log.info('x y '.repeat(500)); process.exit(5);`;
    const child = spawn(process.execPath, node(body), { stdio: ['ignore', 'ignore', 'pipe'] });
    child.stderr.pause();
    const [status] = await once(child, 'exit');
    child.stderr.destroy();
    expect(status).toBe(5);
  }, 30_000);

  test('a stderr that is a file gets every line', () => {
    const path = join(mkdtempSync(join(tmpdir(), 'gatehouse-log-')), 'err.log');
    const file = openSync(path, 'w');
    const child = spawnSync(process.execPath, node(`for (let i = 0; i < 3000; i += 1) log.info('line', { i });`), {
      stdio: ['ignore', 'ignore', file],
    });
    expect(child.status).toBe(0);
    expect(
      readFileSync(path, 'utf8')
        .trimEnd()
        .split('\n')
        .map(line => JSON.parse(line).i),
    ).toEqual([...Array(3_000).keys()]);
    rmSync(dirname(path), { recursive: true });
  });

  test('a stderr that was closed does not end the process', async () => {
    const body = `setInterval(() => log.info('x'), 5); setTimeout(() => { process.stdout.write('alive'); process.exit(0); }, 300)`;
    const child = spawn(process.execPath, node(body), { stdio: ['ignore', 'pipe', 'pipe'] });
    child.stderr.destroy();
    let said = '';
    child.stdout.on('data', chunk => {
      said += chunk;
    });
    const [status] = await once(child, 'close');
    expect([status, said]).toEqual([0, 'alive']);
  });
});
