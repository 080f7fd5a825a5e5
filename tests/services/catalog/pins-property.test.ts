/**
 * Two gateways with one store, each with a process of the server's own, in any order of readings, approvals and failures:
 * whatever a process says that nobody ever approved is held at its gateway, nothing approved is undone but by an approval,
 * and once all is read again what is held is exactly what differs, with nobody writing any more.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ApprovedTool } from '../../../src/domain/approved-tool.ts';
import { hashDefinition } from '../../../src/domain/tool-definition.ts';
import type { DefinitionRepository } from '../../../src/ports/definition-repository.ts';
import { createPins } from '../../../src/services/catalog/pins.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { IS_FULL } from '../../support/gateway-process.ts';

const RUNS = IS_FULL ? 20_000 : 2_000;
const TOOLS = ['a', 'b'] as const;
type Words = Record<(typeof TOOLS)[number], number>;

const toolOf = (name: string, words: number) => ({ name, description: `${name}, said ${words}` });
const listOf = (words: Words) => TOOLS.map(name => toolOf(name, words[name]));

function createStore() {
  const kept = new Map<string, ApprovedTool>();
  const state = { failures: 0, writes: 0 };
  const fails = () => {
    if (state.failures <= 0) return;
    state.failures--;
    throw new Error('disk I/O error');
  };
  const store: DefinitionRepository = {
    async find(server, name) {
      fails();
      return kept.get(`${server} ${name}`) ?? null;
    },
    async list(server) {
      fails();
      return [...kept.values()].filter(entry => entry.server === server);
    },
    listPending: async () => [...kept.values()].filter(({ pending }) => pending !== null),
    async put(tools) {
      fails();
      state.writes++;
      for (const entry of tools) kept.set(`${entry.server} ${entry.tool}`, structuredClone(entry));
      return true;
    },
    remove: async (server, name) => kept.delete(`${server} ${name}`),
  };
  const approved = (name: string) => kept.get(`mail ${name}`)?.hash;
  return { store, state, approved };
}

const words = fc.nat(2);
const which = fc.nat(1);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('read'), at: which, a: words, b: words }) },
  fc.record({ do: fc.constant('approve'), at: which, tool: fc.constantFrom(null, ...TOOLS) }),
  fc.record({ do: fc.constant('amend'), at: which, tool: fc.constantFrom(...TOOLS) }),
  fc.record({ do: fc.constantFrom('look', 'read another', 'move', 'fail'), at: which }),
) as fc.Arbitrary<{ do: string; at: number; tool?: string | null; a?: number; b?: number }>;

test('what nobody approved is held where it is said, and nowhere else', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 16 }), async steps => {
      const { store, state, approved } = createStore();
      const wished = new Set(TOOLS.map(name => hashDefinition(toolOf(name, 0))));
      const gateways = [0, 1].map(() => {
        const pins = createPins({ store, onDrift: 'hold', report() {}, clock: createFrozenClock() });
        const gateway = { pins, says: { a: 0, b: 0 } as Words, isTold: false };
        pins.onApproved(server => {
          gateway.isTold ||= server === 'mail';
        });
        return gateway;
      });
      const read = async (gateway: (typeof gateways)[0]) => {
        gateway.isTold = false;
        // One that fails is made up for: its server is asked again.
        await gateway.pins.screen('mail', listOf(gateway.says)).catch(() => {
          gateway.isTold = true;
        });
      };
      for (const gateway of gateways) await read(gateway);
      for (const { do: what, at, tool = null, a = 0, b = 0 } of steps) {
        const gateway = gateways[at] as (typeof gateways)[0];
        const before = TOOLS.map(approved);
        if (what === 'read') {
          gateway.says = { a, b };
          await read(gateway);
        } else if (what === 'approve') {
          const done = await gateway.pins.approve('mail', { tool, hash: null }, 'ada').catch(() => null);
          if (done?.kind === 'approved') for (const { hash } of done.tools) wished.add(hash);
        } else if (what === 'amend') await gateway.pins.amend('mail', tool ?? 'a', kept => kept).catch(() => null);
        else if (what === 'look') await gateway.pins.catchUp().catch(() => {});
        else if (what === 'read another') await gateway.pins.screen('post', [toolOf('z', 0)]).catch(() => []);
        else if (what === 'move') gateway.pins.moved('mail');
        else state.failures = 1;
        if (what !== 'approve') expect(TOOLS.map(approved)).toEqual(before);
        for (const { pins, says } of gateways)
          for (const name of TOOLS)
            if (!wished.has(hashDefinition(toolOf(name, says[name])))) expect(pins.isHeld('mail', name)).toBe(true);
      }
      state.failures = 0;
      for (let round = 0; round < 3; round++) {
        for (const gateway of gateways) {
          await gateway.pins.catchUp();
          if (gateway.isTold) await read(gateway);
        }
      }
      const { writes } = state;
      for (const gateway of gateways) {
        await gateway.pins.catchUp();
        expect(gateway.isTold).toBe(false);
        for (const name of TOOLS) {
          const isOther = approved(name) !== hashDefinition(toolOf(name, gateway.says[name]));
          if (isOther) continue;
          expect([name, gateway.pins.isHeld('mail', name)]).toEqual([name, false]);
        }
      }
      expect(state.writes).toBe(writes);
    }),
    { numRuns: RUNS },
  );
}, 120_000);
