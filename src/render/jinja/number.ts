import { TemplateError, typeError, valueError } from './error.ts';
import { asInt, Float, type Int, isInt, smallest, type Value } from './value.ts';

/** Python's `repr(float)`: shortest digits that read back, an exponent below 1e-4 and from 1e16 on. */
export function floatRepr(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const [mantissa = '', exponentText = '0'] = value.toExponential().split('e');
  const exponent = Number(exponentText);
  if (exponent < -4 || exponent >= 16) return `${mantissa}e${signedExponent(exponent)}`;
  const sign = mantissa.startsWith('-') ? '-' : '';
  const digits = mantissa.replace(/[-.]/g, '');
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`;
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`;
}

export function signedExponent(exponent: number): string {
  return `${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
}

/** Decimal digits after the point, exact halves to even as Python rounds (JavaScript rounds them up). */
export function toFixed(value: number, digits: number): string {
  if (Math.abs(value) >= 1e21) return digits > 0 ? `${BigInt(value)}.${'0'.repeat(digits)}` : String(BigInt(value));
  const places = Math.min(digits, 100);
  const rounded = value.toFixed(places);
  const exact = Math.abs(value).toFixed(100);
  const point = exact.indexOf('.');
  const rest = exact.slice(point + 1 + places);
  let text = rounded;
  if (/^50*$/.test(rest)) {
    const kept = exact.slice(0, point + 1 + places).replace('.', '');
    const even = BigInt(kept) % 2n === 0n ? BigInt(kept) : BigInt(kept) + 1n;
    const padded = even.toString().padStart(places + 1, '0');
    const whole = padded.slice(0, padded.length - places);
    text = `${value < 0 ? '-' : ''}${whole}${places > 0 ? `.${padded.slice(padded.length - places)}` : ''}`;
  }
  if (Object.is(value, -0) && !text.startsWith('-')) text = `-${text}`;
  return digits > places ? text + '0'.repeat(digits - places) : text;
}

/** One digit, so many behind the point, and an exponent; exact halves to even here too. */
export function exponential(value: number, digits: number): string {
  const sign = value < 0 || Object.is(value, -0) ? '-' : '';
  const places = Math.min(digits, 100);
  const [exact = '', exactExponent = ''] = Math.abs(value).toExponential(100).split('e');
  const all = exact.replace('.', '');
  const isEvenHalf = /^50*$/.test(all.slice(places + 1)) && Number(all[places]) % 2 === 0;
  const [mantissa = '', exponent = ''] = isEvenHalf
    ? [`${all[0]}${places > 0 ? `.${all.slice(1, places + 1)}` : ''}`, exactExponent]
    : Math.abs(value).toExponential(places).split('e');
  return `${sign}${mantissa}${'0'.repeat(digits - places)}e${signedExponent(Number(exponent))}`;
}

/** Python's `round(value, digits)`, for floats and ints. */
export function round(value: Value, digits: number | undefined): Value {
  const int = asInt(value);
  if (int !== undefined) {
    if (digits === undefined || digits >= 0) return int;
    const unit = 10n ** BigInt(-digits);
    const big = BigInt(int);
    const remainder = ((big % unit) + unit) % unit;
    const down = big - remainder;
    const up = remainder * 2n > unit || (remainder * 2n === unit && (down / unit) % 2n !== 0n);
    return smallest(up ? down + unit : down);
  }
  if (!(value instanceof Float)) throw typeError('a number is needed to round');
  const number = value.value;
  if (digits === undefined) return floatToInt(Number.isFinite(number) ? Number(toFixed(number, 0)) : number);
  if (!Number.isFinite(number)) return value;
  if (digits >= 0) return new Float(Number(toFixed(number, digits)));
  const unit = 10 ** -digits;
  return new Float(Number(toFixed(number / unit, 0)) * unit);
}

export function floatToInt(value: number): Int {
  if (!Number.isFinite(value)) throw valueError(`cannot convert float ${floatRepr(value)} to integer`);
  const whole = Math.trunc(value);
  return Number.isSafeInteger(whole) ? whole + 0 : BigInt(whole);
}

export function intToText(value: Int): string {
  if (typeof value === 'number') return Object.is(value, -0) ? '0' : String(value);
  const text = String(value);
  // Python's own guard against ints that take long to write.
  if (text.length > 4300 && text.replace('-', '').length > 4300)
    throw valueError('Exceeds the limit (4300 digits) for integer string conversion');
  return text;
}

/** The value as a double, or nothing for what is not a number. */
export function asDouble(value: Value): number | undefined {
  if (value instanceof Float) return value.value;
  const int = asInt(value);
  return int === undefined ? undefined : Number(int);
}

type Operator = '+' | '-' | '*' | '/' | '//' | '%' | '**';

/** Arithmetic of two numbers, ints exact; nothing when one of them is no number. */
export function arithmetic(operator: Operator, ...[left, right]: [Value, Value]): Value | undefined {
  const leftInt = asInt(left);
  const rightInt = asInt(right);
  if (leftInt !== undefined && rightInt !== undefined) return intArithmetic(operator, leftInt, rightInt);
  const a = asDouble(left);
  const b = asDouble(right);
  if (a === undefined || b === undefined) return undefined;
  return new Float(floatArithmetic(operator, a, b));
}

function intArithmetic(operator: Operator, ...[left, right]: [Int, Int]): Value {
  if (typeof left === 'number' && typeof right === 'number') {
    const small = smallArithmetic(operator, left, right);
    if (small !== undefined) return small;
  }
  const a = BigInt(left);
  const b = BigInt(right);
  switch (operator) {
    case '+':
      return smallest(a + b);
    case '-':
      return smallest(a - b);
    case '*':
      if (digitsOf(a) + digitsOf(b) > 100_000) throw new TemplateError('limit', 'a product with over 100000 digits');
      return smallest(a * b);
    case '/':
      return new Float(quotient(a, b));
    case '//':
      divisor(Number(b));
      return smallest((a - bigModulo(a, b)) / b);
    case '%':
      divisor(Number(b));
      return smallest(bigModulo(a, b));
    case '**':
      if (b < 0n) return new Float(floatArithmetic('**', Number(a), Number(b)));
      // The digits of the result, so that `9 ** 9 ** 9` stops here and not the machine.
      if (digitsOf(a) * Number(b) > 100_000) throw new TemplateError('limit', 'a power with over 100000 digits');
      return smallest(a ** b);
  }
}

function smallArithmetic(operator: Operator, ...[a, b]: [number, number]): Value | undefined {
  let result: number;
  switch (operator) {
    case '+':
      result = a + b;
      break;
    case '-':
      result = a - b;
      break;
    case '*':
      result = a * b;
      break;
    case '/':
      return new Float(a / divisor(b));
    case '//':
      result = Math.floor(a / divisor(b));
      if (Math.abs(a) > 2 ** 50) return undefined;
      break;
    case '%':
      result = a % divisor(b);
      if (result !== 0 && result < 0 !== b < 0) result += b;
      break;
    case '**':
      return undefined;
  }
  return Number.isSafeInteger(result) ? result + 0 : undefined;
}

function floatArithmetic(operator: Operator, ...[a, b]: [number, number]): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '/':
      return a / divisor(b);
    case '//':
      return floatFloor(a, divisor(b));
    case '%':
      return floatModulo(a, divisor(b));
    case '**': {
      if (!Number.isFinite(b) && !Number.isNaN(b) && !Number.isNaN(a))
        return Math.abs(a) === 1 ? 1 : b > 0 === Math.abs(a) > 1 ? Number.POSITIVE_INFINITY : 0;
      if (a === 0 && b < 0) throw new TemplateError('value', '0.0 cannot be raised to a negative power');
      // JavaScript says NaN here, Python 1.0.
      if (a === 1 || b === 0) return 1;
      const power = a ** b;
      if (Number.isNaN(power) && !Number.isNaN(a) && !Number.isNaN(b))
        throw new TemplateError('unsupported', 'a power with a complex result');
      if (!Number.isFinite(power) && Number.isFinite(a) && Number.isFinite(b))
        throw new TemplateError('value', 'the result of ** is too large');
      return power;
    }
  }
}

/** CPython's float_floor_div, step by step. */
function floatFloor(a: number, b: number): number {
  const rest = a % b;
  let steps = (a - rest) / b;
  if (rest !== 0 && b < 0 !== rest < 0) steps--;
  if (steps === 0) return a / b < 0 || Object.is(a / b, -0) ? -0 : 0;
  const whole = Math.floor(steps);
  return steps - whole > 0.5 ? whole + 1 : whole;
}

/** Two large ints divided, rounded once. */
function quotient(a: bigint, b: bigint): number {
  divisor(b === 0n ? 0 : 1);
  const [top, bottom] = [a < 0n ? -a : a, b < 0n ? -b : b];
  const shift = BigInt(Math.max(0, 70 - 4 * (digitsOf(top) - digitsOf(bottom))));
  const scaled = top << shift;
  // A last bit for what is left over, so that rounding to a double sees it.
  const rounded = (scaled / bottom) | (scaled % bottom === 0n ? 0n : 1n);
  const result = (Number(rounded) / 2 ** Number(shift)) * (a < 0n === b < 0n ? 1 : -1);
  if (!Number.isFinite(result)) throw valueError('integer division result too large for a float');
  return result;
}

/** `float.as_integer_ratio`. */
export function floatRatio(value: number): [Int, Int] {
  if (!Number.isFinite(value)) throw valueError(`cannot convert ${floatRepr(value)} to integer ratio`);
  let top = value;
  let bottom = 1n;
  while (!Number.isInteger(top)) {
    top *= 2;
    bottom *= 2n;
  }
  return [floatToInt(top), smallest(bottom)];
}

function divisor(value: number): number {
  if (value === 0) throw new TemplateError('value', 'division by zero');
  return value;
}

function floatModulo(a: number, b: number): number {
  const rest = a % b;
  if (rest !== 0 && rest < 0 !== b < 0) return rest + b;
  return rest === 0 ? (b < 0 ? -0 : 0) : rest;
}

function bigModulo(a: bigint, b: bigint): bigint {
  const rest = a % b;
  return rest !== 0n && rest < 0n !== b < 0n ? rest + b : rest;
}

function digitsOf(value: bigint): number {
  return value.toString(16).length;
}

export function negate(value: Value): Value | undefined {
  const int = asInt(value);
  if (int !== undefined) return typeof int === 'number' ? 0 - int : smallest(-int);
  return value instanceof Float ? new Float(-value.value) : undefined;
}

/** -1, 0 or 1; NaN when either is NaN. Ints are compared exactly, also with floats. */
export function compareNumbers(left: Int | Float, right: Int | Float): number {
  if (isInt(left) && isInt(right)) return left < right ? -1 : left > right ? 1 : 0;
  const a = left instanceof Float ? left.value : left;
  const b = right instanceof Float ? right.value : right;
  if (Number.isNaN(Number(a)) || Number.isNaN(Number(b))) return Number.NaN;
  return a < b ? -1 : a > b ? 1 : 0;
}
