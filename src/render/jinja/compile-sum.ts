import type { Expr } from './ast.ts';
import { binary } from './operators.ts';
import type { Env, Evaluate } from './runtime.ts';
import { isMarkup, isStr, joined, type Str } from './text.ts';
import type { Value } from './value.ts';

/** The operands of `a + b + c`, which templates build most of their text with; a single one for anything else. */
export function summands(node: Expr): readonly Expr[] {
  return node.type === 'binary' && node.operator === '+' ? [...summands(node.left), node.right] : [node];
}

/** What a sum gives: a value, or the texts that it would put together. */
export type Sum = Value | { readonly texts: readonly Str[] };

/** Evaluates and adds from the left, as Python does; texts are only collected, so that none is copied twice. */
export function sumOf(operands: readonly Evaluate[]): (env: Env) => Sum {
  const [first, ...rest] = operands as [Evaluate, ...Evaluate[]];
  return (env) => {
    let sum = first(env);
    let texts: Str[] | undefined;
    for (const operand of rest) {
      const value = operand(env);
      const isText = isStr(value) && !isMarkup(value);
      if (texts && isText) texts.push(value);
      else if (!texts && isText && isStr(sum) && !isMarkup(sum)) texts = [sum, value];
      else {
        sum = binary('+', texts ? joined(texts) : sum, value);
        texts = undefined;
      }
    }
    return texts ? { texts } : sum;
  };
}

export function isTexts(sum: Sum): sum is { readonly texts: readonly Str[] } {
  return typeof sum === 'object' && sum !== null && 'texts' in sum;
}
