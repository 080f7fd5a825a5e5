/** The questions the fixture puts to a client, in the shape both eras share. */
import type { JsonObject } from '../../../../src/domain/json.ts';
import type { Ask } from './turn.ts';

/** Form elicitation; every property is required unless it has a default or `required` says otherwise. */
export function elicitation(message: string, properties: JsonObject, required = Object.keys(properties)): Ask {
  return {
    method: 'elicitation/create',
    params: { message, requestedSchema: { type: 'object', properties, required } },
  };
}

export function sampling(text: string, maxTokens = 100): Ask {
  const messages = [{ role: 'user', content: { type: 'text', text } }];
  return { method: 'sampling/createMessage', params: { messages, maxTokens } };
}

export const LIST_ROOTS: Ask = { method: 'roots/list', params: {} };

/** SEP-1034: a default for each primitive type. */
export const DEFAULTS_FORM = elicitation(
  'Please review and update the form fields with defaults',
  {
    name: { type: 'string', description: 'User name', default: 'John Doe' },
    age: { type: 'integer', description: 'User age', default: 30 },
    score: { type: 'number', description: 'User score', default: 95.5 },
    status: { type: 'string', description: 'User status', enum: ['active', 'inactive', 'pending'], default: 'active' },
    verified: { type: 'boolean', description: 'Verification status', default: true },
  },
  [],
);

/** SEP-1330: the five ways to offer a choice. */
export const ENUMS_FORM = elicitation(
  'Please choose',
  {
    untitledSingle: { type: 'string', enum: ['option1', 'option2', 'option3'] },
    titledSingle: { type: 'string', oneOf: titled('value', 'Option') },
    legacyEnum: {
      type: 'string',
      enum: ['opt1', 'opt2', 'opt3'],
      enumNames: ['Option One', 'Option Two', 'Option Three'],
    },
    untitledMulti: { type: 'array', items: { type: 'string', enum: ['option1', 'option2', 'option3'] } },
    titledMulti: { type: 'array', items: { anyOf: titled('value', 'Choice') } },
  },
  [],
);

function titled(stem: string, word: string): JsonObject[] {
  return ['First', 'Second', 'Third'].map((rank, i) => ({ const: `${stem}${i + 1}`, title: `${rank} ${word}` }));
}
