import type { Json } from '../schema/common.ts';
import type { Message } from '../schema/sample.ts';
import { type Str, sourced, Text } from './jinja/text.ts';
import { Dict, Float, PyObject, Range, smallest, Tuple, Undefined, type Value } from './jinja/value.ts';

/** Which part of a message a character came from. */
export type MessageField =
  | 'role'
  | 'content'
  | 'part'
  | 'reasoning_content'
  | 'tool_name'
  | 'argument'
  | 'result'
  | 'name'
  | 'other';

/**
 * Under this, a message that an agent format wrote holds the stretches of its content that are the format's own words. A
 * symbol, so that no row can claim it.
 */
export const ownWordsOf: unique symbol = Symbol('own words');

type Ranges = readonly (readonly [start: number, end: number])[];

/** A string the template was given: the whole of it, and where it stood. */
export type Source =
  | {
      readonly kind: 'message';
      readonly index: number;
      readonly field: MessageField;
      /** Where in the message, such as `tool_calls[0].function.arguments.city`. */
      readonly path: string;
      readonly text: string;
      /** Stretches in which a control token is that token: see `ownWordsOf`. */
      readonly own?: Ranges | undefined;
    }
  | { readonly kind: 'variable'; readonly name: string; readonly path: string; readonly text: string };

/**
 * Plain data, with `Float` for a number that was written with a point, bigint for a large integer, and a Map where the order
 * of keys is not one that an object keeps.
 */
export type TemplateData =
  | Json
  | bigint
  | Float
  | undefined
  | readonly TemplateData[]
  | { readonly [key: string]: TemplateData }
  | ReadonlyMap<string, TemplateData>;

/** A message as a template may be given it: the schema's, or any object. */
export type ChatMessage = Message | Readonly<Record<string, TemplateData>>;

export interface SourceTable {
  readonly sources: readonly Source[];
  messages(messages: readonly ChatMessage[]): Value;
  variable(name: string, value: TemplateData): Value;
}

/** Turns data into the template's values; each string is entered as a source of its own. */
export function sourceTable(): SourceTable {
  const sources: Source[] = [];
  const enter = (source: Source): Str => {
    sources.push(source);
    return sourced(source.text, sources.length - 1);
  };
  return {
    sources,
    messages: (messages) =>
      messages.map((given, index) => {
        const message = given as TemplateData;
        if (!isFields(message))
          return convert(message, {
            path: '',
            enter: (text, path) => enter({ kind: 'message', index, field: 'other', path, text }),
          });
        const own = (message as { readonly [ownWordsOf]?: Ranges })[ownWordsOf];
        const role = message instanceof Map ? message.get('role') : (message as Fields).role;
        return messageValue(message, {
          role: typeof role === 'string' ? role : '',
          enter: (text, path, field) =>
            enter({ kind: 'message', index, field, path, text, ...(path === 'content' && own && { own }) }),
        });
      }),
    variable: (name, value) =>
      convert(value, { path: name, enter: (text, path) => enter({ kind: 'variable', name, path, text }) }),
  };
}

type Fields = Readonly<Record<string, TemplateData>>;
type Enter<More extends unknown[] = []> = (text: string, path: string, ...more: More) => Str;

/** A message: which field a string belongs to follows from where it stands. */
function messageValue(
  message: Fields | ReadonlyMap<string, TemplateData>,
  { role, enter }: { role: string; enter: Enter<[MessageField]> },
): Value {
  const dict = new Dict();
  forEachField(message, (key, value) => {
    if (typeof value === 'string') dict.set(key, enter(value, key, topField(key, role)));
    else if (key === 'tool_calls' && Array.isArray(value))
      dict.set(
        key,
        value.map((call, at) => callValue(call, `tool_calls[${at}]`)),
      );
    else dict.set(key, under(nestedField(key, role))(value, key));
  });
  return dict;

  function under(field: MessageField, keys = false): (value: TemplateData, path: string) => Value {
    const text: Enter = (words, at) => enter(words, at, field);
    return (value, path) => convert(value, { path, enter: text, keys });
  }

  /** A tool call; OpenAI puts name and arguments into `function`, others straight into the call. */
  function callValue(call: TemplateData, path: string): Value {
    if (!isFields(call)) return under('other')(call, path);
    const result = new Dict();
    forEachField(call, (key, value) => {
      const at = `${path}.${key}`;
      if (key === 'function' && isFields(value) && !path.endsWith('.function')) result.set(key, callValue(value, at));
      else if (key === 'name' && typeof value === 'string') result.set(key, enter(value, at, 'tool_name'));
      else if (key.startsWith('arguments')) result.set(key, under('argument', key === 'arguments')(value, at));
      else result.set(key, under('other')(value, at));
    });
    return result;
  }
}

/** @param options.keys whether the names in it are entered too: those of arguments are the assistant's words */
function convert(
  value: TemplateData | Value,
  options: { readonly path: string; readonly enter: Enter; readonly keys?: boolean },
): Value {
  const { path, enter, keys = false } = options;
  if (value === null || value === undefined || typeof value === 'boolean') return value ?? null;
  if (typeof value === 'string') return enter(value, path);
  if (typeof value === 'bigint') return smallest(value);
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value + 0 : numberValue(value);
  if (Array.isArray(value))
    return value.map((item, index) => convert(item, { path: `${path}[${index}]`, enter, keys }));
  if (isValue(value)) return value;
  const dict = new Dict();
  forEachField(value as Fields | ReadonlyMap<string, TemplateData>, (key, item) => {
    const at = path === '' ? key : `${path}.${key}`;
    const name = keys ? enter(key, `${at}#`) : key;
    dict.set(name, convert(item, { path: at, enter, keys }));
  });
  return dict;
}

/** Each field that is there, in order. */
function forEachField(
  fields: Fields | ReadonlyMap<string, TemplateData>,
  visit: (key: string, value: TemplateData) => void,
): void {
  if (fields instanceof Map) {
    for (const [key, value] of fields) if (value !== undefined) visit(key, value);
    return;
  }
  for (const key in fields) {
    const value = (fields as Fields)[key];
    if (value !== undefined) visit(key, value);
  }
}

function numberValue(value: number): Value {
  return Number.isInteger(value) ? smallest(BigInt(value)) : new Float(value);
}

function isFields(value: TemplateData): value is Fields | ReadonlyMap<string, TemplateData> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isValue(value);
}

function isValue(value: object): value is Float | Dict | Tuple | Undefined | Range | PyObject | Text {
  return (
    value instanceof Float ||
    value instanceof Dict ||
    value instanceof Tuple ||
    value instanceof Undefined ||
    value instanceof Range ||
    value instanceof PyObject ||
    value instanceof Text
  );
}

function topField(key: string, role: string): MessageField {
  switch (key) {
    case 'role':
    case 'name':
    case 'reasoning_content':
      return key;
    case 'thinking':
    case 'reasoning':
      return 'reasoning_content';
    case 'content':
      return role === 'tool' ? 'result' : 'content';
    default:
      return nestedField(key, role);
  }
}

function nestedField(key: string, role: string): MessageField {
  if (!key.startsWith('content')) return 'other';
  return role === 'tool' ? 'result' : 'part';
}
