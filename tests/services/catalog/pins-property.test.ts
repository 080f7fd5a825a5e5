/**
 * Two gateways with one store, each with a process of the server's own, in any order of readings, approvals and failures:
 * whatever a process says that nobody ever approved is held at its gateway, nothing approved is undone but by an approval,
 * and once all is read again what is held is exactly what differs, with nobody writing any more.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashDefinition } from '../../../src/domain/tool-definition.ts';
import { createPins } from '../../../src/services/catalog/pins.ts';
import { createDefinitionStore } from '../../support/definition-store.ts';
import { createFrozenClock } from '../../support/frozen-clock.ts';
import { IS_FULL } from '../../support/gateway-process.ts';

const RUNS = IS_FULL ? 20_000 : 2_000;
const TOOLS = ['a', 'b'] as const;
type Words = Record<(typeof TOOLS)[number], number>;

const toolOf = (name: string, words: number) => ({ name, description: `${name}, said ${words}` });
const listOf = (words: Words) => TOOLS.map(name => toolOf(name, words[name]));

const words = fc.nat(2);
const which = fc.nat(1);
const step = fc.oneof(
  {
    weight: 4,
    // What the other gateway does between what this one reads and what it writes.
    arbitrary: fc.record({
      ...{ do: fc.constant('read'), at: which, a: words, b: words },
      meanwhile: fc.constantFrom(null, null, 'approve', 'read'),
    }),
  },
  fc.record({ do: fc.constant('approve'), at: which, tool: fc.constantFrom(null, ...TOOLS) }),
  fc.record({ do: fc.constant('amend'), at: which, tool: fc.constantFrom(...TOOLS) }),
  fc.record({ do: fc.constantFrom('look', 'read another', 'move', 'fail'), at: which }),
) as fc.Arbitrary<{ do: string; at: number; tool?: string | null; a?: number; b?: number; meanwhile?: string | null }>;

test('what nobody approved is held where it is said, and nowhere else', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 16 }), async steps => {
      const store = createDefinitionStore();
      const approved = (name: string) => store.peek('mail', name)?.hash;
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
      /** What approvals that were answered have made of each tool since. */
      let last = new Map<string, string>();
      const approve = async ({ pins }: (typeof gateways)[0], tool: string | null) => {
        const done = await pins.approve('mail', { tool, hash: null }, 'ada').catch(() => null);
        for (const entry of done?.kind === 'approved' ? done.tools : []) {
          wished.add(entry.hash);
          last.set(entry.tool, entry.hash);
        }
      };
      for (const gateway of gateways) await read(gateway);
      for (const { do: what, at, tool = null, a = 0, b = 0, meanwhile } of steps) {
        const gateway = gateways[at] as (typeof gateways)[0];
        const other = gateways[1 - at] as (typeof gateways)[0];
        const before = TOOLS.map(approved);
        last = new Map();
        if (what === 'read') {
          gateway.says = { a, b };
          if (meanwhile === 'approve') store.meanwhile = () => approve(other, null);
          else if (meanwhile === 'read') store.meanwhile = () => read(other);
          await read(gateway);
          store.meanwhile = null;
        } else if (what === 'approve') await approve(gateway, tool);
        else if (what === 'amend') await gateway.pins.amend('mail', tool ?? 'a', kept => kept).catch(() => null);
        else if (what === 'look') await gateway.pins.catchUp(0).catch(() => {});
        else if (what === 'read another') await gateway.pins.screen('post', [toolOf('z', 0)]).catch(() => []);
        else if (what === 'move') gateway.pins.moved('mail');
        else store.failures = 1;
        expect(TOOLS.map(approved)).toEqual(TOOLS.map((name, i) => last.get(name) ?? before[i]));
        for (const { pins, says } of gateways)
          for (const name of TOOLS)
            if (!wished.has(hashDefinition(toolOf(name, says[name])))) expect(pins.isHeld('mail', name)).toBe(true);
      }
      store.failures = 0;
      for (let round = 0; round < 3; round++) {
        for (const gateway of gateways) {
          await gateway.pins.catchUp(0);
          if (gateway.isTold) await read(gateway);
        }
      }
      const { writes } = store;
      for (const gateway of gateways) {
        await gateway.pins.catchUp(0);
        expect(gateway.isTold).toBe(false);
        for (const name of TOOLS) {
          const isOther = approved(name) !== hashDefinition(toolOf(name, gateway.says[name]));
          expect([name, gateway.pins.isHeld('mail', name)]).toEqual([name, isOther]);
        }
      }
      expect(store.writes).toBe(writes);
    }),
    { numRuns: RUNS },
  );
}, 120_000);
