/**
 * A child process as a channel: one frame a line. Knows what has been written and what still waits for a child that does
 * not read, so that a death can be told apart as "never sent" and "outcome unknown". MCP, "stdio" transport.
 */
import type { StdioLaunch } from '../../domain/server.ts';
import type { Log } from '../../ports/log.ts';
import type { Channel, ChannelHandler } from './channel.ts';
import { type ExitReport, spawnChild } from './child-process.ts';
import type { Exchange, Work } from './exchange.ts';
import { fault } from './fault.ts';
import type { DownstreamLimits } from './limits.ts';
import type { Watchdog } from './watchdog.ts';

export interface StdioOptions {
  launch: StdioLaunch;
  baseEnv: Readonly<Record<string, string | undefined>>;
  limits: DownstreamLimits;
  watchdog: Watchdog;
  log: Log;
}

interface Waiting {
  text: string;
  exchange: Exchange | null;
}

export function openStdioChannel(options: StdioOptions, handler: ChannelHandler): Channel {
  const { limits } = options;
  let outbox: Waiting[] = [];
  let outboxBytes = 0;
  let isFull = false;
  let isClosing = false;
  let isOver = false;

  const child = spawnChild(
    {
      launch: options.launch,
      baseEnv: options.baseEnv,
      maxLineBytes: limits.maxFrameBytes,
      stopGraceMs: limits.stopGraceMs,
      log: options.log,
    },
    { line: bytes => channel.handler.frame(bytes, null), exited: end },
    options.watchdog,
  );

  function end(how: ExitReport): void {
    isOver = true;
    outbox = [];
    outboxBytes = 0;
    if (isClosing) return;
    const isOfProcess = child.pid !== null && !how.reason.startsWith('it ');
    const reason = isOfProcess ? `its process ${how.reason}` : how.reason;
    channel.handler.closed(fault('unsent', reason, { detail: how.detail }));
  }

  /** False: no room left. */
  function put(text: string, exchange: Exchange | null): boolean {
    if (isFull) {
      if (outboxBytes + text.length > limits.maxOutboxBytes) return false;
      outbox.push({ text, exchange });
      outboxBytes += text.length;
      return true;
    }
    write(text, exchange);
    return true;
  }

  function write(text: string, exchange: Exchange | null): void {
    // A process that never ran was given nothing, whatever was written.
    if (exchange !== null && child.pid !== null) exchange.isSent = true;
    if (child.write(onOneLine(text)) || isFull) return;
    isFull = true;
    void child.drained().then(flush);
  }

  function flush(): void {
    isFull = false;
    while (!isFull && !isOver) {
      const next = outbox.shift();
      if (next === undefined) return;
      outboxBytes -= next.text.length;
      write(next.text, next.exchange);
    }
  }

  function forget(exchange: Exchange): void {
    exchange.work = null;
    if (exchange.isSent || outbox.length === 0) return;
    outbox = outbox.filter(waiting => {
      if (waiting.exchange !== exchange) return true;
      outboxBytes -= waiting.text.length;
      return false;
    });
  }

  const work: Work = { abandon: forget };

  const channel: Channel = {
    transport: 'stdio',
    handler,
    pid: child.pid,
    request(exchange, frame) {
      if (isOver || isClosing) {
        channel.handler.faulted(exchange, fault('unsent', 'its process has ended'));
        return;
      }
      exchange.work = work;
      // Kept bytes may hold line breaks between tokens, which would end the message here.
      const text =
        typeof frame === 'string'
          ? frame
          : Buffer.concat(frame)
              .toString('utf8')
              .replace(/[\r\n]+/g, ' ');
      if (put(text, exchange)) return;
      forget(exchange);
      channel.handler.faulted(exchange, fault('overloaded', 'it does not read its input', { isOutage: true }));
    },
    post(text, done) {
      const isTaken = !isOver && !isClosing && put(text, null);
      done?.(isTaken);
    },
    established() {},
    listen() {},
    close() {
      isClosing = true;
      return child.stop();
    },
  };
  return channel;
}

/**
 * Plain characters to JSON, line ends to many a reader of lines (Node's readline, Python's splitlines): escaped, they
 * are the same text to all.
 */
const LINE_ENDS = ['\u0085', '\u2028', '\u2029'] as const;

function onOneLine(text: string): string {
  let line = text;
  for (const end of LINE_ENDS) {
    if (line.includes(end)) line = line.replaceAll(end, `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`);
  }
  return line;
}
