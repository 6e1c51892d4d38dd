import type { Json } from '../../schema/common.ts';
import { isJson } from '../../store/rows/cell-json.ts';

type Change = (text: { readonly text: string; readonly path: string }) => string;

/**
 * The value with every text and number in it put through `change`, names of members left as they are; a number that changes
 * is a text from then on. The same value when none differs.
 */
export function mapJson(value: Json, ...[path, change]: [path: string, change: Change]): Json {
  if (typeof value === 'string') return mapJsonText(value, path, change);
  if (typeof value === 'number') {
    const text = String(value);
    const now = change({ text, path });
    return now === text ? value : now;
  }
  if (typeof value !== 'object' || value === null) return value;
  let differs = false;
  const mapped = Object.entries(value).map(([key, member]) => {
    const now = mapJson(member as Json, Array.isArray(value) ? `${path}[${key}]` : `${path}.${key}`, change);
    if (now !== member) differs = true;
    return [key, now] as const;
  });
  if (!differs) return value;
  return Array.isArray(value) ? mapped.map(([, member]) => member) : Object.fromEntries(mapped);
}

/** A text or a number of JSON, and what follows it: a colon after a name. */
const scalars = /"(?:[^"\\]|\\.)*"(?=\s*(:)?)|-?\d[\d.eE+-]*/g;

/**
 * A text; where it is the JSON of an object or a list, the texts and numbers in it one by one, so that it stays JSON: what
 * does not change is left as it was spelled.
 */
export function mapJsonText(text: string, ...[path, change]: [path: string, change: Change]): string {
  if (!/^\s*[[{]/.test(text) || !isJson(text)) return change({ text, path });
  return text.replace(scalars, (spelled, colon: string | undefined, offset: number) => {
    if (colon) return spelled;
    const value = spelled.startsWith('"') ? (JSON.parse(spelled) as string) : spelled;
    const now = mapJsonText(value, `${path}: value at character ${offset + 1}`, change);
    return now === value ? spelled : JSON.stringify(now);
  });
}
