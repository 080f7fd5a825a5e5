/**
 * The samples of the identity providers, signed with real keys and shown to a verifier that reads real key sets. The rows
 * are kept beside the repository (`../shared/corpus/security`); without them there is nothing to run here.
 */
import { channel } from 'node:diagnostics_channel';
import { existsSync, readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Identity } from '../../../src/domain/identity.ts';
import { type Gate, openGate, withTimes } from '../../support/gate-of-issuers.ts';
import { createEcKey, signToken, signWithSecret } from '../../support/token-issuer.ts';

interface Row {
  id: string;
  idp: string;
  header: { alg: string; kid: string; typ?: string };
  payload: Record<string, unknown>;
  expect: {
    status: number;
    reason?: string;
    subject?: string;
    groups?: string[];
    groups_mapped?: string[];
    scopes?: string[];
    client?: string;
    kind?: 'user' | 'service';
    agent?: string;
    audit_chain?: string[];
    app_roles?: string[];
    startup?: string;
  };
}

const FILE = new URL('../../../../shared/corpus/security/idp-tokens.jsonl', import.meta.url);
const rows: Row[] = existsSync(FILE)
  ? readFileSync(FILE, 'utf8')
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Row)
  : [];

describe.skipIf(rows.length === 0)('samples of the identity providers', () => {
  let gate: Gate;
  const sockets: Socket[] = [];
  const note = (message: unknown) => void sockets.push((message as { socket: Socket }).socket);

  beforeAll(async () => {
    gate = await openGate();
    channel('net.client.socket').subscribe(note);
  });
  afterAll(async () => {
    channel('net.client.socket').unsubscribe(note);
    await gate.close();
  });

  function sign({ header, payload, id }: Row): string {
    const claims = withTimes(payload, gate.clock.wallMs());
    if (header.alg.startsWith('HS')) return signWithSecret(header, claims, 'a secret of its own', header.alg.slice(2));
    const isVersion1 = payload.ver === '1.0';
    const kid = isVersion1 ? 'en-v1' : header.kid;
    const key = gate.keys.get(kid) ?? createEcKey(id);
    return signToken({ ...header, kid }, claims, key.privateKey, header.alg);
  }

  test('all of them are there', () => expect(rows).toHaveLength(36));

  test.each(rows.filter(row => row.expect.startup === undefined))('$id', async row => {
    const seen = await gate.verify(sign(row));
    const wanted = row.expect;
    const status = seen.kind === 'identity' ? 200 : seen.status;
    expect({ status, reason: seen.kind === 'refusal' ? seen.reason : null }).toMatchObject({ status: wanted.status });
    if (seen.kind === 'refusal') {
      if (wanted.reason !== undefined) expect(seen.reason).toBe(wanted.reason);
      return;
    }
    check(seen, wanted);
  });

  function check(who: Identity, wanted: Row['expect']): void {
    if (wanted.subject !== undefined) expect(who.subject).toBe(wanted.subject);
    if (wanted.groups !== undefined) expect([...who.groups]).toEqual(wanted.groups);
    // Policy maps groups by exact name: what is not the mapped name maps to nothing.
    if (wanted.groups_mapped !== undefined)
      expect([...who.groups].filter(group => group === '/eng/platform')).toEqual(wanted.groups_mapped);
    if (wanted.scopes !== undefined) expect([...who.scopes]).toEqual(wanted.scopes);
    if (wanted.client !== undefined) expect(who.client).toBe(wanted.client);
    if (wanted.kind !== undefined) expect(who.isService).toBe(wanted.kind === 'service');
    if (wanted.agent !== undefined) expect(who).toMatchObject({ agent: wanted.agent, agentVerified: true });
    if (wanted.app_roles !== undefined) expect([...who.scopes]).toEqual(wanted.app_roles);
    if (wanted.audit_chain !== undefined) {
      expect([who.subject.split('|').at(-1), ...(who.actors ?? [])]).toEqual(wanted.audit_chain);
    }
  }

  test('each key set was read at most twice, and nobody else was asked', () => {
    expect(Math.max(...gate.server.fetches.values())).toBeLessThanOrEqual(2);
    expect([...gate.server.fetches.keys()].every(path => gate.server.sets.has(path))).toBe(true);
    const port = Number(new URL(gate.server.origin).port);
    expect(sockets.length).toBeGreaterThan(0);
    // The remote end is gone for a socket that was closed since; none was opened to another port.
    expect(sockets.filter(socket => socket.remotePort !== undefined && socket.remotePort !== port)).toEqual([]);
  });
});
