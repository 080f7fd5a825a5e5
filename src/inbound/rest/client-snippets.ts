/** What a person puts into the settings of an MCP client to reach one server, in the words of each client. */
import type { JsonObject } from '../../domain/json.ts';

/** Through the gateway, or started on the machine of whoever uses it. */
export type Connection = { url: string } | { runtime: JsonObject };

/** Clients put it in place of the words themselves; no token is ever written here. */
const TOKEN = 'Bearer <your token>';

export function clientSnippets(name: string, to: Connection): JsonObject {
  const key = name.replace(/\//g, '-');
  if ('runtime' in to) {
    const launch = toLaunch(to.runtime);
    const usual = { mcpServers: { [key]: launch } };
    return {
      ...{ cursor: usual, 'claude-code': usual, 'roo-code': usual, cline: usual },
      vscode: { servers: { [key]: { type: 'stdio', ...launch } } },
    };
  }
  const headers = { Authorization: TOKEN };
  const { url } = to;
  return {
    vscode: { servers: { [key]: { type: 'http', url, headers } } },
    cursor: { mcpServers: { [key]: { url, headers } } },
    'claude-code': { mcpServers: { [key]: { type: 'http', url, headers } } },
    'roo-code': { mcpServers: { [key]: { type: 'streamable-http', url, headers } } },
    cline: { mcpServers: { [key]: { type: 'streamableHttp', url, headers } } },
  };
}

/** `type`: npx, uvx, docker or command, of which the first three run a `package`. */
function toLaunch(runtime: JsonObject): JsonObject {
  const { type, command, env } = runtime;
  const args = Array.isArray(runtime.args) ? runtime.args : [];
  const named = typeof runtime.package === 'string' ? [runtime.package] : [];
  const shared = env === undefined ? {} : { env };
  switch (type) {
    case 'npx':
      return { command: 'npx', args: ['-y', ...named, ...args], ...shared };
    case 'uvx':
      return { command: 'uvx', args: [...named, ...args], ...shared };
    case 'docker':
      return { command: 'docker', args: ['run', '-i', '--rm', ...named, ...args], ...shared };
    default:
      return { command: command ?? '', args: [...args], ...shared };
  }
}
