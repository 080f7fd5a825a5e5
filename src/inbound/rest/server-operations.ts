/** What is done with servers of the registry: switched, refreshed, removed, another version, another credential. */
import { z } from 'zod';
import { failure } from '../../domain/error.ts';
import { AUTH_SCHEMES } from '../../domain/registered-server.ts';
import { HEALTH_STATUSES } from '../../domain/server-health.ts';
import type { Registry } from '../../services/registry/registry.ts';
import { answer, defineRoute, type RestCall, type RestOutcome, type RestRoute } from './route.ts';
import { CredentialBody, toSecret } from './server-bodies.ts';
import { HealthShown, isoOrNull, showHealth } from './server-card.ts';
import { aboutPath, alsoAt, PathParams, readIfMatch, toPath } from './server-route.ts';
import { flag } from './written.ts';

/** Two spellings of the same field. */
const Named = z.strictObject({
  path: z.string().min(1).max(512).optional(),
  service_path: z.string().max(512).optional(),
});
const ToggleBody = Named.extend({ new_state: flag });
const FlipBody = Named.extend({ new_state: flag.optional() });

const Toggled = z.object({
  message: z.string(),
  service_path: z.string(),
  new_enabled_state: z.boolean(),
  status: z.enum(HEALTH_STATUSES),
  last_checked_iso: z.string().nullable(),
  num_tools: z.int(),
});
const Refreshed = Toggled.omit({ message: true, new_enabled_state: true });
const RefreshedOrAll = z.union([Refreshed, z.record(z.string(), HealthShown)]);
const VersionTold = z.object({ message: z.string(), path: z.string(), version: z.string() });
const Removed = z.object({ message: z.string(), path: z.string() });
const Version = z.object({
  version: z.string(),
  is_active: z.boolean(),
  status: z.string(),
  sunset_date: z.string().nullable(),
  proxy_pass_url: z.string().nullable(),
  registered_at: z.string(),
});
const Versions = z.object({ path: z.string(), active_version: z.string(), versions: z.array(Version) });
const CredentialAnswer = z.object({
  message: z.string(),
  path: z.string(),
  auth_scheme: z.enum(AUTH_SCHEMES),
  auth_header_name: z.string().nullable(),
});

const tag = 'servers';
const TOGGLE = { kind: 'ui', action: 'toggle_service', owners: 'register_service' } as const;
const MODIFY = { kind: 'ui', action: 'modify_service', owners: 'register_service' } as const;
const CHECK = { kind: 'ui', action: 'health_check_service', owners: 'register_service' } as const;
const CHANGE_FAILS = ['NOT_FOUND', 'CONFLICT'] as const;
const REVISED_FAILS = [...CHANGE_FAILS, 'STALE'] as const;
/** Whoever may change every server may remove one, so the registry itself asks for the rest. */
const REMOVE = { kind: 'caller' } as const;

export function serverOperationRoutes(registry: Registry): RestRoute[] {
  const { versions } = registry;

  async function toggle(
    call: RestCall<unknown, unknown, unknown>,
    path: string,
    enabled: boolean | null,
  ): Promise<RestOutcome> {
    if (enabled !== null) call.note({ metadata: { enabled } });
    const result = await registry.toggle(call.who, path, enabled, readIfMatch(call.headers));
    if (result.kind === 'failure') return result;
    const { status, checkedAtMs, numTools } = registry.read.health(call.who, result.value);
    return answer(200, {
      message: `The server is switched ${result.value.enabled ? 'on' : 'off'}.`,
      ...{ service_path: path, new_enabled_state: result.value.enabled, status },
      ...{ last_checked_iso: isoOrNull(checkedAtMs), num_tools: numTools },
    });
  }

  const toggleNamed = defineRoute({
    ...{ method: 'POST', path: '/api/servers/toggle', operation: 'servers/toggle', tag, access: TOGGLE, form: true },
    ...{ summary: 'Switch a server on or off', body: ToggleBody },
    answers: { 200: { says: 'How it is now.', schema: Toggled } },
    ...{ fails: REVISED_FAILS, takesRevision: true },
    about: aboutNamed,
    run: call => withNamed(call.body, path => toggle(call, path, call.body.new_state)),
  });
  const flipNamed = defineRoute({
    ...{ method: 'POST', path: '/api/internal/toggle', operation: 'servers/toggle', tag, access: TOGGLE, form: true },
    ...{ summary: 'Switch a server on or off; without `new_state` the other way than it is', body: FlipBody },
    answers: { 200: { says: 'How it is now.', schema: Toggled } },
    ...{ fails: REVISED_FAILS, takesRevision: true },
    about: aboutNamed,
    run: call => withNamed(call.body, path => toggle(call, path, call.body.new_state ?? null)),
  });
  const toggleAt = defineRoute({
    ...{ method: 'POST', path: '/toggle/{path+}', operation: 'servers/toggle', tag, access: TOGGLE, form: true },
    ...{ summary: 'Switch a server on (`enabled=on`) or off (without it)', params: PathParams },
    body: z.strictObject({ enabled: flag.optional() }),
    answers: { 200: { says: 'How it is now.', schema: Toggled } },
    ...{ fails: REVISED_FAILS, takesRevision: true },
    about: aboutPath,
    run: call => toggle(call, toPath(call.params.path), call.body.enabled ?? false),
  });

  async function remove(call: RestCall<unknown, unknown, unknown>, path: string): Promise<RestOutcome> {
    const removed = await registry.remove(call.who, path, readIfMatch(call.headers));
    return removed.kind === 'failure' ? removed : answer(200, { message: 'The server is removed.', path });
  }
  const removeNamed = defineRoute({
    ...{ method: 'POST', path: '/api/servers/remove', operation: 'servers/remove', tag, access: REMOVE, form: true },
    ...{ summary: 'Remove a server with everything that is kept of it', body: Named },
    answers: { 200: { says: 'It is gone.', schema: Removed } },
    ...{ fails: REVISED_FAILS, takesRevision: true },
    about: aboutNamed,
    run: call => withNamed(call.body, path => remove(call, path)),
  });

  const refresh = defineRoute({
    ...{ method: 'POST', path: '/api/refresh/{path+}', operation: 'servers/refresh', tag, access: CHECK },
    ...{ summary: 'Connect to a server and read its tools anew', params: PathParams, hasEffect: true },
    answers: { 200: { says: 'How it was found.', schema: Refreshed } },
    fails: ['NOT_FOUND'],
    about: aboutPath,
    run: call => refreshAt(call, toPath(call.params.path)),
  });

  async function refreshAt({ who }: RestCall<unknown, unknown, unknown>, path: string): Promise<RestOutcome> {
    const result = await registry.refresh(who, path);
    if (result.kind === 'failure') return result;
    const { status, checkedAtMs, numTools } = result.value.health;
    const found = { status, last_checked_iso: isoOrNull(checkedAtMs), num_tools: numTools };
    return answer(200, { service_path: path, ...found });
  }

  return [
    toggleNamed,
    flipNamed,
    toggleAt,
    alsoAt(toggleAt, '/api/toggle/{path+}'),
    removeNamed,
    alsoAt(removeNamed, '/api/internal/remove'),
    defineRoute({
      ...{ method: 'DELETE', path: '/api/servers/{path+}', operation: 'servers/remove', tag, access: REMOVE },
      ...{ summary: 'Remove a server with everything that is kept of it', params: PathParams },
      answers: { 200: { says: 'It is gone.', schema: Removed } },
      ...{ fails: REVISED_FAILS, takesRevision: true },
      about: aboutPath,
      run: call => remove(call, toPath(call.params.path)),
    }),
    refresh,
    defineRoute({
      ...{ method: 'POST', path: '/api/internal/healthcheck', operation: 'servers/refresh', tag, access: CHECK },
      ...{ summary: 'Connect to a server and read its tools anew; without one, tell how all were found' },
      ...{ body: Named, form: true },
      answers: { 200: { says: 'How it was found; or how each was last, by path.', schema: RefreshedOrAll } },
      fails: ['NOT_FOUND'],
      about: aboutNamed,
      run(call) {
        const { path, service_path: other } = call.body;
        if (path !== undefined || other !== undefined) return withNamed(call.body, named => refreshAt(call, named));
        const seen = registry.read.seen(call.who).filter(server => call.may('health_check_service', server.path));
        return answer(
          200,
          Object.fromEntries(seen.map(it => [it.path, showHealth(registry.read.health(call.who, it))])),
        );
      },
    }),
    defineRoute({
      ...{ method: 'GET', path: '/api/servers/{path+}/versions', operation: 'servers/versions', tag },
      ...{
        access: { kind: 'ui', action: 'list_service' },
        summary: 'List the versions of a server',
        params: PathParams,
      },
      answers: { 200: { says: 'In the order they were added.', schema: Versions } },
      fails: ['NOT_FOUND'],
      async run({ who, params }) {
        const path = toPath(params.path);
        const found = await versions.list(who, path);
        if (found.kind === 'failure') return found;
        const shown = found.value.map(server => ({
          ...{ version: server.version, is_active: server.isActiveVersion, status: server.status },
          ...{ sunset_date: server.sunsetDate, proxy_pass_url: server.proxyUrl },
          registered_at: isoOrNull(server.registeredAtMs),
        }));
        return answer(200, {
          path,
          active_version: shown.find(version => version.is_active)?.version ?? null,
          versions: shown,
        });
      },
    }),
    defineRoute({
      ...{ method: 'PUT', path: '/api/servers/{path+}/versions/default', operation: 'servers/versions', tag },
      ...{ access: MODIFY, summary: 'Make another version the one that is called', params: PathParams, form: true },
      body: z.strictObject({ version: z.string().min(1).max(128) }),
      answers: { 200: { says: 'It is the active one.', schema: VersionTold } },
      ...{ fails: REVISED_FAILS, takesRevision: true },
      about: aboutPath,
      async run({ who, params, body: { version }, headers, note }) {
        const path = toPath(params.path);
        note({ metadata: { version } });
        const active = await versions.activate(who, path, version, readIfMatch(headers));
        if (active.kind === 'failure') return active;
        return answer(200, { message: `The version ${version} is active.`, path, version });
      },
    }),
    defineRoute({
      ...{ method: 'DELETE', path: '/api/servers/{path+}/versions/{version}', operation: 'servers/versions', tag },
      ...{ access: MODIFY, summary: 'Remove a version that is not the active one' },
      params: PathParams.extend({ version: z.string() }),
      answers: { 200: { says: 'It is gone.', schema: VersionTold } },
      fails: CHANGE_FAILS,
      about: aboutPath,
      async run({ who, params, note }) {
        const path = toPath(params.path);
        note({ metadata: { version: params.version.slice(0, 128) } });
        const removed = await versions.remove(who, path, params.version);
        if (removed.kind === 'failure') return removed;
        return answer(200, { message: `The version ${params.version} is removed.`, path, version: params.version });
      },
    }),
    defineRoute({
      ...{ method: 'PATCH', path: '/api/servers/{path+}/auth-credential', operation: 'servers/credential', tag },
      ...{ access: MODIFY, summary: 'Give a server another credential, or none', params: PathParams, form: true },
      ...{ body: CredentialBody, maxBytes: 64 * 1024 },
      answers: { 200: { says: 'It goes with every request from now on.', schema: CredentialAnswer } },
      ...{ fails: REVISED_FAILS, takesRevision: true },
      about: aboutPath,
      async run({ who, params, body, headers, note }) {
        const path = toPath(params.path);
        note({ metadata: { scheme: body.auth_scheme } });
        const { auth_scheme: scheme, auth_header_name: headerName = null } = body;
        const auth = { scheme, headerName, credential: toSecret(body.auth_credential) };
        const edited = await registry.edit(who, path, { wish: {}, auth }, readIfMatch(headers));
        if (edited.kind === 'failure') return edited;
        const { authScheme, authHeaderName } = edited.value;
        const message = scheme === 'none' ? 'The credential is removed.' : 'The credential is changed.';
        return answer(200, { message, path, auth_scheme: authScheme, auth_header_name: authHeaderName });
      },
    }),
  ];
}

function withNamed(
  body: z.output<typeof Named>,
  run: (path: string) => Promise<RestOutcome>,
): RestOutcome | Promise<RestOutcome> {
  const path = namedPath(body);
  return path === null ? failure('INVALID_PARAMS', {}, { say: 'path: is missing' }) : run(path);
}

function namedPath({ path, service_path: other }: z.output<typeof Named>): string | null {
  const written = path ?? other;
  return written === undefined ? null : toPath(written);
}

const aboutNamed = ({ body }: { body: z.output<typeof Named> }) => ({ target: namedPath(body) });
