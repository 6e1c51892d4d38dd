import { bind } from './bind.ts';
import { contains, equal, isAtMost, isLess, same } from './compare.ts';
import { typeError } from './error.ts';
import type { Test } from './filter.ts';
import { LoopContext } from './loop.ts';
import { binary } from './operators.ts';
import { str } from './repr.ts';
import { isMarkup, isStr, textOf } from './text.ts';
import { isLower, isUpper } from './unicode.ts';
import {
  Callable,
  Dict,
  Float,
  Iter,
  isInt,
  itemsOf,
  keyOf,
  Range,
  Sized,
  Tuple,
  Undefined,
  type Value,
} from './value.ts';

function plain(holds: (value: Value) => boolean): Test {
  return (value, args, kwargs) => {
    if (args.length > 0 || kwargs.size > 0) throw typeError('this test takes no arguments');
    return holds(value);
  };
}

/** Whether a name is one of something. */
export function nameTest(known: (name: string) => boolean): Test {
  return plain((value) => {
    // Python looks the value up in a dict, which takes only what can be hashed.
    keyOf(value);
    return isStr(value) && known(textOf(value));
  });
}

function against(holds: (value: Value, other: Value) => boolean): Test {
  return (value, args, kwargs) => {
    const [other] = bind({ name: 'test', parameters: ['other'], required: 1 }, args, kwargs);
    return holds(value, other as Value);
  };
}

const equals = against(equal);
const differs = against((value, other) => !equal(value, other));
const greater = against((value, other) => isLess(other, value, '>'));
const less = against((value, other) => isLess(value, other));
const atLeast = against((value, other) => isAtMost(other, value, '>='));
const atMost = against((value, other) => isAtMost(value, other));

/** The tests that need to know nothing but the value. */
export const valueTests: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['defined', plain((value) => !(value instanceof Undefined))],
  ['undefined', plain((value) => value instanceof Undefined)],
  ['none', plain((value) => value === null)],
  ['boolean', plain((value) => typeof value === 'boolean')],
  ['true', plain((value) => value === true)],
  ['false', plain((value) => value === false)],
  ['integer', plain(isInt)],
  ['float', plain((value) => value instanceof Float)],
  ['number', plain((value) => isInt(value) || value instanceof Float || typeof value === 'boolean')],
  ['string', plain(isStr)],
  ['mapping', plain((value) => value instanceof Dict)],
  [
    'sequence',
    plain(
      (value) =>
        isStr(value) ||
        Array.isArray(value) ||
        value instanceof Tuple ||
        value instanceof Dict ||
        value instanceof Range ||
        value instanceof Undefined,
    ),
  ],
  ['iterable', plain((value) => itemsOf(value) !== undefined || value instanceof Iter || value instanceof Sized)],
  [
    'callable',
    plain((value) => value instanceof Callable || value instanceof LoopContext || value instanceof Undefined),
  ],
  ['lower', plain((value) => isLower(textOf(str(value))))],
  ['upper', plain((value) => isUpper(textOf(str(value))))],
  ['escaped', plain((value) => isStr(value) && isMarkup(value))],
  ['odd', plain((value) => equal(binary('%', value, 2), 1))],
  ['even', plain((value) => equal(binary('%', value, 2), 0))],
  ['divisibleby', against((value, other) => equal(binary('%', value, other), 0))],
  ['sameas', against(same)],
  ['in', against((value, other) => contains(other, value))],
  ['==', equals],
  ['eq', equals],
  ['equalto', equals],
  ['!=', differs],
  ['ne', differs],
  ['>', greater],
  ['gt', greater],
  ['greaterthan', greater],
  ['>=', atLeast],
  ['ge', atLeast],
  ['<', less],
  ['lt', less],
  ['lessthan', less],
  ['<=', atMost],
  ['le', atMost],
]);
