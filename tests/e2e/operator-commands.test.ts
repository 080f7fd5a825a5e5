import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it, test } from 'vitest';
import { createDesk, type Desk } from '../config/desk.ts';
import { runGatehouse } from './gatehouse-process.ts';

let desk: Desk;
beforeEach(() => {
  desk = createDesk();
});
afterEach(() => desk.remove());

const EXAMPLE_RULES = fileURLToPath(new URL('../../config/rules.example.json', import.meta.url));
const run = (...args: string[]) => runGatehouse({ args, cwd: desk.cwd, env: { HOME: desk.home } });
const rules = (agents: object) => desk.write('cwd/rules.json', JSON.stringify({ agents }));
const FRONTEND = {
  frontend: { allow: { servers: ['postgres'] }, deny: { tools: { postgres: ['drop_table'] } } },
};

test.each([
  { tool: 'drop_table', code: 1, rule: 'agents.frontend.deny.tools.postgres[0]' },
  { tool: 'query', code: 0, rule: 'agents.frontend.allow.servers[0]' },
])('test-policy needs nothing but a rules file and says what decides on $tool', async ({ tool, code, rule }) => {
  rules(FRONTEND);
  const said = await run('test-policy', 'frontend', 'postgres', tool, '--rules', 'rules.json');
  expect(said).toMatchObject({ code, stderr: '' });
  expect(said.stdout).toMatch(/server access {2}allow/);
  expect(said.stdout).toContain(rule);
});

test.each([
  { args: ['policy', 'explain', 'frontend', 'postgres', 'query'], code: 0, says: 'agents.frontend.allow.servers[0]' },
  { args: ['policy', 'lint'], code: 0, says: 'Nothing in the policy looks unintended.' },
])('$args needs nothing but the rules that are found', async ({ args, code, says }) => {
  desk.write('cwd/.mcp-gateway-rules.json', { agents: FRONTEND });
  const said = await run(...args);
  expect(said).toMatchObject({ code, stderr: '' });
  expect(said.stdout).toContain(says);
});

it('looks at a scopes file by itself, and leaves out that nobody has its servers', async () => {
  desk.write(
    'cwd/my-scopes.yml',
    'group_mappings: {a: [b, gone]}\nb: [{server: time, methods: [tools/call], tools: [x]}]\n',
  );
  const said = await run('policy', 'lint', '--scopes', 'my-scopes.yml');
  expect(said).toMatchObject({ code: 1, stderr: '' });
  expect(said.stdout).toContain('there is no scope "gone"');
  expect(said.stdout).not.toContain('there is no server');
});

it('says what to give where there is neither servers nor policy, and a start what is missing beside rules', async () => {
  const bare = await run('policy', 'lint');
  expect(bare.code).toBe(1);
  expect(bare.stderr).toContain('a rules or scopes file would do');
  const path = desk.write('cwd/.mcp-gateway-rules.json', { agents: FRONTEND });
  const said = await run('validate');
  expect(said.code).toBe(1);
  expect(said.stderr).toContain(`"gatehouse policy lint" checks ${path} by itself`);
  expect(said.stderr).not.toContain('undefined server');
});

it('names a server of the rules that nobody has once', async () => {
  desk.write('cwd/.mcp-gateway-rules.json', { agents: FRONTEND });
  desk.write('cwd/.mcp.json', { mcpServers: { time: { command: 'x' } } });
  const said = await run('validate');
  expect(said.code).toBe(0);
  const lines = said.stderr.split('\n').filter(line => line.includes('"postgres"'));
  expect(lines).toEqual([
    expect.stringContaining('allow.servers references undefined server'),
    expect.stringContaining('deny.tools references undefined server'),
  ]);
});

it('tells an agent nobody knows that it is denied', async () => {
  rules(FRONTEND);
  const said = await run('test-policy', 'stranger', 'postgres', 'query', '--rules', 'rules.json');
  expect(said).toMatchObject({ code: 1 });
  expect(said.stdout).toContain('INVALID_AGENT_ID');
});

it('fails a list of expectations by the one that is not met', async () => {
  rules(FRONTEND);
  const list = [
    { agent: 'frontend', server: 'postgres', tool: 'query', expect: 'allow' },
    { agent: 'frontend', server: 'postgres', tool: 'drop_table', expect: 'allow' },
  ];
  writeFileSync(join(desk.cwd, 'list.yaml'), JSON.stringify(list));
  const said = await run('policy', 'test', 'list.yaml', '--rules', 'rules.json');
  expect(said.code).toBe(1);
  expect(said.stdout).toContain('1 of 2 as expected');
});

it('shows in its help a list of expectations that it takes, and that the example of rules meets', async () => {
  const { code, stdout } = await run('policy', 'test', '--help');
  expect(code).toBe(0);
  const example = stdout.split('\n').filter(line => /^ {2}(?:- | {2}[a-z]+: )/.test(line));
  writeFileSync(join(desk.cwd, 'list.yaml'), example.join('\n'));
  const said = await run('policy', 'test', 'list.yaml', '--rules', EXAMPLE_RULES);
  expect(said).toMatchObject({ code: 0, stderr: '' });
  expect(said.stdout).toContain('3 of 3 as expected');
});

test.each(['single-agent', 'multi-agent'])('writes %s files that are valid, and once only', async type => {
  expect(await run('generate-config', '--type', type, '--output', '.')).toMatchObject({ code: 0, stderr: '' });
  expect(readdirSync(desk.cwd)).toEqual(expect.arrayContaining(['.mcp.json', '.mcp-gateway-rules.json']));
  expect(await run('validate')).toMatchObject({ code: 0, stderr: '' });
  expect((await run('generate-config', '--type', type, '--output', '.')).code).toBe(1);
});

it('shuts out, lists and lets in', async () => {
  await run('generate-config', '--type', 'single-agent', '--output', '.');
  expect((await run('quarantine', 'add', 'server', 'time', '--reason', 'slow')).code).toBe(0);
  expect((await run('quarantine', 'list')).stdout).toMatch(/server {2}time .*: slow/);
  expect((await run('quarantine', 'remove', 'server', 'time')).code).toBe(0);
});

test.each([
  { args: ['audit', 'verify'], code: 1, says: 'error: there is no audit ledger at ' },
  { args: ['audit', 'tail', '--file', 'none.jsonl'], code: 1, says: 'error: there is no audit ledger at ' },
  { args: ['audit', 'export', '--file', '.', '--format', 'csv'], code: 1, says: 'is a folder: name the ledger in it' },
  { args: ['policy', 'explain', 'a', 'b', 'c', '--args', '[1]'], code: 2, says: 'must be a JSON object' },
  { args: ['policy', 'expain'], code: 2, says: 'explain' },
  { args: ['policy', 'simulate'], code: 2, says: 'name a candidate' },
  { args: ['generate-config', '--type', 'many', '--output', '.'], code: 2, says: 'multi-agent' },
  { args: ['audt'], code: 2, says: 'did you mean audit?' },
])('answers $args with exit $code and a word of help', async ({ args, code, says }) => {
  const said = await run(...args);
  expect(said.code).toBe(code);
  expect(said.stderr).toContain(says);
  expect(said.stderr).not.toMatch(/\n\s+at /);
});

it('finds in the ledger what a candidate would decide otherwise', async () => {
  await run('generate-config', '--type', 'single-agent', '--output', '.');
  const facts = { decision: 'ALLOW', method: 'local', operation: 'tools/call', subject: 'local', agent_id: 'default' };
  const event = { seq: 1, timestamp: '2026-01-01T00:00:00.000Z', ...facts, server: 'time', tool: 'now' };
  desk.write('cwd/book.jsonl', `${JSON.stringify(event)}\n`);
  rules({ default: { allow: { servers: [] } } });
  const said = await run('policy', 'simulate', '--rules', 'rules.json', '--ledger', 'book.jsonl');
  expect(said.code).toBe(1);
  expect(said.stdout).toContain('allow -> deny');
  expect(said.stdout).toContain('1 calls: 1 allowed now, 0 by the candidate, 1 differ');
});

it('names the calls in the ledger that nobody can judge again, because a condition reads their arguments', async () => {
  await run('generate-config', '--type', 'single-agent', '--output', '.');
  const conditions = [{ id: 'utc', server: 'time', tool: 'now', when: 'args.zone != "UTC"', effect: 'deny' }];
  desk.write('cwd/gateway.config.yaml', JSON.stringify({ policy: { conditions } }));
  const facts = { decision: 'ALLOW', method: 'jwt', operation: 'tools/call', subject: 'i|ana', agent_id: 'default' };
  const event = { timestamp: '2026-01-01T00:00:00.000Z', agent_verified: true, ...facts, server: 'time' };
  const lines = ['now', 'zones', 'now'].map((tool, seq) => JSON.stringify({ ...event, seq, tool }));
  desk.write('cwd/book.jsonl', `${lines.join('\n')}\n`);
  rules({ default: { allow: { servers: ['time'] } } });
  const said = await run('policy', 'simulate', '--rules', 'rules.json', '--ledger', 'book.jsonl');
  expect(said).toMatchObject({ code: 0, stderr: '' });
  expect(said.stdout).toContain('not judged  2x  default  time/now');
  expect(said.stdout).toContain('2 calls were not judged: a condition reads the arguments');
  expect(said.stdout).toContain('1 calls: 1 allowed now, 1 by the candidate, 0 differ');
});
