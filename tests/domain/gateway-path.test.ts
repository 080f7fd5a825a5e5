import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { ServerView } from '../../src/domain/catalog.ts';
import { isGatewayId, readPath, withPath } from '../../src/domain/gateway-path.ts';
import { EMPTY_LISTING } from '../../src/domain/listing.ts';
import { factsOf } from '../support/fake-downstreams.ts';

const KEY = 'mcp-gatehouse/path';
const [A, B, C] = [randomUUID(), randomUUID(), randomUUID()];

const viewOf = (gateways: readonly string[], more: Partial<ServerView> = {}): ServerView => ({
  ...{ key: 's', description: null, sharing: 'shared', status: 'ready', reason: null },
  ...{ facts: factsOf({ gateways }), listing: EMPTY_LISTING },
  ...more,
});

describe('what a server shows', () => {
  test.each([
    { result: {}, because: 'most servers are no gateways' },
    { result: { _meta: null }, because: 'null is no object' },
    { result: { _meta: [A] }, because: 'a list is no object' },
    { result: { _meta: { [KEY]: A } }, because: 'a path is a list' },
    { result: { _meta: { [KEY]: { 0: A, length: 1 } } }, because: 'what looks like a list is none' },
    {
      result: { _meta: { [KEY]: [null, 7, {}, [A], '', 'x', `${A} `, A.toUpperCase(), `${A}\n`] } },
      because: 'no id is like it',
    },
  ])('is no path: $because', ({ result }) => expect(readPath(result)).toEqual([]));

  test('is read in its order, each id once, and what is none of them passed over', () => {
    expect(readPath({ _meta: { [KEY]: [B, 'junk', A, B] } })).toEqual([B, A]);
  });

  test('is read as far as 64, however long it is', () => {
    const many = Array.from({ length: 10_000 }, () => randomUUID());
    expect(readPath({ _meta: { [KEY]: many } })).toEqual(many.slice(0, 64));
  });
});

describe('what another Gatehouse is shown', () => {
  test('begins with the gateway itself, and names each gateway behind it once', () => {
    const result = withPath({ tools: [] }, A, [viewOf([B, C]), viewOf([]), viewOf([C])]);
    expect(result).toEqual({ tools: [], _meta: { [KEY]: [A, B, C] } });
    expect(readPath(result)).toEqual([A, B, C]);
  });

  test('tells of the nearest first, so that no server can hide its neighbours behind many ids', () => {
    const many = Array.from({ length: 64 }, () => randomUUID());
    const shown = readPath(withPath({}, A, [viewOf(many), viewOf([B, C])]));
    expect(shown.slice(0, 5)).toEqual([A, many[0], B, many[1], C]);
    expect(shown).toHaveLength(64);
  });

  test.each([
    { view: viewOf([B], { listing: null }), because: 'nothing of it is offered' },
    { view: viewOf([B], { facts: null }), because: 'nothing of it is known' },
  ])('leaves out what leads nowhere: $because', ({ view }) => expect(readPath(withPath({}, A, [view]))).toEqual([A]));

  test('leaves the rest of the result as it was', () => {
    const given = { _meta: { other: 1 } };
    expect(withPath(given, A, [])).toEqual({ _meta: { other: 1, [KEY]: [A] } });
    expect(given).toEqual({ _meta: { other: 1 } });
  });

  test('is no longer than can be read, and the gateway itself never what is cut', () => {
    const many = Array.from({ length: 100 }, () => randomUUID());
    expect(readPath(withPath({}, A, [viewOf(many)]))).toEqual([A, ...many.slice(0, 63)]);
  });
});

test('ids are those that crypto makes', () => {
  expect(isGatewayId(randomUUID())).toBe(true);
  expect(isGatewayId(undefined)).toBe(false);
});
