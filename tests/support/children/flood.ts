// Writes much: `flood.ts <stdout|stderr> <bytes> <bytes per line; 0: no newline at all>`, then a last line on stdout.
// Ends with its stdin.
import { once } from 'node:events';

const [, , where, total = '0', perLine = '0'] = process.argv;
const stream = where === 'stderr' ? process.stderr : process.stdout;
const length = Number(perLine);
const piece = length === 0 ? 'x'.repeat(65_536) : `${'x'.repeat(length)}\n`;
process.stdout.on('error', () => process.exit(1));
process.stdin.resume();
for (let written = 0; written < Number(total); written += piece.length) {
  if (!stream.write(piece)) await once(stream, 'drain');
}
process.stdout.write('done\n');
