import { bind } from './bind.ts';
import { charge, chargeScan } from './budget.ts';
import { contains, identicalOrEqual } from './compare.ts';
import { TemplateError, typeError, valueError } from './error.ts';
import { LoopContext } from './loop.ts';
import { methodOfStr } from './markup.ts';
import { floatRatio } from './number.ts';
import { notCallable } from './operators.ts';
import { str } from './repr.ts';
import { stringMethods } from './string-methods.ts';
import { isMarkup, isStr, lengthOf, positionOf, sliceText, textOf } from './text.ts';
import {
  asInt,
  Callable,
  Dict,
  Float,
  indexOf,
  type Kwargs,
  PyObject,
  Range,
  Tuple,
  toArray,
  typeName,
  Undefined,
  type Value,
  View,
} from './value.ts';

type Method<T> = (self: T, args: readonly Value[], kwargs: Kwargs) => Value;

const dictMethods: ReadonlyMap<string, Method<Dict>> = new Map<string, Method<Dict>>([
  [
    'get',
    (self, args, kwargs) => {
      if (kwargs.size > 0) throw typeError('get() takes no keyword arguments');
      const [key, otherwise = null] = bind({ name: 'get', parameters: ['key', 'default'], required: 1 }, args, kwargs);
      const value = self.get(key as Value);
      return value === undefined ? otherwise : value;
    },
  ],
  ['items', (self) => new View(self, 'dict_items')],
  ['keys', (self) => new View(self, 'dict_keys')],
  ['values', (self) => new View(self, 'dict_values')],
  ['copy', (self) => Dict.of(self.items())],
  ['fromkeys', (_self, args) => fromKeys(args)],
]);

const listMethods: ReadonlyMap<string, Method<readonly Value[]>> = new Map<string, Method<readonly Value[]>>([
  ['copy', (self) => self.slice()],
  [
    'count',
    (self, args, kwargs) => {
      if (args.length !== 1 || kwargs.size > 0) throw typeError('count() takes exactly one argument');
      return self.filter((item) => identicalOrEqual(item, args[0] as Value)).length;
    },
  ],
  ['index', indexIn],
]);

function indexIn(self: readonly Value[], ...[args, kwargs]: [readonly Value[], Kwargs]): Value {
  if (args.length < 1 || args.length > 3 || kwargs.size > 0) throw typeError('index() takes 1 to 3 arguments');
  const place = (value: Value | undefined, otherwise: number): number => {
    const at = value === undefined ? otherwise : indexOf(value, 'slice indices');
    return at < 0 ? Math.max(0, at + self.length) : at;
  };
  const end = place(args[2], self.length);
  for (let i = place(args[1], 0); i < Math.min(end, self.length); i++)
    if (identicalOrEqual(self[i] as Value, args[0] as Value)) return i;
  throw valueError('the value is not in the list');
}

// The sandbox lets nothing change a value; reading these gives an undefined that cannot be called.
const hidden: Readonly<Record<'list' | 'dict', ReadonlySet<string>>> = {
  list: new Set(['append', 'clear', 'pop', 'reverse', 'insert', 'sort', 'extend', 'remove']),
  dict: new Set(['clear', 'pop', 'popitem', 'setdefault', 'update']),
};

export function fromKeys([keys, value = null]: readonly Value[]): Dict {
  return Dict.of(toArray(keys ?? null).map((key) => [key, value] as const));
}

// Every Python object has these, so that naming one meets the sandbox and not the fallback to an item.
const dunders: ReadonlySet<string> = new Set(
  (
    '__class__ __delattr__ __dir__ __doc__ __eq__ __format__ __ge__ __getattribute__ __getstate__ __gt__ __hash__ __init__ ' +
    '__init_subclass__ __le__ __lt__ __ne__ __new__ __reduce__ __reduce_ex__ __repr__ __setattr__ __sizeof__ __str__ ' +
    '__subclasshook__ __len__ __iter__ __contains__ __getitem__ __add__ __mul__ __mod__ __call__ __bool__ __int__ __float__'
  ).split(' '),
);

function unsafe(value: Value, name: string): Undefined {
  return new Undefined(`access to attribute '${name}' of '${typeName(value)}' object is unsafe.`, 'security');
}

function missing(value: Value, name: Value): Undefined {
  const shown = isStr(name) ? `attribute '${textOf(name)}'` : `element ${describe(name)}`;
  return new Undefined(`'${typeName(value)} object' has no ${shown}`);
}

function describe(value: Value): string {
  return value instanceof PyObject ? typeName(value) : textOf(str(value));
}

/** What Python's getattr gives inside the sandbox; nothing where it raises AttributeError. */
function attributeOf(value: Value, name: string): Value | undefined {
  if (name.startsWith('__') && name.endsWith('__') && dunders.has(name)) return unsafe(value, name);
  if (value instanceof Undefined) throw value.error();
  if (isStr(value)) {
    const method = methodOfStr(value, name, formatAccess);
    return method && bound(name, value, method);
  }
  if (value instanceof Dict) {
    if (hidden.dict.has(name)) return unsafe(value, name);
    const method = dictMethods.get(name);
    return method && bound(name, value, method);
  }
  if (Array.isArray(value)) {
    if (hidden.list.has(name)) return unsafe(value, name);
    const method = listMethods.get(name);
    return method && bound<readonly Value[]>(name, value, method);
  }
  if (value instanceof Tuple) {
    const named = value.names.indexOf(name);
    if (named >= 0) return value.items[named];
    const method = name === 'copy' ? undefined : listMethods.get(name);
    return method && bound(name, value.items, method);
  }
  if (value instanceof Range) return rangeAttribute(value, name);
  if (value instanceof View) return viewAttribute(value, name);
  if (value instanceof PyObject) return value.attribute(name);
  return numberAttribute(value, name);
}

function viewAttribute(value: View, name: string): Value | undefined {
  if (name === 'mapping') throw new TemplateError('unsupported', 'the mapping behind a view is not available');
  if (name !== 'isdisjoint' || value.typeName === 'dict_values') return undefined;
  return new Callable(name, ([other = null]) => !toArray(other).some((item) => contains(value, item)));
}

function rangeAttribute(value: Range, name: string): Value | undefined {
  if (name === 'start') return value.start;
  if (name === 'stop') return value.stop;
  if (name === 'step') return value.step;
  return name === 'count' || name === 'index'
    ? bound(name, value.items(), listMethods.get(name) as Method<Value[]>)
    : undefined;
}

function numberAttribute(value: Value, name: string): Value | undefined {
  const int = asInt(value);
  if (name === 'real') return int ?? value;
  if (name === 'imag') return int === undefined ? new Float(0) : 0;
  if (name === 'is_integer' && value instanceof Float) return constant(name, Number.isInteger(value.value));
  if (name === 'conjugate' || (name === 'numerator' && int !== undefined))
    return name === 'numerator' ? int : constant(name, int ?? value);
  if (int !== undefined && name === 'denominator') return 1;
  if (int !== undefined && name === 'bit_length')
    return constant(name, BigInt(int) === 0n ? 0 : BigInt(int).toString(2).replace('-', '').length);
  if (int !== undefined && name === 'bit_count')
    return constant(name, BigInt(int).toString(2).replaceAll(/[^1]/g, '').length);
  if (name === 'as_integer_ratio') {
    if (int !== undefined) return constant(name, new Tuple([int, 1]));
    return new Callable(name, () => new Tuple(floatRatio((value as Float).value)));
  }
  if (name === 'hex' && value instanceof Float)
    throw new TemplateError('unsupported', 'float.hex is not available in templates');
  return undefined;
}

function constant(name: string, value: Value): Callable {
  return new Callable(name, () => value);
}

function bound<T extends Value | readonly Value[]>(name: string, ...[self, method]: [T, Method<T>]): Callable {
  return new Callable(name, (args, kwargs) => method(self, args, kwargs));
}

/** Jinja's `value.name`: the attribute, else the item. */
export function getAttribute(value: Value, name: string): Value {
  if (value instanceof Dict && !dictMethods.has(name) && !hidden.dict.has(name)) {
    const item = value.getText(name);
    if (item !== undefined && !dunders.has(name)) return item;
  }
  if (value === null) return missing(value, name);
  const attribute = attributeOf(value, name);
  if (attribute !== undefined) return attribute;
  const item = value instanceof Dict ? value.getText(name) : undefined;
  return item === undefined ? missing(value, name) : item;
}

/** Jinja's `value[key]`: the item, else (for a str key) the attribute, else undefined. */
export function getItem(value: Value, key: Value): Value {
  if (value instanceof Undefined) throw value.error();
  const item = itemOf(value, key);
  if (item !== undefined) return item;
  if (isStr(key) && value !== null) {
    const attribute = attributeOf(value, textOf(key));
    if (attribute !== undefined) return attribute;
  }
  return missing(value, key);
}

function itemOf(value: Value, key: Value): Value | undefined {
  if (value instanceof Dict) {
    if (Array.isArray(key) || key instanceof Dict) return undefined;
    return value.get(key);
  }
  const index = asInt(key);
  if (index === undefined) return undefined;
  if (isStr(value)) {
    chargeScan(textOf(value).length);
    const length = lengthOf(value);
    const at = Number(index) < 0 ? Number(index) + length : Number(index);
    if (at < 0 || at >= length) return undefined;
    const text = textOf(value);
    return sliceText(value, positionOf(text, at), positionOf(text, at + 1));
  }
  const items = Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
  if (items) return items.at(Number(index) < -items.length ? items.length : Number(index));
  if (value instanceof Range) {
    const at = Number(index) < 0 ? Number(index) + value.length : Number(index);
    return at >= 0 && at < value.length ? value.at(at) : undefined;
  }
  return undefined;
}

const formatAccess = { attribute: getAttribute, item: getItem };

export function call(callee: Value, ...[args, kwargs]: [readonly Value[], Kwargs]): Value {
  charge(1);
  if (callee instanceof Callable) return callee.call(args, kwargs);
  if (callee instanceof LoopContext) return callee.recurse(args[0] ?? null);
  throw notCallable(callee);
}

/** `value.name(...)` without making a bound method for the common cases. */
export function callMethod(
  value: Value,
  { name, args, kwargs }: { readonly name: string; readonly args: readonly Value[]; readonly kwargs: Kwargs },
): Value {
  if (isStr(value)) {
    const method = isMarkup(value) ? methodOfStr(value, name, formatAccess) : stringMethods.get(name);
    if (method) {
      charge(1 + (textOf(value).length >> 7));
      return method(value, args, kwargs);
    }
  } else if (value instanceof Dict) {
    const method = dictMethods.get(name);
    if (method) {
      charge(1);
      return method(value, args, kwargs);
    }
  }
  return call(getAttribute(value, name), args, kwargs);
}

/** Python's `dict(value, **kwargs)`. */
export function toDict(args: readonly Value[], kwargs: Kwargs): Dict {
  if (args[0] instanceof Undefined) throw args[0].error();
  if (args.length > 1) throw typeError(`dict expected at most 1 argument, got ${args.length}`);
  const [source] = args;
  const dict = new Dict();
  if (source instanceof Dict) for (const [key, value] of source.items()) dict.set(key, value);
  else if (source !== undefined)
    for (const pair of toArray(source)) {
      const items = toArray(pair);
      if (items.length !== 2) throw valueError(`a dictionary entry has ${items.length} parts; 2 are required`);
      dict.set(items[0] as Value, items[1] as Value);
    }
  for (const [key, value] of kwargs) dict.set(key, value);
  return dict;
}
