import { bind } from './bind.ts';
import { chargeText } from './budget.ts';
import { order } from './compare.ts';
import { typeError, valueError } from './error.ts';
import type { Filter } from './filter.ts';
import { floatRepr, intToText } from './number.ts';
import { isStr, pushEscaped, type Str, TextBuilder } from './text.ts';
import { asInt, Dict, Float, isInt, smallest, Tuple, toArray, truthy, typeName, type Value } from './value.ts';

interface Style {
  readonly pattern: RegExp;
  readonly indent: Str | undefined;
  readonly itemSeparator: Str;
  readonly keySeparator: Str;
  readonly sortKeys: boolean;
}

/** transformers' `tojson`: Python's json.dumps with non-ASCII characters as they are. */
export const toJson: Filter = (value, args, kwargs) => {
  const parameters = ['ensure_ascii', 'indent', 'separators', 'sort_keys'];
  const [ascii = false, indent = null, separators = null, sortKeys = false] = bind(
    { name: 'tojson', parameters },
    args,
    kwargs,
  );
  const [item, key, more] = separators === null ? [indent === null ? ', ' : ',', ': '] : toArray(separators);
  if (!isStr(item) || !isStr(key) || more !== undefined) throw typeError('separators must be two strings');
  const builder = new TextBuilder();
  dump(builder, value, {
    style: {
      pattern: truthy(ascii) ? /["\\\x00-\x1f\x7f-\uffff]/g : /["\\\x00-\x1f]/g,
      indent: indentOf(indent),
      itemSeparator: item,
      keySeparator: key,
      sortKeys: truthy(sortKeys),
    },
    depth: 0,
  });
  return builder.finish();
};

function indentOf(indent: Value): Str | undefined {
  if (indent === null) return undefined;
  if (isStr(indent)) return indent;
  const width = asInt(indent);
  if (width === undefined) throw typeError('indent must be an int or a str');
  chargeText(Number(width));
  return ' '.repeat(Math.max(0, Number(width)));
}

const shortEscapes: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
};

function escapeUnit(unit: string): string {
  // DEL is ASCII and needs no escape, though it lies in the range.
  if (unit === '\x7f') return unit;
  return shortEscapes[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

function dump(builder: TextBuilder, ...[value, { style, depth }]: [Value, { style: Style; depth: number }]): void {
  if (isStr(value)) {
    builder.push('"');
    pushEscaped(builder, value, style.pattern, escapeUnit);
    builder.push('"');
  } else if (Array.isArray(value) || value instanceof Tuple) {
    const items = Array.isArray(value) ? value : value.items;
    container(builder, { open: '[', close: ']', style, depth, count: items.length }, (index) => {
      dump(builder, items[index] as Value, { style, depth: depth + 1 });
    });
  } else if (value instanceof Dict) {
    const pairs = value.items();
    if (style.sortKeys) pairs.sort(([a], [b]) => order(a, b, '<'));
    container(builder, { open: '{', close: '}', style, depth, count: pairs.length }, (index) => {
      const [key, item] = pairs[index] as [Value, Value];
      dump(builder, isStr(key) ? key : scalar(key), { style, depth });
      builder.push(style.keySeparator);
      dump(builder, item, { style, depth: depth + 1 });
    });
  } else builder.push(scalar(value));
}

function container(
  builder: TextBuilder,
  ...[shape, item]: [
    { open: string; close: string; style: Style; depth: number; count: number },
    (index: number) => void,
  ]
): void {
  const { open, close, style, depth, count } = shape;
  if (depth > 400) throw valueError('the value is nested too deeply for JSON');
  builder.push(open);
  for (let i = 0; i < count; i++) {
    if (i > 0) builder.push(style.itemSeparator);
    if (style.indent !== undefined) newline(builder, style.indent, depth + 1);
    item(i);
  }
  if (count > 0 && style.indent !== undefined) newline(builder, style.indent, depth);
  builder.push(close);
}

function newline(builder: TextBuilder, ...[indent, depth]: [Str, number]): void {
  builder.push('\n');
  for (let i = 0; i < depth; i++) builder.push(indent);
}

function scalar(value: Value): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (isInt(value)) return intToText(value);
  if (value instanceof Float) {
    const { value: number } = value;
    if (Number.isNaN(number)) return 'NaN';
    return Number.isFinite(number) ? floatRepr(number) : number > 0 ? 'Infinity' : '-Infinity';
  }
  throw typeError(`Object of type ${typeName(value)} is not JSON serializable`);
}

/** What plain JSON may be: numbers stay apart as Python keeps them. */
export type ParsedJson =
  | null
  | boolean
  | number
  | bigint
  | string
  | Float
  | ParsedJson[]
  | { [key: string]: ParsedJson };

/**
 * Reads JSON as Python does: `1.0` and `1` stay apart (as `Float` and number), large integers stay exact.
 * @throws SyntaxError
 */
export function parseJson(text: string): ParsedJson {
  // The third argument, the source text of a number, is newer than the types that come with the language.
  const revive = (_key: string, value: unknown, context?: { readonly source?: string }): unknown => {
    const source = context?.source;
    if (typeof value !== 'number' || source === undefined) return value;
    if (/[.eE]/.test(source)) return new Float(value);
    return Number.isSafeInteger(value) ? value + 0 : smallest(BigInt(source));
  };
  return JSON.parse(text, revive as (key: string, value: unknown) => unknown) as ParsedJson;
}
