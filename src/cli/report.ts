/** Configuration mistakes, warnings and what others wrote, as lines for a person. */
import type { Problem } from '../config/load.ts';
import type { Output } from './host.ts';

/** One problem per line, with what to do about it below. */
export function reportProblems(output: Output, problems: readonly Problem[]): void {
  const { paint } = output;
  const count = problems.length === 1 ? 'one mistake' : `${problems.length} mistakes`;
  output.line(paint.red(`The configuration has ${count}:`));
  for (const { file, path, message, hint } of problems) {
    const where = path === '' ? file : `${file}: ${paint.bold(path)}`;
    output.line(`  ${where}: ${message}${hint === null ? '' : ` (${hint})`}`);
  }
}

export function reportWarnings(output: Output, warnings: readonly string[]): void {
  for (const warning of warnings) output.line(`${output.paint.yellow('warning:')} ${warning}`);
}

/** A path as a person would write it. */
export function shorten(path: string, home: string): string {
  return path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
}

/** What others wrote (names in tokens, answers of a gateway): nothing in it may steer the terminal. */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}
