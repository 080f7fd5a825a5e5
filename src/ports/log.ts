/** Structured log lines. Messages are fixed sentences; facts go into fields. Nothing secret is passed in. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A log whose lines all carry these fields. */
  with(fields: LogFields): Log;
}

export type LogFields = { [name: string]: string | number | boolean | null | undefined | readonly string[] };
