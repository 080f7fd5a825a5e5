/**
 * Every npm script goes through here: `start | gatehouse | test | build | check | bench | search-bench | conformance`. It
 * makes sure of what the task needs (a new enough Node, the dependencies, a current build, the demo data) and then runs
 * it. Depends on nothing and keeps to syntax that Node 16 reads, because it is what an old Node meets first.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const NEEDED = [22, 22];
const FETCHED = '24.21.0';
const SCRATCH = path.join(ROOT, '.build');

const inRoot = (...parts) => path.join(ROOT, ...parts);
const say = text => process.stderr.write(`${text}\n`);

// ---- Node ----------------------------------------------------------------------------------------------------------

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number);
  return major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1]);
}

function fetchedNode() {
  return inRoot('.runtime', 'node_modules', 'node', 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
}

function versionOf(node) {
  if (!fs.existsSync(node)) return null;
  const asked = spawnSync(node, ['--version'], { encoding: 'utf8' });
  return asked.status === 0 ? asked.stdout.trim().slice(1) : null;
}

/** The Node that everything runs with: this one, or one fetched from npm into an ignored folder. */
function ensureNode() {
  if (isNewEnough(process.versions.node)) return process.execPath;
  const node = fetchedNode();
  const have = versionOf(node);
  if (have !== null && isNewEnough(have)) return node;

  say(
    `This is Node ${process.versions.node}; Gatehouse needs ${NEEDED.join('.')} or newer. Fetching Node ${FETCHED} ...`,
  );
  const folder = inRoot('.runtime');
  fs.mkdirSync(folder, { recursive: true });
  const manifest = path.join(folder, 'package.json');
  // npm 12 runs install scripts only of packages named here; this one's puts the binary in place.
  const content = { private: true, dependencies: { node: FETCHED }, allowScripts: { node: true } };
  fs.writeFileSync(manifest, `${JSON.stringify(content, null, 2)}\n`);
  npm(process.execPath, ['install', '--prefix', folder, '--no-audit', '--no-fund', '--loglevel=error'], folder);
  const got = versionOf(node);
  if (got === null || !isNewEnough(got)) {
    fail(`Node ${FETCHED} could not be fetched. Install Node 24 from https://nodejs.org and try again.`);
  }
  return node;
}

// ---- npm -----------------------------------------------------------------------------------------------------------

/** npm's own program file, to be run by the Node of our choice rather than by whichever is first on the PATH. */
function findNpm() {
  const beside = path.dirname(process.execPath);
  const candidates = [
    /npm-cli\.[cm]?js$/.test(process.env.npm_execpath || '') ? process.env.npm_execpath : '',
    path.join(beside, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'),
    path.join(beside, 'node_modules', 'npm', 'bin', 'npm-cli.js'),
  ];
  return candidates.find(file => file !== '' && fs.existsSync(file)) || null;
}

function npm(node, args, cwd) {
  const cli = findNpm();
  const options = { cwd, stdio: ['ignore', 2, 2], env: environment(node) };
  const ran =
    cli === null
      ? spawnSync('npm', args, { ...options, shell: process.platform === 'win32' })
      : spawnSync(node, [cli, ...args], options);
  return ran.status === 0;
}

/** Children, and what they start by bare name (`npx`, `node`), find the same Node first. */
function environment(node) {
  const ahead = [path.dirname(node), inRoot('node_modules', '.bin')];
  const name = Object.keys(process.env).find(key => key.toUpperCase() === 'PATH') || 'PATH';
  return { ...process.env, [name]: [...ahead, process.env[name] || ''].join(path.delimiter) };
}

const STAMP = inRoot('node_modules', '.gatehouse-lock-hash');

function lockHash() {
  return createHash('sha256')
    .update(fs.readFileSync(inRoot('package-lock.json')))
    .digest('hex');
}

function ensureDependencies(node) {
  const wanted = lockHash();
  if (read(STAMP) === wanted) return;
  withLock('install', () => {
    if (read(STAMP) === wanted) return;
    say('Installing dependencies ...');
    const lockFile = inRoot('package-lock.json');
    const lock = fs.readFileSync(lockFile);
    const flags = ['--no-audit', '--no-fund', '--loglevel=error'];
    if (!npm(node, ['ci', ...flags], ROOT)) {
      say('npm ci did not work; trying npm install ...');
      const worked = npm(node, ['install', ...flags], ROOT);
      // The lockfile is the project's, not this machine's: what this npm left out of it must not stay left out.
      fs.writeFileSync(lockFile, lock);
      if (!worked) fail('The dependencies could not be installed; the lines above say why.');
    }
    fs.writeFileSync(STAMP, wanted);
    say('Dependencies are installed.');
  });
}

// ---- build ---------------------------------------------------------------------------------------------------------

const BUILT = inRoot('dist', '.build-hash');

function filesBelow(folder) {
  return fs
    .readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap(entry => {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) return filesBelow(file);
      return entry.isFile() ? [file] : [];
    });
}

/** By content: times say nothing in a fresh clone. */
function sourceHash() {
  const hash = createHash('sha256');
  const files = [
    ...filesBelow(inRoot('src')),
    ...['package.json', 'package-lock.json', 'scripts/build.mjs'].map(f => inRoot(f)),
  ];
  for (const file of files)
    hash.update(path.relative(ROOT, file)).update('\0').update(fs.readFileSync(file)).update('\0');
  return hash.digest('hex');
}

function ensureBuild(node) {
  ensureDemoData();
  const wanted = sourceHash();
  if (read(BUILT) === wanted) return;
  withLock('build', () => {
    if (read(BUILT) === wanted) return;
    say('Building ...');
    const ran = spawnSync(node, [inRoot('scripts', 'build.mjs')], { cwd: ROOT, stdio: ['ignore', 2, 2] });
    if (ran.status !== 0) fail('The build failed; the lines above say why.');
    fs.writeFileSync(BUILT, wanted);
  });
}

/** A folder for the demo servers to play in, so that what they write is never part of the repository. */
function ensureDemoData() {
  const target = inRoot('demo-data', 'files');
  if (fs.existsSync(target)) return;
  fs.mkdirSync(target, { recursive: true });
  const source = inRoot('config', 'demo-files');
  for (const name of fs.readdirSync(source)) fs.copyFileSync(path.join(source, name), path.join(target, name));
}

// ---- one at a time -------------------------------------------------------------------------------------------------

/** `npm start` and `npm test` in the same fresh clone must not install or build over each other. */
function withLock(name, work) {
  fs.mkdirSync(SCRATCH, { recursive: true });
  const file = path.join(SCRATCH, `${name}.lock`);
  let told = false;
  for (;;) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!isAlive(Number(read(file)))) {
        fs.rmSync(file, { force: true });
        continue;
      }
      if (!told) say(`Waiting for another ${name} to finish ...`);
      told = true;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 200);
    }
  }
  try {
    work();
  } finally {
    fs.rmSync(file, { force: true });
  }
}

function isAlive(pid) {
  if (!Number.isInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

// ---- running -------------------------------------------------------------------------------------------------------

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** Runs in the foreground: signals are passed on, and the promise is the exit code. */
function run(node, args, more = {}) {
  return new Promise(resolve => {
    const child = spawn(node, args, { cwd: ROOT, stdio: 'inherit', env: { ...environment(node), ...more } });
    let told = false;
    const forward = signal => {
      told = true;
      child.kill(signal);
    };
    for (const signal of SIGNALS) process.on(signal, forward);

    // npm starts us through a shell that dies of a signal without passing it on: then nobody is left to stop the child.
    const parent = process.ppid;
    const watch = setInterval(() => {
      if (!told && process.env.npm_lifecycle_event && process.ppid !== parent) forward('SIGTERM');
    }, 500);
    watch.unref();

    const done = code => {
      clearInterval(watch);
      for (const signal of SIGNALS) process.off(signal, forward);
      resolve(code);
    };
    child.on('error', error => {
      say(`${args[0]} could not be started: ${error.message}`);
      done(1);
    });
    child.on('exit', (code, signal) => done(code === null ? 128 + (SIGNAL_NUMBERS[signal] || 1) : code));
  });
}

const SIGNAL_NUMBERS = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15, SIGABRT: 6 };

/** Ends with the plain line `N passed, N failed`, whatever happened to the runner. */
async function test(node, args) {
  fs.mkdirSync(SCRATCH, { recursive: true });
  const report = path.join(SCRATCH, `tests-${process.pid}.json`);
  const vitest = inRoot('node_modules', 'vitest', 'vitest.mjs');
  const flags = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
  const code = await run(node, [vitest, 'run', ...flags, ...args]);
  const { passed, failed, ended } = countTests(read(report));
  fs.rmSync(report, { force: true });

  let missed = failed;
  if (code !== 0 && failed === 0) {
    missed = 1;
    say(ended ? 'An error outside the tests counts as a failure.' : 'The test runner stopped before it could report.');
  }
  process.stdout.write(`${passed} passed, ${missed} failed\n`);
  return code !== 0 ? code : missed > 0 ? 1 : 0;
}

/** A file that could not even be loaded counts as one failure. */
function countTests(text) {
  try {
    const { numPassedTests, numFailedTests, testResults } = JSON.parse(text);
    const broken = testResults.filter(
      file => file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'),
    );
    return { passed: numPassedTests, failed: numFailedTests + broken.length, ended: true };
  } catch {
    return { passed: 0, failed: 0, ended: false };
  }
}

async function check(node) {
  const steps = [
    ['types', [inRoot('node_modules', 'typescript', 'bin', 'tsc'), '-p', '.']],
    ['lint and format', [inRoot('node_modules', '@biomejs', 'biome', 'bin', 'biome'), 'ci', '.']],
    ['house', [inRoot('node_modules', 'vitest', 'vitest.mjs'), 'run', 'tests/house']],
  ];
  let worst = 0;
  for (const [what, args] of steps) {
    say(`-- ${what}`);
    worst = (await run(node, args)) || worst;
  }
  return worst;
}

function read(file) {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function fail(text) {
  say(text);
  process.exit(1);
}

const TASKS = {
  start: (node, args) => run(node, [inRoot('dist', 'main.js'), 'serve', ...args]),
  gatehouse: (node, args) => run(node, [inRoot('dist', 'main.js'), ...args]),
  test,
  build: () => 0,
  check,
  bench: (node, args) => run(node, [inRoot('tests', 'bench', 'run.ts'), ...args]),
  'search-bench': (node, args) => run(node, [inRoot('tests', 'bench', 'search', 'run.ts'), ...args]),
  conformance: (node, args) => run(node, [inRoot('tests', 'conformance', 'run.ts'), ...args]),
};

const [task, ...args] = process.argv.slice(2);
if (!Object.hasOwn(TASKS, task)) fail(`Usage: node scripts/run.mjs ${Object.keys(TASKS).join(' | ')}`);

const node = ensureNode();
ensureDependencies(node);
if (task !== 'check') ensureBuild(node);
process.exitCode = await TASKS[task](node, args);
