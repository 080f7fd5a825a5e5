/**
 * What other gateways know this process by: an id of its own, except where it was launched over stdio, however indirectly,
 * by a gateway of the same files. Those name the same servers, and so itself: it is that gateway once more, and takes its id.
 */
import { createHash, randomUUID } from 'node:crypto';
import type { Config } from '../config/config.ts';
import { GATEHOUSE, isGatewayId, LAUNCHERS } from '../domain/gateway-path.ts';
import type { Downstreams } from '../ports/downstreams.ts';
import type { Log } from '../ports/log.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** More gateways that launch one another than anybody has. */
const MAX_LAUNCHERS = 16;

export function createInstance(deps: {
  env: Environment;
  files: Pick<Config['files'], 'config' | 'servers'>;
  servesStdio: boolean;
  version: string;
  log: Log;
}) {
  const { env, files, servesStdio, version, log } = deps;
  const key = createHash('sha256')
    .update(JSON.stringify([files.config, files.servers]))
    .digest('hex');
  // Anybody may have written it.
  const launchers = (env[LAUNCHERS] ?? '').split(',', MAX_LAUNCHERS).filter(one => isGatewayId(one.split('=')[1]));
  const itself = launchers.find(one => one.startsWith(`${key}=`))?.split('=')[1];
  const id = itself ?? randomUUID();
  return {
    id,
    clientInfo: { name: GATEHOUSE, version },
    /** What servers over stdio are launched with. */
    childEnv: { ...env, [LAUNCHERS]: [`${key}=${id}`, ...launchers].join(',') } as Environment,
    startServers(downstreams: Downstreams): void {
      if (itself === undefined || !servesStdio) return downstreams.start();
      // Whoever launched it refuses it. A process of each server, and of itself once more, would be for nothing.
      log.warn('launched by a gateway of the same files: no server is started', {
        advice: 'take the gateway out of its own servers',
      });
    },
  };
}
