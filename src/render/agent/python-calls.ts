import { jsonIn, jsonText } from '../json-text.ts';
import type { TemplateData } from '../messages.ts';
import { type CallReader, jsonObject, type ParsedCall, readJsonCall, takeCalls } from './format.ts';
import type { Shape } from './scan.ts';

const block: Shape = ['<|tool_call_start|>', { hole: 'block' }, '<|tool_call_end|>'];

/** LFM2: a list of calls as Python writes them, `[f(city='Oslo', days=3)]`, or as JSON. They are only read. */
export const lfm2: CallReader = {
  parse: (answer) =>
    takeCalls(answer, block, {
      read: ({ block = '' }) => {
        const listed = jsonIn(block.trim());
        if (Array.isArray(listed)) return listed.flatMap((call) => readJsonCall(jsonText(call)));
        // The templates of 2.5 write a text as it is, whatever quotes stand in it.
        return readCalls(block, stringEnd) ?? readCalls(block, lastQuote) ?? [];
      },
    }),
  opens: ['<|tool_call_start|>'],
  marks: ['<|tool_call_start|>', '<|tool_call_end|>'],
};

/** Where the string ends that begins here; -1 where it does not. */
type StringEnd = (text: string, start: number) => number;

const stringEnd: StringEnd = (text, start) => {
  const quote = text[start];
  for (let at = start + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === quote) return at;
  }
  return -1;
};

/** The first quote behind which the next argument or the end of the call stands. */
const lastQuote: StringEnd = (text, start) => {
  const ending = text[start] === '"' ? /"(?=,\s?\w+=|\)[\],])/g : /'(?=,\s?\w+=|\)[\],])/g;
  ending.lastIndex = start + 1;
  return ending.exec(text)?.index ?? -1;
};

/** A place in the text of calls; `wrong` once it is not Python. */
interface Reader {
  readonly text: string;
  readonly stringEnd: StringEnd;
  at: number;
  /** Lists and objects that are open. */
  depth: number;
}

/** Python's own reader of JSON goes about so deep. */
const maxDepth = 500;

class NotPython extends Error {}

/** The calls of a list; nothing where it is not Python. */
function readCalls(text: string, stringEnd: StringEnd): readonly ParsedCall[] | undefined {
  const reader: Reader = { text: text.trim(), stringEnd, at: 0, depth: 0 };
  try {
    const calls = readList(reader, ['[', ']'], () => {
      const name = need(reader, /[\w.-]+/y);
      const members = readList(reader, ['(', ')'], () => {
        const key = need(reader, /\w+/y);
        need(reader, /\s*=/y);
        return [key, readValue(reader)] as const;
      });
      return { name, arguments: jsonObject(members) };
    });
    return reader.at === reader.text.length ? calls : undefined;
  } catch (error) {
    if (error instanceof NotPython) return undefined;
    throw error;
  }
}

function readList<Item>(reader: Reader, ...[[open, close], item]: [readonly [string, string], () => Item]): Item[] {
  const items: Item[] = [];
  if (!take(reader, open) || ++reader.depth > maxDepth) throw new NotPython();
  while (!take(reader, close)) {
    if (items.length > 0 && !take(reader, ',')) throw new NotPython();
    // Python allows a comma behind the last.
    if (items.length > 0 && take(reader, close)) break;
    skipSpace(reader);
    items.push(item());
  }
  reader.depth--;
  return items;
}

const constants: Readonly<Record<string, TemplateData>> = {
  True: true,
  False: false,
  None: null,
  true: true,
  false: false,
  null: null,
};

function readValue(reader: Reader): TemplateData {
  skipSpace(reader);
  const sign = reader.text[reader.at];
  if (sign === '[') return readList(reader, ['[', ']'], () => readValue(reader));
  if (sign === '(') return readList(reader, ['(', ')'], () => readValue(reader));
  if (sign === '{') {
    const members = readList(reader, ['{', '}'], () => {
      const key = readString(reader);
      if (!take(reader, ':')) throw new NotPython();
      return [key, readValue(reader)] as const;
    });
    return jsonIn(jsonObject(members));
  }
  if (sign === '"' || sign === "'") return readString(reader);
  const word = need(reader, /[^\s,()[\]{}:'"]+/y);
  const value = Object.hasOwn(constants, word) ? constants[word] : jsonIn(word);
  if (value === undefined) throw new NotPython();
  return value;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', f: '\f', v: '\v', a: '\x07' };

function readString(reader: Reader): string {
  skipSpace(reader);
  const sign = reader.text[reader.at];
  const end = sign === '"' || sign === "'" ? reader.stringEnd(reader.text, reader.at) : -1;
  if (end < 0) throw new NotPython();
  const inner = reader.text.slice(reader.at + 1, end);
  reader.at = end + 1;
  return inner.replace(
    /\\(?:x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|(\n)|([\\'"nrtbfva]))/g,
    (whole, ...groups: (string | undefined)[]) => {
      const [hex, four, eight, line, single] = groups;
      const code = hex ?? four ?? eight;
      if (code !== undefined) return codePoint(code) ?? whole;
      return line === undefined ? (escapes[single ?? ''] ?? single ?? '') : '';
    },
  );
}

function codePoint(hex: string): string | undefined {
  const code = Number.parseInt(hex, 16);
  return code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
}

function skipSpace(reader: Reader): void {
  while (/\s/.test(reader.text.charAt(reader.at))) reader.at++;
}

function take(reader: Reader, sign: string): boolean {
  skipSpace(reader);
  if (reader.text[reader.at] !== sign) return false;
  reader.at++;
  return true;
}

function need(reader: Reader, pattern: RegExp): string {
  pattern.lastIndex = reader.at;
  const [found] = pattern.exec(reader.text) ?? [];
  if (found === undefined) throw new NotPython();
  reader.at += found.length;
  return found;
}
