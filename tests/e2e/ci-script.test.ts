/** `.ci/run` as a whole, with a stand-in for npm: which steps, in which order, and what their failures come to. */
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';

const SCRIPT = fileURLToPath(new URL('../../.ci/run', import.meta.url));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-ci-'));
  mkdirSync(join(folder, '.ci'));
  copyFileSync(SCRIPT, join(folder, '.ci', 'run'));
  chmodSync(join(folder, '.ci', 'run'), 0o755);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Step {
  says?: string;
  code?: number;
}

function run(steps: { check?: Step; conformance?: Step; test?: Step }) {
  const step = ({ says = '', code = 0 }: Step = {}) => `${says === '' ? '' : `echo '${says}';`} exit ${code}`;
  const npm = `#!/bin/sh
echo "npm $*" >> "${folder}/asked"
case "$*" in
  'run check') ${step(steps.check)} ;;
  'run conformance -- --column http') ${step(steps.conformance)} ;;
  'test') ${step(steps.test)} ;;
  *) exit 99 ;;
esac
`;
  writeFileSync(join(folder, 'npm'), npm, { mode: 0o755 });
  const env = { ...process.env, PATH: `${folder}${delimiter}${process.env.PATH ?? ''}` };
  const { status, stdout } = spawnSync('bash', [join(folder, '.ci', 'run')], { env, encoding: 'utf8' });
  return { status, last: stdout.trimEnd().split('\n').at(-1), stdout };
}

const GOOD = { says: '7 passed, 0 failed' };

test.each([
  { steps: { test: GOOD }, status: 0, last: '7 passed, 0 failed', because: 'all is well' },
  { steps: { test: GOOD, check: { code: 1 } }, status: 1, last: '7 passed, 0 failed', because: 'check counts' },
  { steps: { test: GOOD, conformance: { code: 1 } }, status: 1, last: '7 passed, 0 failed', because: 'so does this' },
  {
    steps: { test: GOOD, conformance: { says: 'npm could not install it', code: 3 } },
    status: 0,
    last: '7 passed, 0 failed',
    because: 'a suite that cannot be had says nothing of the change',
  },
  {
    steps: { test: { says: '6 passed, 1 failed', code: 1 } },
    status: 1,
    last: '6 passed, 1 failed',
    because: 'a test failed',
  },
  { steps: { test: { code: 0 } }, status: 1, last: '0 passed, 1 failed', because: 'no count is no success' },
])('ends with $status and the count of the tests: $because', ({ steps, status, last }) => {
  expect(run(steps)).toMatchObject({ status, last });
});

test('says why the conformance suites were not run', () => {
  expect(run({ test: GOOD, conformance: { code: 3 } }).stdout).toContain('could not be installed');
});
