/**
 * Security scans of servers, as far as they go: nothing here scans, and whoever asks is told so instead of being shown a
 * server that was found safe.
 */
import { failure } from '../../domain/error.ts';
import type { Registry } from '../../services/registry/registry.ts';
import { type AnswerFact, defineRoute, type RestRoute } from './route.ts';
import { aboutPath, alsoAt, PathParams, toPath } from './server-route.ts';

const tag = 'scans';
const NEVER: AnswerFact = { says: 'There is no such server, or none that was scanned.', schema: null };

export function serverScanRoutes({ read }: Registry): RestRoute[] {
  const scan = defineRoute({
    ...{ method: 'GET', path: '/api/servers/{path+}/security-scan', operation: 'servers/scan', tag },
    ...{ access: { kind: 'ui', action: 'list_service' }, summary: 'Read what the last scan of a server found' },
    ...{ params: PathParams, answers: { 404: NEVER } },
    about: aboutPath,
    async run({ who, params }) {
      const found = await read.find(who, toPath(params.path));
      if (found.kind === 'failure') return found;
      return failure('NOT_FOUND', {}, { say: 'This server has not been scanned: this gateway scans no servers.' });
    },
  });
  const rescan = defineRoute({
    ...{ method: 'POST', path: '/api/servers/{path+}/rescan', operation: 'servers/rescan', tag },
    ...{ access: { kind: 'admin' }, summary: 'Scan a server anew', params: PathParams, answers: { 404: NEVER } },
    about: aboutPath,
    // Until there is something that scans.
    hasEffect: false,
    async run({ who, params }) {
      const found = await read.find(who, toPath(params.path));
      if (found.kind === 'failure') return found;
      return failure('NOT_FOUND', {}, { say: 'This server cannot be scanned: this gateway scans no servers.' });
    },
  });
  return [
    scan,
    alsoAt(scan, '/api/v2/servers/{path+}/security-scan'),
    rescan,
    alsoAt(rescan, '/api/v2/servers/{path+}/rescan'),
  ];
}
