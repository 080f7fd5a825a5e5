/**
 * What a command sees of the process it runs in: arguments, environment, streams, signals. Commands take it as a value,
 * so that none of them reaches for globals; they report an exit code and never exit themselves.
 */
import { homedir } from 'node:os';

export interface Host {
  /** Without the program itself. */
  args: readonly string[];
  env: Readonly<Record<string, string | undefined>>;
  cwd: string;
  home: string;
  execPath: string;
  stdin: NodeJS.ReadStream;
  stdout: Output;
  stderr: Output;
  /** Calls back for every signal of the names given; the returned function stops that. */
  onSignal(names: readonly NodeJS.Signals[], run: (name: NodeJS.Signals) => void): () => void;
  /** Calls back for an exception or rejection nobody caught. */
  onCrash(run: (cause: unknown) => void): () => void;
}

/** A stream for people: lines go out whole, and a closed terminal is no error. */
export interface Output {
  line(text?: string): void;
  /** For what needs more than lines (a question). */
  stream: NodeJS.WritableStream;
  isTerminal: boolean;
  paint: Paint;
}

export interface Paint {
  bold(text: string): string;
  dim(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  red(text: string): string;
}

/** `env` comes by itself: only the process entry and the loader of the configuration read the environment. */
export function createHost(process: NodeJS.Process, env: Host['env']): Host {
  return {
    args: process.argv.slice(2),
    env,
    cwd: process.cwd(),
    home: env.HOME || homedir(),
    execPath: process.execPath,
    stdin: process.stdin,
    stdout: createOutput(process.stdout, env),
    stderr: createOutput(process.stderr, env),
    onSignal(names, run) {
      for (const name of names) process.on(name, run);
      return () => {
        for (const name of names) process.off(name, run);
      };
    },
    onCrash(run) {
      process.on('uncaughtException', run);
      process.on('unhandledRejection', run);
      return () => {
        process.off('uncaughtException', run);
        process.off('unhandledRejection', run);
      };
    },
  };
}

function createOutput(stream: NodeJS.WriteStream, env: Host['env']): Output {
  // Whoever read us may be gone (a closed pipe): there is nobody left to tell.
  stream.on('error', () => {});
  const isTerminal = stream.isTTY === true;
  return {
    line: (text = '') => void stream.write(`${text}\n`),
    stream,
    isTerminal,
    paint: createPaint(isTerminal && hasColour(env)),
  };
}

/** https://no-color.org: any value but the empty one switches colour off. */
function hasColour(env: Host['env']): boolean {
  return (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
}

function createPaint(on: boolean): Paint {
  const with_ = (open: number, close: number) => (text: string) =>
    on ? `\u001b[${open}m${text}\u001b[${close}m` : text;
  return { bold: with_(1, 22), dim: with_(2, 22), green: with_(32, 39), yellow: with_(33, 39), red: with_(31, 39) };
}
