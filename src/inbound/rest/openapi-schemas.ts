/**
 * The schemas of the table as JSON Schema (2020-12), each shared one once: what has an id (`.meta({ id })`) or stands in
 * several places is a component. What is read and what is answered are two views of a schema, which differ where one has
 * defaults or transforms.
 */
import { z } from 'zod';
import type { JsonObject } from '../../domain/json.ts';
import { DOOR_WORDS } from '../http/door-words.ts';
import type { RestRoute } from './route.ts';

export interface Components {
  input(schema: z.ZodType): JsonObject;
  output(schema: z.ZodType): JsonObject;
  /** The members of an object that is read from a path or a query. */
  parameters(schema: z.ZodType | null): { properties: Record<string, JsonObject>; required: ReadonlySet<string> };
  /** By name; complete once everything has been asked for. */
  schemas(): Record<string, JsonObject>;
}

const ERROR: JsonObject = {
  type: 'object',
  properties: {
    detail: { type: 'string', description: 'What is wrong, for a person.' },
    error: {
      enum: [...DOOR_WORDS],
      description: 'At the front door, before it is known what is asked: the same for a program.',
    },
  },
  required: ['detail'],
};

export function createComponents(table: readonly RestRoute[]): Components {
  const schemas: Record<string, JsonObject> = { Error: ERROR };
  const names = nameShared(table);
  /** As written, before references were turned: tells two of one name apart. */
  const written = new Map<string, string>();

  /** Where the two views of a schema differ, the later one is told apart by which it is. */
  function keep(name: string, schema: JsonObject, io: 'input' | 'output'): string {
    const text = JSON.stringify(schema);
    const suffix = io === 'input' ? 'Input' : 'Output';
    let free = name;
    for (let n = 1; written.has(free) && written.get(free) !== text; n++) free = `${name}${suffix}${n === 1 ? '' : n}`;
    written.set(free, text);
    return free;
  }

  function convert(schema: z.ZodType, io: 'input' | 'output'): JsonObject {
    const { $schema, $defs, id, ...body } = z.toJSONSchema(schema, {
      ...{ target: 'draft-2020-12', io, unrepresentable: 'any', cycles: 'ref' },
    }) as JsonObject;
    const defs = ($defs ?? {}) as Record<string, JsonObject>;
    const own = names.get(schema);
    const renamed = new Map(
      Object.entries(defs).map(([name, def]) => [name, keep(nameOf(name, own), withoutId(def), io)]),
    );
    const turn = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(turn);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value).map(([key, inner]) => {
          if (key !== '$ref' || typeof inner !== 'string') return [key, turn(inner)];
          const target = inner.startsWith('#/$defs/') ? renamed.get(inner.slice('#/$defs/'.length)) : undefined;
          return [key, target === undefined ? inner : `#/components/schemas/${target}`];
        }),
      );
    };
    for (const [name, def] of Object.entries(defs))
      schemas[renamed.get(name) ?? name] = turn(withoutId(def)) as JsonObject;
    // One with an id of its own is a reference already.
    if (own === undefined || '$ref' in body) return turn(body) as JsonObject;
    const name = keep(own, body as JsonObject, io);
    schemas[name] = turn(body) as JsonObject;
    return { $ref: `#/components/schemas/${name}` };
  }

  return {
    input: schema => convert(schema, 'input'),
    output: schema => convert(schema, 'output'),
    parameters(schema) {
      if (schema === null) return { properties: {}, required: new Set() };
      const { properties, required = [] } = z.toJSONSchema(schema, {
        ...{ target: 'draft-2020-12', io: 'input', unrepresentable: 'any', reused: 'inline' },
      }) as JsonObject;
      if (properties === undefined) throw new Error('the path and the query of a route are read by an object schema');
      return { properties: properties as Record<string, JsonObject>, required: new Set(required as string[]) };
    },
    schemas: () => Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** Names of whole bodies and answers: their id, or their place where they are used more than once. */
function nameShared(table: readonly RestRoute[]): Map<z.ZodType, string> {
  const uses = new Map<z.ZodType, number>();
  const names = new Map<z.ZodType, string>();
  const use = (schema: z.ZodType | null, place: string) => {
    if (schema === null) return;
    const count = (uses.get(schema) ?? 0) + 1;
    uses.set(schema, count);
    const id = schema.meta()?.id;
    if (id !== undefined) names.set(schema, id);
    else if (count === 2) names.set(schema, place);
  };
  for (const { operation, body, answers } of table) {
    const place = operation.replace(/(?:^|[^A-Za-z0-9]+)([A-Za-z0-9])/g, (_whole, first: string) =>
      first.toUpperCase(),
    );
    use(body?.schema ?? null, `${place}Request`);
    for (const [status, { schema }] of Object.entries(answers)) use(schema, `${place}${status}`);
  }
  return names;
}

/** Those that only the library has a name for are told apart by whose they are. */
function nameOf(name: string, owner: string | undefined): string {
  return name.startsWith('__') ? `${owner ?? 'Anonymous'}${name.replace(/^_+schema/, 'Part')}` : name;
}

function withoutId({ id, ...def }: JsonObject): JsonObject {
  return def;
}
