import type { Json } from '../schema/common.ts';
import { floatRepr } from './jinja/number.ts';
import { Float } from './jinja/value.ts';
import type { TemplateData } from './messages.ts';
import { parseTemplateData } from './ordered-json.ts';

/** How Python's `json.dumps` lays it out; `, ` and `: ` on one line unless told otherwise. */
export interface JsonLayout {
  /** Spaces a level; absent for one line. */
  readonly indent?: number;
  readonly separators?: readonly [item: string, key: string];
}

/** What Python's `json.dumps(value, ensure_ascii=False)` writes: `1.0` keeps its point, keys keep their order. */
export function jsonText(value: TemplateData, layout: JsonLayout = {}, depth = 0): string {
  if (value === undefined) return 'null';
  if (value instanceof Float) return floatRepr(value.value);
  if (typeof value === 'bigint') return String(value);
  const [item, key] = layout.separators ?? [layout.indent === undefined ? ', ' : ',', ': '];
  const wrap = (open: string, members: readonly string[], close: string): string => {
    if (layout.indent === undefined || members.length === 0) return `${open}${members.join(item)}${close}`;
    const line = `\n${' '.repeat(layout.indent * (depth + 1))}`;
    return `${open}${line}${members.join(`${item}${line}`)}\n${' '.repeat(layout.indent * depth)}${close}`;
  };
  if (Array.isArray(value))
    return wrap(
      '[',
      value.map((each) => jsonText(each, layout, depth + 1)),
      ']',
    );
  if (!isFields(value)) return numberText(value) ?? JSON.stringify(value);
  const members = entriesOf(value).map(([name, member]) => {
    return `${JSON.stringify(name)}${key}${jsonText(member, layout, depth + 1)}`;
  });
  return wrap('{', members, '}');
}

/** A number that JSON's own reader made: JavaScript writes 1e21 where Python writes all digits. */
function numberText(value: TemplateData): string | undefined {
  if (typeof value !== 'number') return undefined;
  return Number.isInteger(value) ? String(BigInt(value)) : floatRepr(value);
}

/** The text with the spacing of Python's `json.dumps`; undefined where it is not JSON. */
export function normalJson(text: string): string | undefined {
  const value = jsonIn(text);
  return value === undefined ? undefined : jsonText(value);
}

/** Python's own reader of JSON gives up at about so many values within one another. */
const maxDepth = 500;

/** What a text spells; undefined where it is not JSON, or nests deeper than anything that is meant. */
export function jsonIn(text: string): TemplateData {
  try {
    const value = parseTemplateData(text);
    return text.length > 2 * maxDepth && isDeeper(value, maxDepth) ? undefined : value;
  } catch (error) {
    // A RangeError is a stack that was not deep enough.
    if (error instanceof SyntaxError || error instanceof RangeError) return undefined;
    throw error;
  }
}

function isDeeper(value: TemplateData, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (depth === 0) return true;
  const inner = Array.isArray(value) ? value : value instanceof Map ? [...value.values()] : Object.values(value);
  return inner.some((each) => isDeeper(each as TemplateData, depth - 1));
}

/** The same; the text itself where it is not JSON. */
export function jsonOrText(text: string): TemplateData {
  const value = jsonIn(text);
  return value === undefined ? text : value;
}

/** Plain JSON where an object keeps what was written; else the text of it: `1.0`, a large integer, the order of keys. */
export function plainOrText(value: TemplateData): Json {
  return isPlain(value) ? (value as Json) : jsonText(value);
}

function isPlain(value: TemplateData): boolean {
  if (typeof value === 'bigint' || value instanceof Map) return false;
  if (value instanceof Float) return !Number.isInteger(value.value);
  if (Array.isArray(value)) return value.every(isPlain);
  return isFields(value) ? Object.values(value).every(isPlain) : true;
}

export type Fields = Readonly<Record<string, TemplateData>> | ReadonlyMap<string, TemplateData>;

/** Whether it is an object, of either kind. */
export function isFields(value: TemplateData): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Float);
}

export function entriesOf(fields: Fields): (readonly [string, TemplateData])[] {
  const entries = fields instanceof Map ? [...fields] : Object.entries(fields as Record<string, TemplateData>);
  return entries.filter(([, member]) => member !== undefined);
}

/** A member of an object of either kind; undefined where there is none. */
export function memberOf(value: TemplateData, name: string): TemplateData {
  if (!isFields(value)) return undefined;
  if (value instanceof Map) return value.get(name);
  return Object.hasOwn(value, name) ? (value as Record<string, TemplateData>)[name] : undefined;
}
