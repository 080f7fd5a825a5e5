import { describe, expect, test } from 'vitest';
import { type Confidence, confidenceOf, type Evidence } from '../../../src/domain/search/confidence.ts';

const CASES: readonly (Evidence & { sure: Confidence; because: string })[] = [
  { coverage: 1, likeness: 0.6, isSaid: true, isRead: false, sure: 'high', because: 'words and meaning agree' },
  {
    coverage: 1,
    likeness: 0.6,
    isSaid: false,
    isRead: false,
    sure: 'low',
    because: 'every word found is a correction',
  },
  { coverage: 0, likeness: 0.9, isSaid: false, isRead: false, sure: 'low', because: 'letters in common are a guess' },
  {
    coverage: 1,
    likeness: null,
    isSaid: false,
    isRead: true,
    sure: 'low',
    because: 'while a model is away, guesses are',
  },
  {
    coverage: 0,
    likeness: 0.6,
    isSaid: false,
    isRead: true,
    sure: 'high',
    because: 'a model reads other languages, too',
  },
  {
    coverage: 1,
    likeness: 0.3,
    isSaid: false,
    isRead: true,
    sure: 'low',
    because: 'a correction adds nothing to be sure by',
  },
  { coverage: 0, likeness: 0.1, isSaid: true, isRead: false, sure: 'none', because: 'little was found' },
];

describe('confidenceOf', () => {
  test.each(CASES)('is $sure where $because', ({ sure, because: _, ...evidence }) => {
    expect(confidenceOf(evidence)).toBe(sure);
  });
});
