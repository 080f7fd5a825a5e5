/** The names and patterns that rules and conditions are made of, as an operator writes them. */
import { parsePattern } from '../domain/name-pattern.ts';

/** What is wrong with a name or pattern, or null. */
export function findNameMistake(name: unknown): string | null {
  if (typeof name !== 'string') return 'must be a string';
  if (name === '') return 'must not be empty';
  if (name !== name.trim()) return 'must not begin or end with a space';
  if (parsePattern(name) === null) return 'may hold one *, alone, at the start or at the end';
  return null;
}
