import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { formatProblem } from '../../src/config/problem.ts';
import { readRulesFile } from '../../src/config/rules-file.ts';
import { readScopesFile } from '../../src/config/scopes-file.ts';
import { createDesk, type Desk } from './desk.ts';

let desk: Desk;
beforeEach(() => {
  desk = createDesk();
});
afterEach(() => desk.remove());

function read(text: string) {
  const path = desk.write('scopes.yml', text);
  const found = readScopesFile(path);
  const short = (said: string) => said.replace(`${path}: `, '');
  return found.ok
    ? { scopes: found.scopes, warnings: found.warnings.map(short), problems: [] }
    : { scopes: null, warnings: [], problems: found.problems.map(problem => short(formatProblem(problem))) };
}

const MAPPED = 'group_mappings: {g: [s]}\n';

test('three sections are read as they stand', () => {
  const { scopes, warnings } = read(`
UI-Scopes:
  s: {list_service: [all], get_agent: [/a, b]}
group_mappings:
  g: [s, t/execute]
t/execute:
  - {server: /web/, methods: [tools/call], tools: [x, y]}
  - {server: all, methods: all, tools: ['*']}
  - {server: api, methods: [GET]}
  - agents: {actions: [{action: list_agents, resources: [/a]}]}
`);
  expect(warnings).toEqual([]);
  expect(scopes?.mappings).toEqual(new Map([['g', ['s', 't/execute']]]));
  expect(scopes?.servers).toEqual(
    new Map([
      [
        't/execute',
        [
          { server: 'web', methods: ['tools/call'], tools: ['x', 'y'], place: 0 },
          { server: null, methods: 'all', tools: 'all', place: 1 },
          { server: 'api', methods: ['GET'], tools: [], place: 2 },
        ],
      ],
    ]),
  );
  expect(scopes?.ui.get('s')?.map(({ action, resources }) => [action, resources])).toEqual([
    ['list_service', 'all'],
    ['get_agent', ['/a', 'b']],
  ]);
  expect(scopes?.ui.get('t/execute')).toMatchObject([{ action: 'list_agents', resources: ['/a'] }]);
});

test.each(['[]', ''])('a scope that grants actions alone is not empty (%j)', text => {
  const { warnings } = read(`${MAPPED}UI-Scopes: {s: {list_service: [all]}}\ns: ${text}\n`);
  expect(warnings.filter(warning => warning.includes('is empty'))).toEqual([]);
});

describe('a mistake', () => {
  test.each([
    { text: '- a', says: 'must be a document of sections: UI-Scopes, group_mappings and scopes' },
    { text: `${MAPPED}s: x`, says: 's: must be a list of {server, methods, tools}' },
    { text: `${MAPPED}s: [x]`, says: 's[0]: must be an entry of server, methods and tools' },
    { text: `${MAPPED}s: [{servr: x}]`, says: 's[0].servr: is not a key of an entry (did you mean server?)' },
    { text: `${MAPPED}s: [{methods: [a], tools: [b]}]`, says: 's[0].server: is missing' },
    {
      text: `${MAPPED}s: [{server: 'git*', methods: [a], tools: [b]}]`,
      says: 's[0].server: * stands for every server only by itself',
    },
    {
      text: `${MAPPED}s: [{server: git, methods: ['tools/*'], tools: [b]}]`,
      says: 's[0].methods[0]: * stands for everything only by itself',
    },
    {
      text: `${MAPPED}s: [{server: git, methods: [tools/call], tools: ['get_*']}]`,
      says: 's[0].tools[0]: * stands for everything only by itself',
    },
    { text: `${MAPPED}s: [{server: 7, methods: [tools/call], tools: [b]}]`, says: 's[0].server: must be text' },
    { text: `${MAPPED}s: [{server: x, methods: tools/call, tools: [b]}]`, says: 's[0].methods: must be a list' },
    { text: `${MAPPED}s: [{server: x, methods: [tools/call], tools: [1]}]`, says: 's[0].tools[0]: must be text' },
    { text: `${MAPPED}s: [{agents: [a]}]`, says: 's[0].agents: must hold one list: actions' },
    { text: 'group_mappings: {g: s}', says: 'group_mappings.g: must be a list' },
    { text: 'group_mappings: [g]', says: 'group_mappings: must be a section of keys' },
    {
      text: 'UI-Scopes: {s: {List Service: [all]}}',
      says: 'UI-Scopes.s["List Service"]: an action is a word such as list_service',
    },
  ])('$says', ({ text, says }) => expect(read(text).problems).toContain(says));

  test('in the text itself is told with its line, and without the text', () =>
    expect(read('a: [\nsecret: "x').problems.join()).toMatch(/^line \d+, column \d+: (?!.*secret)/));

  test('as a key that is there twice is not settled by guessing', () =>
    expect(read('s: []\ns: []').problems).toHaveLength(1));
});

describe('a warning', () => {
  test.each([
    {
      text: 'group_mappings: {g: [read]}\nreads: [{server: x, methods: [tools/list]}]',
      says: 'group_mappings.g[0] names an unknown scope "read"; did you mean reads?',
    },
    { text: 'group_mappings: {g: []}', says: 'group_mappings.g is empty: the group comes to nothing' },
    { text: `${MAPPED}s: []`, says: 's is empty: it grants nothing' },
    {
      text: `${MAPPED}s: [{server: x, methods: [tools/call], tools: []}]`,
      says: 's[0].tools is empty: it grants nothing',
    },
    {
      text: `${MAPPED}s: [{server: x, methods: [tools/call], tools: ['']}]`,
      says: 's[0].tools[0] is empty: it grants nothing',
    },
    { text: `${MAPPED}s: [{server: x, tools: [a]}]`, says: 's[0].methods is empty: it grants nothing' },
    { text: 'UI-Scopes: {s: {list_service: []}}', says: 'UI-Scopes.s.list_service is empty: it grants nothing' },
    {
      text: 's: [{server: x, methods: [tools/list]}]',
      says: 'group_mappings is missing: groups come to nothing, only scopes in tokens count',
    },
    { text: '# nothing yet', says: 'the file is empty: nobody may do anything' },
  ])('$says', ({ text, says }) => {
    const { warnings, problems } = read(text);
    expect(problems).toEqual([]);
    expect(warnings).toContain(says);
  });
});

test('names that are no names elsewhere are kept as names', () => {
  const { scopes } = read(
    'group_mappings: {__proto__: [constructor]}\nconstructor: [{server: __proto__, methods: [tools/call], tools: [toString]}]',
  );
  expect(scopes?.mappings.get('__proto__')).toEqual(['constructor']);
  expect(scopes?.servers.get('constructor')).toMatchObject([{ server: '__proto__', tools: ['toString'] }]);
});

test('the examples to copy are read without a mistake or a warning', () => {
  expect(readScopesFile('config/scopes.example.yml')).toMatchObject({ ok: true, warnings: [] });
  expect(readRulesFile('config/rules.example.json')).toMatchObject({ ok: true, warnings: [] });
});
