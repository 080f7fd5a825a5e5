/**
 * `gatehouse --init`: a first servers file and rules file in the home folder, valid as they are. Never overwrites
 * without a yes from a person; without a terminal to ask on, it leaves what is there and says so.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { HOME_FOLDER } from '../config/locate.ts';
import { isFile } from '../config/text-file.ts';
import type { Host } from './host.ts';

const EXAMPLES: readonly { name: string; content: unknown }[] = [
  {
    name: '.mcp.json',
    content: {
      mcpServers: {
        everything: {
          command: 'npx',
          args: ['-y', '@modelcontextprotocol/server-everything'],
          description: 'Every feature of MCP, for trying things out',
        },
        memory: {
          command: 'npx',
          args: ['-y', '@modelcontextprotocol/server-memory'],
          description: 'A knowledge graph that remembers',
        },
        remote: {
          url: 'https://mcp.example.com/mcp',
          // biome-ignore lint/suspicious/noTemplateCurlyInString: filled in when the file is read
          headers: { Authorization: 'Bearer ${REMOTE_TOKEN:-}' },
          description: 'How a server behind a URL looks; switched off until it is yours',
          disabled: true,
        },
      },
    },
  },
  {
    name: '.mcp-gateway-rules.json',
    content: {
      agents: { default: { allow: { servers: ['*'], tools: { '*': ['*'] } } } },
      defaults: { deny_on_missing_agent: false },
    },
  },
];

export async function writeExamples(host: Host): Promise<number> {
  const folder = join(host.home, ...HOME_FOLDER);
  const kept: string[] = [];
  for (const { name, content } of EXAMPLES) {
    const path = join(folder, name);
    if (isFile(path) && !(await mayOverwrite(host, path))) {
      kept.push(path);
      continue;
    }
    await mkdir(dirname(path), { recursive: true });
    // Server files come to hold tokens: for their owner's eyes only.
    await writeFile(path, `${JSON.stringify(content, null, 2)}\n`, { mode: 0o600 });
    host.stdout.line(`wrote ${path}`);
  }
  for (const path of kept) host.stdout.line(`kept  ${path} (it was there already)`);
  if (kept.length > 0 && !host.stdin.isTTY) {
    host.stderr.line('Nothing was overwritten: there is no terminal to ask on. Move the files away to start afresh.');
  }
  host.stdout.line('');
  host.stdout.line('Edit .mcp.json, then run: gatehouse validate && gatehouse serve');
  return 0;
}

async function mayOverwrite(host: Host, path: string): Promise<boolean> {
  if (!host.stdin.isTTY) return false;
  const terminal = createInterface({ input: host.stdin, output: host.stdout.stream });
  try {
    return /^y(?:es)?$/i.test((await terminal.question(`${path} exists. Overwrite it? [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
