import { expect, test } from 'vitest';
import { EXPOSURES, settleExposure } from '../../src/domain/exposure.ts';

test.each([
  { exposure: 'auto', visible: 40, shown: 'direct', because: 'the threshold itself is still few' },
  { exposure: 'auto', visible: 41, shown: 'discovery', because: 'one more is too many to read' },
  { exposure: 'auto', visible: 0, shown: 'direct', because: 'nothing is few' },
  { exposure: 'direct', visible: 5_000, shown: 'direct', because: 'the operator said so' },
  { exposure: 'agent', visible: 1, shown: 'agent', because: 'the operator said so' },
  { exposure: 'discovery', visible: 1, shown: 'discovery', because: 'the operator said so' },
] as const)('$exposure with $visible tools shows $shown: $because', ({ exposure, visible, shown }) =>
  expect(settleExposure(exposure, visible, 40)).toBe(shown),
);

test('the words are these four', () => expect(EXPOSURES).toEqual(['direct', 'agent', 'discovery', 'auto']));
