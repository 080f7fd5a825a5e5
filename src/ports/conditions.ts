/** Expressions of an operator, made into functions: checked once when they are read, cheap each time they are asked. */
import type { ConditionTest } from '../domain/conditions.ts';

export type CompiledExpression =
  | { ok: true; test: ConditionTest; usesArguments: boolean; usesSubject: boolean }
  /** What is wrong with it, in words for whoever wrote it. */
  | { ok: false; message: string };

export type CompileExpression = (expression: string) => CompiledExpression;
