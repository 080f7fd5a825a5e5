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

/** As a shell reports a program that Ctrl-C ended. */
const STOPPED = 130;

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
    if (isFile(path)) {
      const answer = await askToOverwrite(host, path);
      if (answer === 'stop') {
        host.stderr.line('\nStopped; nothing more was written.');
        return STOPPED;
      }
      if (answer === 'no') {
        kept.push(path);
        continue;
      }
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

/** Ctrl-C and Ctrl-D at the question are a wish to stop, not a no. */
async function askToOverwrite(host: Host, path: string): Promise<'yes' | 'no' | 'stop'> {
  if (!host.stdin.isTTY) return 'no';
  const terminal = createInterface({ input: host.stdin, output: host.stdout.stream });
  try {
    const answer = await terminal.question(`${path} exists. Overwrite it? [y/N] `);
    return /^y(?:es)?$/i.test(answer.trim()) ? 'yes' : 'no';
  } catch {
    return 'stop';
  } finally {
    terminal.close();
  }
}
