import { expect, test } from 'vitest';
import { LISTING_FACTS, LISTING_KINDS } from '../../src/domain/listing.ts';

test('every kind has the method, member and identifying field of the specification', () => {
  expect(LISTING_KINDS.map(kind => [kind, ...Object.values(LISTING_FACTS[kind])])).toEqual([
    ['tools', 'tools/list', 'tools', 'name', 'tools'],
    ['resources', 'resources/list', 'resources', 'uri', 'resources'],
    ['templates', 'resources/templates/list', 'resourceTemplates', 'uriTemplate', 'resources'],
    ['prompts', 'prompts/list', 'prompts', 'name', 'prompts'],
  ]);
});
