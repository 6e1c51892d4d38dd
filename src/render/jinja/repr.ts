import { TemplateError } from './error.ts';
import { floatRepr, intToText } from './number.ts';
import { escaped, isStr, pushEscaped, type Str, TextBuilder, textOf, withMarkup } from './text.ts';
import {
  Callable,
  Dict,
  Float,
  isInt,
  Namespace,
  PyObject,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
  View,
} from './value.ts';

/** Python's `str(value)`: what `{{ value }}` prints. */
export function str(value: Value): Str {
  if (typeof value === 'string') return value;
  if (isStr(value)) return withMarkup(value, false);
  if (value instanceof Undefined) return '';
  return repr(value);
}

export function repr(value: Value): Str {
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (isInt(value)) return intToText(value);
  if (value instanceof Float) return floatRepr(value.value);
  const builder = new TextBuilder();
  pushRepr(builder, value);
  return builder.finish();
}

/** Python's `ascii(value)`: its repr with everything else escaped. */
export function ascii(value: Value): Str {
  return escaped(repr(value), /[^\x00-\x7f]/gu, escapeCharacter);
}

const special: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' };

function escapeCharacter(character: string): string {
  const known = special[character];
  if (known) return known;
  const code = character.codePointAt(0) ?? 0;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, '0')}`;
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, '0')}`;
  return `\\U${code.toString(16).padStart(8, '0')}`;
}

// What Python's str.isprintable denies, and the backslash.
const unprintable = /[\\\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;
const unprintableOrQuote = /[\\'\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu;

function pushRepr(builder: TextBuilder, value: Value): void {
  if (isStr(value)) {
    if (!isPlain(value)) builder.push('Markup(');
    const text = textOf(value);
    const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
    builder.push(quote);
    const pattern = quote === "'" ? unprintableOrQuote : unprintable;
    pushEscaped(builder, value, pattern, (match) => (match === "'" ? "\\'" : escapeCharacter(match)));
    builder.push(quote);
    if (!isPlain(value)) builder.push(')');
  } else if (Array.isArray(value)) {
    pushItems(builder, ['[', value, ']']);
  } else if (value instanceof Tuple) {
    pushItems(builder, ['(', value.items, value.items.length === 1 ? ',)' : ')']);
  } else if (value instanceof Dict) {
    pushDict(builder, value);
  } else if (value instanceof Undefined) {
    builder.push('Undefined');
  } else if (value instanceof Range) {
    builder.push(`range(${value.start}, ${value.stop}${value.step === 1 ? '' : `, ${value.step}`})`);
  } else if (value instanceof View) {
    builder.push(`${value.typeName}(`);
    pushItems(builder, ['[', value.items(), ']']);
    builder.push(')');
  } else if (value instanceof Namespace) {
    builder.push('<Namespace ');
    pushDict(builder, Dict.of(value.members));
    builder.push('>');
  } else if (value instanceof Callable && value.typeName === 'Macro') {
    builder.push('<Macro ');
    pushRepr(builder, value.name);
    builder.push('>');
  } else if (value instanceof PyObject && value.typeName === 'TemplateReference') {
    builder.push('<TemplateReference None>');
  } else if (value === null || typeof value !== 'object' || value instanceof Float) {
    builder.push(repr(value));
  } else {
    // Python prints a memory address here, so that no two renderings agree.
    throw new TemplateError('unsupported', `a ${typeName(value)} has no text of its own`);
  }
}

function isPlain(value: Str): boolean {
  return typeof value === 'string' || !value.markup;
}

function pushItems(builder: TextBuilder, [open, items, close]: [string, readonly Value[], string]): void {
  builder.push(open);
  items.forEach((item, index) => {
    if (index > 0) builder.push(', ');
    pushRepr(builder, item);
  });
  builder.push(close);
}

function pushDict(builder: TextBuilder, dict: Dict): void {
  builder.push('{');
  dict.items().forEach(([key, value], index) => {
    if (index > 0) builder.push(', ');
    pushRepr(builder, key);
    builder.push(': ');
    pushRepr(builder, value);
  });
  builder.push('}');
}
