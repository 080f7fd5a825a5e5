/**
 * `gatehouse test-registry-api`: asks a running registry what its API (v0.1) promises, check by check. Reads only. One line
 * per check and the totals on stdout; exit 0 when every check passed, 1 when one failed or could not be made.
 */
import { openGateway } from '../app/gateway-desk.ts';
import { findShapeMistake, ServerAnswer, ServerListAnswer } from '../domain/registry-answers.ts';
import { type Answered, atGateway, type Gateway, type GatewayOptions, REFUSED } from './gateway.ts';
import type { Host } from './host.ts';
import { printable } from './report.ts';

export type Part = 'list-servers' | 'get-server' | 'all';
export type SelfTestOptions = GatewayOptions & { test: Part };

/** A sentence of what is wrong; null: nothing. `skipped`: it could not be asked here, and that is no fault. */
type Verdict = string | null | { skipped: string };

interface Check {
  part: Exclude<Part, 'all'>;
  promise: string;
  run(registry: Registry): Promise<Verdict>;
}

/** The person has been told why. */
class Unanswered extends Error {}

const LIST = '/v0.1/servers';
const LARGEST_PAGE = 1000;
/** A registry whose cursors lead in circles is found out before this. */
const MAX_PAGES = 10_000;
const EVERY_STATUS = Array.from({ length: 500 }, (_, i) => 100 + i);

class Registry {
  readonly #gateway: Gateway;
  #all: ServerListAnswer['servers'] | null = null;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** Whatever the status. */
  async read(path: string): Promise<Answered> {
    const answer = await this.#gateway.ask({ method: 'GET', path }, EVERY_STATUS);
    if (answer === null) throw new Unanswered();
    return answer;
  }

  /** As the gateway is asked by nobody in particular; null: it did not answer. */
  async readUnknown(path: string): Promise<{ status: number; headers: Readonly<Record<string, string>> } | null> {
    const client = openGateway(this.#gateway.url, null);
    try {
      const reply = await client.send({ method: 'GET', path });
      return reply.kind === 'answer' ? reply : null;
    } finally {
      await client.close();
    }
  }

  /** Follows the cursors. A text: what is wrong with the pages. */
  async walk(limit: number): Promise<ServerListAnswer['servers'] | string> {
    const found: ServerListAnswer['servers'] = [];
    const cursors = new Set<string>();
    for (let cursor: string | null = null, pages = 0; pages < MAX_PAGES; pages++) {
      const more: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`;
      const answer = await this.read(`${LIST}?limit=${limit}${more}`);
      const mistake = expectShape(answer, ServerListAnswer);
      if (mistake !== null) return `page ${pages + 1}: ${mistake}`;
      const { servers, metadata } = answer.body as ServerListAnswer;
      if (servers.length > limit) return `page ${pages + 1} has ${servers.length} servers, and ${limit} were asked for`;
      if (metadata.count !== servers.length)
        return `page ${pages + 1} has ${servers.length} servers, and metadata.count says ${metadata.count}`;
      found.push(...servers);
      const next = metadata.nextCursor ?? null;
      if (next === null) return found;
      if (cursors.has(next)) return `the cursor ${JSON.stringify(next)} leads back to where it came from`;
      cursors.add(next);
      cursor = next;
    }
    return `there is no end after ${MAX_PAGES} pages`;
  }

  async all(): Promise<ServerListAnswer['servers'] | string> {
    if (this.#all !== null) return this.#all;
    const walked = await this.walk(LARGEST_PAGE);
    if (typeof walked !== 'string') this.#all = walked;
    return walked;
  }
}

function expectStatus({ status }: Answered, ...wanted: number[]): string | null {
  return wanted.includes(status) ? null : `was answered with ${status}, not ${wanted.join(' or ')}`;
}

function expectShape(answer: Answered, shape: typeof ServerAnswer | typeof ServerListAnswer): string | null {
  const { body, text } = answer;
  const no = expectStatus(answer, 200);
  if (no !== null) return no;
  return body === null ? `is no JSON: ${text.slice(0, 60)}` : findShapeMistake(shape, body);
}

const namesOf = (servers: ServerListAnswer['servers']) =>
  servers.map(({ server }) => `${server.name} ${server.version}`);

/** With the first server there is, and its address below `/v0.1/servers`. */
async function withServer(
  registry: Registry,
  check: (server: ServerAnswer, address: string) => Promise<Verdict>,
): Promise<Verdict> {
  const all = await registry.all();
  if (typeof all === 'string') return `the list cannot be read: ${all}`;
  const [first] = all;
  if (first === undefined) return 'the list is empty: register a server, or show a credential that sees one';
  return check(first, `${LIST}/${encodeURIComponent(first.server.name)}/versions`);
}

function isOf(expected: ServerAnswer, { server }: ServerAnswer): string | null {
  return server.name === expected.server.name ? null : `is about ${server.name}, not ${expected.server.name}`;
}

async function expectAbsent(registry: Registry, path: string): Promise<Verdict> {
  // A 403 would tell that there is something.
  return expectStatus(await registry.read(path), 404);
}

const CHECKS: readonly Check[] = [
  {
    part: 'list-servers',
    promise: 'answers a list in the documented shape',
    run: async registry => expectShape(await registry.read(LIST), ServerListAnswer),
  },
  {
    part: 'list-servers',
    promise: 'follows nextCursor to every server, each once, by name',
    async run(registry) {
      const whole = await registry.all();
      if (typeof whole === 'string') return whole;
      const parts = await registry.walk(Math.max(1, Math.ceil(whole.length / 3)));
      if (typeof parts === 'string') return parts;
      const names = namesOf(parts);
      const twice = names.find((name, at) => names.indexOf(name) !== at);
      if (twice !== undefined) return `${twice} comes twice`;
      const missing = namesOf(whole).find(name => !names.includes(name));
      if (missing !== undefined || names.length !== whole.length)
        return missing === undefined ? 'small pages hold more than large ones' : `${missing} is on no small page`;
      const late = names.findIndex((name, at) => at > 0 && name < (names[at - 1] ?? ''));
      return late < 0 ? null : `${names[late]} comes after ${names[late - 1]}`;
    },
  },
  ...['0', '1001', 'many'].map(
    (limit): Check => ({
      part: 'list-servers',
      promise: `refuses limit=${limit}`,
      run: async registry => expectStatus(await registry.read(`${LIST}?limit=${limit}`), 400, 422),
    }),
  ),
  {
    part: 'list-servers',
    promise: 'has nothing after its last server',
    async run(registry) {
      const answer = await registry.read(`${LIST}?cursor=~~~~`);
      const mistake = expectShape(answer, ServerListAnswer);
      if (mistake !== null) return mistake;
      const { servers, metadata } = answer.body as ServerListAnswer;
      return servers.length === 0 && metadata.nextCursor == null ? null : 'there is something behind everything';
    },
  },
  {
    part: 'list-servers',
    promise: 'asks for a credential where none is shown',
    async run(registry) {
      const answer = await registry.readUnknown(LIST);
      if (answer?.status === 200) return { skipped: 'this gateway needs none' };
      if (answer?.status !== 401) return `was answered with ${answer?.status ?? 'nothing'}, not 401`;
      const challenge = answer.headers['www-authenticate'];
      return challenge === undefined ? 'the 401 has no WWW-Authenticate, so no client knows what to show' : null;
    },
  },
  {
    part: 'get-server',
    promise: 'lists the versions of a server',
    run: registry =>
      withServer(registry, async (server, address) => {
        const answer = await registry.read(address);
        const mistake = expectShape(answer, ServerListAnswer);
        if (mistake !== null) return mistake;
        const { servers } = answer.body as ServerListAnswer;
        if (servers.length === 0) return 'there is no version of a server that is listed';
        return servers.map(version => isOf(server, version)).find(no => no !== null) ?? null;
      }),
  },
  {
    part: 'get-server',
    promise: 'reads the latest version',
    run: registry =>
      withServer(registry, async (server, address) => {
        const answer = await registry.read(`${address}/latest`);
        const mistake = expectShape(answer, ServerAnswer);
        return mistake ?? isOf(server, answer.body as ServerAnswer);
      }),
  },
  {
    part: 'get-server',
    promise: 'reads a version by its name, as it is listed',
    run: registry =>
      withServer(registry, async (server, address) => {
        const { version } = server.server;
        const answer = await registry.read(`${address}/${encodeURIComponent(version)}`);
        const mistake = expectShape(answer, ServerAnswer) ?? isOf(server, answer.body as ServerAnswer);
        if (mistake !== null) return mistake;
        const read = (answer.body as ServerAnswer).server;
        return read.version === version ? null : `is version ${read.version}, not ${version}`;
      }),
  },
  {
    part: 'get-server',
    promise: 'has no version that nobody gave (404)',
    run: registry =>
      withServer(registry, async (_server, address) => expectAbsent(registry, `${address}/no-such-version-0`)),
  },
  ...['io.mcpgateway/no-such-server-0', 'com.example.elsewhere/anything'].flatMap(name =>
    ['versions', 'versions/latest'].map(
      (rest): Check => ({
        part: 'get-server',
        promise: `has no ${name}, asked for its ${rest.split('/').pop()} (404, never 403)`,
        run: registry => expectAbsent(registry, `${LIST}/${encodeURIComponent(name)}/${rest}`),
      }),
    ),
  ),
];

export function testRegistryApi(host: Host, options: SelfTestOptions): Promise<number> {
  return atGateway(host, options, async gateway => {
    // A credential that is not good, or a gateway that is not there: one sentence, not a dozen failed checks.
    if (
      (await gateway.ask({ method: 'GET', path: `${LIST}?limit=1` }, [...EVERY_STATUS.filter(no => no !== 401)])) ===
      null
    )
      return REFUSED;
    const registry = new Registry(gateway);
    const { paint } = host.stdout;
    const counts = { passed: 0, failed: 0, skipped: 0 };
    try {
      for (const { part, promise, run } of CHECKS) {
        if (options.test !== 'all' && options.test !== part) continue;
        const verdict = await run(registry);
        const name = `${part}: ${promise}`;
        if (verdict === null) {
          counts.passed++;
          host.stdout.line(`${paint.green('pass')}  ${name}`);
        } else if (typeof verdict === 'string') {
          counts.failed++;
          host.stdout.line(`${paint.red('FAIL')}  ${name}: ${printable(verdict)}`);
        } else {
          counts.skipped++;
          host.stdout.line(`${paint.yellow('skip')}  ${name}: ${verdict.skipped}`);
        }
      }
    } catch (cause) {
      if (!(cause instanceof Unanswered)) throw cause;
      counts.failed++;
    }
    host.stdout.line(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
    return counts.failed === 0 && counts.passed > 0 ? 0 : REFUSED;
  });
}
