import { bind } from './bind.ts';
import { chargeScan, chargeText } from './budget.ts';
import { TemplateError, typeError, valueError } from './error.ts';
import { braceFormat, type FieldAccess } from './format.ts';
import { rsplit, type SplitOptions, split, splitLines } from './split-text.ts';
import {
  characters,
  concat,
  indexOfPosition,
  isStr,
  joined,
  lengthOf,
  positionOf,
  rewritten,
  type Str,
  sliceText,
  textOf,
} from './text.ts';
import {
  capitalize,
  caseFold,
  characterTests,
  isLower,
  isPrintable,
  isSpaceUnit,
  isTitle,
  isUpper,
  swapCase,
  title,
} from './unicode.ts';
import {
  Dict,
  indexOf,
  type Kwargs,
  noKwargs,
  Tuple,
  toArray,
  truthy,
  typeName,
  Undefined,
  type Value,
} from './value.ts';

export type StringMethod = (self: Str, args: readonly Value[], kwargs: Kwargs) => Value;

const methods: [string, StringMethod][] = [
  ['capitalize', simple((self) => rewritten(self, capitalize))],
  ['casefold', simple((self) => rewritten(self, caseFold))],
  ['lower', simple((self) => rewritten(self, (text) => text.toLowerCase()))],
  ['upper', simple((self) => rewritten(self, (text) => text.toUpperCase()))],
  ['title', simple((self) => rewritten(self, title))],
  ['swapcase', simple((self) => rewritten(self, swapCase))],
  ['islower', simple((self) => isLower(textOf(self)))],
  ['isupper', simple((self) => isUpper(textOf(self)))],
  ['istitle', simple((self) => isTitle(textOf(self)))],
  ['isascii', simple((self) => /^[\x00-\x7f]*$/.test(textOf(self)))],
  ['isprintable', simple((self) => isPrintable(textOf(self)))],
  ...Object.entries(characterTests).map(([name, pattern]): [string, StringMethod] => [
    name,
    simple((self) => pattern.test(textOf(self))),
  ]),
  [
    'strip',
    (self, args, kwargs) => strip(self, { characters: argument(args, 'strip', kwargs), left: true, right: true }),
  ],
  [
    'lstrip',
    (self, args, kwargs) => strip(self, { characters: argument(args, 'lstrip', kwargs), left: true, right: false }),
  ],
  [
    'rstrip',
    (self, args, kwargs) => strip(self, { characters: argument(args, 'rstrip', kwargs), left: false, right: true }),
  ],
  ['split', (self, args, kwargs) => split(self, splitArguments('split', args, kwargs))],
  ['rsplit', (self, args, kwargs) => rsplit(self, splitArguments('rsplit', args, kwargs))],
  [
    'splitlines',
    (self, args, kwargs) => {
      const [keep] = bind({ name: 'splitlines', parameters: ['keepends'] }, args, kwargs);
      return splitLines(self, keep !== undefined && truthy(keep));
    },
  ],
  [
    'partition',
    (self, args) =>
      partition(self, text(args[0], 'partition'), textOf(self).indexOf(textOf(text(args[0], 'partition')))),
  ],
  ['rpartition', (self, args) => rpartition(self, text(args[0], 'rpartition'))],
  ['removeprefix', (self, args) => removePrefix(self, textOf(text(args[0], 'removeprefix')))],
  ['removesuffix', (self, args) => removeSuffix(self, textOf(text(args[0], 'removesuffix')))],
  [
    'replace',
    (self, args, kwargs) => {
      const [old, by, count] = bind(
        { name: 'replace', parameters: ['old', 'new', 'count'], required: 2 },
        args,
        noKwargs,
      );
      if (kwargs.size > 0) throw typeError('str.replace() takes no keyword arguments');
      const limit = count === undefined ? -1 : indexOf(count, 'count');
      return replace(self, { old: text(old, 'replace'), by: text(by, 'replace'), count: limit });
    },
  ],
  ['find', (self, args) => find(self, args, { last: false })],
  ['rfind', (self, args) => find(self, args, { last: true })],
  ['index', (self, args) => found(find(self, args, { last: false }))],
  ['rindex', (self, args) => found(find(self, args, { last: true }))],
  ['count', (self, args) => count(self, args)],
  ['startswith', (self, args) => affix(self, args, (window, part) => window.startsWith(part))],
  ['endswith', (self, args) => affix(self, args, (window, part) => window.endsWith(part))],
  [
    'join',
    (self, args) =>
      joined(
        toArray(needed(args[0], 'join')).map((item) => text(item, 'join')),
        self,
      ),
  ],
  ['center', (self, args) => center(self, indexOf(needed(args[0], 'center'), 'width'), args[1])],
  ['ljust', (self, args) => concat(self, padding(self, args))],
  ['rjust', (self, args) => concat(padding(self, args), self)],
  ['zfill', (self, args) => zeroFill(self, indexOf(needed(args[0], 'zfill'), 'width'))],
  [
    'expandtabs',
    (self, args, kwargs) => expandTabs(self, bind({ name: 'expandtabs', parameters: ['tabsize'] }, args, kwargs)[0]),
  ],
  ['translate', unsupported('translate')],
  ['maketrans', unsupported('maketrans')],
  ['encode', unsupported('encode')],
];

/** How many arguments the methods take that take them by position only. */
const arities: Readonly<Record<string, readonly [least: number, most: number]>> = {
  ...Object.fromEntries(
    'join partition removeprefix removesuffix rpartition zfill'.split(' ').map((name) => [name, [1, 1]]),
  ),
  ...Object.fromEntries('center ljust rjust'.split(' ').map((name) => [name, [1, 2]])),
  ...Object.fromEntries('count endswith find index rfind rindex startswith'.split(' ').map((name) => [name, [1, 3]])),
};

/** Python's str methods, by name. Those that make bytes say that they are not to be had. */
export const stringMethods: ReadonlyMap<string, StringMethod> = new Map(
  methods.map(([name, method]): [string, StringMethod] => {
    const arity = arities[name];
    if (!arity) return [name, method];
    const [least, most] = arity;
    return [
      name,
      (self, args, kwargs) => {
        if (args.length < least || args.length > most || kwargs.size > 0)
          throw typeError(`str.${name}() takes ${least} to ${most} arguments by position`);
        return method(self, args, kwargs);
      },
    ];
  }),
);

/** `format` and `format_map`, which reach into their arguments through the sandbox. */
export function formatMethod(name: 'format' | 'format_map', access: FieldAccess): StringMethod {
  if (name === 'format') return (self, args, kwargs) => braceFormat(self, { args, kwargs, access });
  return (self, args, given) => {
    if (args.length !== 1 || given.size > 0) throw typeError('format_map() takes exactly one argument');
    const [mapping] = args;
    // What is no mapping fails only when a field is looked up in it.
    const pairs = mapping instanceof Dict ? mapping.items() : [];
    const kwargs = new Map(pairs.map(([key, value]) => [isStr(key) ? textOf(key) : '', value]));
    return braceFormat(self, { args: [], kwargs, access });
  };
}

function simple(method: (self: Str) => Value): StringMethod {
  return (self, args, kwargs) => {
    if (args.length > 0 || kwargs.size > 0) throw typeError('this str method takes no arguments');
    return method(self);
  };
}

function unsupported(name: string): StringMethod {
  return () => {
    throw new TemplateError('unsupported', `str.${name} is not available in templates`);
  };
}

function needed(value: Value | undefined, method: string): Value {
  if (value === undefined) throw typeError(`${method}() takes at least one argument`);
  return value;
}

function text(value: Value | undefined, method: string): Str {
  const given = needed(value, method);
  if (isStr(given)) return given;
  if (given instanceof Undefined) throw given.error();
  throw typeError(`${method}() argument must be str, not ${typeName(given)}`);
}

function argument(args: readonly Value[], ...[method, kwargs]: [string, Kwargs]): Str | undefined {
  if (kwargs.size > 0) throw typeError(`str.${method}() takes no keyword arguments`);
  if (args.length > 1) throw typeError(`${method} expected at most 1 argument, got ${args.length}`);
  const [value] = args;
  return value === undefined || value === null ? undefined : text(value, method);
}

export function strip(
  self: Str,
  options: { readonly characters: Str | undefined; readonly left: boolean; readonly right: boolean },
): Str {
  const raw = textOf(self);
  const set = options.characters === undefined ? undefined : new Set(textOf(options.characters));
  const drops = (character: string): boolean => (set ? set.has(character) : isSpaceUnit(character));
  let start = 0;
  let end = raw.length;
  if (options.left)
    while (start < end) {
      const character = String.fromCodePoint(raw.codePointAt(start) ?? 0);
      if (!drops(character)) break;
      start += character.length;
    }
  if (options.right)
    while (end > start) {
      const low = raw.charCodeAt(end - 1);
      const pair = low >= 0xdc00 && low <= 0xdfff && end - 2 >= start && (raw.codePointAt(end - 2) ?? 0) > 0xffff;
      const character = raw.slice(pair ? end - 2 : end - 1, end);
      if (!drops(character)) break;
      end -= character.length;
    }
  return sliceText(self, start, end);
}

function splitArguments(name: string, ...[args, kwargs]: [readonly Value[], Kwargs]): SplitOptions {
  const [separator, limit] = bind({ name, parameters: ['sep', 'maxsplit'] }, args, kwargs);
  const given = separator === undefined || separator === null ? undefined : textOf(text(separator, name));
  if (given === '') throw valueError('empty separator');
  const most = limit === undefined ? -1 : indexOf(limit, 'maxsplit');
  return { separator: given, limit: most < 0 ? Number.POSITIVE_INFINITY : most };
}

function partition(self: Str, ...[separator, at]: [Str, number]): Value {
  const raw = textOf(self);
  if (textOf(separator) === '') throw valueError('empty separator');
  if (at < 0) return new Tuple([self, '', '']);
  const after = at + textOf(separator).length;
  return new Tuple([sliceText(self, 0, at), separator, sliceText(self, after, raw.length)]);
}

function rpartition(self: Str, separator: Str): Value {
  const at = textOf(self).lastIndexOf(textOf(separator));
  return at < 0 && textOf(separator) !== '' ? new Tuple(['', '', self]) : partition(self, separator, at);
}

function removePrefix(self: Str, prefix: string): Str {
  const raw = textOf(self);
  return raw.startsWith(prefix) ? sliceText(self, prefix.length, raw.length) : self;
}

function removeSuffix(self: Str, suffix: string): Str {
  const raw = textOf(self);
  return suffix !== '' && raw.endsWith(suffix) ? sliceText(self, 0, raw.length - suffix.length) : self;
}

/** @param options.count negative for all */
export function replace(self: Str, { old, by, count }: { old: Str; by: Str; count: number }): Str {
  const raw = textOf(self);
  const needle = textOf(old);
  const limit = count < 0 ? Number.POSITIVE_INFINITY : count;
  if (limit === 0 || (needle !== '' && !raw.includes(needle))) return self;
  chargeText(textOf(by).length * Math.min(limit, raw.length / Math.max(1, needle.length)));
  const parts: Str[] = [];
  if (needle === '') {
    // Python puts the new text before every character and at the end.
    const all = characters(self);
    for (const [index, character] of all.entries()) parts.push(...(index < limit ? [by, character] : [character]));
    if (all.length < limit) parts.push(by);
    return joined(parts);
  }
  return joined(split(self, { separator: needle, limit }), by);
}

/** The part of a string that optional start and end arguments leave, as UTF-16 positions; nothing when start lies behind. */
function windowOf(self: Str, args: readonly Value[]): { from: number; to: number } | undefined {
  const length = lengthOf(self);
  const bound = (value: Value | undefined, otherwise: number): number => {
    if (value === undefined || value === null) return otherwise;
    const index = indexOf(value, 'slice indices');
    return index < 0 ? Math.max(0, index + length) : index;
  };
  const start = bound(args[0], 0);
  const end = Math.min(length, bound(args[1], length));
  if (start > end) return undefined;
  return { from: positionOf(textOf(self), start), to: positionOf(textOf(self), end) };
}

function find(self: Str, args: readonly Value[], { last }: { last: boolean }): number {
  const needle = textOf(text(args[0], 'find'));
  const window = windowOf(self, args.slice(1));
  if (!window) return -1;
  const part = textOf(self).slice(window.from, window.to);
  const at = last ? part.lastIndexOf(needle) : part.indexOf(needle);
  return at < 0 ? -1 : indexOfPosition(textOf(self), window.from + at);
}

function found(index: number): number {
  if (index < 0) throw valueError('substring not found');
  return index;
}

function count(self: Str, args: readonly Value[]): number {
  const needle = textOf(text(args[0], 'count'));
  const window = windowOf(self, args.slice(1));
  if (!window) return 0;
  const part = textOf(self).slice(window.from, window.to);
  return needle === '' ? lengthOf(part) + 1 : part.split(needle).length - 1;
}

function affix(self: Str, ...[args, test]: [readonly Value[], (window: string, part: string) => boolean]): boolean {
  const [parts] = args;
  const window = windowOf(self, args.slice(1));
  const candidates = parts instanceof Tuple ? parts.items : [parts];
  return candidates.some((part) => {
    const needle = textOf(text(part, 'startswith'));
    return window !== undefined && test(textOf(self).slice(window.from, window.to), needle);
  });
}

function fillOf(value: Value | undefined): Str {
  if (value === undefined) return ' ';
  const fill = text(value, 'padding');
  if (lengthOf(fill) !== 1) throw typeError('The fill character must be exactly one character long');
  return fill;
}

export function repeated(value: Str, times: number): Str {
  if (times <= 0 || value === '') return '';
  chargeText(textOf(value).length * times);
  chargeScan(textOf(value).length * times);
  return typeof value === 'string' ? value.repeat(times) : joined(Array<Str>(times).fill(value));
}

function padding(self: Str, args: readonly Value[]): Str {
  return repeated(fillOf(args[1]), indexOf(needed(args[0], 'ljust'), 'width') - lengthOf(self));
}

export function center(self: Str, ...[width, fill]: [number, Value | undefined]): Str {
  const filler = fillOf(fill);
  const missing = width - lengthOf(self);
  if (missing <= 0) return self;
  // CPython's rounding: the odd one goes left only when the width is odd too.
  const left = Math.floor(missing / 2) + (missing & width & 1);
  return joined([repeated(filler, left), self, repeated(filler, missing - left)]);
}

function zeroFill(self: Str, width: number): Str {
  const missing = width - lengthOf(self);
  if (missing <= 0) return self;
  const sign = /^[+-]/.test(textOf(self)) ? 1 : 0;
  return joined([sliceText(self, 0, sign), repeated('0', missing), sliceText(self, sign, textOf(self).length)]);
}

function expandTabs(self: Str, size: Value | undefined): Str {
  const width = size === undefined ? 8 : indexOf(size, 'tabsize');
  let column = 0;
  return joined(
    characters(self).map((character) => {
      if (textOf(character) === '\t') {
        const spaces = width > 0 ? width - (column % width) : 0;
        column += spaces;
        return ' '.repeat(spaces);
      }
      column = /[\n\r]/.test(textOf(character)) ? 0 : column + 1;
      return character;
    }),
  );
}
