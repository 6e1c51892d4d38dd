import { charge } from './budget.ts';
import { TemplateError, typeError } from './error.ts';
import { characters, isStr, lengthOf, type Str, Text } from './text.ts';

/**
 * Python's values as templates see them. int: a safe integer as `number`, a larger one as `bigint`; float: `Float`; None:
 * null; str: `Str`; list: array. Everything else is a class of its own, so that Python's distinctions survive.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | Str
  | Float
  | Value[]
  | Tuple
  | Dict
  | Undefined
  | Range
  | PyObject;

export type Int = number | bigint;
export type Kwargs = ReadonlyMap<string, Value>;
export const noKwargs: Kwargs = new Map();

/** A Python float; a whole one stays apart from the int. Give one as data to say `1.0`. */
export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

export class Tuple {
  readonly items: readonly Value[];
  /** Names of the items, for a named tuple. */
  readonly names: readonly string[];
  constructor(items: readonly Value[], names: readonly string[] = []) {
    this.items = items;
    this.names = names;
  }
}

export class Undefined {
  readonly message: string;
  readonly kind: 'undefined' | 'security';
  constructor(message: string, kind: 'undefined' | 'security' = 'undefined') {
    this.message = message;
    this.kind = kind;
  }
  /** The error of any use but printing, testing and looping. */
  error(): TemplateError {
    return new TemplateError(this.kind, this.message);
  }
}

type Key = string | number | bigint | null | Undefined | PyObject;

/** A dict in insertion order; 1, 1.0 and True are one key, as in Python. */
export class Dict {
  private readonly entries = new Map<Key, Value>();
  /** The keys that are not what `keyOf` makes of them: text with sources, floats, booleans, tuples. */
  private originals: Map<Key, Value> | undefined;

  static of(pairs: Iterable<readonly [Value, Value]>): Dict {
    const dict = new Dict();
    for (const [key, value] of pairs) dict.set(key, value);
    return dict;
  }
  get size(): number {
    return this.entries.size;
  }
  get(key: Value): Value | undefined {
    return this.entries.get(keyOf(key));
  }
  /** The value under a str key; spares making a key. */
  getText(key: string): Value | undefined {
    return this.entries.get(key);
  }
  has(key: Value): boolean {
    return this.entries.has(keyOf(key));
  }
  set(key: Value, value: Value): void {
    const at = keyOf(key);
    // Python keeps the first of equal keys and the last value.
    if (at !== key && !this.entries.has(at)) {
      this.originals ??= new Map();
      this.originals.set(at, key);
    }
    this.entries.set(at, value);
  }
  keys(): Value[] {
    return Array.from(this.entries.keys(), (key) => this.original(key));
  }
  values(): Value[] {
    return Array.from(this.entries.values());
  }
  items(): [Value, Value][] {
    return Array.from(this.entries, ([key, value]) => [this.original(key), value]);
  }
  private original(key: Key): Value {
    return this.originals?.get(key) ?? (key as Value);
  }
}

/** What equal values share and different ones do not. @throws TemplateError for what Python cannot hash. */
export function keyOf(value: Value): Key {
  if (typeof value === 'string') return value;
  if (value instanceof Text) return value.text;
  if (typeof value === 'number' || value === null || typeof value === 'bigint') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Float) {
    const { value: number } = value;
    return Number.isInteger(number) && !Number.isSafeInteger(number) ? BigInt(number) : number + 0;
  }
  if (value instanceof Tuple)
    return `\u0000(${value.items.map((item) => `${typeof keyOf(item)}:${String(keyOf(item)).length}:${String(keyOf(item))}`).join(',')})`;
  if (value instanceof Undefined) return undefinedKey;
  if (value instanceof Range)
    return `\u0000range ${value.length > 0 ? `${value.start} ` : ''}${value.length > 1 ? `${value.step} ` : ''}${value.length}`;
  // Objects are hashed by identity; a view of keys or items is a set, which is not hashed.
  if (value instanceof PyObject && !(value instanceof View && value.typeName !== 'dict_values')) return value;
  throw typeError(`unhashable type: '${typeName(value)}'`);
}

const undefinedKey = new Undefined('');

/** Anything with attributes: loops, namespaces, macros, iterators. */
export abstract class PyObject {
  abstract readonly typeName: string;
  /** An attribute, or nothing where Python would raise AttributeError. */
  attribute(_name: string): Value | undefined {
    return undefined;
  }
}

export class Callable extends PyObject {
  readonly typeName: string;
  readonly name: string;
  readonly call: (args: readonly Value[], kwargs: Kwargs) => Value;
  constructor(name: string, call: (args: readonly Value[], kwargs: Kwargs) => Value, ...[type]: [type?: string]) {
    super();
    this.name = name;
    this.call = call;
    this.typeName = type ?? 'builtin_function_or_method';
  }
}

export class Namespace extends PyObject {
  readonly typeName = 'TemplateNamespace';
  readonly members = new Map<string, Value>();
  override attribute(name: string): Value | undefined {
    return this.members.get(name);
  }
  assign(name: string, value: Value): void {
    if (name.startsWith('_'))
      throw new TemplateError('security', `a namespace cannot hold the underscore-prefixed attribute '${name}'`);
    this.members.set(name, value);
  }
}

/** A one-pass iterator, such as a filter that yields gives. */
export class Iter extends PyObject {
  readonly typeName: string;
  readonly iterator: Iterator<Value>;
  constructor(iterator: Iterator<Value>, type = 'generator') {
    super();
    this.iterator = iterator;
    this.typeName = type;
  }
}

/** What `dict.keys()`, `.values()` and `.items()` give. */
export class View extends PyObject {
  readonly typeName: 'dict_keys' | 'dict_values' | 'dict_items';
  readonly dict: Dict;
  constructor(dict: Dict, type: 'dict_keys' | 'dict_values' | 'dict_items') {
    super();
    this.dict = dict;
    this.typeName = type;
  }
  items(): Value[] {
    if (this.typeName === 'dict_keys') return this.dict.keys();
    if (this.typeName === 'dict_values') return this.dict.values();
    return this.dict.items().map((pair) => new Tuple(pair));
  }
}

export class Range {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
  constructor(start: number, stop: number, step: number) {
    this.start = start;
    this.stop = stop;
    this.step = step;
  }
  get length(): number {
    return Math.max(0, Math.ceil((this.stop - this.start) / this.step));
  }
  at(index: number): number {
    return this.start + index * this.step;
  }
  items(): number[] {
    return Array.from({ length: this.length }, (_, index) => this.at(index));
  }
}

export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number' || typeof value === 'bigint') return 'int';
  if (isStr(value)) return value instanceof Text && value.markup ? 'Markup' : 'str';
  if (value instanceof Float) return 'float';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Dict) return 'dict';
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Range) return 'range';
  return value.typeName;
}

export function isInt(value: Value): value is Int {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** An int, with True and False counted as 1 and 0. */
export function asInt(value: Value): Int | undefined {
  if (isInt(value)) return value;
  return typeof value === 'boolean' ? Number(value) : undefined;
}

/** An int small enough to count with; anything else is Python's TypeError. */
export function indexOf(value: Value, what: string): number {
  const int = asInt(value);
  if (int === undefined) {
    if (value instanceof Undefined) throw value.error();
    throw typeError(`${what} must be an integer, not '${typeName(value)}'`);
  }
  return Number(int);
}

export function smallest(value: bigint): Int {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

export function truthy(value: Value): boolean {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return value !== '';
  if (value === null || value instanceof Undefined) return false;
  if (typeof value === 'number') return value !== 0;
  if (typeof value === 'bigint') return value !== 0n;
  if (value instanceof Text) return value.text !== '';
  if (value instanceof Float) return value.value !== 0;
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof Range) return value.length > 0;
  if (value instanceof View) return value.dict.size > 0;
  return value instanceof Sized ? value.length() > 0 : true;
}

/** An object that Python's `len` accepts. */
export abstract class Sized extends PyObject {
  abstract length(): number;
  abstract iterate(): Iterator<Value>;
}

/** All items of a sized collection at once; nothing for iterators and for what cannot be looped over. */
export function itemsOf(value: Value): readonly Value[] | undefined {
  if (Array.isArray(value)) return value;
  if (isStr(value)) return characters(value);
  if (value instanceof Tuple) return value.items;
  if (value instanceof Dict) return value.keys();
  if (value instanceof Undefined) return [];
  if (value instanceof Range) return value.items();
  if (value instanceof View) return value.items();
  return undefined;
}

export function iterate(value: Value): Iterator<Value> {
  const items = itemsOf(value);
  if (items) return items[Symbol.iterator]();
  if (value instanceof Iter) return value.iterator;
  if (value instanceof Sized) return value.iterate();
  throw typeError(`'${typeName(value)}' object is not iterable`);
}

/** All items, as Python's `list(value)` gives them. */
export function toArray(value: Value): Value[] {
  const items = itemsOf(value);
  if (items) {
    charge(items.length);
    return items.slice();
  }
  const result: Value[] = [];
  const iterator = iterate(value);
  for (let next = iterator.next(); !next.done; next = iterator.next()) {
    charge(1);
    result.push(next.value);
  }
  return result;
}

/** Python's `len`. */
export function sizeOf(value: Value): number | undefined {
  if (isStr(value)) return lengthOf(value);
  if (Array.isArray(value)) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof Undefined) return 0;
  if (value instanceof Range) return value.length;
  if (value instanceof View) return value.dict.size;
  return value instanceof Sized ? value.length() : undefined;
}
