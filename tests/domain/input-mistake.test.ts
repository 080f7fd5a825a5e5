import { expect, test } from 'vitest';
import { z } from 'zod';
import { sayIssue } from '../../src/domain/input-mistake.ts';
import { flag, list } from '../../src/inbound/rest/written.ts';

const said = (schema: z.ZodType, value: unknown) => schema.safeParse(value).error?.issues.map(sayIssue);

test.each([
  {
    because: 'a switch may be written in two ways',
    schema: flag,
    value: 'maybe',
    says: 'Invalid input: expected boolean, or one of "0"|"1"|"true"|"on"|"yes"|"false"|"off"|"no"',
  },
  { because: 'nothing was given', schema: flag, value: undefined, says: 'Invalid input: expected boolean, or string' },
  {
    because: 'an item of a list is none',
    schema: list,
    value: ['a', 5],
    says: 'Invalid input: expected string at 1, or string',
  },
  { because: 'nothing was given at all', schema: z.number(), value: undefined, says: 'is missing, expected number' },
  {
    because: 'somebody has said it better',
    schema: z.union([z.iso.date(), z.iso.datetime()], 'must be a time'),
    value: 'yesterday',
    says: 'must be a time',
  },
  {
    because: 'one way says enough',
    schema: z.boolean(),
    value: 5,
    says: 'Invalid input: expected boolean, received number',
  },
])('says what would have been right: $because', ({ schema, value, says }) => {
  expect(said(schema, value)).toEqual([says]);
});
