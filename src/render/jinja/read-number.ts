import { asDouble, floatToInt } from './number.ts';
import { isStr, textOf } from './text.ts';
import { asciiDigits, whitespace } from './unicode.ts';
import { Float, isInt, smallest, Undefined, type Value } from './value.ts';

/** The int a value stands for, as Python's `int(value)` reads it; nothing where that raises ValueError or TypeError. */
export function readInt(value: Value, base = 10): Value | undefined {
  if (value instanceof Undefined) throw value.error();
  if (isInt(value)) return value;
  if (typeof value === 'boolean') return Number(value);
  if (value instanceof Float) return Number.isFinite(value.value) ? floatToInt(value.value) : undefined;
  return isStr(value) ? parseInteger(textOf(value), base) : undefined;
}

const edges = new RegExp(`^[${whitespace}]+|[${whitespace}]+$`, 'g');

/** Without Python's white space around it, in ASCII digits. */
function trimmed(text: string): string {
  return asciiDigits(text.replace(edges, ''));
}

function parseInteger(text: string, base: number): Value | undefined {
  const match = /^([+-]?)(0[xXoObB])?_?([0-9a-zA-Z]+(?:_[0-9a-zA-Z]+)*)$/.exec(trimmed(text));
  if (!match) return undefined;
  const [, sign = '', prefix = '', body = ''] = match;
  const bases: Readonly<Record<string, number>> = { '0x': 16, '0o': 8, '0b': 2 };
  const prefixed = bases[prefix.toLowerCase()];
  if (prefix !== '' && base !== 0 && base !== prefixed)
    return base === 10 || base < 12 ? undefined : parseDigits(sign, prefix + body, base);
  return parseDigits(sign, body, prefixed ?? (base === 0 ? 10 : base));
}

function parseDigits(sign: string, ...[body, base]: [string, number]): Value | undefined {
  // Python's own guard against ints that take long to read.
  if (body.length > 4300 && (base & (base - 1)) !== 0 && body.replaceAll('_', '').length > 4300) return undefined;
  let result = 0n;
  for (const digit of body.replaceAll('_', '')) {
    const value = Number.parseInt(digit, 36);
    if (Number.isNaN(value) || value >= base) return undefined;
    result = result * BigInt(base) + BigInt(value);
  }
  const signed = sign === '-' ? -result : result;
  return smallest(signed);
}

/** Python's `float(value)`; nothing where that raises. */
export function readFloat(value: Value): number | undefined {
  if (value instanceof Undefined) throw value.error();
  if (!isStr(value)) return asDouble(value);
  const text = trimmed(textOf(value)).toLowerCase();
  const word = /^([+-]?)(inf|infinity|nan)$/.exec(text);
  if (word) return (word[1] === '-' ? -1 : 1) * (word[2] === 'nan' ? Number.NaN : Number.POSITIVE_INFINITY);
  const digits = '\\d+(?:_\\d+)*';
  if (!new RegExp(`^[+-]?(?:${digits}\\.?(?:${digits})?|\\.${digits})(?:e[+-]?${digits})?$`).test(text))
    return undefined;
  return Number(text.replaceAll('_', ''));
}
