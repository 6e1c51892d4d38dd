import type { Json } from '../schema/common.ts';
import type { Message, Sample } from '../schema/sample.ts';
import { takenColumns } from './columns.ts';
import type { RowFormat } from './formats.ts';
import { mediaIn, mediaKinds } from './media.ts';
import type { JsonObject } from './strict-json.ts';

export interface ColumnProfile {
  readonly name: string;
  /** How often each type of value was seen; null and absent are not types. */
  readonly types: Readonly<Record<string, number>>;
  /** The share of rows in which it is null or not there, 0 to 1. */
  readonly nulls: number;
  /** What it is read as; null when it is kept in `extra`, unread. */
  readonly readAs: string | null;
}

/** Smallest, middle and largest of a measure, and where nine of ten lie. */
export interface Spread {
  readonly least: number;
  readonly median: number;
  readonly nineOfTen: number;
  readonly most: number;
}

/** What a person would want to know of many rows at once. */
export interface RowProfile {
  readonly columns: readonly ColumnProfile[];
  /** Messages by who speaks. */
  readonly roles: Readonly<Record<string, number>>;
  /** Messages of a row. Null where no row is kept. */
  readonly turns: Spread | null;
  /** Characters of text in the messages of a row. */
  readonly characters: Spread | null;
  /** Rows that hold each of the parts that not every row has. */
  readonly parts: Readonly<Record<string, number>>;
}

/** Collects a profile, a row at a time. Memory: two numbers a row, and a few a column. */
export function rowProfiler(format: RowFormat) {
  const columns = new Map<string, { types: Map<string, number>; readAs: string | null }>();
  const roles: Record<string, number> = {};
  const parts: Record<string, number> = {};
  const turns: number[] = [];
  const characters: number[] = [];
  let rows = 0;
  const count = (counts: Record<string, number>, key: string): void => {
    counts[key] = (counts[key] ?? 0) + 1;
  };
  return {
    row(row: JsonObject): void {
      rows++;
      const [reading] = format.readings(row);
      const isTaken = reading ? takenColumns(row, reading) : () => false;
      for (const [name, value] of Object.entries(row)) {
        const column = columns.get(name) ?? { types: new Map<string, number>(), readAs: null };
        columns.set(name, column);
        if (value === null) continue;
        const type = typeOf(value);
        column.types.set(type, (column.types.get(type) ?? 0) + 1);
        if (isTaken(name)) column.readAs ??= reading?.columns[name] ?? name;
      }
    },
    sample(sample: Sample): void {
      for (const { role } of sample.messages) count(roles, role);
      turns.push(sample.messages.length);
      characters.push(sample.messages.reduce((sum, message) => sum + textOf(message).length, 0));
      for (const part of partsOf(sample)) count(parts, part);
    },
    result: (): RowProfile => ({
      columns: [...columns].map(([name, { types, readAs }]) => {
        const filled = [...types.values()].reduce((sum, seen) => sum + seen, 0);
        return { name, types: Object.fromEntries(types), nulls: rows === 0 ? 0 : 1 - filled / rows, readAs };
      }),
      roles,
      turns: spreadOf(turns),
      characters: spreadOf(characters),
      parts,
    }),
  };
}

/** `list of objects`, `integer`, `JSON text` ... */
function typeOf(value: Json): string {
  if (Array.isArray(value)) {
    const [first] = value;
    return first === undefined || first === null ? 'list' : `list of ${plural(typeOf(first))}`;
  }
  if (typeof value === 'object') return 'object';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number';
  if (typeof value === 'boolean') return 'true or false';
  return /^\s*[[{]/.test(value) && /[\]}]\s*$/.test(value) ? 'JSON text' : 'text';
}

const plural = (type: string): string =>
  type.startsWith('list') ? 'lists' : type === 'true or false' ? type : `${type}s`;

export function textOf({ content }: Message): string {
  if (content === null || typeof content === 'string') return content ?? '';
  return content.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

const optionalParts = [
  ...(['plain', 'rejected', 'ranked', 'positives', 'negatives', 'label', 'margin', 'solution', 'tools'] as const),
  ...(['objects', 'facts', 'variables'] as const),
];

function partsOf(sample: Sample): string[] {
  const { messages } = sample;
  const kinds = new Set(
    messages.flatMap(({ content }) => (Array.isArray(content) ? content.map(({ type }) => type) : [])),
  );
  return [
    ...optionalParts.filter((part) => sample[part] !== undefined),
    ...mediaKinds.filter((kind) => kinds.has(kind)),
    ...(messages.some(({ tool_calls }) => tool_calls) ? ['tool calls'] : []),
    ...(messages.some(({ reasoning_content }) => reasoning_content !== undefined) ? ['reasoning'] : []),
    ...(messages.some(({ role }) => role === 'assistant') ? [] : ['no answer']),
    ...([...mediaIn(messages)].length === 0 &&
    messages.some((message) => /<(?:image|video|audio)>/.test(textOf(message)))
      ? ['media tags without media']
      : []),
  ];
}

function spreadOf(values: readonly number[]): Spread | null {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
  return sorted.length === 0 ? null : { least: at(0), median: at(0.5), nineOfTen: at(0.9), most: at(1) };
}
