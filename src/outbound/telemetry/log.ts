/**
 * The Log port on pino: one JSON object per line (time, level, msg, fields), or lines for a person at a terminal.
 * Always to stderr unless told otherwise, because stdout belongs to JSON-RPC. Every line passes redact.ts; nothing
 * else in the house writes logs.
 */
import { createRequire } from 'node:module';
import { isatty } from 'node:tty';
import { pino, stdTimeFunctions } from 'pino';
import type { LogConfig } from '../../config/config.ts';
import type { Log, LogFields } from '../../ports/log.ts';
import { type LogValue, redactFields, redactText, spellControls } from './redact.ts';
import { createStderrSink } from './stderr.ts';

export interface LogDestination {
  write(line: string): void;
}

export interface LogOptions {
  level: LogConfig['level'];
  format: LogConfig['format'];
  /** Default: stderr. */
  destination?: LogDestination;
}

export interface RootLog extends Log {
  /** Writes out what is still queued, at once; for the moment before the process ends on an error. */
  flush(): void;
}

type Level = 'debug' | 'info' | 'warn' | 'error';

const STDERR = 2;

export function createLog(options: LogOptions): RootLog {
  const sink =
    options.destination === undefined
      ? createStderrSink(noteDropped)
      : { write: options.destination.write.bind(options.destination), flush: () => {} };
  const isTerminal = options.destination === undefined && isatty(STDERR);
  const print =
    options.format === 'pretty' || (options.format === 'auto' && isTerminal) ? loadPretty(isTerminal) : null;
  const to = { write: print === null ? sink.write : (line: string) => sink.write(print(line)) };

  const root = pino(
    {
      level: options.level,
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
    },
    to,
  );

  function write(level: Level, message: string, bound: Record<string, LogValue>, fields: LogFields | undefined): void {
    if (!root.isLevelEnabled(level)) return;
    const all = fields === undefined ? bound : { ...bound, ...redactFields(fields) };
    if (print === null) root[level](all, redactText(message));
    else root[level](mapText(all, spellControls), spellControls(redactText(message)));
  }

  function bind(bound: Record<string, LogValue>): Log {
    return {
      debug: (message, fields) => write('debug', message, bound, fields),
      info: (message, fields) => write('info', message, bound, fields),
      warn: (message, fields) => write('warn', message, bound, fields),
      error: (message, fields) => write('error', message, bound, fields),
      // Merged here and not by pino's children, which write a name twice when it is bound twice.
      with: fields => bind({ ...bound, ...redactFields(fields) }),
    };
  }

  return { ...bind({}), flush: sink.flush };
}

/**
 * The pretty printer, loaded only where somebody reads: it would cost every other start 20 ms. Null where it is not
 * installed (a bare bundle): then lines stay JSON.
 */
function loadPretty(colorize: boolean): ((line: string) => string) | null {
  try {
    const { prettyFactory, isColorSupported } = createRequire(import.meta.url)(
      'pino-pretty',
    ) as typeof import('pino-pretty');
    return prettyFactory({
      colorize: colorize && isColorSupported,
      singleLine: true,
      translateTime: 'SYS:HH:MM:ss.l',
    });
  } catch {
    return null;
  }
}

function noteDropped(count: number): string {
  return `{"level":"warn"${stdTimeFunctions.isoTime()},"msg":"log lines were dropped","count":${count}}\n`;
}

function mapText(fields: Record<string, LogValue>, map: (text: string) => string): Record<string, LogValue> {
  const mapped: Record<string, LogValue> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (typeof value === 'string') mapped[map(name)] = map(value);
    else mapped[map(name)] = Array.isArray(value) ? value.map(item => map(String(item))) : value;
  }
  return mapped;
}
