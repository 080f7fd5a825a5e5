/**
 * Conditions in CEL, the Common Expression Language (cel-spec): known from Kubernetes and the cloud providers, typed, and
 * unable to loop, to allocate without bound or to reach anything but what it is given. Chosen over engines of whole
 * policies because the arguments of a tool are any JSON: Cedar takes no fractions and no null, OPA wants a compiler of
 * its own, and code of ours would be one more language to get right. Left out here: `matches`, whose regular expressions
 * can take forever, and loops that go over a caller's data once for each part of it.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js';
import type { ConditionFacts } from '../../domain/conditions.ts';
import type { CompiledExpression } from '../../ports/conditions.ts';

const MAX_TEXT = 4000;
const LIMITS = { maxAstNodes: 500, maxDepth: 40, maxListElements: 200, maxMapEntries: 50, maxCallArguments: 8 };
const LOOPS: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

const environment = new Environment({ unlistedVariablesAreDyn: false, limits: LIMITS })
  .registerVariable('args', 'map<string, dyn>')
  .registerVariable({
    name: 'caller',
    schema: { subject: 'string', agent: 'string', groups: 'list<string>', scopes: 'list<string>' },
  })
  .registerVariable('server', 'string')
  .registerVariable('tool', 'string');

/** `args`, `caller.{subject,agent,groups,scopes}`, `server`, `tool`; the answer is true or false. */
export function compileCel(expression: string): CompiledExpression {
  if (expression.length > MAX_TEXT) return wrong(`is longer than ${MAX_TEXT} characters`);
  let compiled: ReturnType<typeof environment.parse>;
  try {
    compiled = environment.parse(expression);
  } catch (error) {
    return wrong(describe(error));
  }
  const objection = findObjection(compiled.ast);
  if (objection !== null) return wrong(objection);
  const checked = compiled.check();
  if (!checked.valid) return wrong(describe(checked.error));
  if (checked.type !== 'bool' && checked.type !== 'dyn')
    return wrong(`is of the type ${checked.type}, but has to be true or false`);
  return {
    ok: true,
    usesArguments: someNode(compiled.ast, node => node.op === 'id' && node.args === 'args'),
    usesSubject: looksAtSubject(compiled.ast),
    test(facts: ConditionFacts): boolean {
      const answer: unknown = compiled(facts);
      if (typeof answer !== 'boolean') throw new TypeError('the expression is neither true nor false');
      return answer;
    },
  };
}

function wrong(message: string): CompiledExpression {
  return { ok: false, message };
}

/** Errors of the library carry a drawing of the expression; one line and a column are enough. */
function describe(error: unknown): string {
  const { summary, range } = Object(error) as { summary?: unknown; range?: { start?: unknown } };
  const said = typeof summary === 'string' ? summary : 'is not a CEL expression';
  const first = said.split('\n', 1)[0] ?? said;
  return typeof range?.start === 'number' ? `column ${range.start + 1}: ${first}` : first;
}

/** What is CEL and still not taken. */
function findObjection(ast: ASTNode): string | null {
  if (someNode(ast, node => node.op === 'rcall' && node.args[0] === 'matches'))
    return 'matches() is not available: use startsWith, endsWith, contains or ==';
  return findLoopObjection(ast, null);
}

/** In a loop all of a caller's data is not at hand again, so that the work grows with the data and never with its square. */
const AT_HAND: ReadonlySet<string> = new Set(['caller', 'server', 'tool']);

/** `names`: what the loops around give names to; null outside of any. */
function findLoopObjection(node: ASTNode, names: readonly string[] | null): string | null {
  if (node.op === 'id' && names !== null && !AT_HAND.has(node.args) && !names.includes(node.args))
    return `${node.args} is not available inside a loop: only what the loop goes over, caller, server and tool are`;
  if (!isLoop(node)) return firstObjection(childrenOf(node.args), names);
  const [, receiver, [variable, ...body]] = node.args;
  if (names !== null && receiver.op !== 'list')
    return 'loops inside a loop may only go over a written list, such as ["a", "b"].exists(...)';
  const inside = [...(names ?? []), ...(variable?.op === 'id' ? [variable.args] : [])];
  return findLoopObjection(receiver, names) ?? firstObjection(body, inside);
}

function firstObjection(nodes: readonly ASTNode[], names: readonly string[] | null): string | null {
  for (const node of nodes) {
    const objection = findLoopObjection(node, names);
    if (objection !== null) return objection;
  }
  return null;
}

type Loop = ASTNode & { op: 'rcall' };

function isLoop(node: ASTNode): node is Loop {
  return node.op === 'rcall' && LOOPS.has(node.args[0]);
}

function someNode(node: ASTNode, holds: (node: ASTNode) => boolean): boolean {
  return holds(node) || childrenOf(node.args).some(child => someNode(child, holds));
}

/** By name, or at all of the caller at once. */
function looksAtSubject(node: ASTNode): boolean {
  if (node.op === 'id') return node.args === 'caller';
  if (node.op === '.' && node.args[0].op === 'id' && node.args[0].args === 'caller') return node.args[1] === 'subject';
  return childrenOf(node.args).some(looksAtSubject);
}

/** Operands come bare, in lists, and in lists of pairs. */
function childrenOf(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(childrenOf);
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : [];
}
