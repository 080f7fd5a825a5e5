/**
 * Who is measured: each peer as a value that says what it can do and how it is started. Proxies pass one
 * downstream through; gateways join several and prefix tool names. Every peer binds 127.0.0.1.
 */
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { Case, Setup } from './cases.ts';
import { createGuard } from './guarded.ts';
import { buildPeer, ROOT } from './places.ts';

export type DownstreamSpec = { name: string; url: string } | { name: string; command: string; args: string[] };

/** What a peer is told when it is started. */
export interface Stage {
  port: number;
  /** A second free port, for a peer that is two programs. */
  sidePort: number;
  /** A folder of its own, gone afterwards. */
  folder: string;
  downstreams: readonly DownstreamSpec[];
  /** More arguments for node, for a profile. */
  nodeArgs: readonly string[];
}

export interface Program {
  argv: string[];
  env: Readonly<Record<string, string>>;
}

export interface Peer {
  name: string;
  /** `none`: the downstream itself, nothing is started. */
  kind: 'none' | 'proxy' | 'gateway';
  version: string;
  /** Why it cannot take part; null when it can. */
  missing: string | null;
  isNode: boolean;
  fits(one: Case): boolean;
  headers: Readonly<Record<string, string>>;
  toolOf(server: string): string;
  programs(stage: Stage): Program[];
  urlOf(stage: Stage): string;
}

export const TOOL = 'echo';
const TOKEN = 'bench-token';

const mcpUrl = (stage: Stage): string => `http://127.0.0.1:${stage.port}/mcp`;
const isPassedThrough = ({ era, setup }: Case): boolean =>
  setup.downstream === 'http' && setup.servers === 1 && era === setup.era;

function requireUrl(stage: Stage): URL {
  const first = stage.downstreams[0];
  if (first === undefined || !('url' in first)) throw new Error('this peer needs an HTTP downstream');
  return new URL(first.url);
}

const direct: Peer = {
  name: 'direct',
  kind: 'none',
  version: 'the fixture itself',
  missing: null,
  isNode: false,
  fits: one => isPassedThrough(one) && one.load.kind !== 'memory',
  headers: {},
  toolOf: () => TOOL,
  programs: () => [],
  urlOf: stage => requireUrl(stage).href,
};

/** A peer of ours: one file under peers/, told everything in one argument. */
function nodePeer(name: string, file: string, version: string, own: Pick<Peer, 'kind' | 'fits' | 'toolOf'>): Peer {
  return {
    ...own,
    name,
    version,
    missing: null,
    isNode: true,
    headers: {},
    programs: ({ port, downstreams, nodeArgs }) => [
      { argv: [process.execPath, ...nodeArgs, buildPeer(file), JSON.stringify({ port, downstreams })], env: {} },
    ],
    urlOf: mcpUrl,
  };
}

function versionOf(dependency: string): string {
  const text = fs.readFileSync(path.join(ROOT, 'node_modules', dependency, 'package.json'), 'utf8');
  return `${dependency} ${(JSON.parse(text) as { version: string }).version}`;
}

const proxy = { kind: 'proxy', fits: isPassedThrough, toolOf: () => TOOL } as const;
const isLegacyOnly = (one: Case): boolean => one.era === 'legacy' && one.setup.era === 'legacy';
const naive = { kind: 'gateway', toolOf: (server: string) => `${server}__${TOOL}` } as const;

const NGINX = ['/usr/sbin/nginx', '/usr/local/sbin/nginx', '/opt/homebrew/bin/nginx'].find(file => fs.existsSync(file));

function nginxVersion(): string {
  if (NGINX === undefined) return 'not installed';
  // It prints its version on standard error.
  const said = execFileSync('/bin/sh', ['-c', '"$0" -v 2>&1', NGINX], { encoding: 'utf8' });
  return /nginx\/\S+/.exec(said)?.[0] ?? 'nginx';
}

function nginxConfig(stage: Stage, isAsking: boolean): string {
  const target = requireUrl(stage);
  const scratch = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map(use => `${use}_temp_path ${stage.folder}/${use};`)
    .join(' ');
  const upstream = (name: string, address: string): string =>
    `upstream ${name} { server ${address}; keepalive 256; keepalive_requests 100000000; keepalive_timeout 600s; }`;
  const onward = 'proxy_http_version 1.1; proxy_set_header Connection "";';
  return `
daemon off; worker_processes 1; worker_rlimit_nofile 8192; pid ${stage.folder}/pid; error_log ${stage.folder}/error.log error;
events { worker_connections 4096; }
http {
  access_log off; ${scratch}
  client_max_body_size 10m; client_body_buffer_size 256k; tcp_nodelay on;
  keepalive_requests 100000000; keepalive_timeout 600s;
  ${upstream('downstream', target.host)}
  ${isAsking ? upstream('auth', `127.0.0.1:${stage.sidePort}`) : ''}
  server {
    listen 127.0.0.1:${stage.port} backlog=4096;
    location = /mcp {
      ${isAsking ? 'auth_request /check;' : ''}
      proxy_pass http://downstream${target.pathname}; ${onward} proxy_buffering off; proxy_read_timeout 600s;
    }
    ${isAsking ? `location = /check { internal; proxy_pass http://auth/; ${onward} proxy_pass_request_body off; proxy_set_header Content-Length ""; }` : ''}
  }
}
`;
}

/** nginx with kept-alive upstream connections; `asks`: with a subrequest to an auth server, kept alive too. */
function nginxPeer(name: string, asks: boolean, version: string): Peer {
  return {
    ...proxy,
    name,
    version,
    missing: NGINX === undefined ? 'nginx is not installed' : null,
    isNode: false,
    headers: asks ? { authorization: `Bearer ${TOKEN}` } : {},
    programs: stage => {
      const config = path.join(stage.folder, 'nginx.conf');
      fs.writeFileSync(config, nginxConfig(stage, asks));
      const argv = [NGINX ?? 'nginx', '-c', config, '-p', stage.folder, '-e', path.join(stage.folder, 'error.log')];
      const auth = [process.execPath, path.join(ROOT, 'tests/bench/fixture/auth.ts'), String(stage.sidePort), TOKEN];
      return asks
        ? [
            { argv: auth, env: {} },
            { argv, env: {} },
          ]
        : [{ argv, env: {} }];
    },
    urlOf: mcpUrl,
  };
}

export interface GatehouseOptions {
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  headers: Readonly<Record<string, string>>;
  /** With identity by token, rules and scopes, instead of the open door of the loopback. */
  isGuarded: boolean;
}

/** Arguments that name files are taken from the root: the process itself runs in a folder of its own. */
function resolveArgv(argv: readonly string[], nodeArgs: readonly string[]): string[] {
  const [command = 'node', ...rest] = argv.map(word => {
    const file = path.resolve(ROOT, word);
    return word.includes('/') && fs.existsSync(file) ? file : word;
  });
  return command === 'node' ? [process.execPath, ...nodeArgs, ...rest] : [command, ...rest];
}

function gatehousePeer(options: GatehouseOptions): Peer {
  const entry = options.argv.find(word => word.endsWith('.js') || word.endsWith('.ts'));
  const isThere = entry === undefined || fs.existsSync(path.resolve(ROOT, entry));
  const manifest = fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8');
  const guard = options.isGuarded ? createGuard(Date.now()) : null;
  return {
    ...naive,
    name: 'gatehouse',
    version: `gatehouse ${(JSON.parse(manifest) as { version: string }).version}`,
    missing: isThere ? null : `${entry} does not exist: build it first`,
    isNode: true,
    fits: () => true,
    headers: { ...guard?.headers, ...options.headers },
    programs: stage => {
      const servers = path.join(stage.folder, '.mcp.json');
      const entries = stage.downstreams.map(({ name, ...spec }) => [name, spec]);
      fs.writeFileSync(servers, JSON.stringify({ mcpServers: Object.fromEntries(entries) }, null, 2));
      const env = {
        GATEWAY_CONFIG: '',
        GATEWAY_MCP_CONFIG: servers,
        GATEWAY_HTTP_HOST: '127.0.0.1',
        GATEWAY_HTTP_PORT: String(stage.port),
        GATEWAY_EXPOSURE: 'direct',
        GATEWAY_LOG_LEVEL: 'warn',
        HOME: stage.folder,
        ...guard?.write(stage.folder),
        ...options.env,
      };
      return [{ argv: resolveArgv(options.argv, stage.nodeArgs), env }];
    },
    urlOf: mcpUrl,
  };
}

export function listPeers(gatehouse: GatehouseOptions): Peer[] {
  const sdk = versionOf('@modelcontextprotocol/sdk');
  const nginx = nginxVersion();
  return [
    direct,
    nginxPeer('nginx', false, nginx),
    nginxPeer('nginx-auth', true, nginx),
    nodePeer('raw-node', 'raw-node', `node ${process.versions.node}`, proxy),
    nodePeer('raw-undici', 'raw-undici', versionOf('undici'), proxy),
    nodePeer('sdk-naive', 'sdk-naive', sdk, {
      ...naive,
      fits: one => isLegacyOnly(one) && one.setup.downstream === 'http',
    }),
    nodePeer('sdk-naive-stdio', 'sdk-naive', sdk, {
      ...naive,
      fits: one => isLegacyOnly(one) && one.setup.downstream === 'stdio',
    }),
    gatehousePeer(gatehouse),
  ];
}

/** Server names as the peers see them: `bench`, or `bench0` .. when there are several. */
export function nameServers(setup: Setup): string[] {
  return setup.servers === 1 ? ['bench'] : Array.from({ length: setup.servers }, (_, index) => `bench${index}`);
}
