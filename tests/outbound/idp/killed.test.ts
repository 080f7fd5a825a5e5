/** A real process that makes keys and revokes tokens is killed again and again; nothing that it said was kept may be missing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const CHILD = fileURLToPath(new URL('./revoking-child.ts', import.meta.url));
/** 500 for the figure that is published; a few keep the promise watched. */
const KILLS = Number(process.env.GATEHOUSE_KILLS ?? 10);

test(`keeps every acknowledged revocation, and its keys, over ${KILLS} kills`, {
  timeout: 60_000 + KILLS * 2_000,
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-killed-'));
  const [keys, revocations] = [join(folder, 'token-keys.json'), join(folder, 'token-revocations.json')];
  const said: string[] = [];
  for (let run = 0; run < KILLS; run += 1) {
    const child = spawn(process.execPath, [CHILD, keys, revocations, String(run)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', chunk => {
      text += chunk;
    });
    await once(child.stdout, 'data');
    setTimeout(() => child.kill('SIGKILL'), Math.random() * 60);
    await once(child, 'close');
    said.push(...text.split('\n').slice(0, -1));
  }
  const { revoked } = JSON.parse(readFileSync(revocations, 'utf8')) as { revoked: { key: string }[] };
  const kept = new Set(revoked.map(({ key }) => key));
  const ids = said.filter(line => !line.startsWith('key '));
  expect(ids.length).toBeGreaterThan(KILLS);
  expect(ids.filter(id => !kept.has(id))).toEqual([]);
  expect(new Set(said.filter(line => line.startsWith('key '))).size).toBe(1);
  if (process.env.GATEHOUSE_KILLS !== undefined) {
    process.stdout.write(`${KILLS} kills: ${ids.length} acknowledged, ${kept.size} kept\n`);
  }
  rmSync(folder, { recursive: true, force: true });
});
