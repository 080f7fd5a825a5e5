/**
 * For the fidelity property: tool `json` of the fault fixture answers with exactly the result it is given, so a test
 * can send any JSON there and compare what comes back. Here are the values worth sending and the two starters.
 */
import * as fc from 'fast-check';
import type { Json, JsonObject } from '../../../src/domain/json.ts';
import type { ScriptedEra } from './scripted/engine.ts';
import { type StartedScripted, startScripted, stdioScripted } from './start.ts';

/** The tool to call, with `{ result }` as its arguments. */
export const JSON_TOOL = 'json';

export const startFuzz = (era: ScriptedEra, transport: 'http' | 'sse' = 'http'): Promise<StartedScripted> =>
  startScripted({ era, transport, name: 'fuzz' });

export const stdioFuzz = (era: ScriptedEra): { command: string; args: string[] } =>
  stdioScripted({ era, name: 'fuzz' });

/** Keys and texts that have broken parsers, prototypes, framings and loggers before. */
const AWKWARD_TEXTS = [
  '',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'jsonrpc',
  'id',
  'method',
  'error',
  'result',
  '\n\ndata: {"jsonrpc":"2.0"}\n\n',
  '\r',
  '\u0000',
  '\u2028\u2029',
  '\uFEFF',
  '\u{1F600}',
  'é',
  'e\u0301',
  '\\u0041',
  '$' + '{HOME}',
  '</script>',
];
const AWKWARD_NUMBERS = [0, 1e21, 1e-7, 5e-324, 1.7976931348623157e308, 9007199254740991, -2147483649, 0.1];

const anyText = fc.oneof(
  fc.constantFrom(...AWKWARD_TEXTS),
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }),
);

const { json } = fc.letrec<{ json: Json; list: Json[]; object: JsonObject }>(tie => ({
  json: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.constantFrom(...AWKWARD_NUMBERS),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    anyText,
    tie('list'),
    tie('object'),
  ),
  list: fc.array(tie('json'), { maxLength: 6 }),
  object: objectOf(tie('json')),
}));

/** Any JSON value, as `JSON.parse` would give it (-0 is 0). Lone surrogates stay: they travel escaped. */
export const anyJson: fc.Arbitrary<Json> = json.map(settle);

export const anyJsonObject: fc.Arbitrary<JsonObject> = objectOf(json).map(value => settle(value) as JsonObject);

/** A tool result of every shape that the protocol lets a server send. */
export const anyToolResult: fc.Arbitrary<JsonObject> = fc
  .record(
    {
      content: fc.array(
        fc.tuple(fc.constantFrom('text', 'hologram', 'x-unknown'), objectOf(json)).map(([type, members]) => ({
          ...members,
          ...(type === 'text' ? { type, text: 'a text' } : { type }),
        })),
        { maxLength: 4 },
      ),
      structuredContent: objectOf(json),
      _meta: objectOf(json).map(withPrefix('example.test/')),
      isError: fc.boolean(),
      extra: objectOf(json).map(withPrefix('x-')),
    },
    { requiredKeys: ['content', 'extra'] },
  )
  .map(({ extra, ...known }) => settle({ ...extra, ...known } as JsonObject) as JsonObject);

/** Built by entries: `Object.fromEntries` makes an own `__proto__`, as `JSON.parse` does. */
function objectOf(values: fc.Arbitrary<Json>): fc.Arbitrary<JsonObject> {
  return fc.array(fc.tuple(anyText, values), { maxLength: 6 }).map(entries => Object.fromEntries(entries));
}

function withPrefix(prefix: string): (value: JsonObject) => JsonObject {
  return value => Object.fromEntries(Object.entries(value).map(([key, member]) => [prefix + key, member]));
}

function settle(value: Json): Json {
  return JSON.parse(Buffer.from(JSON.stringify(value)).toString('utf8')) as Json;
}
