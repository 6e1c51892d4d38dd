import { bind } from './bind.ts';
import { TemplateError, typeError, valueError } from './error.ts';
import type { Filter } from './filter.ts';
import { toJson } from './json.ts';
import { arithmetic, floatToInt, negate, round } from './number.ts';
import { readFloat, readInt } from './read-number.ts';
import { isStr, textOf } from './text.ts';
import { Dict, Float, Iter, indexOf, isInt, sizeOf, Tuple, truthy, typeName, Undefined } from './value.ts';

const length: Filter = (value, args) => {
  if (args.length > 0) throw typeError('length takes no arguments');
  const size = sizeOf(value);
  if (size === undefined) throw typeError(`object of type '${typeName(value)}' has no len()`);
  return size;
};

const fallback: Filter = (value, args, kwargs) => {
  const [otherwise = '', boolean = false] = bind(
    { name: 'default', parameters: ['default_value', 'boolean'] },
    args,
    kwargs,
  );
  return value instanceof Undefined || (truthy(boolean) && !truthy(value)) ? otherwise : value;
};

const toInt: Filter = (value, args, kwargs) => {
  const [otherwise = 0, base = 10] = bind({ name: 'int', parameters: ['default', 'base'] }, args, kwargs);
  if (value instanceof Float && !Number.isFinite(value.value) && !Number.isNaN(value.value))
    throw valueError('cannot convert float infinity to integer');
  const int = readInt(value, indexOf(base, 'base'));
  if (int !== undefined) return int;
  const float = readFloat(value);
  return (float !== undefined && Number.isFinite(float) ? readInt(new Float(float)) : undefined) ?? otherwise;
};

const toFloat: Filter = (value, args, kwargs) => {
  const [otherwise = new Float(0)] = bind({ name: 'float', parameters: ['default'] }, args, kwargs);
  const float = readFloat(value);
  return float === undefined ? otherwise : new Float(float);
};

const rounded: Filter = (value, args, kwargs) => {
  const [precision = 0, method = 'common'] = bind({ name: 'round', parameters: ['precision', 'method'] }, args, kwargs);
  const how = isStr(method) ? textOf(method) : '';
  if (how !== 'common' && how !== 'ceil' && how !== 'floor') throw valueError('method must be common, ceil or floor');
  if (value instanceof Undefined) throw value.error();
  if (how === 'common') return round(value, precision === null ? undefined : indexOf(precision, 'precision'));
  const unit = arithmetic('**', 10, precision);
  const scaled = unit === undefined ? undefined : arithmetic('*', value, unit);
  if (scaled === undefined || unit === undefined) throw typeError('round needs a number');
  const whole =
    scaled instanceof Float ? floatToInt(how === 'ceil' ? Math.ceil(scaled.value) : Math.floor(scaled.value)) : scaled;
  return arithmetic('/', whole, unit) ?? 0;
};

const absolute: Filter = (value) => {
  if (value instanceof Undefined) throw value.error();
  if (typeof value === 'boolean') return Number(value);
  if (value instanceof Float) return new Float(Math.abs(value.value));
  if (!isInt(value)) throw typeError(`bad operand type for abs(): '${typeName(value)}'`);
  return value < 0 ? (negate(value) ?? value) : value;
};

export const valueFilters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['length', length],
  ['count', length],
  ['default', fallback],
  ['d', fallback],
  ['int', toInt],
  ['float', toFloat],
  ['round', rounded],
  ['abs', absolute],
  ['tojson', toJson],
  [
    'items',
    (value) => {
      if (value instanceof Undefined) return new Iter([][Symbol.iterator]());
      if (!(value instanceof Dict)) throw typeError('Can only get item pairs from a mapping.');
      return new Iter(
        value
          .items()
          .map((pair) => new Tuple(pair))
          [Symbol.iterator](),
      );
    },
  ],
  [
    'random',
    () => {
      throw new TemplateError('unsupported', 'the filter random would render a row differently each time');
    },
  ],
]);
