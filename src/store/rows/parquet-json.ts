import type { SchemaElement, SchemaTree } from 'hyparquet';
import { bytesJson, cellJson, decimalJson, floatJson, isJson } from './cell-json.ts';

/**
 * hyparquet's own conversions lose digits (decimals as products of doubles, times to the millisecond), so that its schema
 * is handed over without these types, and they are written here from the stored integers.
 */
export function plainElement(element: SchemaElement): SchemaElement {
  if (element.num_children !== undefined || !isWrittenHere(element)) return element;
  const { converted_type: _converted, logical_type: _logical, ...rest } = element;
  return rest;
}

const writtenHere =
  /^(DECIMAL|DATE|TIME|TIME_MILLIS|TIME_MICROS|TIMESTAMP|TIMESTAMP_MILLIS|TIMESTAMP_MICROS|JSON|BSON|ENUM|INTERVAL|GEOMETRY|GEOGRAPHY)$/;
const isWrittenHere = ({ converted_type: converted, logical_type: logical }: SchemaElement): boolean =>
  writtenHere.test(converted ?? '') || writtenHere.test(logical?.type ?? '');

/** Thrown for a value that should be text and is not; says which column. */
export class NotText extends Error {}

/** The JSON text of one value, written by the types of its column. `null` where a value is missing. */
export function parquetJson(value: unknown, tree: SchemaTree): string {
  if (value === null || value === undefined) return 'null';
  if (tree.children.length === 0 || value instanceof Uint8Array)
    return Array.isArray(value) ? list(value, tree) : leafJson(value, tree);
  if (Array.isArray(value)) return list(value, itemOf(tree));
  const { children } = tree;
  if (isMap(tree)) {
    const inner = children[0]?.children[1] ?? tree;
    return members(Object.entries(value), () => inner);
  }
  const byName = new Map(children.map((child) => [child.element.name, child]));
  return members(Object.entries(value), (name) => byName.get(name) ?? tree);
}

const list = (values: readonly unknown[], tree: SchemaTree): string =>
  `[${Array.from(values, (value) => parquetJson(value, tree)).join(',')}]`;

const members = (entries: readonly [string, unknown][], treeOf: (name: string) => SchemaTree): string =>
  `{${entries.map(([name, value]) => `${JSON.stringify(name)}:${parquetJson(value, treeOf(name))}`).join(',')}}`;

/** Three levels (list, repeated group, element) or the two of old writers. */
function itemOf(tree: SchemaTree): SchemaTree {
  const [child] = tree.children;
  const isList = tree.element.converted_type === 'LIST' || tree.element.logical_type?.type === 'LIST';
  if (!child || tree.element.repetition_type === 'REPEATED' || !isList) return tree;
  return child.children.length === 1
    ? (child.children[0] ?? child)
    : { ...child, element: { ...child.element, repetition_type: 'REQUIRED' } };
}

const isMap = ({ element }: SchemaTree): boolean =>
  element.converted_type === 'MAP' ||
  element.converted_type === 'MAP_KEY_VALUE' ||
  element.logical_type?.type === 'MAP';

function leafJson(value: unknown, { element, path }: SchemaTree): string {
  const { type = '', converted_type: converted, logical_type: logical } = element;
  const kind: string = logical?.type ?? converted ?? '';
  if (kind === 'DECIMAL') return decimalJson(decimalText(unscaled(value), element.scale ?? 0));
  if (kind === 'DATE') return `"${new Date(Number(value) * 86_400_000).toISOString().slice(0, 10)}"`;
  if (/^TIMESTAMP/.test(kind) || type === 'INT96')
    return JSON.stringify(timestampText(BigInt(value as bigint), element));
  if (/^TIME/.test(kind)) return JSON.stringify(timeText(BigInt(value as bigint), unitOf(element)));
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value === 'number') return type === 'INT32' || type === 'INT64' ? String(value) : floatJson(value);
  if (value instanceof Uint8Array) return bytesOrText(value, element, path);
  if (typeof value === 'string') return path.length === 1 ? cellJson(element.name, value) : JSON.stringify(value);
  throw new NotText(`${path.join('.')} holds a value of no known type`);
}

function bytesOrText(
  bytes: Uint8Array,
  { logical_type: logical, converted_type: converted }: SchemaElement,
  path: readonly string[],
): string {
  const kind = logical?.type ?? converted ?? '';
  if (!/^(STRING|UTF8|ENUM|JSON)$/.test(kind)) return bytesJson(bytes);
  try {
    const text = strict.decode(bytes);
    return kind === 'JSON' && isJson(text) ? text : JSON.stringify(text);
  } catch {
    throw new NotText(`the text of ${path.join('.')} is not UTF-8`);
  }
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function unscaled(value: unknown): bigint {
  if (!(value instanceof Uint8Array)) return BigInt(value as bigint);
  if (value.length === 0) return 0n;
  return BigInt.asIntN(value.length * 8, BigInt(`0x${Buffer.from(value).toString('hex')}`));
}

/** 1234, 2 is 12.34. */
export function decimalText(digits: bigint, scale: number): string {
  if (scale <= 0) return String(digits * 10n ** BigInt(-scale));
  const text = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0');
  return `${digits < 0n ? '-' : ''}${text.slice(0, -scale)}.${text.slice(-scale)}`;
}

/** Parts of a second in one second. */
function unitOf({ type, converted_type: converted, logical_type: logical }: SchemaElement): bigint {
  if (type === 'INT96') return 1_000_000_000n;
  const unit = logical && 'unit' in logical ? logical.unit : converted?.endsWith('MILLIS') ? 'MILLIS' : 'MICROS';
  return { MILLIS: 1000n, MICROS: 1_000_000n, NANOS: 1_000_000_000n }[unit];
}

/** ISO 8601; with Z when the column says that its times are in UTC. */
function timestampText(parts: bigint, element: SchemaElement): string {
  const unit = unitOf(element);
  const seconds = (parts - mod(parts, unit)) / unit;
  const date = new Date(Number(seconds) * 1000);
  if (Number.isNaN(date.getTime())) throw new NotText(`a time of ${element.name} lies outside the calendar`);
  const { logical_type: logical } = element;
  const isLocal = logical && 'isAdjustedToUTC' in logical ? !logical.isAdjustedToUTC : element.type === 'INT96';
  return `${date.toISOString().slice(0, -5)}${fraction(mod(parts, unit), unit)}${isLocal ? '' : 'Z'}`;
}

function timeText(parts: bigint, unit: bigint): string {
  const seconds = Number(parts / unit);
  const clock = [seconds / 3600, (seconds / 60) % 60, seconds % 60].map((value) =>
    String(Math.floor(value)).padStart(2, '0'),
  );
  return `${clock.join(':')}${fraction(mod(parts, unit), unit)}`;
}

const mod = (value: bigint, by: bigint): bigint => ((value % by) + by) % by;

const fraction = (parts: bigint, unit: bigint): string =>
  parts === 0n
    ? ''
    : `.${String(parts)
        .padStart(String(unit).length - 1, '0')
        .replace(/0+$/, '')}`;
