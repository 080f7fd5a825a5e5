/**
 * `gatehouse policy explain|test|lint` and `gatehouse test-policy`: what the policy in the files answers, asked of the
 * code that a running gateway asks. Starts nothing. Exit 0 for a yes, 1 for a no (or a difference), 2 for misuse.
 */
import { resolve } from 'node:path';
import { policyOf } from '../app/policy.ts';
import {
  askPolicy,
  lintConfig,
  namesServers,
  type PolicyAnswer,
  type Question,
  type Questioned,
} from '../app/policy-desk.ts';
import { MAX_FILE_BYTES, parseYaml } from '../config/documents.ts';
import type { Overrides } from '../config/load.ts';
import { readTextFile } from '../config/text-file.ts';
import { isJsonObject, type JsonObject } from '../domain/json.ts';
import type { Host } from './host.ts';
import { loadWhole } from './load.ts';
import { reportProblems, reportWarnings } from './report.ts';

/** Files to ask instead of those that would be found. */
export interface PolicyFiles {
  rules?: string | undefined;
  scopes?: string | undefined;
}

export interface ExplainOptions extends PolicyFiles {
  args?: string | undefined;
  subject?: string | undefined;
  groups?: readonly string[] | undefined;
  scopesHeld?: readonly string[] | undefined;
  json?: boolean | undefined;
}

const MISUSED = 2;

/** The variables name the files, as they do for a gateway: a file that is given here counts as named there. */
export function withFiles(host: Host, { rules, scopes }: PolicyFiles): Host {
  return {
    ...host,
    env: {
      ...host.env,
      ...(rules === undefined ? {} : { GATEWAY_RULES: resolve(host.cwd, rules) }),
      ...(scopes === undefined ? {} : { GATEWAY_SCOPES: resolve(host.cwd, scopes) }),
    },
  };
}

/** Rules can be tried before there is anything to start. Null: the mistakes were said. */
async function loadQuestioned(host: Host, overrides: Overrides, files: PolicyFiles): Promise<Questioned | null> {
  const loaded = await loadWhole(withFiles(host, files), overrides, true);
  if (!loaded.ok) {
    reportProblems(host.stderr, loaded.problems);
    return null;
  }
  const { config, warnings } = loaded;
  if (!namesServers(config)) reportWarnings(host.stderr, warnings);
  const built = policyOf(config, 1);
  if (!built.ok) throw new Error('a configuration that was checked has mistakes');
  return { policy: built.policy, localCaller: config.policy.localCaller, defaultAgent: config.defaultAgent };
}

function isAllowed(answer: PolicyAnswer): boolean {
  return answer.kind === 'explained' && answer.tool.answer === 'allow';
}

export async function explainPolicy(
  host: Host,
  overrides: Overrides,
  asked: { agent: string; server: string; tool: string },
  options: ExplainOptions,
): Promise<number> {
  const { stdout, stderr } = host;
  const args = parseArguments(options.args);
  if (args === undefined) {
    stderr.line(`error: --args must be a JSON object such as '{"path":"/tmp"}'`);
    return MISUSED;
  }
  const questioned = await loadQuestioned(host, overrides, options);
  if (questioned === null) return 1;
  const { subject, groups, scopesHeld } = options;
  const answer = askPolicy(questioned, {
    ...asked,
    agent: toAgent(asked.agent),
    args,
    subject,
    groups,
    scopes: scopesHeld,
  });
  if (options.json) stdout.line(JSON.stringify(answer));
  else describe(host, asked, answer);
  return isAllowed(answer) ? 0 : 1;
}

function describe({ stdout }: Host, { server, tool }: { server: string; tool: string }, answer: PolicyAnswer): void {
  const { bold, green, red, yellow } = stdout.paint;
  const word = (of: 'allow' | 'deny') => (of === 'allow' ? green('allow') : red('deny'));
  if (answer.kind === 'unresolved') {
    stdout.line(`${red('deny')}  nobody acts: ${answer.reason} (${answer.code})`);
    return;
  }
  const { server: onServer, tool: onTool, agent } = answer;
  stdout.line(`agent          ${agent ?? 'none'}`);
  stdout.line(`server access  ${word(onServer.answer)}  ${server}: ${onServer.rule ?? 'no rule'}`);
  stdout.line(`tool access    ${word(onTool.answer)}  ${tool}: ${bold(onTool.rule ?? 'no rule')}`);
  for (const { part, answer: said, rule } of onTool.steps) stdout.line(`  ${part.padEnd(12)} ${word(said)}  ${rule}`);
  if (onTool.scopes.length > 0) stdout.line(`scopes         ${onTool.scopes.join(', ')}`);
  if (onTool.missing.length > 0) stdout.line(`would do       ${onTool.missing.join(', ')}`);
  if (onTool.say !== null) stdout.line(`the caller is told: ${onTool.say}`);
  if (onTool.wouldDeny !== null)
    stdout.line(yellow(`Let through on trial (shadow); enforced, it would be denied by ${onTool.wouldDeny}`));
}

/** `-`: a caller that names no agent. */
function toAgent(written: string): string | null {
  return written === '-' ? null : written;
}

/** Null: there are none; undefined: not an object. */
function parseArguments(written: string | undefined): JsonObject | null | undefined {
  if (written === undefined) return null;
  try {
    const value: unknown = JSON.parse(written);
    return isJsonObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

interface Expectation extends Question {
  expect: 'allow' | 'deny';
}

export async function testPolicy(host: Host, overrides: Overrides, file: string, files: PolicyFiles): Promise<number> {
  const { stdout, stderr } = host;
  const read = readTextFile(resolve(host.cwd, file), MAX_FILE_BYTES);
  if (!read.ok) {
    stderr.line(`error: ${file} cannot be read: ${read.reason}`);
    return MISUSED;
  }
  const parsed = parseYaml(read.text);
  const { expectations, mistakes } = parsed.ok
    ? toExpectations(parsed.value)
    : { expectations: [], mistakes: parsed.messages };
  if (mistakes.length > 0) {
    for (const mistake of mistakes) stderr.line(`error: ${file}: ${mistake}`);
    return MISUSED;
  }
  const questioned = await loadQuestioned(host, overrides, files);
  if (questioned === null) return 1;
  let differing = 0;
  for (const question of expectations) {
    const answer = askPolicy(questioned, question);
    const is = isAllowed(answer) ? 'allow' : 'deny';
    if (is !== question.expect) differing++;
    const mark = is === question.expect ? stdout.paint.green('ok  ') : stdout.paint.red('FAIL');
    const why = answer.kind === 'unresolved' ? answer.code : (answer.tool.rule ?? 'no rule');
    const who = question.agent ?? ([...(question.groups ?? []), ...(question.scopes ?? [])].join(',') || '-');
    stdout.line(`${mark}  ${is.padEnd(5)}  ${who}  ${question.server}/${question.tool}  ${why}`);
  }
  stdout.line(`${expectations.length - differing} of ${expectations.length} as expected`);
  return differing === 0 ? 0 : 1;
}

const KEYS = ['agent', 'groups', 'scopes', 'subject', 'server', 'tool', 'args', 'expect'];

function toExpectations(document: unknown): { expectations: Expectation[]; mistakes: string[] } {
  const expectations: Expectation[] = [];
  const mistakes: string[] = [];
  if (!Array.isArray(document) || document.length === 0)
    return { expectations, mistakes: ['must be a list of {agent, server, tool, expect}, and not empty'] };
  for (const [place, entry] of document.entries()) {
    const report = (message: string) => void mistakes.push(`[${place}] ${message}`);
    if (!isJsonObject(entry)) {
      report('must be an object');
      continue;
    }
    const { agent = null, groups, scopes, subject, server, tool, args = null, expect } = entry;
    const unknown = Object.keys(entry).find(key => !KEYS.includes(key));
    if (unknown !== undefined) report(`has an unknown key "${unknown}"`);
    else if (agent !== null && typeof agent !== 'string') report('agent must be text');
    else if (subject !== undefined && typeof subject !== 'string') report('subject must be text');
    else if (!isTexts(groups) || !isTexts(scopes)) report('groups and scopes must be lists of texts');
    else if (typeof server !== 'string' || typeof tool !== 'string') report('server and tool must be text');
    else if (args !== null && !isJsonObject(args)) report('args must be an object');
    else if (expect !== 'allow' && expect !== 'deny') report('expect must be allow or deny');
    else expectations.push({ agent, groups, scopes, subject, server, tool, args, expect });
  }
  return { expectations, mistakes };
}

function isTexts(value: unknown): value is string[] | undefined {
  return value === undefined || (Array.isArray(value) && value.every(item => typeof item === 'string'));
}

export async function lintPolicyFiles(host: Host, overrides: Overrides, files: PolicyFiles): Promise<number> {
  const loaded = await loadWhole(withFiles(host, files), overrides, true);
  if (!loaded.ok) {
    reportProblems(host.stderr, loaded.problems);
    return 1;
  }
  const built = policyOf(loaded.config, 1);
  const findings = built.ok ? lintConfig(built.policy, loaded.config) : [];
  const { stdout } = host;
  for (const { kind, path, message } of findings) stdout.line(`${stdout.paint.yellow(kind)}  ${path}: ${message}`);
  if (findings.length === 0) stdout.line(stdout.paint.green('Nothing in the policy looks unintended.'));
  return findings.length === 0 ? 0 : 1;
}
