/**
 * `gatehouse generate-config`: a servers file and a rules file to begin with, for one agent or for several with different
 * rights. They start as they are, on the servers that come with the gateway. Overwrites only when told to.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { findBuiltinLaunch } from '../config/launch.ts';
import { isFile } from '../config/text-file.ts';
import type { Host } from './host.ts';

export const CONFIG_KINDS = ['single-agent', 'multi-agent'] as const;
export type ConfigKind = (typeof CONFIG_KINDS)[number];

/** The servers file knows programs only; `node` there is the gateway's own. */
function createServers(execPath: string): unknown {
  const found = findBuiltinLaunch('currenttime', execPath);
  if (!found.ok) throw new Error(`the built-in server ${found.message}`);
  const { args } = found.launch;
  return { mcpServers: { time: { command: 'node', args, description: 'The time of day, anywhere' } } };
}

const RULES: Readonly<Record<ConfigKind, unknown>> = {
  'single-agent': {
    agents: { default: { allow: { servers: ['*'], tools: { '*': ['*'] } } } },
    defaults: { deny_on_missing_agent: false },
  },
  'multi-agent': {
    agents: {
      reader: { allow: { servers: ['time'], tools: { time: ['current_*'] } } },
      operator: { allow: { servers: ['*'] }, deny: { tools: { '*': ['delete_*', 'drop_*'] } } },
    },
    defaults: { deny_on_missing_agent: true },
  },
};

export async function generateConfig(
  { cwd, execPath, stdout, stderr }: Host,
  wish: { type: ConfigKind; output: string; force?: boolean | undefined },
): Promise<number> {
  const folder = resolve(cwd, wish.output);
  const files = [
    { path: join(folder, '.mcp.json'), content: createServers(execPath) },
    { path: join(folder, '.mcp-gateway-rules.json'), content: RULES[wish.type] },
  ];
  const there = files.filter(({ path }) => isFile(path));
  if (there.length > 0 && wish.force !== true) {
    for (const { path } of there) stderr.line(`error: ${path} exists; --force overwrites it`);
    return 1;
  }
  await mkdir(folder, { recursive: true });
  for (const { path, content } of files) {
    // Server files come to hold tokens: for their owner's eyes only.
    await writeFile(path, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
    stdout.line(`wrote ${path}`);
  }
  stdout.line('');
  stdout.line(`Next: cd ${folder} && gatehouse validate && gatehouse serve`);
  return 0;
}
