import { typeError } from './error.ts';
import type { FieldAccess } from './format.ts';
import { escapeHtml, stripTags, unescapeHtml } from './html.ts';
import { formatMethod, type StringMethod, stringMethods } from './string-methods.ts';
import { isMarkup, isStr, type Str, textOf, withMarkup } from './text.ts';
import { Tuple, toArray, type Value } from './value.ts';

/**
 * markupsafe's `Markup`: a str whose methods give Markup again and escape what is put into it. Templates meet it behind
 * `escape` and `safe`.
 */
const marking = new Set(
  (
    'capitalize casefold center expandtabs join ljust lower lstrip partition removeprefix removesuffix replace rjust ' +
    'rpartition rsplit rstrip split splitlines strip swapcase title upper zfill'
  ).split(' '),
);

/** Where a method takes text that will be part of the result. */
const escapedArgument: Readonly<Record<string, number>> = { center: 1, ljust: 1, replace: 1, rjust: 1 };

function marked(value: Value): Value {
  if (isStr(value)) return withMarkup(value, true);
  if (value instanceof Tuple) return new Tuple(value.items.map(marked));
  return Array.isArray(value) ? value.map(marked) : value;
}

function markupMethod(name: string, method: StringMethod): StringMethod {
  const place = escapedArgument[name];
  return (self, args, kwargs) => {
    if (name === 'join')
      return marked(
        method(withMarkup(self, false), [args[0] === undefined ? null : toArray(args[0]).map(plain)], kwargs),
      );
    const given = args.map((arg, index) => (index === place ? plain(arg) : arg));
    return marked(method(withMarkup(self, false), given, kwargs));
  };
}

function plain(value: Value): Str {
  return withMarkup(escapeHtml(value), false);
}

const markupMethods: ReadonlyMap<string, StringMethod> = new Map<string, StringMethod>([
  ...Array.from(stringMethods, ([name, method]): [string, StringMethod] => [
    name,
    marking.has(name) ? markupMethod(name, method) : method,
  ]),
  ['striptags', noArguments((self) => stripTags(textOf(self)))],
  ['unescape', noArguments((self) => unescapeHtml(textOf(self)))],
  ['escape', (_self, [value]) => escapeHtml(value ?? null)],
]);

function noArguments(method: (self: Str) => Value): StringMethod {
  return (self, args, kwargs) => {
    if (args.length > 0 || kwargs.size > 0) throw typeError('this method takes no arguments');
    return method(self);
  };
}

/** A method of a str, of plain text or of Markup. */
export function methodOfStr(
  self: Str,
  ...[name, access]: [name: string, access: FieldAccess]
): StringMethod | undefined {
  if (name === 'format' || name === 'format_map') return formatMethod(name, access);
  return isMarkup(self) ? markupMethods.get(name) : stringMethods.get(name);
}

/** Calls a method that both kinds of str have. */
export function callOnStr(self: Str, ...[name, args]: [name: string, args: readonly Value[]]): Value {
  const method = (isMarkup(self) ? markupMethods : stringMethods).get(name);
  if (!method) throw typeError(`'str' object has no attribute '${name}'`);
  return method(self, args, new Map());
}
