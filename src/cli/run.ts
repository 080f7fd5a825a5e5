/**
 * Runs the gateway until a signal, a closed stdin or a crash ends it: start, tell, wait, drain. In stdio mode stdout
 * belongs to JSON-RPC, so everything for people goes to stderr there. Yields the exit code; ends nothing itself.
 */
import { type App, createApp } from '../app.ts';
import type { Overrides } from '../config/load.ts';
import type { Host, Output } from './host.ts';
import { loadWhole } from './load.ts';
import { reportProblems, reportWarnings } from './report.ts';
import { createWelcome } from './welcome.ts';

/** Ctrl-C in a terminal reaches us directly and again through npm: what follows this closely is the same wish. */
const SAME_SIGNAL_MS = 700;
/** After "at once" was asked for: long enough to end child processes, short enough to be at once. */
const LAST_GRACE_MS = 1000;

const STOPPED = 0;
const FAILED = 1;

export async function runGateway(host: Host, overrides: Overrides, version: string): Promise<number> {
  const load = () => loadWhole(host, overrides);
  const loaded = await load();
  if (!loaded.ok) {
    reportProblems(host.stderr, loaded.problems);
    return FAILED;
  }
  const { config, warnings } = loaded;
  const serve = { http: config.transport !== 'stdio', stdio: config.transport !== 'http' };
  const output = serve.stdio ? host.stderr : host.stdout;
  // Where nobody reads along, stderr is a log: one JSON object a line, warnings too.
  if (host.stderr.isTerminal) reportWarnings(host.stderr, warnings);

  let app: App;
  try {
    const told = host.stderr.isTerminal ? [] : warnings;
    app = createApp({ config, serve, version, env: host.env, warnings: told, loadAgain: load });
  } catch (error) {
    host.stderr.line(host.stderr.paint.red(describeStartFailure(error, config.listen)));
    return FAILED;
  }
  const ending = watchForTheEnd(host, app, output);
  try {
    const welcome = createWelcome(output, config);
    app.onServer(server => welcome.server(server));
    const { url } = await app.start();
    if (url !== null) welcome.listening(url, version);
    if (serve.stdio && !serve.http && host.stdin.isTTY) welcome.hintAtServe();
    app.finished.then(() => ending.end(STOPPED)).catch(ending.crash);
  } catch (error) {
    host.stderr.line(host.stderr.paint.red(describeStartFailure(error, config.listen)));
    ending.end(FAILED);
  }
  return ending.exitCode;
}

interface Ending {
  exitCode: Promise<number>;
  end(code: number): void;
  crash(cause: unknown): void;
}

/** First end wins: drains, then yields its code. A second signal does not wait for the drain. */
function watchForTheEnd(host: Host, app: App, output: Output): Ending {
  const { promise, resolve } = Promise.withResolvers<number>();
  let ending = false;
  /** Set by a second signal: what was cut short did not end well, whichever of the two stops is through first. */
  let hurriedCode: number | null = null;
  let mayHurry = false;

  const end = (code: number) => {
    if (ending) return;
    ending = true;
    setTimeout(() => {
      mayHurry = true;
    }, SAME_SIGNAL_MS).unref();
    app.stop().then(
      () => resolve(hurriedCode ?? code),
      cause => {
        reportCrash(host.stderr, cause);
        resolve(FAILED);
      },
    );
  };
  const hurry = (code: number) => {
    if (hurriedCode !== null || !mayHurry) return;
    hurriedCode = code;
    setTimeout(() => resolve(code), LAST_GRACE_MS);
    app.stop(0).then(
      () => resolve(code),
      () => resolve(code),
    );
  };
  const crash = (cause: unknown) => {
    reportCrash(host.stderr, cause);
    end(FAILED);
  };

  host.onSignal(['SIGINT', 'SIGTERM'], name => {
    if (ending) return hurry(name === 'SIGINT' ? 130 : 143);
    if (output.isTerminal) output.line('\nStopping; once more stops without waiting.');
    end(STOPPED);
  });
  host.onSignal(['SIGHUP'], () => {
    // The app logs what came of it.
    if (!ending) app.reload().catch(crash);
  });
  host.onCrash(crash);
  return { exitCode: promise, end, crash };
}

function reportCrash(output: Output, cause: unknown): void {
  output.line(output.paint.red('Gatehouse stops because of a mistake of its own:'));
  output.line(cause instanceof Error ? (cause.stack ?? cause.message) : String(cause));
}

function describeStartFailure(error: unknown, { host, port }: { host: string; port: number }): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} on ${host} is in use by another program: stop that one, or choose another port with --port or GATEWAY_HTTP_PORT.`;
    case 'EACCES':
      return `Port ${port} on ${host} may not be opened by this user: choose one above 1023 with --port or GATEWAY_HTTP_PORT.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `${host} is not an address of this machine: choose another with --host or GATEWAY_HTTP_HOST.`;
    default:
      return `Gatehouse could not start: ${error instanceof Error ? error.message : String(error)}`;
  }
}
