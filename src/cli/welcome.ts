/** What a person reads after `serve`: where the door is, what to paste into a client, and who stands behind it. */
import type { Config } from '../config/config.ts';
import type { ServerStatus } from '../domain/server.ts';
import type { Output } from './host.ts';

export interface ServerNews {
  key: string;
  status: ServerStatus;
  tools: number;
  reason: string | null;
}

export interface Welcome {
  listening(url: string, version: string): void;
  /** Prints a server's line when it has changed; the news may come before `listening`. */
  server(news: ServerNews): void;
  hintAtServe(): void;
}

export function createWelcome(output: Output, config: Config): Welcome {
  const { paint } = output;
  const width = Math.max(10, ...config.servers.map(server => server.key.length));
  const told = new Map<string, string>();
  let early: ServerNews[] | null = [];

  const tell = (news: ServerNews) => {
    const line = describe(news);
    if (line === null || told.get(news.key) === line) return;
    told.set(news.key, line);
    const mark = MARKS[news.status];
    output.line(`  ${paint[mark.colour](mark.sign)} ${news.key.padEnd(width)}  ${line}`);
  };

  return {
    server(news) {
      if (early === null) tell(news);
      else early.push(news);
    },
    listening(bound, version) {
      const url = reachable(bound);
      const asJson = { mcpServers: { gatehouse: { type: 'http', url, ...(wantsKey(config) ? HEADERS : {}) } } };
      const header = wantsKey(config) ? ` --header "Authorization: Bearer $GATEWAY_API_KEY"` : '';
      output.line(paint.bold(`Gatehouse ${version} listens at ${url}`));
      if (url !== bound) output.line('  and at every other address of this machine');
      output.line('');
      output.line(`  Claude Code    claude mcp add --transport http gatehouse ${url}${header}`);
      output.line(`  other clients  ${JSON.stringify(asJson)}`);
      output.line('');
      const waiting = early ?? [];
      early = null;
      for (const news of waiting) tell(news);
    },
    hintAtServe() {
      output.line(
        'Gatehouse speaks MCP on stdin and stdout; a client is meant to launch it. For HTTP: gatehouse serve',
      );
    },
  };
}

/** Clients get their own tokens where there are issuers, and have to be given a key where there are none. */
function wantsKey({ apiKey, identity }: Config): boolean {
  return apiKey !== null || (identity.keys.length > 0 && identity.issuers.length === 0);
}

/** What can be pasted: "every address" is none that a client could call. */
function reachable(url: string): string {
  return url.replace('//0.0.0.0:', '//127.0.0.1:').replace('//[::]:', '//[::1]:');
}

// biome-ignore lint/suspicious/noTemplateCurlyInString: the client that reads it fills it in
const HEADERS = { headers: { Authorization: 'Bearer ${GATEWAY_API_KEY}' } };

const MARKS = {
  ready: { sign: '✓', colour: 'green' },
  idle: { sign: '·', colour: 'dim' },
  connecting: { sign: '·', colour: 'dim' },
  disabled: { sign: '·', colour: 'dim' },
  down: { sign: '✗', colour: 'red' },
  failed: { sign: '✗', colour: 'red' },
} as const satisfies Record<ServerStatus, { sign: string; colour: 'green' | 'dim' | 'red' }>;

/** Null for what is not worth a line. */
function describe({ status, tools, reason }: ServerNews): string | null {
  switch (status) {
    case 'connecting':
      return null;
    case 'ready':
      return (tools === 1 ? '1 tool' : `${tools} tools`) + (reason === null ? '' : `; ${reason}`);
    case 'idle':
      return 'starts when it is first used';
    case 'disabled':
      return 'disabled';
    default:
      return reason === null ? 'unavailable' : `unavailable: ${reason}`;
  }
}
