/** Copies: a program that runs behind several servers says the same several times. */
import { describe, expect, it } from 'vitest';
import { rankByWords } from '../../../src/domain/search/bm25f.ts';
import type { SearchDocument } from '../../../src/domain/search/document.ts';
import { latentRows } from '../../../src/domain/search/latent.ts';
import { toQuery } from '../../../src/domain/search/query.ts';
import type { View } from '../../../src/domain/search/view.ts';
import { OFFICE, tool, viewOf } from './documents.ts';

const [ISSUE] = OFFICE;
if (ISSUE === undefined) throw new Error('the office is empty');

const copiesAt = (server: string) =>
  OFFICE.filter(({ owner }) => owner === 'tracker').map(
    (document): SearchDocument => ({
      ...document,
      ...{ id: `${server}__${document.name}`, owner: server, fields: { ...document.fields, owner: server } },
    }),
  );

const weightOf = (view: View, word: string) => view.weightOf(view.index.findTerm(word));

function scoresOf(view: View, text: string): Map<string, number> {
  const { scores, touched } = rankByWords(view, toQuery(view, text));
  return new Map(touched.map(slot => [view.index.slots[slot]?.document.id ?? '', scores[slot] as number]));
}

describe('the same tools behind three servers', () => {
  const alone = viewOf(OFFICE);
  const thrice = viewOf([...OFFICE, ...copiesAt('north'), ...copiesAt('south')]);

  it('make their words no less telling, nor those of others more', () => {
    for (const word of ['ticket', 'bug', 'label', 'file', 'wind', 'city'])
      expect([word, weightOf(thrice, word)]).toEqual([word, weightOf(alone, word)]);
    expect(Math.max(...thrice.copies)).toBe(3);
    expect(Math.max(...alone.copies)).toBe(1);
  });

  it('score as the one that there was, by words', () => {
    for (const text of ['open a bug ticket', 'temperature and wind', 'text of a file']) {
      const found = scoresOf(thrice, text);
      for (const [id, score] of scoresOf(alone, text)) expect([id, found.get(id)]).toEqual([id, score]);
    }
    expect(scoresOf(thrice, 'ticket').get('north__create_issue')).toBeGreaterThan(0);
  });

  it('are still told apart by whose they are', () => {
    expect(weightOf(thrice, 'north')).toBeGreaterThan(0);
    const found = scoresOf(thrice, 'create issue north');
    expect(found.get('north__create_issue')).toBeGreaterThan(found.get('south__create_issue') ?? 0);
  });

  it('weigh together as much as one, where meaning is made of them', () => {
    const weightIn = (view: View) => {
      const rows = latentRows(view);
      let step = rows.next();
      while (step.done !== true) step = rows.next();
      const { starts, values } = step.value.matrix;
      let sum = 0;
      for (const [row, { document }] of view.documents.entries()) {
        if (document.name !== ISSUE.name) continue;
        for (const value of values.subarray(starts[row], starts[row + 1])) sum += value * value;
      }
      return sum;
    };
    expect(weightIn(thrice)).toBeCloseTo(1, 5);
    expect(weightIn(alone)).toBeCloseTo(1, 5);
  });
});

it('tools that differ in a word, a parameter or how often they say it are no copies', () => {
  const says = (server: string, description: string, parameters = {}) => tool(server, 'look', description, parameters);
  const view = viewOf([
    says('a', 'Looks at a thing.'),
    says('b', 'Looks at a things thing.'),
    says('c', 'Looks at a thing.', { thing: '' }),
    says('d', 'Looks at a stone.'),
    tool('e', 'see', 'Looks at a thing.'),
    says('f', 'Looks at a thing.'),
  ]);
  const copies = new Map(view.documents.map(({ document }, at) => [document.owner, view.copies[at]]));
  expect(Object.fromEntries(copies)).toEqual({ a: 2, b: 1, c: 1, d: 1, e: 1, f: 2 });
});
