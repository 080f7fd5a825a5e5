/** All addresses of a name as this machine knows them (hosts file, DNS), in the order it would try them. */
import { lookup } from 'node:dns/promises';

/** Rejects when the name has none. */
export type Resolve = (name: string) => Promise<readonly string[]>;

export const resolveBySystem: Resolve = async name => {
  const found = await lookup(name, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
};
