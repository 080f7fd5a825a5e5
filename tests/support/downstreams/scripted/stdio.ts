/**
 * The fault fixture over stdio: one JSON message a line. Ends when its input ends, as the specification asks; what
 * happens before that is the script's.
 */
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { isJsonObject, type JsonObject } from '../../../../src/domain/json.ts';
import { createEngine, type ScriptedOptions } from './engine.ts';
import type { Stats } from './stats.ts';
import type { Wire } from './wire.ts';

export async function runScriptedStdio(options: Partial<ScriptedOptions>): Promise<void> {
  const engine = createEngine(options, exitCode => process.exit(exitCode));
  const rule = engine.match('start');
  if (rule?.do === 'die') process.exit(rule.exitCode ?? 1);
  if (rule?.do === 'garbage') process.stdout.write(`${rule.text ?? 'Welcome to this server!'}\n`);
  if (rule?.do === 'delay') await sleep(rule.ms ?? 1000);
  if (rule?.do === 'hang') return void process.stdin.resume();
  const peer = engine.openPeer(`stdio-${process.pid}`, write);
  const lines = createInterface({ input: process.stdin });
  lines.on('line', line => {
    const message = parse(line);
    if (message === null) return;
    engine.receive(peer, message, createStdioWire(engine.stats)).catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
    });
  });
  lines.once('close', () => process.exit(0));
}

function createStdioWire(stats: Stats): Wire {
  return {
    headers: null,
    begin: () => undefined,
    frame: message => `${JSON.stringify(message)}\n`,
    send: write,
    answer: write,
    raw(text) {
      if (process.stdout.write(text)) return Promise.resolve(true);
      stats.add('pauses');
      return new Promise(resolve => process.stdout.once('drain', () => resolve(true)));
    },
    end: () => undefined,
    drop: () => {
      process.stdout.end();
    },
    respond: null,
    answerWithTrailers: null,
    onGone: () => undefined,
  };
}

function write(message: JsonObject): void {
  process.stdout.write(`${JSON.stringify(message)}\n`);
}

function parse(line: string): JsonObject | null {
  try {
    const value: unknown = JSON.parse(line);
    return isJsonObject(value) ? value : null;
  } catch {
    return null;
  }
}
