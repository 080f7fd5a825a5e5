// Revokes without pause and says each id once it is kept: `revoking-child.ts <keys> <revocations> <run>`.
import { writeSync } from 'node:fs';
import { openOwnKeys } from '../../../src/outbound/idp/own-keys.ts';
import { createRevocationFile } from '../../../src/outbound/idp/revocation-file.ts';

const [, , keysPath = '', path = '', run = ''] = process.argv;
const found = openOwnKeys(keysPath, Date.now());
if (!found.ok) throw new Error(found.reason);
writeSync(1, `key ${found.keys.signing.id}\n`);
const shut = createRevocationFile({ path, nowMs: Date.now, markOf: () => null });
for (let n = 0; ; n += 1) {
  const id = `${run}-${n}`;
  const atMs = Date.now();
  if (shut.add({ kind: 'token', key: id, atMs, untilMs: atMs + 86_400_000 }) === 'kept') writeSync(1, `${id}\n`);
}
