import { bind } from './bind.ts';
import { chargeText } from './budget.ts';
import { order } from './compare.ts';
import { TemplateError, typeError, valueError } from './error.ts';
import type { Filter } from './filter.ts';
import { percentFormat } from './format.ts';
import { escapeHtml, stripTags } from './html.ts';
import { callOnStr } from './markup.ts';
import { toFixed } from './number.ts';
import { readFloat } from './read-number.ts';
import { repr, str } from './repr.ts';
import { splitLines } from './split-text.ts';
import { replace, strip } from './string-methods.ts';
import {
  characters,
  concat,
  escaped,
  isMarkup,
  isStr,
  joined,
  lengthOf,
  positionOf,
  rewritten,
  type Str,
  sliceText,
  textOf,
  withMarkup,
} from './text.ts';
import { capitalize, whitespace } from './unicode.ts';
import { urlize } from './urlize.ts';
import {
  Dict,
  Iter,
  indexOf,
  itemsOf,
  sizeOf,
  Tuple,
  toArray,
  truthy,
  typeName,
  Undefined,
  type Value,
} from './value.ts';
import { wordWrap } from './word-wrap.ts';

/** `soft_str`: text as it is, Markup included; anything else as Python prints it. */
export function softText(value: Value): Str {
  return isStr(value) ? value : str(value);
}

/** A text to be taken apart by methods that other types do not have. */
function textArgument(value: Value, filter: string): Str {
  if (isStr(value)) return value;
  if (value instanceof Undefined) throw value.error();
  throw typeError(`${filter} needs a str, not '${typeName(value)}'`);
}

function changed(change: (text: string) => string): Filter {
  return (value, args) => {
    if (args.length > 0) throw typeError('this filter takes no arguments');
    return rewritten(softText(value), change);
  };
}

/** Words start after white space and after opening brackets; unlike `str.title`, `don't` stays one word. */
function titleFilter(value: Value): Value {
  const raised = rewritten(softText(value), (text) =>
    text
      .split(new RegExp(`([-${whitespace}({\\[<]+)`))
      .map((word) => {
        const [first = ''] = word;
        return first.toUpperCase() + word.slice(first.length).toLowerCase();
      })
      .join(''),
  );
  return withMarkup(raised, false);
}

const indent: Filter = (value, args, kwargs) => {
  const [width = 4, first, blank] = bind({ name: 'indent', parameters: ['width', 'first', 'blank'] }, args, kwargs);
  const text = textArgument(value, 'indent');
  if (!isStr(width)) chargeText(indexOf(width, 'width'));
  const indention = isStr(width) ? width : ' '.repeat(Math.max(0, indexOf(width, 'width')));
  const lines = splitLines(concat(text, '\n'), false);
  const all = blank !== undefined && truthy(blank);
  const result = joined(
    lines.map((line, index) => (index > 0 && (all || textOf(line) !== '') ? concat(indention, line) : line)),
    '\n',
  );
  return withMarkup(first !== undefined && truthy(first) ? concat(indention, result) : result, isMarkup(text));
};

const truncate: Filter = (value, args, kwargs) => {
  const parameters = ['length', 'killwords', 'end', 'leeway'];
  const [length = 255, kill = false, ending = '...', leeway = null] = bind(
    { name: 'truncate', parameters },
    args,
    kwargs,
  );
  const most = indexOf(length, 'length');
  const tail = textArgument(ending, 'truncate');
  const slack = leeway === null ? 5 : indexOf(leeway, 'leeway');
  if (most < lengthOf(tail)) throw valueError(`expected length >= ${lengthOf(tail)}, got ${most}`);
  if (slack < 0) throw valueError(`expected leeway >= 0, got ${slack}`);
  const size = sizeOf(value);
  if (size === undefined) throw typeError(`object of type '${typeName(value)}' has no len()`);
  if (size <= most + slack) return value;
  const text = textArgument(value, 'truncate');
  const cut = sliceText(text, 0, positionOf(textOf(text), most - lengthOf(tail)));
  const end = (kept: Str): Str =>
    isMarkup(text) ? withMarkup(concat(kept, escapeHtml(tail)), true) : concat(kept, tail);
  if (truthy(kill)) return end(cut);
  const space = textOf(cut).lastIndexOf(' ');
  return end(space < 0 ? cut : sliceText(cut, 0, space));
};

/** urllib's `quote`; `+` for spaces and `%2F` for slashes inside a query. */
function quote(value: Value, query: boolean): Str {
  const encode = (text: string): string =>
    Array.from(new TextEncoder().encode(text), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(
      '',
    );
  const quoted = escaped(str(value), query ? /[^A-Za-z0-9_.~-]/gu : /[^A-Za-z0-9_.~/-]/gu, encode);
  return query ? replace(quoted, { old: '%20', by: '+', count: -1 }) : quoted;
}

const urlEncode: Filter = (value) => {
  const pairs =
    value instanceof Dict ? value.items().map((pair) => new Tuple(pair)) : isStr(value) ? undefined : iterable(value);
  if (!pairs) return quote(value, false);
  return joined(
    pairs.map((pair) => {
      const [key, item, more] = toArray(pair);
      if (key === undefined || item === undefined || more !== undefined) throw valueError('urlencode needs pairs');
      return joined([quote(key, true), '=', quote(item, true)]);
    }),
    '&',
  );
};

function iterable(value: Value): readonly Value[] | undefined {
  return itemsOf(value) ?? (value instanceof Iter ? toArray(value) : undefined);
}

const xmlAttributes: Filter = (value, args, kwargs) => {
  const [autospace = true] = bind({ name: 'xmlattr', parameters: ['autospace'] }, args, kwargs);
  if (!(value instanceof Dict)) throw typeError('xmlattr needs a mapping');
  const parts: Str[] = [];
  for (const [key, item] of value.items()) {
    if (item === null || item instanceof Undefined) continue;
    if (!isStr(key)) throw typeError('xmlattr needs str keys');
    if (/[ \t\n\r\f\v/>=]/.test(textOf(key)))
      throw valueError(`Invalid character in attribute name: ${textOf(repr(key))}`);
    parts.push(joined([str(escapeHtml(key)), '="', str(escapeHtml(item)), '"']));
  }
  return parts.length > 0 && truthy(autospace) ? concat(' ', joined(parts, ' ')) : joined(parts, ' ');
};

const fileSize: Filter = (value, args, kwargs) => {
  const [binary = false] = bind({ name: 'filesizeformat', parameters: ['binary'] }, args, kwargs);
  const bytes = readFloat(value);
  if (bytes === Number.NEGATIVE_INFINITY) throw valueError('cannot convert float infinity to integer');
  if (bytes === undefined) throw valueError(`could not convert a ${typeName(value)} to float`);
  const base = truthy(binary) ? 1024 : 1000;
  if (bytes === 1) return '1 Byte';
  if (bytes < base) return `${Math.trunc(bytes)} Bytes`;
  const prefixes = truthy(binary)
    ? ['KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB']
    : ['kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'];
  const index = prefixes.findIndex((_, at) => bytes < base ** (at + 2));
  const at = index < 0 ? prefixes.length - 1 : index;
  const scaled = (base * bytes) / base ** (at + 2);
  return `${Number.isNaN(scaled) ? 'nan' : toFixed(scaled, 1)} ${prefixes[at]}`;
};

export const textFilters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['capitalize', changed(capitalize)],
  ['lower', changed((text) => text.toLowerCase())],
  ['upper', changed((text) => text.toUpperCase())],
  ['title', titleFilter],
  [
    'trim',
    (value, args, kwargs) => {
      const [chars = null] = bind({ name: 'trim', parameters: ['chars'] }, args, kwargs);
      return strip(softText(value), {
        characters: chars === null ? undefined : textArgument(chars, 'trim'),
        left: true,
        right: true,
      });
    },
  ],
  [
    'replace',
    (value, args, kwargs) => {
      const [old, by, count = null] = bind(
        { name: 'replace', parameters: ['old', 'new', 'count'], required: 2 },
        args,
        kwargs,
      );
      const limit = count === null ? -1 : indexOf(count, 'count');
      return replace(str(value), { old: str(old as Value), by: str(by as Value), count: limit });
    },
  ],
  [
    'center',
    (value, args, kwargs) => {
      const [width = 80] = bind({ name: 'center', parameters: ['width'] }, args, kwargs);
      return callOnStr(softText(value), 'center', [width]);
    },
  ],
  ['indent', indent],
  ['truncate', truncate],
  ['string', softText],
  [
    'format',
    (value, args, kwargs) => {
      if (args.length > 0 && kwargs.size > 0)
        throw valueError("can't handle positional and keyword arguments at the same time");
      return percentFormat(softText(value), kwargs.size > 0 ? Dict.of(kwargs) : new Tuple(args));
    },
  ],
  ['escape', escapeHtml],
  ['e', escapeHtml],
  ['forceescape', (value) => escapeHtml(str(value))],
  ['safe', (value) => withMarkup(str(value), true)],
  ['striptags', (value) => stripTags(textOf(str(value)))],
  ['urlencode', urlEncode],
  ['urlize', urlize],
  ['xmlattr', xmlAttributes],
  ['wordcount', (value) => textOf(softText(value)).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0],
  ['wordwrap', wordWrap],
  ['filesizeformat', fileSize],
  ['pprint', pretty],
  [
    'reverse',
    (value, args) => {
      if (args.length > 0) throw typeError('reverse takes no arguments');
      if (isStr(value)) return withMarkup(joined(characters(value).reverse()), isMarkup(value));
      const items = itemsOf(value);
      if (items) return new Iter(items.slice().reverse()[Symbol.iterator](), 'list_reverseiterator');
      return toArray(value).reverse();
    },
  ],
]);

/** Python's pprint for what fits on one line; a longer value would be broken up. */
function pretty(value: Value): Value {
  const sort = (item: Value): Value => {
    if (item instanceof Dict) {
      const pairs = item.items().map(([key, inner]) => [key, sort(inner)] as const);
      pairs.sort((a, b) => (typeName(a[0]) === typeName(b[0]) ? order(a[0], b[0], '<') : 0));
      return Dict.of(pairs);
    }
    return Array.isArray(item) ? item.map(sort) : item;
  };
  const text = repr(sort(value));
  if (lengthOf(text) > 80) throw new TemplateError('unsupported', 'pprint of a value longer than a line');
  return text;
}
