/**
 * Stands between a URL that somebody else wrote and the socket: a name is resolved once, each of its addresses is judged,
 * and the socket is handed these and no others, so that there is no second answer to connect to. Every new socket asks
 * anew: what was good when it was stored may have moved. Refused here: any name with one address that is not allowed.
 */
import { isIP, type LookupFunction, Socket } from 'node:net';
import { parseIp } from '../../domain/ip-address.ts';
import {
  type Destination,
  destinationOf,
  judgeAddresses,
  judgeDestination,
  type OutboundRules,
  readDestination,
  type UrlRefusal,
} from '../../domain/outbound-rules.ts';
import type { Clock } from '../../ports/clock.ts';
import type { AddressGuard } from '../../ports/guarded-fetch.ts';
import type { Log } from '../../ports/log.ts';
import { type Resolve, resolveBySystem } from './resolve.ts';

export interface AddressGuardDeps {
  /** Those in force: a reload may change them. */
  rules: () => OutboundRules;
  clock: Clock;
  log: Log;
  resolve?: Resolve;
}

/** For whoever opens sockets itself. */
export interface SocketGuard extends AddressGuard {
  /** What a socket to the origin of `url` needs, or why there must be none. Not the last word on a name: `lookup` has it. */
  forSocket(url: URL): { ok: true; lookup: LookupFunction } | { ok: false; error: AddressRefused };
  /** Logs why `url` was refused, and resolves once that may be told. */
  refused(url: string, purpose: string, why: AddressRefused, sinceMs: number): Promise<void>;
}

/** The message is for nobody's eyes but the log's. */
export class AddressRefused extends Error {
  readonly code = 'ADDRESS_REFUSED';
  readonly why: UrlRefusal;

  constructor(why: UrlRefusal) {
    super(`the address is not allowed: ${why}`);
    this.name = 'AddressRefused';
    this.why = why;
  }
}

/** A literal address is judged in no time, a name in the time its resolver takes: both are told at the next quarter. */
const TELL_EVERY_MS = 250;
const MAX_LOGGED = 256;
/** A name server that does not answer in this time has no answer. */
const RESOLVE_MS = 5000;

/** What is written alone; null: go on, though a name is still to be resolved. */
export function findWrittenMistake(url: string, rules: OutboundRules): AddressRefused | null {
  const to = readDestination(url);
  const why = typeof to === 'string' ? to : judgeDestination(to, rules);
  return why === null ? null : new AddressRefused(why);
}

export function createAddressGuard({ rules, clock, log, resolve = resolveBySystem }: AddressGuardDeps): SocketGuard {
  /** A name that nobody knows is refused like any other: which ones exist is not for strangers to learn. */
  async function addressesOf(to: Destination): Promise<readonly string[] | AddressRefused> {
    const found = await inTime(resolve(to.host));
    const why = judgeAddresses(to, found.map(parseIp), rules());
    return why === null ? found : new AddressRefused(why);
  }

  /** No address, where there was none in time. */
  function inTime(answer: Promise<readonly string[]>): Promise<readonly string[]> {
    return new Promise(settle => {
      const cancel = clock.after(RESOLVE_MS, () => settle([]));
      answer.then(settle, () => settle([])).finally(cancel);
    });
  }

  async function judge(url: string): Promise<AddressRefused | null> {
    const mistake = findWrittenMistake(url, rules());
    if (mistake !== null) return mistake;
    const to = destinationOf(new URL(url));
    if (to.address !== null) return null;
    const found = await addressesOf(to);
    return found instanceof AddressRefused ? found : null;
  }

  function refused(url: string, purpose: string, { why }: AddressRefused, sinceMs: number): Promise<void> {
    // Path and query may hold secrets, and so may what is no URL: whoever looks for the cause knows them.
    const host = URL.parse(url)?.host.slice(0, MAX_LOGGED);
    log.warn('an address was refused', { why, purpose, host });
    const restMs = TELL_EVERY_MS - ((clock.monotonicMs() - sinceMs) % TELL_EVERY_MS);
    return new Promise(resolve => clock.after(restMs, resolve));
  }

  return {
    refused,
    async mayReach(url, purpose) {
      const startMs = clock.monotonicMs();
      const no = await judge(url);
      if (no !== null) await refused(url, purpose, no, startMs);
      return no === null;
    },
    forSocket(url) {
      const to = destinationOf(url);
      const why = judgeDestination(to, rules());
      if (why !== null) return { ok: false, error: new AddressRefused(why) };
      const lookup: LookupFunction = (_name, options, done) => {
        void addressesOf(to).then(found => {
          if (found instanceof AddressRefused) done(found, '', 0);
          else if (options.all === true) done(null, found.map(toLookupAddress));
          else done(null, found[0] ?? '', isIP(found[0] ?? ''));
        });
      };
      return { ok: true, lookup };
    },
  };
}

const toLookupAddress = (address: string) => ({ address, family: isIP(address) });

/** Fails like one that could not connect, without having tried. */
export function refusedSocket(error: AddressRefused): Socket {
  return new Socket().destroy(error);
}
