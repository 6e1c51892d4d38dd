import type { BinaryOperator } from './ast.ts';
import { charge, chargeScan } from './budget.ts';
import { TemplateError, typeError, valueError } from './error.ts';
import { percentFormat } from './format.ts';
import { escapeHtml } from './html.ts';
import { arithmetic } from './number.ts';
import { str } from './repr.ts';
import { repeated } from './string-methods.ts';
import {
  characters,
  concat,
  isMarkup,
  isStr,
  joined,
  lengthOf,
  positionOf,
  type Str,
  sliceText,
  textOf,
  withMarkup,
} from './text.ts';
import { asInt, Dict, indexOf, Range, Tuple, typeName, Undefined, type Value, View } from './value.ts';

/** Python's binary operators. @throws TemplateError where Python raises */
export function binary(operator: BinaryOperator, ...[left, right]: [Value, Value]): Value {
  const number = arithmetic(operator, left, right);
  if (number !== undefined) return number;
  if (left instanceof Undefined) throw left.error();
  if (operator === '%' && isStr(left)) return percentFormat(left, right);
  if (operator === '-' && (isSetView(left) || isSetView(right)))
    throw new TemplateError('unsupported', 'a set has no order that renderings share');
  if (right instanceof Undefined) throw right.error();
  if (operator === '+') {
    if (isStr(left) && isStr(right)) {
      if (isMarkup(left) || isMarkup(right)) return withMarkup(concat(escapeHtml(left), escapeHtml(right)), true);
      return concat(left, right);
    }
    if (Array.isArray(left) && Array.isArray(right)) {
      charge(left.length + right.length);
      return [...left, ...right];
    }
    if (left instanceof Tuple && right instanceof Tuple) return new Tuple([...left.items, ...right.items]);
  }
  if (operator === '*') {
    const times = asInt(left) ?? asInt(right);
    const sequence = asInt(left) === undefined ? left : right;
    if (times !== undefined) {
      // Python's OverflowError: a count must fit the machine's index.
      if (typeof times === 'bigint' && BigInt.asIntN(64, times) !== times)
        throw valueError("cannot fit 'int' into an index-sized integer");
      const count = Math.max(0, Number(times));
      if (isStr(sequence)) return withMarkup(repeated(sequence, count), isMarkup(sequence));
      if (Array.isArray(sequence)) return repeatedItems(sequence, count);
      if (sequence instanceof Tuple) return new Tuple(repeatedItems(sequence.items, count));
    }
  }
  throw typeError(`unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`);
}

function isSetView(value: Value): boolean {
  return value instanceof View && value.typeName !== 'dict_values';
}

function repeatedItems(items: readonly Value[], count: number): Value[] {
  charge(items.length * count);
  return Array.from({ length: count }, () => items).flat();
}

/** Jinja's `~`: the texts of all values, one after the other. */
export function tilde(values: readonly Value[]): Str {
  return joined(values.map(str));
}

/** Python's `value[start:stop:step]`. */
export function slice(
  value: Value,
  { start, stop, step }: { start: Value | undefined; stop: Value | undefined; step: Value | undefined },
): Value {
  if (value instanceof Undefined) throw value.error();
  const by = bound(step) ?? 1;
  if (by === 0) throw valueError('slice step cannot be zero');
  const bounds = { start: bound(start), stop: bound(stop), step: by };
  if (isStr(value)) {
    chargeScan(textOf(value).length);
    const length = lengthOf(value);
    const { from, to } = resolved(bounds, length);
    if (by === 1)
      return sliceText(value, positionOf(textOf(value), from), positionOf(textOf(value), Math.max(from, to)));
    return withMarkup(joined(picked(characters(value), { from, to, by })), isMarkup(value));
  }
  const items = value instanceof Tuple ? value.items : Array.isArray(value) ? value : undefined;
  if (items) {
    const { from, to } = resolved(bounds, items.length);
    const part = by === 1 ? items.slice(from, Math.max(from, to)) : picked(items, { from, to, by });
    return value instanceof Tuple ? new Tuple(part) : part;
  }
  if (value instanceof Range) {
    const { from, to } = resolved(bounds, value.length);
    return new Range(value.at(from), value.at(to), value.step * by);
  }
  if (value instanceof Dict) throw typeError("unhashable type: 'slice'");
  throw typeError(`'${typeName(value)}' object is not subscriptable`);
}

function bound(value: Value | undefined): number | undefined {
  return value === undefined || value === null ? undefined : indexOf(value, 'slice indices');
}

function resolved(
  { start, stop, step }: { start: number | undefined; stop: number | undefined; step: number },
  length: number,
): { from: number; to: number } {
  const low = step < 0 ? -1 : 0;
  const high = step < 0 ? length - 1 : length;
  const clamp = (index: number | undefined, otherwise: number): number =>
    index === undefined ? otherwise : Math.min(high, Math.max(low, index < 0 ? index + length : index));
  return { from: clamp(start, step < 0 ? high : low), to: clamp(stop, step < 0 ? low : high) };
}

function picked<T>(items: readonly T[], { from, to, by }: { from: number; to: number; by: number }): T[] {
  const result: T[] = [];
  for (let i = from; by > 0 ? i < to : i > to; i += by) result.push(items[i] as T);
  return result;
}

export function notCallable(value: Value): TemplateError {
  return value instanceof Undefined ? value.error() : typeError(`'${typeName(value)}' object is not callable`);
}
