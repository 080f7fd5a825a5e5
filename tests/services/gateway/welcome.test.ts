import { describe, expect, test } from 'vitest';
import { composeWelcome } from '../../../src/services/gateway/welcome.ts';
import { createStaircase, doorOf, EVERYTHING } from '../../support/staircase.ts';

const TASKS = 'io.modelcontextprotocol/tasks';
const UI = 'io.modelcontextprotocol/ui';

const house = await createStaircase({
  a: { spec: { description: 'Git  and\nmore.' }, instructions: 'Use push.' },
  b: { instructions: 'Long story. '.repeat(200) },
  c: {
    era: 'modern',
    capabilities: { tools: {}, extensions: { [TASKS]: {}, [UI]: { mimeTypes: ['text/html'] }, 'x/odd': {} } },
  },
  d: { capabilities: { extensions: { [TASKS]: {} } } },
});
const welcome = (door = EVERYTHING, era: 'legacy' | 'modern' = 'legacy') =>
  composeWelcome(house.catalog.current(), door, era, '1.2.3', () => true);

describe('capabilities', () => {
  test('are declared whole, whatever is up: what comes later needs no new handshake', async () => {
    const cold = await createStaircase({ a: {} }, { cold: true });
    const { capabilities, serverInfo } = composeWelcome(
      cold.catalog.current(),
      EVERYTHING,
      'legacy',
      '1.2.3',
      () => true,
    );
    expect(capabilities).toEqual({
      tools: { listChanged: true },
      resources: { listChanged: true, subscribe: true },
      prompts: { listChanged: true },
      completions: {},
      logging: {},
    });
    expect(serverInfo).toEqual({ name: 'mcp-gatehouse', title: 'Gatehouse', version: '1.2.3' });
  });

  test.each([
    {
      era: 'modern',
      door: EVERYTHING,
      extensions: { [TASKS]: {}, [UI]: { mimeTypes: ['text/html'] } },
      because: 'both sides are modern',
    },
    {
      era: 'legacy',
      door: EVERYTHING,
      extensions: { [UI]: { mimeTypes: ['text/html'] } },
      because: 'tasks cannot be carried to a legacy client',
    },
    {
      era: 'modern',
      door: doorOf('d'),
      extensions: undefined,
      because: 'tasks cannot be carried from a legacy server',
    },
    { era: 'modern', door: doorOf('a'), extensions: undefined, because: 'the server behind this door speaks none' },
  ] as const)('name the extensions that can be carried: $because', ({ era, door, extensions }) => {
    expect(welcome(door, era).capabilities.extensions).toEqual(extensions);
  });
});

describe('instructions', () => {
  test('say in a line what each server is for: its description, else its own words, cut and on one line', () => {
    const lines = welcome().instructions.split('\n').slice(1);
    expect(lines.map(line => line.slice(0, 14))).toEqual(['- a: Git and m', '- b: Long stor', '- c', '- d']);
    expect(lines[0]).toBe('- a: Git and more.');
    expect(lines[1]?.length).toBeLessThanOrEqual(606);
  });

  test('behind a server’s door are its own', () => {
    expect(welcome(doorOf('a')).instructions).toBe('Use push.');
    expect(welcome(doorOf('c')).instructions).toBe('');
  });

  test('stay within 8,000 characters with 500 servers', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [`s${i}`, { spec: { description: 'x'.repeat(100) } }]),
    );
    const { catalog } = await createStaircase(many, { cold: true });
    expect(composeWelcome(catalog.current(), EVERYTHING, 'modern', '1', () => true).instructions).toHaveLength(8_000);
  });
});

test('the door of the registry is introduced by what it is for', () => {
  const { instructions } = welcome({ server: null, exposure: 'registry' });
  expect(instructions).toMatch(/^Gatehouse is a registry of MCP servers\. .*intelligent_tool_finder.*invoke_mcp_tool/);
  expect(instructions).toContain('- a: Git and more.');
});
