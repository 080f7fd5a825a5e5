import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Secret } from '../../src/domain/secret.ts';
import type { StdioLaunch } from '../../src/domain/server.ts';
import {
  type Child,
  type ChildOptions,
  type ExitReport,
  spawnChild,
} from '../../src/outbound/downstream/child-process.ts';
import { createWatchdog, type Watchdog } from '../../src/outbound/downstream/watchdog.ts';
import {
  createLogBook,
  groupMembers,
  isRunning,
  listProcesses,
  offspringOf,
  until,
} from '../support/children/observe.ts';

// The facts are read from /proc, so most of this can only be shown on Linux.
const onLinux = describe.skipIf(process.platform !== 'linux');
const fixture = (name: string) => fileURLToPath(new URL(`../support/children/${name}`, import.meta.url));
const runFile = promisify(execFile);
const MIB = 1024 * 1024;
const SLOW_MS = 60_000;

let book = createLogBook();
let watchdog: Watchdog;
let children: Child[] = [];

beforeEach(() => {
  book = createLogBook();
  watchdog = createWatchdog(book.log);
  children = [];
});

afterEach(async () => {
  await Promise.all(children.map(child => child.stop()));
  await watchdog.close();
});

interface Started {
  child: Child;
  lines: string[];
  reports: ExitReport[];
  exited: Promise<ExitReport>;
  nextLine(): Promise<string>;
}

function startChild(
  command: string,
  args: readonly string[],
  more: Partial<Omit<ChildOptions, 'launch'>> & Partial<Pick<StdioLaunch, 'env' | 'cwd'>> = {},
): Started {
  const { env = new Map(), cwd = null, ...options } = more;
  const lines: string[] = [];
  const reports: ExitReport[] = [];
  const exited = Promise.withResolvers<ExitReport>();
  let awaited = 0;
  const child = spawnChild(
    {
      launch: { kind: 'stdio', command, args, env, cwd },
      baseEnv: process.env,
      maxLineBytes: 16 * MIB,
      stopGraceMs: 2000,
      log: book.log,
      ...options,
    },
    {
      line: bytes => lines.push(bytes.toString()),
      exited: how => {
        reports.push(how);
        exited.resolve(how);
      },
    },
    watchdog,
  );
  children.push(child);
  return {
    child,
    lines,
    reports,
    exited: exited.promise,
    async nextLine() {
      awaited += 1;
      await until(() => lines.length >= awaited || reports.length > 0, SLOW_MS);
      return lines[awaited - 1] ?? '';
    },
  };
}

const runNode = (name: string, args: readonly string[] = [], more: Parameters<typeof startChild>[2] = {}) =>
  startChild(process.execPath, [fixture(name), ...args], more);

function requirePid(child: Child): number {
  if (child.pid === null) throw new Error('the child did not start');
  return child.pid;
}

describe('what a child is given', () => {
  test('hands over every argument byte for byte, whatever a shell would make of it', { timeout: SLOW_MS }, async () => {
    const args = [
      '-c',
      '--eval=1',
      '; touch x',
      '$(id)',
      '`id`',
      'a\nb',
      '',
      ' ',
      '"',
      "'",
      '\\',
      '*',
      '~',
      '%PATH%',
      'ü💣',
      '$HOME',
      '&&',
      '|',
    ];
    const { nextLine } = runNode('describe-self.ts', args);
    expect(JSON.parse(await nextLine()).args).toEqual(args);
  });

  test('shows the allow-listed environment and what is declared, nothing else', { timeout: SLOW_MS }, async () => {
    const baseEnv = {
      PATH: process.env.PATH,
      LC_TIME: 'C',
      LANG: 'C.UTF-8',
      GW_SECRET_CANARY: 'canary-4711',
      NODE_OPTIONS: '--no-warnings',
      HTTPS_PROXY: 'http://u:canary-4711@proxy',
      SSH_AUTH_SOCK: '/canary-4711',
      TERM: '() { canary-4711; }',
      HOME: undefined,
    };
    const { child, nextLine } = runNode('describe-self.ts', [], {
      baseEnv,
      cwd: tmpdir(),
      env: new Map([
        ['API_TOKEN', new Secret('declared')],
        ['LANG', new Secret('de_DE')],
      ]),
    });
    const { env, cwd } = JSON.parse(await nextLine());
    expect(env).toEqual({
      PATH: process.env.PATH,
      LC_TIME: 'C',
      LANG: 'de_DE',
      API_TOKEN: 'declared',
      GATEHOUSE_CHILD: env.GATEHOUSE_CHILD,
    });
    expect(cwd).toBe(tmpdir());
    if (process.platform === 'linux') {
      expect(readFileSync(`/proc/${child.pid}/environ`, 'utf8')).not.toContain('canary-4711');
    }
  });

  onLinux('on Linux', () => {
    test('passes on descriptors 0 to 2 and nothing else, not even what its own parent left open', {
      timeout: SLOW_MS,
    }, async () => {
      const left = Array.from({ length: 31 }, (_, fd) => (fd === 20 || fd === 30 ? 'pipe' : 'ignore'));
      left[1] = 'pipe';
      const gateway = spawn(process.execPath, [fixture('list-descriptors.ts')], {
        stdio: left as ('pipe' | 'ignore')[],
      });
      const [line] = gateway.stdout === null ? [''] : await once(createInterface(gateway.stdout), 'line');
      const { own, ofChild, ofShell } = JSON.parse(line);
      expect(own).toEqual(
        expect.arrayContaining([expect.stringMatching(/^20 socket/), expect.stringMatching(/^30 socket/)]),
      );
      const beyondThree = [...ofChild, ...ofShell].filter(it => !/^[012] /.test(it) && !/^\d+ \/dev\/null$/.test(it));
      expect(beyondThree).toEqual([]);
      expect(ofChild.slice(0, 3)).toEqual([0, 1, 2].map(fd => expect.stringMatching(`^${fd} socket`)));
    });

    test('makes the child leader of its own session and process group', () => {
      const pid = requirePid(startChild('cat', []).child);
      expect(listProcesses().find(it => it.pid === pid)).toMatchObject({ group: pid, session: pid });
    });
  });
});

describe('a start that fails', () => {
  test.each([
    {
      command: 'gatehouse-no-such-command',
      cwd: null,
      reason: 'command not found',
      because: 'the command does not exist',
    },
    {
      command: fixture('observe.ts'),
      cwd: null,
      reason: 'command is not executable',
      because: 'the file may not be run',
    },
    {
      command: 'cat',
      cwd: '/gatehouse/none',
      reason: 'working directory not found',
      because: 'the directory does not exist',
    },
    { command: 'cat\0', cwd: null, reason: 'command could not be started', because: 'the name is none' },
  ])('is told once, after the return, with a reason fit for a client: $because', async ({ command, cwd, reason }) => {
    const { child, exited, reports } = startChild(command, [], { cwd });
    expect(reports).toEqual([]);
    expect(child.pid).toBeNull();
    expect(child.write('to nobody')).toBe(true);
    await child.drained();
    const how = await exited;
    expect(how).toMatchObject({ code: null, signal: null, reason });
    expect(how.detail).toContain(command);
    await child.stop();
    expect(reports).toHaveLength(1);
  });
});

describe('lines', () => {
  test('carries lines both ways, in order, many per turn', { timeout: SLOW_MS }, async () => {
    const { child, lines } = startChild('cat', []);
    const sent = Array.from({ length: 5000 }, (_, n) => JSON.stringify({ n, text: 'ü'.repeat(n % 50) }));
    for (const line of sent) if (!child.write(line)) await child.drained();
    await until(() => lines.length === sent.length, SLOW_MS);
    expect(lines).toEqual(sent);
  });

  test('delivers a line of 8 MB whole', { timeout: SLOW_MS }, async () => {
    const { nextLine } = runNode('flood.ts', ['stdout', '8000000', '8000000']);
    const line = await nextLine();
    expect(line.length).toBe(8_000_000);
    expect(await nextLine()).toBe('done');
  });

  test('stops a child that writes 20 MB without a newline, at the cap, and says so once', {
    timeout: SLOW_MS,
  }, async () => {
    const { child, exited, reports, lines } = runNode('flood.ts', ['stdout', '20000000'], { maxLineBytes: MIB });
    expect((await exited).reason).toBe('sent a line longer than the limit');
    await child.stop();
    expect(reports).toHaveLength(1);
    expect(lines).toEqual([]);
  });

  test('delivers what the child wrote last before it says that it is gone', { timeout: SLOW_MS }, async () => {
    const { child, exited, lines } = startChild('sh', [
      '-c',
      'i=0; while [ $i -lt 3000 ]; do echo "line $i"; i=$((i+1)); done; printf end; exit 5',
    ]);
    // Nothing is read until the child is dead.
    child.pauseReading();
    const { code, signal, reason } = await exited;
    expect({ code, signal, reason }).toEqual({ code: 5, signal: null, reason: 'exited with code 5' });
    expect([lines.length, lines.at(-1)]).toEqual([3001, 'end']);
  });

  test('survives a handler that throws', { timeout: SLOW_MS }, async () => {
    const gone = Promise.withResolvers<ExitReport>();
    const handlers = {
      line: () => {
        throw new Error('ours');
      },
      exited: (how: ExitReport) => {
        gone.resolve(how);
        throw new Error('ours');
      },
    };
    const launch: StdioLaunch = { kind: 'stdio', command: 'echo', args: ['hi'], env: new Map(), cwd: null };
    const options = { launch, baseEnv: process.env, maxLineBytes: 99, stopGraceMs: 100, log: book.log };
    const child = spawnChild(options, handlers, watchdog);
    expect((await gone.promise).code).toBe(0);
    await child.stop();
    expect(book.entries.filter(it => it.level === 'error')).toHaveLength(2);
  });
});

describe('pressure', () => {
  test('says when the pipe is full, counts what waits, and wakes the writer when the child ends', {
    timeout: SLOW_MS,
  }, async () => {
    const { child } = startChild('sleep', ['600'], { stopGraceMs: 50 });
    const line = 'x'.repeat(10_000);
    let written = 0;
    while (child.write(line)) written += 1;
    expect(written).toBeGreaterThan(0);
    expect(child.pendingBytes).toBeGreaterThan(line.length);
    const woken = child.drained();
    await child.stop();
    await woken;
    expect(child.write(line)).toBe(true);
    expect(child.pendingBytes).toBe(0);
  });

  test('stops a child that never reads, when its writer does not hold back', { timeout: SLOW_MS }, async () => {
    const { child, exited } = startChild('sleep', ['600'], { maxPendingBytes: MIB });
    for (let n = 0; n < 1000; n += 1) child.write('x'.repeat(10_000));
    expect((await exited).reason).toBe('does not read its input');
  });

  test('holds the child back while reading is paused, and loses nothing', { timeout: SLOW_MS }, async () => {
    const { child, lines, exited } = runNode('flood.ts', ['stdout', '3000000', '1000']);
    child.pauseReading();
    await sleep(300);
    expect(lines.length).toBe(0);
    child.resumeReading();
    await until(() => lines.at(-1) === 'done', SLOW_MS);
    expect(lines.length).toBe(Math.ceil(3_000_000 / 1001) + 1);
    await child.stop();
    expect((await exited).reason).toBe('stopped');
  });

  test('takes 20 MB of stderr without holding up stdout, and logs a few lines of it', {
    timeout: SLOW_MS,
  }, async () => {
    const { nextLine } = runNode('flood.ts', ['stderr', '20000000', '3000']);
    expect(await nextLine()).toBe('done');
    const logged = book.entries.filter(it => it.message === 'child stderr');
    expect(logged.length).toBeGreaterThan(0);
    // 20 per second; the flood may last some seconds on a slow machine, but never as long as its 6,666 lines.
    expect(logged.length).toBeLessThan(1500);
    for (const { level, fields } of logged) {
      expect(level).toBe('debug');
      expect(String(fields.line).length).toBeLessThanOrEqual(2051);
    }
  });

  test('drains stderr without newlines in bounded memory', { timeout: SLOW_MS }, async () => {
    const { nextLine, child, exited } = runNode('flood.ts', ['stderr', '20000000']);
    expect(await nextLine()).toBe('done');
    await child.stop();
    expect((await exited).detail.length).toBeLessThan(5000);
  });
});

describe('stderr', () => {
  const token = 's3cr3t/tok+en=="x"';
  const pem = '-----BEGIN KEY-----\nMIIabcdef\n-----END KEY-----';
  const env = new Map([
    ['TOKEN', new Secret(token)],
    ['PEM', new Secret(pem)],
    ['LEVEL', new Secret('on')],
  ]);

  test('shows up in the detail of the exit, with declared secrets masked in every usual spelling', {
    timeout: SLOW_MS,
  }, async () => {
    const script = `
      const t = process.env.TOKEN;
      const say = text => process.stderr.write(text + '\\n');
      say('plain ' + t); say(JSON.stringify({ t })); say(encodeURIComponent(t)); say(Buffer.from(t).toString('base64'));
      say(process.env.PEM); say('x'.repeat(2040) + t); say('\\u001b[31mred\\u001b[0m\\u0000\\u2028on');
      process.exit(1);`;
    const { exited } = startChild(process.execPath, ['-e', script], { env });
    const { reason, detail } = await exited;
    expect(reason).toBe('exited with code 1');
    expect(detail).toContain('plain [secret]');
    expect(detail).toContain('red on');
    const everything = `${detail} ${JSON.stringify(book.entries)}`;
    for (const part of ['s3cr3t', 'MIIabcdef', Buffer.from(token).toString('base64').slice(0, 12)]) {
      expect(everything).not.toContain(part);
    }
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that there are none is what is shown
    expect(detail).not.toMatch(/[\u0000-\u001f\u2028]/);
  });

  test('keeps the last twenty lines only', { timeout: SLOW_MS }, async () => {
    const { exited } = startChild('sh', [
      '-c',
      'i=1; while [ $i -le 100 ]; do echo "e$i." >&2; i=$((i+1)); done; exit 1',
    ]);
    const { detail } = await exited;
    expect(detail).toContain('e81. | ');
    expect(detail).toContain('e100.');
    expect(detail).not.toContain('e80.');
  });
});

describe('stop', () => {
  test('lets a child end by itself when its stdin closes', { timeout: SLOW_MS }, async () => {
    const { child, exited, nextLine } = startChild('cat', [], { stopGraceMs: SLOW_MS });
    child.write('last');
    await child.stop();
    expect(await nextLine()).toBe('last');
    expect(await exited).toMatchObject({ code: 0, signal: null, reason: 'stopped' });
  });

  test('sends SIGTERM to a child that ignores the end of its stdin', { timeout: SLOW_MS }, async () => {
    const { child, exited } = startChild('sleep', ['600'], { stopGraceMs: 100 });
    await child.stop();
    expect(await exited).toMatchObject({ code: null, signal: 'SIGTERM', reason: 'stopped' });
  });

  test('resolves for all callers together, when nothing is left, and reports once', { timeout: SLOW_MS }, async () => {
    const { child, reports } = startChild('cat', []);
    await Promise.all([child.stop(), child.stop(), child.stop()]);
    expect(reports).toHaveLength(1);
    await child.stop();
    child.write('late');
    expect(reports).toHaveLength(1);
  });

  test('works in the very turn of the start', { timeout: SLOW_MS }, async () => {
    const { child, reports } = runNode('describe-self.ts');
    const pid = requirePid(child);
    await child.stop();
    expect(reports).toHaveLength(1);
    if (process.platform === 'linux') expect(isRunning(pid)).toBe(false);
  });

  onLinux('on Linux', () => {
    test('kills a child, and its grandchild, that ignore both stdin and SIGTERM', { timeout: SLOW_MS }, async () => {
      const { child, exited, nextLine } = startChild('sh', [fixture('stubborn.sh')], { stopGraceMs: 100 });
      const pid = requirePid(child);
      await nextLine();
      expect(groupMembers(pid).length).toBeGreaterThan(1);
      await child.stop();
      expect(groupMembers(pid)).toEqual([]);
      expect(await exited).toMatchObject({ signal: 'SIGKILL', reason: 'stopped' });
    });

    test('reaps the grandchildren of a leader that ended by itself, without being asked', {
      timeout: SLOW_MS,
    }, async () => {
      const { child, exited } = startChild('sh', [fixture('orphaning.sh')], { stopGraceMs: 100 });
      const pid = requirePid(child);
      expect(await exited).toMatchObject({ code: 7, reason: 'exited with code 7' });
      expect(await until(() => groupMembers(pid).length === 0, 20_000)).toBe(true);
      await child.stop();
    });
  });
});

onLinux('over many lives', () => {
  test('leaves no process and no descriptor after 200 starts, stops and crashes', {
    timeout: 2 * SLOW_MS,
  }, async () => {
    const { stdout } = await runFile(process.execPath, [fixture('cycles.ts'), '200']);
    const left = JSON.parse(stdout);
    expect(left).toMatchObject({ cycles: 200, reports: 200, running: [], offspring: [] });
    expect(left.descriptorsAfter).toBeLessThanOrEqual(left.descriptorsBefore);
    expect(left.reasons).toEqual({
      stopped: 100,
      'exited with code 3': 25,
      'exited with code 7': 25,
      'was ended by SIGKILL': 25,
      'command not found': 25,
    });
  });
});

onLinux('the watchdog', () => {
  const findShells = (parent: number) =>
    offspringOf(parent).filter(it => it.commandLine.includes('gatehouse-watchdog GATEHOUSE_CHILD='));
  const withMarker = (marker: string) =>
    listProcesses().filter(it => it.state !== 'Z' && it.commandLine.includes(marker));

  test('leaves nothing of a gateway that is killed with its stubborn children', { timeout: SLOW_MS }, async () => {
    const marker = `gatehouse-steady-${process.pid}`;
    const gateway = spawn(process.execPath, [fixture('gateway.ts'), 'steady', marker], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = await once(createInterface(gateway.stdout), 'line');
    const pids: number[] = JSON.parse(line);
    const [shell] = findShells(gateway.pid ?? 0);
    expect(pids.filter(isRunning)).toEqual(pids);
    expect(shell?.session).toBe(shell?.pid);
    gateway.kill('SIGKILL');
    await once(gateway, 'exit');
    expect(await until(() => !pids.some(isRunning) && withMarker(marker).length === 0, 20_000)).toBe(true);
    expect(await until(() => !isRunning(shell?.pid ?? 0), 20_000)).toBe(true);
  });

  test('leaves nothing of gateways that are killed while they start and stop children', {
    timeout: SLOW_MS,
  }, async () => {
    const marker = `gatehouse-storm-${process.pid}`;
    for (const afterMs of [0, 40, 110]) {
      const gateway = spawn(process.execPath, [fixture('gateway.ts'), 'storm', marker], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await once(createInterface(gateway.stdout), 'line');
      await sleep(afterMs);
      gateway.kill('SIGKILL');
      await once(gateway, 'exit');
    }
    expect(await until(() => withMarker(marker).length === 0, 20_000)).toBe(true);
  });

  test('finds the child of a gateway that is killed in the very moment of a start', { timeout: SLOW_MS }, async () => {
    const marker = `gatehouse-gap-${process.pid}`;
    const gateway = spawn(process.execPath, [fixture('gateway.ts'), 'gap', marker], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [pid] = await once(createInterface(gateway.stdout), 'line');
    expect(Number(pid)).toBeGreaterThan(1);
    expect(await until(() => groupMembers(Number(pid)).length === 0, 20_000)).toBe(true);
    const others = () => withMarker(marker).filter(it => it.pid !== gateway.pid);
    expect(await until(() => others().length === 0, 20_000), JSON.stringify(others())).toBe(true);
  });

  test('starts with the first child, is one for all, and ends when closed', { timeout: SLOW_MS }, async () => {
    expect(findShells(process.pid)).toEqual([]);
    startChild('cat', []);
    startChild('cat', []);
    expect(findShells(process.pid)).toHaveLength(1);
    await Promise.all(children.map(child => child.stop()));
    await watchdog.close();
    await watchdog.close();
    expect(findShells(process.pid)).toEqual([]);
  });

  test('is started again when somebody kills it, and still knows the children', { timeout: SLOW_MS }, async () => {
    const { child, nextLine, exited } = startChild('sh', [fixture('stubborn.sh')]);
    const pid = requirePid(child);
    await nextLine();
    const [first] = findShells(process.pid);
    process.kill(first?.pid ?? 0, 'SIGKILL');
    expect(
      await until(() => findShells(process.pid).some(it => it.pid !== first?.pid && it.state !== 'Z'), 20_000),
    ).toBe(true);
    // Closed with a child still registered, it does what it is there for.
    await watchdog.close();
    expect((await exited).signal).toBe('SIGKILL');
    expect(groupMembers(pid)).toEqual([]);
  });

  test('ignores the signals by which a whole service is stopped', { timeout: SLOW_MS }, async () => {
    startChild('cat', []);
    const [shell] = findShells(process.pid);
    const pid = shell?.pid ?? 0;
    const ignored = () =>
      BigInt(`0x${/SigIgn:\s*(\w+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? '0'}`);
    // SIGHUP 1, SIGINT 2, SIGTERM 15: one bit each.
    const wanted = (1n << 0n) | (1n << 1n) | (1n << 14n);
    expect(await until(() => (ignored() & wanted) === wanted, 20_000)).toBe(true);
  });

  test('refuses numbers that would mean everybody', { timeout: SLOW_MS }, async () => {
    for (const pgid of [0, 1, -1, 1.5, Number.NaN]) watchdog.guard(pgid);
    expect(findShells(process.pid)).toEqual([]);
  });
});
