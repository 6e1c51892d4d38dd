import { chargeScan } from './budget.ts';
import { typeError } from './error.ts';
import { compareNumbers } from './number.ts';
import { isStr, textOf } from './text.ts';
import { asInt, Dict, Float, isInt, iterate, Range, Tuple, typeName, Undefined, type Value, View } from './value.ts';

/** Python's `==`: never an error, no coercion but between kinds of number. */
export function equal(left: Value, right: Value): boolean {
  if (left === right) return !(left instanceof Float && Number.isNaN(left.value));
  if (isStr(left)) {
    if (!isStr(right)) return false;
    chargeScan(textOf(left).length);
    return textOf(left) === textOf(right);
  }
  const a = numeric(left);
  if (a !== undefined) {
    const b = numeric(right);
    return b !== undefined && compareNumbers(a, b) === 0;
  }
  if (left === null || right === null) return false;
  if (Array.isArray(left)) return Array.isArray(right) && sameItems(left, right);
  if (left instanceof Tuple) return right instanceof Tuple && sameItems(left.items, right.items);
  if (left instanceof Dict) {
    if (!(right instanceof Dict) || right.size !== left.size) return false;
    return left.items().every(([key, value]) => {
      const other = right.get(key);
      return other !== undefined && identicalOrEqual(value, other);
    });
  }
  if (left instanceof Undefined) return right instanceof Undefined;
  if (left instanceof Range) return right instanceof Range && sameItems(left.items(), right.items());
  if (left instanceof View && right instanceof View && left.typeName !== 'dict_values')
    return (
      left.dict.size === right.dict.size &&
      left.items().every((item) => right.items().some((other) => equal(item, other)))
    );
  return false;
}

/** How Python compares the items of collections: what is the same object need not be equal to itself. */
export function identicalOrEqual(left: Value, right: Value): boolean {
  return left === right || equal(left, right);
}

function sameItems(left: readonly Value[], right: readonly Value[]): boolean {
  return left.length === right.length && left.every((item, index) => identicalOrEqual(item, right[index] as Value));
}

function numeric(value: Value): number | bigint | Float | undefined {
  return value instanceof Float ? value : asInt(value);
}

/** Strings are ordered by code point in Python, by UTF-16 unit in JavaScript. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    if (a.charCodeAt(i) === b.charCodeAt(i)) continue;
    // Step back to the start of a pair, so that whole code points are compared.
    const at = i > 0 && isLow(a.charCodeAt(i)) && isLow(b.charCodeAt(i)) ? i - 1 : i;
    return (a.codePointAt(at) ?? 0) - (b.codePointAt(at) ?? 0);
  }
  return a.length - b.length;
}

function isLow(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}

/**
 * Python's ordering: negative, 0, positive, or NaN when nothing holds.
 * @throws TemplateError where Python has no order between the two types.
 */
export function order(left: Value, ...[right, sign]: [right: Value, sign: string]): number {
  if (isStr(left) && isStr(right)) return compareText(textOf(left), textOf(right));
  const a = numeric(left);
  const b = numeric(right);
  if (a !== undefined && b !== undefined) return compareNumbers(a, b);
  const leftItems = sequenceOf(left);
  const rightItems = sequenceOf(right);
  if (leftItems && rightItems && Array.isArray(left) === Array.isArray(right)) {
    for (let i = 0; i < Math.min(leftItems.length, rightItems.length); i++) {
      const one = leftItems[i] as Value;
      const other = rightItems[i] as Value;
      if (!identicalOrEqual(one, other)) return order(one, other, sign);
    }
    return leftItems.length - rightItems.length;
  }
  if (left instanceof Undefined) throw left.error();
  if (right instanceof Undefined) throw right.error();
  throw typeError(`'${sign}' not supported between instances of '${typeName(left)}' and '${typeName(right)}'`);
}

function sequenceOf(value: Value): readonly Value[] | undefined {
  return Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
}

/** Python's `<`, and `>` with its sides changed. */
export function isLess(left: Value, ...[right, sign = '<']: [right: Value, sign?: string]): boolean {
  return isSubset(left, right, true) ?? (sign === '<' ? order(left, right, sign) < 0 : order(right, left, sign) > 0);
}

/** Python's `<=`, and `>=` with its sides changed. */
export function isAtMost(left: Value, ...[right, sign = '<=']: [right: Value, sign?: string]): boolean {
  return (
    isSubset(left, right, false) ?? (sign === '<=' ? order(left, right, sign) <= 0 : order(right, left, sign) >= 0)
  );
}

/** Python's `needle in haystack`. */
export function contains(haystack: Value, needle: Value): boolean {
  if (isStr(haystack)) {
    if (!isStr(needle)) throw typeError(`'in <string>' requires string as left operand, not ${typeName(needle)}`);
    chargeScan(textOf(haystack).length);
    return textOf(haystack).includes(textOf(needle));
  }
  if (haystack instanceof Dict) return haystack.has(needle);
  if (haystack instanceof View && haystack.typeName === 'dict_keys') return haystack.dict.has(needle);
  if (haystack instanceof Range && isInt(needle)) {
    const index = (Number(needle) - haystack.start) / haystack.step;
    return Number.isInteger(index) && index >= 0 && index < haystack.length;
  }
  const iterator = iterate(haystack);
  for (let next = iterator.next(); !next.done; next = iterator.next())
    if (identicalOrEqual(next.value, needle)) return true;
  return false;
}

/** Whether one view of keys or items, which are sets, lies in the other; nothing where they are no sets. */
function isSubset(left: Value, ...[right, proper]: [right: Value, proper: boolean]): boolean | undefined {
  const sets = [left, right].every((value) => value instanceof View && value.typeName !== 'dict_values');
  if (!sets) return undefined;
  const [small, large] = [left, right] as [View, View];
  const fits = small.items().every((item) => large.items().some((other) => identicalOrEqual(item, other)));
  return fits && (!proper || small.dict.size < large.dict.size);
}

/** Python's `is`, as far as a template can tell. */
export function same(left: Value, right: Value): boolean {
  if (isStr(left) && isStr(right)) return textOf(left) === textOf(right);
  return left === right;
}

/** Python's `sorted`: stable, by keys, all of which must have an order. */
export function sorted<T>(items: readonly T[], ...[key, reverse]: [key: (item: T) => Value, reverse?: boolean]): T[] {
  const keyed = items.map((item) => ({ item, key: key(item) }));
  keyed.sort((a, b) => {
    const result = reverse ? order(b.key, a.key, '<') : order(a.key, b.key, '<');
    return Number.isNaN(result) ? 0 : result;
  });
  return keyed.map((entry) => entry.item);
}
