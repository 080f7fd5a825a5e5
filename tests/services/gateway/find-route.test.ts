import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/domain/json.ts';
import type { Target } from '../../../src/domain/policy.ts';
import { findPrompt, findReference, findResource, findTool } from '../../../src/services/gateway/find-route.ts';
import { tool } from '../../support/fake-downstreams.ts';
import { createStaircase, doorOf, EVERYTHING } from '../../support/staircase.ts';

const resources = [{ uri: 'file:///x', name: 'x' }];
const odd = [...resources, { uri: 'file:///odd/../y', name: 'y' }];
const templates = [{ uriTemplate: 'file:///dir/{name}', name: 't' }];
const house = await createStaircase({
  a: { lists: { tools: [tool('t'), tool('un_listed__x')], prompts: [{ name: 'p' }], resources, templates } },
  b: { lists: { tools: [tool('t'), tool('mine')], resources: odd, templates } },
  'team/d': { lists: { tools: [tool('sum')], prompts: [{ name: 'q' }] } },
});
const catalog = house.catalog.current();

describe('a tool name', () => {
  test.each([
    { door: EVERYTHING, name: 'a__t', found: ['a', 't', true], because: 'public' },
    { door: EVERYTHING, name: 'mine', found: ['b', 'mine', true], because: 'own, of one server alone' },
    { door: EVERYTHING, name: 't', found: null, because: 'own, of two' },
    { door: EVERYTHING, name: 'a__nope', found: ['a', 'nope', false], because: 'the server can be told' },
    { door: EVERYTHING, name: 'c__t', found: null, because: 'no such server' },
    { door: EVERYTHING, name: '__t', found: null, because: 'no server at all' },
    { door: doorOf('a'), name: 't', found: ['a', 't', true], because: 'own names behind a door' },
    { door: doorOf('a'), name: 'a__t', found: ['a', 'a__t', false], because: 'public names mean nothing there' },
    { door: doorOf('ghost'), name: 't', found: ['ghost', 't', false], because: 'decided on the name alone' },
  ])('$name: $because', ({ door, name, found }) => {
    const route = findTool(catalog, door, name, () => true);
    expect(route && [route.target.server, route.target.name, route.listed]).toEqual(found);
  });
});

test('a name that does not tell its server leads those who may not know of it where names lead that nobody has', () => {
  const hashed = (of: ReadonlyMap<string, { server: string }>) =>
    [...of].find(([, { server }]) => server === 'team/d')?.[0] ?? '';
  const [tools, prompts] = [hashed(catalog.tools), hashed(catalog.prompts)];
  expect([tools, prompts]).toEqual([
    expect.stringMatching(/^team_d__sum_[0-9a-f]{8}$/),
    expect.stringMatching(/^team_d__q_[0-9a-f]{8}$/),
  ]);
  const found = (mayKnow: boolean) => [
    findTool(catalog, EVERYTHING, tools, () => mayKnow)?.target.server ?? null,
    findPrompt(catalog, EVERYTHING, prompts, () => mayKnow)?.target.server ?? null,
    findTool(catalog, EVERYTHING, 'mine', () => mayKnow)?.target.server ?? null,
    findTool(catalog, EVERYTHING, 'a__t', () => mayKnow)?.target.server ?? null,
  ];
  expect(found(true)).toEqual(['team/d', 'team/d', 'b', 'a']);
  // A refusal of the last says nothing that its name does not.
  expect(found(false)).toEqual([null, null, null, 'a']);
});

describe('a prompt name', () => {
  test.each([
    { door: EVERYTHING, name: 'a__p', found: ['a', 'p'], because: 'public' },
    { door: EVERYTHING, name: 'a__new', found: ['a', 'new'], because: 'the server may know it' },
    { door: EVERYTHING, name: 'p', found: null, because: 'no server in it' },
    { door: EVERYTHING, name: 'a__../p', found: null, because: 'it reads in two ways' },
    { door: doorOf('b'), name: 'a\\p', found: null, because: 'behind a door too' },
    { door: doorOf('b'), name: 'p', found: ['b', 'p'], because: 'own names behind a door' },
  ])('$name: $because', ({ door, name, found }) => {
    const route = findPrompt(catalog, door, name, () => true);
    expect(route && [route.target.server, route.target.name]).toEqual(found);
  });
});

describe('a URI', () => {
  test.each([
    { door: EVERYTHING, uri: 'file:///x', found: ['a', 'file:///x'], because: 'who had it first' },
    { door: EVERYTHING, uri: 'b+file:///x', found: ['b', 'file:///x'], because: 'who came later' },
    { door: EVERYTHING, uri: 'file:///dir/1', found: ['a', 'file:///dir/1'], because: 'a template' },
    { door: EVERYTHING, uri: 'b+file:///dir/1', found: ['b', 'file:///dir/1'], because: 'a renamed template' },
    { door: EVERYTHING, uri: 'other://1', found: null, because: 'two servers might know it' },
    { door: EVERYTHING, uri: 'file:///dir/../1', found: null, because: 'a template is no way out of a folder' },
    { door: doorOf('b'), uri: 'file:///dir/%2e%2e/1', found: null, because: 'behind a door too' },
    { door: EVERYTHING, uri: 'file:///odd/../y', found: ['b', 'file:///odd/../y'], because: 'the server lists it so' },
    { door: doorOf('b'), uri: 'file:///odd/../y', found: ['b', 'file:///odd/../y'], because: 'and at its door' },
    { door: doorOf('b'), uri: 'file:///x', found: ['b', 'file:///x'], because: 'own URIs behind a door' },
  ])('$uri: $because', ({ door, uri, found }) => {
    const route = findResource(catalog, door, uri, () => true);
    expect(route && [route.target.server, route.target.name]).toEqual(found);
  });
});

describe('a reference', () => {
  test.each([
    {
      ref: { type: 'ref/prompt', name: 'a__p', title: 'T' },
      own: { type: 'ref/prompt', name: 'p', title: 'T' },
      because: 'other members stay',
    },
    {
      ref: { type: 'ref/resource', uri: 'b+file:///dir/{name}' },
      own: { type: 'ref/resource', uri: 'file:///dir/{name}' },
      because: 'a renamed template',
    },
    {
      ref: { type: 'ref/resource', uri: 'b+file:///x' },
      own: { type: 'ref/resource', uri: 'file:///x' },
      because: 'a resource',
    },
    { ref: { type: 'ref/tool', name: 'a__t' }, own: null, because: 'no such kind' },
    { ref: { type: 'ref/prompt', name: 5 }, own: null, because: 'no name' },
  ])('$ref: $because', ({ ref, own }) => {
    expect(findReference(catalog, EVERYTHING, ref as JsonObject, () => true)?.ownRef ?? null).toEqual(own);
  });
});

describe('what stands behind an address that a caller may not know of', () => {
  const knowsOnly = (server: string) => (target: Target) => target.server === server;
  test.each(['b+file:///x', 'b+file:///dir/1'])('%s is not found by the door to everything', uri => {
    expect(findResource(catalog, EVERYTHING, uri, knowsOnly('a'))).toBeNull();
    expect(findResource(catalog, EVERYTHING, uri, knowsOnly('b'))).not.toBeNull();
  });
  test('is no reference either, by its address or by its template', () => {
    for (const uri of ['b+file:///x', 'b+file:///dir/{name}']) {
      const ref = { type: 'ref/resource', uri };
      expect(findReference(catalog, EVERYTHING, ref, knowsOnly('a'))).toBeNull();
      expect(findReference(catalog, EVERYTHING, ref, knowsOnly('b'))).not.toBeNull();
    }
  });
  test('is left to policy behind its own door, where the server is named by the address', () => {
    expect(findResource(catalog, doorOf('b'), 'file:///x', knowsOnly('a'))).not.toBeNull();
  });
});
