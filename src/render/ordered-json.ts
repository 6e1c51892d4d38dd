import { parseJson } from './jinja/json.ts';
import type { TemplateData } from './messages.ts';

/**
 * Reads JSON for a template as Python's `json` reads it: `1.0` and `1` stay apart, large integers stay exact, and keys keep
 * their order. Numeric keys would come first in an object, whatever their place in the text: where one stands, the object
 * is a Map.
 * @throws SyntaxError
 */
export function parseTemplateData(text: string): TemplateData {
  const value = parseJson(text) as TemplateData;
  return numericKey.test(text) ? readValue({ text, at: 0 }) : value;
}

const numericKey = /"(?:0|[1-9]\d{0,9})"\s*:/;
const isNumeric = (key: string): boolean => /^(?:0|[1-9]\d{0,9})$/.test(key);

/** A place in a text that is known to be JSON. */
interface Reader {
  readonly text: string;
  at: number;
}

function readValue(reader: Reader): TemplateData {
  switch (peek(reader)) {
    case '{':
      return readObject(reader);
    case '[': {
      const items: TemplateData[] = [];
      while (take(reader, items.length === 0 ? '[' : ',')) {
        if (peek(reader) === ']') break;
        items.push(readValue(reader));
      }
      take(reader, ']');
      return items;
    }
    case '"':
      return readString(reader);
    default: {
      const word = /[^\s,\]}]*/y;
      word.lastIndex = reader.at;
      const [found = ''] = word.exec(reader.text) ?? [];
      reader.at += found.length;
      return parseJson(found) as TemplateData;
    }
  }
}

function readObject(reader: Reader): TemplateData {
  const members = new Map<string, TemplateData>();
  for (let opening = '{'; take(reader, opening); opening = ',') {
    if (peek(reader) === '}') break;
    const key = readString(reader);
    take(reader, ':');
    members.set(key, readValue(reader));
  }
  take(reader, '}');
  return [...members.keys()].some(isNumeric) ? members : Object.fromEntries(members);
}

function readString(reader: Reader): string {
  const { text, at } = reader;
  let end = at + 1;
  while (text[end] !== '"') end += text[end] === '\\' ? 2 : 1;
  reader.at = end + 1;
  return JSON.parse(text.slice(at, end + 1)) as string;
}

/** The next sign that is no space. */
function peek(reader: Reader): string | undefined {
  while (/\s/.test(reader.text.charAt(reader.at))) reader.at++;
  return reader.text[reader.at];
}

function take(reader: Reader, sign: string): boolean {
  if (peek(reader) !== sign) return false;
  reader.at++;
  peek(reader);
  return true;
}
