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
/** Gateways that launched one another down to this one, whatever their files: nobody needs so many. */
const MAX_ALIKE = 4;

export function createInstance(deps: {
  env: Environment;
  files: Pick<Config['files'], 'config' | 'servers'>;
  servesStdio: boolean;
  version: string;
  log: Log;
  /** Processes that launched this one and run the same program. */
  countAncestors(): number;
}) {
  const { env, files, servesStdio, version, log, countAncestors } = deps;
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
      const isItself = itself !== undefined && servesStdio;
      // What launches it may not hand on the environment: then it would go on without end, and outlive the first.
      const isEndless = servesStdio && countAncestors() >= MAX_ALIKE;
      if (!isItself && !isEndless) return downstreams.start();
      // Whoever launched it refuses it. A process of each server, and of itself once more, would be for nothing.
      const by = isItself ? 'a gateway of the same files' : `${MAX_ALIKE} gateways, one by the other`;
      log.warn(`launched by ${by}: no server is started`, { advice: 'take the gateway out of its own servers' });
    },
  };
}
