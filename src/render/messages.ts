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

/** A string the template was given: the whole of it, and where it stood. */
export type Source =
  | {
      readonly kind: 'message';
      readonly index: number;
      readonly field: MessageField;
      /** Where in the message, such as `tool_calls[0].function.arguments.city`. */
      readonly path: string;
      readonly text: string;
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

  const convert = (value: TemplateData | Value, text: (text: string, path: string) => Str, path: string): Value => {
    if (value === null || value === undefined || typeof value === 'boolean') return value ?? null;
    if (typeof value === 'string') return text(value, path);
    if (typeof value === 'bigint') return smallest(value);
    if (typeof value === 'number') return Number.isInteger(value) ? smallest(BigInt(value)) : new Float(value);
    if (Array.isArray(value)) return value.map((item, index) => convert(item, text, `${path}[${index}]`));
    if (isValue(value)) return value;
    const dict = new Dict();
    for (const [key, item] of value instanceof Map ? value : Object.entries(value)) {
      if (item === undefined) continue;
      const at = path === '' ? key : `${path}.${key}`;
      dict.set(keyText(key, at), convert(item, text, at));
    }
    return dict;

    // The names of arguments are the assistant's words too; other keys are the format's.
    function keyText(key: string, at: string): Str {
      return isArgument(at) ? text(key, `${at}#`) : key;
    }
  };

  return {
    sources,
    messages: (messages) =>
      messages.map((message, index) => {
        const said = message instanceof Map ? message.get('role') : message?.role;
        const role = typeof said === 'string' ? said : '';
        return convert(
          message as TemplateData,
          (text, path) => enter({ kind: 'message', index, field: fieldOf(path, role), path, text }),
          '',
        );
      }),
    variable: (name, value) => convert(value, (text, path) => enter({ kind: 'variable', name, path, text }), name),
  };
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

function isArgument(path: string): boolean {
  return /^tool_calls\[\d+\]\.(?:function\.)?arguments[.[]/.test(path);
}

function fieldOf(path: string, role: string): MessageField {
  if (path === 'role') return 'role';
  if (path === 'name') return 'name';
  if (path === 'reasoning_content' || path === 'thinking' || path === 'reasoning') return 'reasoning_content';
  if (/^tool_calls\[\d+\]\.(?:function\.)?name$/.test(path)) return 'tool_name';
  if (/^tool_calls\[\d+\]\.(?:function\.)?arguments/.test(path)) return 'argument';
  if (path === 'content') return role === 'tool' ? 'result' : 'content';
  if (path.startsWith('content')) return role === 'tool' ? 'result' : 'part';
  return 'other';
}
