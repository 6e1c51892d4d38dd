import { call, callMethod, getAttribute, getItem } from './access.ts';
import { type Arguments, type CompareOperator, children, type Expr, type FilterNode } from './ast.ts';
import { charge } from './budget.ts';
import { contains, equal, isAtMost, isLess } from './compare.ts';
import { isTexts, summands, sumOf } from './compile-sum.ts';
import { TemplateError, typeError } from './error.ts';
import type { Filter, Test } from './filter.ts';
import { type Frame, reader, softFrame } from './frame.ts';
import { filters, tests } from './library.ts';
import { negate } from './number.ts';
import { binary, slice, tilde } from './operators.ts';
import type { Env, Evaluate } from './runtime.ts';
import { isStr, joined, textOf } from './text.ts';
import { Dict, type Kwargs, noKwargs, Tuple, toArray, truthy, typeName, Undefined, type Value } from './value.ts';

/** An expression as a closure over the environment. */
export function compileExpression(node: Expr, frame: Frame): Evaluate {
  return foldedFirst(node, frame, isPlain) ?? compileNode(node, frame);
}

/** One that is printed as it stands. */
export function compilePrinted(node: Expr, frame: Frame): Evaluate | undefined {
  return foldedFirst(node, frame, () => true);
}

/**
 * jinja2 works constants out while compiling, by a way that makes an undefined of a slice that cannot be cut: `7[1:2]` prints
 * nothing, and is an error only where it is worked out later. That is so for what is no constant as a whole, and for a
 * constant that does not read back as itself (`keeps`), unless it is printed.
 * @returns nothing where there is no slice of a constant
 */
function foldedFirst(node: Expr, ...[frame, keeps]: [Frame, (value: Value) => boolean]): Evaluate | undefined {
  if (frame.folding || !holdsConstantSlice(node)) return undefined;
  const fold = compileNode(node, { ...frame, folding: true });
  const plain = compileNode(node, frame);
  let folded: { readonly value: Value } | null | undefined;
  return (env) => {
    if (folded === undefined) {
      folded = null;
      try {
        const value = fold(env);
        if (keeps(value)) folded = { value };
      } catch (error) {
        if (!(error instanceof NotConstant) && !(error instanceof TemplateError)) throw error;
      }
    }
    return folded ? folded.value : plain(env);
  };
}

/** Thrown where working out a constant meets what is none. */
class NotConstant extends Error {}

function notConstant(): never {
  throw new NotConstant();
}

function holdsConstantSlice(node: Expr): boolean {
  if (node.type === 'getitem' && node.index.type === 'slice' && isConstant(node)) return true;
  return children(node).some((child) => holdsConstantSlice(child as Expr));
}

function isConstant(node: Expr): boolean {
  return node.type !== 'name' && node.type !== 'call' && children(node).every((child) => isConstant(child as Expr));
}

/** Whether a constant reads back as itself: jinja2's `has_safe_repr`. */
function isPlain(value: Value): boolean {
  if (value instanceof Undefined) return false;
  if (value instanceof Tuple) return value.items.every(isPlain);
  if (Array.isArray(value)) return value.every(isPlain);
  return value instanceof Dict ? value.items().every((pair) => pair.every(isPlain)) : true;
}

/** Those that jinja2 gives the context of a rendering, so that nothing below them is known while compiling. */
const contextFilters: ReadonlySet<string> = new Set(['map', 'select', 'reject', 'selectattr', 'rejectattr', 'random']);

function compileNode(node: Expr, frame: Frame): Evaluate {
  switch (node.type) {
    case 'const': {
      const { value } = node;
      return () => value;
    }
    case 'name': {
      if (frame.folding) return notConstant;
      const { name } = node;
      const ref = frame.symbols.find(name);
      if (!ref) throw new TemplateError('syntax', `'${name}' is not known here`, node.line);
      const read = reader(frame.scope, ref);
      return (env) => {
        const value = read(env);
        return value === undefined ? new Undefined(`'${name}' is undefined`) : value;
      };
    }
    case 'list': {
      const items = compileAll(node.items, frame);
      return (env) => items.map((item) => item(env));
    }
    case 'tuple': {
      const items = compileAll(node.items, frame);
      return (env) => new Tuple(items.map((item) => item(env)));
    }
    case 'dict': {
      const pairs = node.pairs.map(
        ([key, value]) => [compileExpression(key, frame), compileExpression(value, frame)] as const,
      );
      return (env) => Dict.of(pairs.map(([key, value]) => [key(env), value(env)] as const));
    }
    case 'getattr': {
      const object = compileExpression(node.object, frame);
      const { name } = node;
      return (env) => getAttribute(object(env), name);
    }
    case 'getitem':
      return compileItem(node.object, node.index, frame);
    case 'call':
      return frame.folding ? notConstant : compileCall(node.callee, node.call, frame);
    case 'filter':
      return frame.folding && contextFilters.has(node.name) ? notConstant : compileFilter(node, frame);
    case 'test':
      return compileTest(node, frame);
    case 'not': {
      const operand = compileExpression(node.operand, frame);
      return (env) => !truthy(operand(env));
    }
    case 'sign':
      return compileSign(node.sign, compileExpression(node.operand, frame));
    case 'binary': {
      if (node.operator === '+') {
        const sum = sumOf(compileAll(summands(node), frame));
        return (env) => {
          const result = sum(env);
          return isTexts(result) ? joined(result.texts) : result;
        };
      }
      const left = compileExpression(node.left, frame);
      const right = compileExpression(node.right, frame);
      const { operator } = node;
      return (env) => binary(operator, left(env), right(env));
    }
    case 'logic': {
      const left = compileExpression(node.left, frame);
      const right = compileExpression(node.right, frame);
      const stop = node.operator === 'or';
      return (env) => {
        const value = left(env);
        return truthy(value) === stop ? value : right(env);
      };
    }
    case 'compare':
      return compileCompare(node, frame);
    case 'concat': {
      const items = compileAll(node.items, frame);
      return (env) => tilde(items.map((item) => item(env)));
    }
    case 'cond': {
      const soft = softFrame(frame);
      const test = compileExpression(node.test, soft);
      const yes = compileExpression(node.yes, soft);
      const otherwise = node.no && compileExpression(node.no, soft);
      const nothing = new Undefined(`the inline if-expression on line ${node.line} evaluated to false and has no else`);
      return (env) => (truthy(test(env)) ? yes(env) : otherwise ? otherwise(env) : nothing);
    }
    case 'slice':
    case 'nsref':
      throw new TemplateError('syntax', `a ${node.type} cannot stand here`, node.line);
  }
}

export function compileAll(nodes: readonly Expr[], frame: Frame): Evaluate[] {
  return nodes.map((node) => compileExpression(node, frame));
}

function compileItem(objectNode: Expr, ...[index, frame]: [Expr, Frame]): Evaluate {
  const object = compileExpression(objectNode, frame);
  if (index.type !== 'slice') {
    if (index.type === 'const' && typeof index.value === 'string') {
      const name = index.value;
      return (env) => {
        const value = object(env);
        const item = value instanceof Dict ? value.getText(name) : undefined;
        return item === undefined ? getItem(value, name) : item;
      };
    }
    const key = compileExpression(index, frame);
    return (env) => getItem(object(env), key(env));
  }
  const part = (node: Expr | undefined): ((env: Env) => Value | undefined) =>
    node ? compileExpression(node, frame) : () => undefined;
  const [start, stop, step] = [part(index.start), part(index.stop), part(index.step)];
  const cut = (env: Env): Value => slice(object(env), { start: start(env), stop: stop(env), step: step(env) });
  if (!frame.folding) return cut;
  return (env) => {
    try {
      return cut(env);
    } catch (error) {
      if (error instanceof TemplateError && error.kind === 'type') return new Undefined(error.message);
      throw error;
    }
  };
}

function compileSign(sign: '+' | '-', operand: Evaluate): Evaluate {
  return (env) => {
    const value = operand(env);
    const negated = negate(value);
    if (negated === undefined) {
      if (value instanceof Undefined) throw value.error();
      throw typeError(`bad operand type for unary ${sign}: '${typeName(value)}'`);
    }
    return sign === '-' ? negated : typeof value === 'boolean' ? Number(value) : value;
  };
}

const comparisons: Readonly<Record<CompareOperator, (left: Value, right: Value) => boolean>> = {
  '==': equal,
  '!=': (left, right) => !equal(left, right),
  '<': isLess,
  '<=': isAtMost,
  '>': (left, right) => isLess(right, left, '>'),
  '>=': (left, right) => isAtMost(right, left, '>='),
  in: (left, right) => contains(right, left),
  notin: (left, right) => !contains(right, left),
};

function compileCompare(node: Extract<Expr, { type: 'compare' }>, frame: Frame): Evaluate {
  const first = compileExpression(node.first, frame);
  const rest = node.rest.map(({ operator, operand }) => ({
    holds: comparisons[operator],
    operand: compileExpression(operand, frame),
  }));
  const [only] = rest;
  if (rest.length === 1 && only) return (env) => only.holds(first(env), only.operand(env));
  return (env) => {
    let left = first(env);
    for (const { holds, operand } of rest) {
      const right = operand(env);
      if (!holds(left, right)) return false;
      left = right;
    }
    return true;
  };
}

export interface CompiledArguments {
  args(env: Env): Value[];
  kwargs(env: Env): Kwargs;
}

export function compileArguments(call: Arguments, frame: Frame): CompiledArguments {
  const args = compileAll(call.args, frame);
  const dynArgs = call.dynArgs && compileExpression(call.dynArgs, frame);
  const named = call.kwargs.map(({ name, value }) => ({ name, value: compileExpression(value, frame) }));
  const dynKwargs = call.dynKwargs && compileExpression(call.dynKwargs, frame);
  return {
    args: (env) => {
      const values = args.map((arg) => arg(env));
      return dynArgs ? [...values, ...toArray(dynArgs(env))] : values;
    },
    kwargs: (env) => {
      if (named.length === 0 && !dynKwargs) return noKwargs;
      const values = new Map(named.map(({ name, value }) => [name, value(env)]));
      if (dynKwargs) for (const [name, value] of keywords(dynKwargs(env))) values.set(name, value);
      return values;
    },
  };
}

function keywords(value: Value): [string, Value][] {
  if (!(value instanceof Dict)) throw typeError('argument after ** must be a mapping');
  return value.items().map(([key, item]) => {
    if (!isStr(key)) throw typeError('keywords must be strings');
    return [textOf(key), item];
  });
}

function compileCall(callee: Expr, ...[argumentsNode, frame]: [Arguments, Frame]): Evaluate {
  const { args, kwargs } = compileArguments(argumentsNode, frame);
  if (callee.type === 'getattr') {
    const object = compileExpression(callee.object, frame);
    const { name } = callee;
    return (env) => callMethod(object(env), { name, args: args(env), kwargs: kwargs(env) });
  }
  const target = compileExpression(callee, frame);
  return (env) => call(target(env), args(env), kwargs(env));
}

/** A filter as a function of what it is applied to. @throws TemplateError for an unknown name outside of an `if` */
export function compileFilterCall(node: FilterNode, frame: Frame): (env: Env, value: Value) => Value {
  const filter: Filter | undefined = filters.get(node.name);
  if (!filter && !frame.soft) throw new TemplateError('syntax', `No filter named '${node.name}'.`, node.line);
  const { args, kwargs } = compileArguments(node.call, frame);
  if (!filter)
    return () => {
      throw new TemplateError('syntax', `No filter named '${node.name}'.`, node.line);
    };
  return (env, value) => {
    charge(isStr(value) ? 1 + (textOf(value).length >> 7) : 1);
    return filter(value, args(env), kwargs(env));
  };
}

function compileFilter(node: FilterNode, frame: Frame): Evaluate {
  if (!node.object) throw new TemplateError('syntax', 'a filter needs something to filter', node.line);
  const object = compileExpression(node.object, frame);
  const apply = compileFilterCall(node, frame);
  return (env) => apply(env, object(env));
}

function compileTest(node: Extract<Expr, { type: 'test' }>, frame: Frame): Evaluate {
  const object = compileExpression(node.object, frame);
  const test: Test | undefined = tests.get(node.name);
  if (!test && !frame.soft) throw new TemplateError('syntax', `No test named '${node.name}'.`, node.line);
  const { args, kwargs } = compileArguments(node.call, frame);
  if (!test)
    return () => {
      throw new TemplateError('syntax', `No test named '${node.name}'.`, node.line);
    };
  return (env) => test(object(env), args(env), kwargs(env));
}
