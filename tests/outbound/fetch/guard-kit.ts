/**
 * What tests of guarded fetching share: names that resolve as a test says, a network in which every attempt to connect is
 * seen (and leads nowhere unless the test opened a way), and the rows of the corpus, which are kept beside the repository.
 */
import { existsSync, readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { NO_EXCEPTIONS, type OutboundRules, readAllowedTarget } from '../../../src/domain/outbound-rules.ts';
import { createSystemClock } from '../../../src/outbound/clock.ts';
import { createAddressGuard, type SocketGuard } from '../../../src/outbound/fetch/address-guard.ts';
import { type ClosableFetch, createGuardedFetch } from '../../../src/outbound/fetch/guarded-fetch.ts';
import type { Log, LogFields } from '../../../src/ports/log.ts';

export function rulesOf(allow: readonly string[], allowHttp = false): OutboundRules {
  const targets = allow.map(line => {
    const target = readAllowedTarget(line);
    if (typeof target === 'string') throw new Error(`${line} ${target}`);
    return target;
  });
  return { allow: targets, allowHttp };
}

/** Answers of a name; a list of lists: one after the other, the last for good. */
export type Names = Readonly<Record<string, readonly string[] | readonly (readonly string[])[]>>;

export interface GuardKit {
  guard: SocketGuard;
  fetch: ClosableFetch;
  /** Names that were asked for. */
  asked: string[];
  logged: { message: string; fields: LogFields }[];
}

export interface GuardKitOptions {
  rules?: OutboundRules | (() => OutboundRules);
  names?: Names;
  connectTimeoutMs?: number;
}

export function openGuardKit({ rules = NO_EXCEPTIONS, names = {}, connectTimeoutMs }: GuardKitOptions = {}): GuardKit {
  const asked: string[] = [];
  const logged: GuardKit['logged'] = [];
  const note = (message: string, fields: LogFields = {}) => void logged.push({ message, fields });
  const log: Log = { debug: note, info: note, warn: note, error: note, with: () => log };
  const inForce = typeof rules === 'function' ? rules : () => rules;
  const clock = createSystemClock();
  const guard = createAddressGuard({
    rules: inForce,
    clock,
    log,
    async resolve(name) {
      const times = asked.filter(one => one === name).length;
      asked.push(name);
      const answers = Object.hasOwn(names, name) ? names[name] : undefined;
      if (answers === undefined) throw Object.assign(new Error(`no such name: ${name}`), { code: 'ENOTFOUND' });
      const turn = answers[Math.min(times, answers.length - 1)];
      return typeof turn === 'string' || turn === undefined ? (answers as readonly string[]) : turn;
    },
  });
  const fetch = createGuardedFetch({
    guard,
    rules: inForce,
    clock,
    log,
    ...(connectTimeoutMs === undefined ? {} : { connectTimeoutMs }),
  });
  onTestFinished(() => fetch.close());
  return { guard, fetch, asked, logged };
}

/** For what is not about addresses: nothing but the public internet. */
export const quietGuard = (): SocketGuard => openGuardKit().guard;

export interface FakeNetwork {
  /** `address port` of every connection that was tried, also of those that led nowhere. */
  tried: string[];
  /** From `address port` to a port on this machine. */
  ways: Map<string, number>;
}

type Connect = (this: Socket, ...args: unknown[]) => Socket;

/** Every TCP and TLS connection of this process goes through `Socket.connect`, whichever library opens it. */
export function openFakeNetwork(): FakeNetwork {
  const prototype = Socket.prototype as unknown as { connect: Connect };
  const real = prototype.connect;
  const network: FakeNetwork = { tried: [], ways: new Map() };
  prototype.connect = function (this: Socket, ...args) {
    const [options, done] = (Array.isArray(args[0]) ? args[0] : args) as [ConnectOptions, (() => void) | null];
    const reach = (addresses: readonly string[]): void => {
      const steps = addresses.map(address => `${address} ${options.port}`);
      network.tried.push(...steps);
      const port = steps.map(step => network.ways.get(step)).find(way => way !== undefined);
      if (this.destroyed) return;
      if (port === undefined) this.destroy(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }));
      else real.call(this, { ...options, host: '127.0.0.1', port, lookup: undefined }, done ?? undefined);
    };
    const { host = 'localhost', lookup } = options;
    if (lookup === undefined || /^[\d.]+$|:/.test(host)) queueMicrotask(() => reach([host]));
    else
      lookup(host, { all: true }, (error, found) => {
        if (error !== null) this.destroy(error);
        else reach(found.map(({ address }) => address));
      });
    return this;
  };
  onTestFinished(() => {
    prototype.connect = real;
  });
  return network;
}

interface ConnectOptions {
  host?: string;
  port: number;
  lookup?: (
    host: string,
    options: { all: true },
    done: (error: Error | null, found: { address: string }[]) => void,
  ) => void;
}

export interface UrlRow {
  id: string;
  category: string;
  description: string;
  expected: 'block' | 'allow';
  allowlistable?: boolean;
  dns?: readonly string[];
  note?: string;
}

const FILE = new URL('../../../../shared/corpus/security/ssrf-urls.jsonl', import.meta.url);

/** Empty where the corpus is not at hand. */
export const urlRows: readonly UrlRow[] = existsSync(FILE)
  ? readFileSync(FILE, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as UrlRow)
  : [];
