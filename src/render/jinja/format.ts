import { chargeText } from './budget.ts';
import { typeError, valueError } from './error.ts';
import { escapeHtml } from './html.ts';
import { asDouble, exponential, floatRepr, floatToInt, intToText, toFixed } from './number.ts';
import { readFloat, readInt } from './read-number.ts';
import { ascii, repr, str } from './repr.ts';
import {
  concat,
  isMarkup,
  isStr,
  lengthOf,
  positionOf,
  type Str,
  sliceText,
  TextBuilder,
  textOf,
  withMarkup,
} from './text.ts';
import { asciiDigits } from './unicode.ts';
import {
  asInt,
  Dict,
  Float,
  type Int,
  isInt,
  type Kwargs,
  Range,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from './value.ts';

const percentPattern = /%(?:\(([^()]*)\))?([#0\- +]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?(.)?/gs;

/** Python's `text % values`. */
export function percentFormat(format: Str, values: Value): Str {
  const builder = new TextBuilder();
  const markup = isMarkup(format);
  const positional = values instanceof Tuple ? values.items : [values];
  let used = 0;
  let named = false;
  const next = (): Value => {
    const value = positional[used++];
    if (value === undefined) throw typeError('not enough arguments for format string');
    return value;
  };
  let done = 0;
  for (const match of textOf(format).matchAll(percentPattern)) {
    builder.pushSlice(format, done, match.index);
    done = match.index + match[0].length;
    const [whole, key, flags = '', widthText, precisionText, type] = match;
    if (type === '%' && whole === '%%') {
      builder.push('%');
      continue;
    }
    if (key !== undefined) named = true;
    if (key !== undefined && !(values instanceof Dict)) throw typeError('format requires a mapping');
    const width = widthText === '*' ? starred(next()) : Number(widthText ?? 0);
    const hasPrecision = /\.(\*|\d+)?[hlL]?.$/s.test(whole);
    const precision =
      precisionText === '*' ? Math.max(0, starred(next())) : hasPrecision ? Number(precisionText ?? 0) : undefined;
    const value = key === undefined ? next() : named ? member(values, key) : null;
    const item = { flags, width, precision, type: type ?? '' };
    builder.push(markup ? markupItem(value, item) : percentItem(value, item));
  }
  builder.pushSlice(format, done, textOf(format).length);
  // Python takes whatever can be subscripted for a mapping, and of a mapping nothing need be used.
  const mapping =
    values instanceof Dict || Array.isArray(values) || values instanceof Undefined || values instanceof Range;
  if (used < positional.length && !named && !mapping)
    throw typeError('not all arguments converted during string formatting');
  return builder.finish(markup);
}

function starred(value: Value): number {
  const int = asInt(value);
  if (int === undefined) throw typeError('* wants int');
  return Number(int);
}

/** What Markup puts in place of a value: text escaped, and a number where one is asked for. */
function markupItem(value: Value, item: PercentItem): Str {
  const { type } = item;
  const text = type === 's' ? value : type === 'r' ? repr(value) : type === 'a' ? ascii(value) : undefined;
  if (text !== undefined) return percentItem(withMarkup(escapeHtml(text), false), { ...item, type: 's' });
  const number = 'diu'.includes(type) ? readInt(value) : 'eEfFgG'.includes(type) ? readFloat(value) : undefined;
  if (number === undefined) throw typeError(`%${type} format: a number is required`);
  return percentItem('diu'.includes(type) ? number : new Float(Number(number)), item);
}

function member(values: Value, key: string): Value {
  const value = values instanceof Dict ? values.getText(key) : undefined;
  if (value === undefined) throw valueError(`the format names '${key}', which the mapping lacks`);
  return value;
}

interface PercentItem {
  readonly flags: string;
  readonly width: number;
  readonly precision: number | undefined;
  readonly type: string;
}

function percentItem(value: Value, item: PercentItem): Str {
  const { flags, width, precision, type } = item;
  const left = flags.includes('-') || width < 0;
  const pad = (text: Str, zero: boolean): Str => {
    const missing = Math.abs(width) - lengthOf(text);
    chargeText(missing);
    if (missing <= 0) return text;
    if (left) return concat(text, ' '.repeat(missing));
    if (!zero) return concat(' '.repeat(missing), text);
    const raw = textOf(text);
    const sign = /^[+\- ]?(0[xXo])?/.exec(raw)?.[0] ?? '';
    return sign + '0'.repeat(missing) + raw.slice(sign.length);
  };
  if (type === 's' || type === 'r' || type === 'a') {
    const text = type === 's' ? str(value) : type === 'r' ? repr(value) : ascii(value);
    return pad(precision === undefined ? text : sliceText(text, 0, positionOf(textOf(text), precision)), false);
  }
  if (type === 'c') {
    const int = asInt(value);
    if (int !== undefined) return pad(String.fromCodePoint(Number(int)), false);
    if (isStr(value) && lengthOf(value) === 1) return pad(value, false);
    throw typeError('%c requires an int or a single character');
  }
  if (value instanceof Undefined) throw value.error();
  const number = asDouble(value);
  if (number === undefined) throw typeError(`%${type} format: a number is required, not ${typeName(value)}`);
  const signed = (text: string): string =>
    text.startsWith('-') ? text : flags.includes('+') ? `+${text}` : flags.includes(' ') ? ` ${text}` : text;
  const zero = flags.includes('0');
  if (type === 'd' || type === 'i' || type === 'u') {
    const digits = intToText(value instanceof Float ? floatToInt(number) : (asInt(value) ?? 0));
    return pad(signed(padDigits(digits, precision)), zero);
  }
  if (type === 'x' || type === 'X' || type === 'o') {
    const int = asInt(value);
    if (int === undefined) throw typeError(`%${type} format: an integer is required, not ${typeName(value)}`);
    const prefix = flags.includes('#') ? (type === 'o' ? '0o' : `0${type}`) : '';
    const digits = padDigits(int.toString(type === 'o' ? 8 : 16), precision);
    return pad(signed(withPrefix(type === 'X' ? digits.toUpperCase() : digits, prefix)), zero);
  }
  if (/^[eEfFgG]$/.test(type))
    return pad(signed(realText(number, { type, precision, alternate: flags.includes('#') })), zero);
  throw valueError(`unsupported format character '${type}'`);
}

function padDigits(digits: string, precision: number | undefined): string {
  const negative = digits.startsWith('-');
  const bare = negative ? digits.slice(1) : digits;
  return (negative ? '-' : '') + bare.padStart(precision ?? 0, '0');
}

function withPrefix(digits: string, prefix: string): string {
  return digits.startsWith('-') ? `-${prefix}${digits.slice(1)}` : prefix + digits;
}

interface RealSpec {
  readonly type: string;
  readonly precision: number | undefined;
  readonly alternate: boolean;
  /** As `str` writes floats: a digit behind the point takes one of the precision. */
  readonly dotted?: boolean;
}

/** e, f, g and % of both formatting languages. */
function realText(number: number, { type, precision = 6, alternate, dotted = false }: RealSpec): string {
  if (!Number.isFinite(number)) {
    const text = floatRepr(number);
    return type === type.toUpperCase() && type !== '%' ? text.toUpperCase() : text;
  }
  const lower = type.toLowerCase();
  let text: string;
  if (lower === 'f') text = toFixed(number, precision);
  else if (lower === 'e') text = exponential(number, precision);
  else {
    const digits = precision === 0 ? 1 : precision;
    const exponent = number === 0 ? 0 : Number(exponential(number, digits - 1).split('e')[1]);
    text =
      exponent < -4 || exponent >= digits - (dotted ? 1 : 0)
        ? exponential(number, digits - 1)
        : toFixed(number, digits - 1 - exponent);
    if (!alternate && text.includes('.')) text = text.replace(/\.?0+(?=e|$)/, '');
  }
  if (alternate) text = withPoint(text);
  return type === lower ? text : text.toUpperCase();
}

/** `#` keeps the point where no digit follows it. */
const withPoint = (text: string): string => (text.includes('.') ? text : text.replace(/(?=e)|$/, '.'));

const specPattern = /^(?:(.)?([<>=^]))?([+\- ])?(z)?(#)?(0)?(\p{Nd}+)?([,_])?(?:\.(\p{Nd}+))?([a-zA-Z%])?$/su;

/** Python's `format(value, spec)` for strings and numbers. */
export function formatValue(value: Value, spec: string): Str {
  if (spec === '') return str(value);
  const match = specPattern.exec(spec);
  if (!match) throw valueError(`Invalid format specifier '${spec}'`);
  const [, fillText, alignText, sign, unsigned, hash, zero, widthDigits, grouping, precisionDigits, type] = match;
  const widthText = widthDigits && asciiDigits(widthDigits);
  const precisionText = precisionDigits && asciiDigits(precisionDigits);
  const precision = precisionText === undefined ? undefined : Number(precisionText);
  const number = value instanceof Float || isInt(value) || typeof value === 'boolean';
  if (!number && !isStr(value)) throw typeError(`unsupported format string passed to ${typeName(value)}.__format__`);
  const align = alignText ?? (zero ? '=' : number ? '>' : '<');
  const fill = fillText ?? (zero ? '0' : ' ');
  let body: Str;
  if (isStr(value)) {
    if ((type !== undefined && type !== 's') || sign || unsigned || hash || grouping || alignText === '=')
      throw valueError(`Invalid format specifier '${spec}' for a string`);
    body = precision === undefined ? value : sliceText(value, 0, positionOf(textOf(value), precision));
    if (align === '=') return padTo(body, { width: Number(widthText ?? 0), align: '<', fill });
  } else {
    const text = numberText(value as Int | boolean | Float, {
      ...{ type, precision, grouping, sign },
      ...{ hash: hash !== undefined, unsigned: unsigned !== undefined },
    });
    const signed = text.startsWith('-') ? text : sign === '+' || sign === ' ' ? sign + text : text;
    body = signed;
    if (align === '=') {
      const head = /^[+\- ]?(0[xXob])?/.exec(signed)?.[0] ?? '';
      if (fill === '0' && grouping)
        return groupedZeros(signed.slice(head.length), {
          head,
          width: Number(widthText ?? 0),
          grouping,
          every: /^[xXbo]$/.test(type ?? '') ? 4 : 3,
        });
      const missing = Number(widthText ?? 0) - signed.length;
      chargeText(missing);
      return missing > 0 ? head + fill.repeat(missing) + signed.slice(head.length) : signed;
    }
  }
  return padTo(body, { width: Number(widthText ?? 0), align, fill });
}

/** Pads to a width in code points; `^` puts the odd one on the right, as `format` does. */
function padTo(text: Str, { width, align, fill }: { width: number; align: string; fill: string }): Str {
  const missing = width - lengthOf(text);
  if (missing <= 0) return text;
  chargeText(missing);
  const before = align === '>' ? missing : align === '^' ? Math.floor(missing / 2) : 0;
  return concat(concat(fill.repeat(before), text), fill.repeat(missing - before));
}

interface NumberSpec {
  readonly type: string | undefined;
  readonly precision: number | undefined;
  readonly grouping: string | undefined;
  readonly sign: string | undefined;
  readonly hash: boolean;
  /** `z`: what is rounded to zero has no sign. */
  readonly unsigned: boolean;
}

function numberText(value: Int | boolean | Float, spec: NumberSpec): string {
  const { type, precision, grouping, hash, unsigned } = spec;
  const int = asInt(value);
  if (grouping && type === 'n') throw valueError(`Cannot specify '${grouping}' with 'n'.`);
  if (int !== undefined && (type === undefined || 'bcdnoxX'.includes(type))) {
    if (precision !== undefined) throw valueError('Precision not allowed in integer format specifier');
    if (unsigned) throw valueError('Negative zero coercion (z) not allowed in integer format specifier');
    if (type === 'c' && (spec.sign || hash || grouping)) throw valueError("A character ('c') is written as it stands");
    if (grouping === ',' && /^[boxX]$/.test(type ?? '')) throw valueError(`Cannot specify ',' with '${type}'.`);
    if (type === undefined && typeof value === 'boolean' && !grouping) return intToText(int);
    if (type === 'c') return String.fromCodePoint(Number(int));
    const base = type === 'b' ? 2 : type === 'o' ? 8 : type === 'x' || type === 'X' ? 16 : 10;
    const digits = base === 10 ? intToText(int) : int.toString(base);
    const text = group(type === 'X' ? digits.toUpperCase() : digits, { grouping, every: base === 10 ? 3 : 4 });
    return hash && base !== 10 ? withPrefix(text, `0${type}`) : text;
  }
  const text = floatText(Number(value instanceof Float ? value.value : int), spec);
  return group(unsigned ? text.replace(/^-(?=[0.]+(?:e[+-]\d+)?%?$)/i, '') : text, { grouping, every: 3 });
}

function floatText(number: number, { type, precision, hash: alternate }: NumberSpec): string {
  if (type === undefined) {
    const text =
      precision === undefined ? floatRepr(number) : realText(number, { type: 'g', precision, alternate, dotted: true });
    if (alternate) return /[in]/.test(text) ? text : withPoint(text);
    return precision === undefined || /[.en]/.test(text) ? text : `${text}.0`;
  }
  if (type === '%') return `${realText(number * 100, { type: 'f', precision, alternate })}%`;
  if (!/^[eEfFgGn]$/.test(type)) throw valueError(`Unknown format code '${type}' for object of type 'float'`);
  return realText(number, { type: type === 'n' ? 'g' : type, precision, alternate });
}

function group(text: string, { grouping, every }: { grouping: string | undefined; every: number }): string {
  if (!grouping) return text;
  const match = /^(-?)([0-9a-fA-F]+)(.*)$/.exec(text);
  if (!match) return text;
  const [, sign = '', whole = '', rest = ''] = match;
  return sign + whole.replace(new RegExp(`\\B(?=(.{${every}})+$)`, 'g'), grouping) + rest;
}

/** Zeros in front are grouped too, and a group is never left open. */
function groupedZeros(
  text: string,
  { head, width, grouping, every }: { head: string; width: number; grouping: string; every: number },
): string {
  chargeText(width);
  const [, digits = '', rest = ''] = (every === 4 ? /^([\da-fA-F_]*)(.*)$/ : /^([\d,_]*)(.*)$/).exec(text) ?? [];
  if (digits === '') return head + '0'.repeat(Math.max(0, width - head.length - rest.length)) + rest;
  const groups = Math.floor((width - head.length - rest.length) / (every + 1)) - 1;
  let bare = digits.replaceAll(grouping, '').padStart(groups * every, '0');
  const shown = (): string => head + group(bare, { grouping, every }) + rest;
  while (shown().length < width) bare = `0${bare}`;
  return shown();
}

/** How `str.format` reaches into a value: `{a.b[0]}`. */
export interface FieldAccess {
  attribute(value: Value, name: string): Value;
  item(value: Value, key: Value): Value;
}

/** Python's `str.format`. @param access the sandbox's getattr and getitem */
export function braceFormat(
  format: Str,
  { args, kwargs, access }: { args: readonly Value[]; kwargs: Kwargs; access: FieldAccess },
): Str {
  const markup = isMarkup(format);
  let automatic: number | undefined = 0;
  const field = (name: string): Value => {
    const [, first = '', rest = ''] = /^([^.[]*)(.*)$/s.exec(name) ?? [];
    let value: Value | undefined;
    if (first === '') {
      if (rest !== '') throw valueError("the format names '', which was not given");
      if (automatic === undefined)
        throw valueError('cannot switch from manual field specification to automatic field numbering');
      value = args[automatic++];
    } else if (/^\d+$/.test(first)) {
      if (automatic) throw valueError('cannot switch from automatic field numbering to manual field specification');
      automatic = undefined;
      value = args[Number(first)];
    } else value = kwargs.get(first);
    if (value === undefined) throw valueError(`the format names '${first}', which was not given`);
    for (const step of rest.matchAll(/\.([^.[]+)|\[([^\]]+)\]/g)) {
      const [, attribute, key = ''] = step;
      if (attribute !== undefined) value = access.attribute(value, attribute);
      else value = access.item(value, /^\d+$/.test(key) ? Number(key) : key);
    }
    return value;
  };
  const render = (text: Str, depth: number): Str => {
    if (depth > 3) throw valueError('Max string recursion exceeded');
    const raw = textOf(text);
    const builder = new TextBuilder();
    let done = 0;
    for (let i = 0; i < raw.length; i++) {
      const unit = raw[i];
      if (unit !== '{' && unit !== '}') continue;
      builder.pushSlice(text, done, i);
      if (raw[i + 1] === unit) {
        builder.pushSlice(text, i, i + 1);
        i++;
        done = i + 1;
        continue;
      }
      if (unit === '}') throw valueError("Single '}' encountered in format string");
      const end = closingBrace(raw, i);
      const [, name = '', conversion, spec = ''] = /^([^!:]*)(?:!(.))?(?::(.*))?$/s.exec(raw.slice(i + 1, end)) ?? [];
      let value = field(name);
      if (conversion === 'r') value = repr(value);
      else if (conversion === 'a') value = ascii(value);
      else if (conversion === 's') value = str(value);
      else if (conversion !== undefined) throw valueError(`Unknown conversion specifier ${conversion}`);
      if (value instanceof Undefined && spec !== '') throw value.error();
      const how = textOf(render(spec, depth + 1));
      builder.push(markup && depth === 1 ? markupField(value, how) : formatValue(value, how));
      done = end + 1;
      i = end;
    }
    builder.pushSlice(text, done, raw.length);
    return builder.finish();
  };
  const result = render(format, 1);
  return markup ? withMarkup(result, true) : result;
}

function markupField(value: Value, spec: string): Str {
  if (!isStr(value) || !isMarkup(value)) return withMarkup(escapeHtml(formatValue(value, spec)), false);
  if (spec !== '') throw valueError('Unsupported format specification for Markup.');
  return withMarkup(value, false);
}

function closingBrace(text: string, open: number): number {
  let depth = 0;
  for (let i = open; i < text.length; i++) {
    if (text[i] === '{') depth++;
    else if (text[i] === '}' && --depth === 0) return i;
  }
  throw valueError("expected '}' before end of string");
}
