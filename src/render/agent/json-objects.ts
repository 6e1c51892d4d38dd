/** An object of JSON in a text that is none as a whole. */
export interface JsonObjectPlace {
  readonly start: number;
  readonly end: number;
  /** Its own keys, and whether the value of each is a string. */
  readonly keys: ReadonlyMap<string, boolean>;
}

interface Open {
  readonly start: number;
  readonly keys: Map<string, boolean> | null;
  key: string;
  /** What the grammar wants next. */
  next: 'key-or-end' | 'key' | 'colon' | 'value' | 'value-or-end' | 'comma-or-end';
}

const blank = /[ \t\r\n]*/y;
const string = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const literal = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|NaN|-?Infinity/y;

/**
 * Every object of JSON in a text, by its beginning, those within others too. Linear: an object that stands in one which was
 * read has been read with it, whether that one came to its end or not; and of two readings of the same signs, one takes for
 * strings what the other does not.
 */
export function jsonObjectsIn(text: string): readonly JsonObjectPlace[] {
  const found: JsonObjectPlace[] = [];
  const read = new Set<number>();
  for (let start = text.indexOf('{'); start >= 0; start = text.indexOf('{', start + 1))
    if (!read.has(start)) readFrom({ text, start, found, read });
  return found.sort((a, b) => a.start - b.start);
}

interface Reading {
  readonly text: string;
  readonly start: number;
  readonly found: JsonObjectPlace[];
  readonly read: Set<number>;
}

function readFrom({ text, start, found, read }: Reading): void {
  const stack: Open[] = [];
  let at = start;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const [taken] = pattern.exec(text) ?? [];
    at += taken?.length ?? 0;
    return taken;
  };
  const push = (isObject: boolean): void => {
    if (isObject) read.add(at);
    const next = isObject ? 'key-or-end' : 'value-or-end';
    stack.push({ start: at++, keys: isObject ? new Map() : null, key: '', next });
  };
  push(true);
  for (let top = stack.at(-1); top; top = stack.at(-1)) {
    take(blank);
    const sign = text[at];
    if (sign === (top.keys ? '}' : ']') && top.next.endsWith('-or-end')) {
      at++;
      stack.pop();
      if (top.keys) found.push({ start: top.start, end: at, keys: top.keys });
    } else if (top.next === 'comma-or-end') {
      if (sign !== ',') return;
      at++;
      top.next = top.keys ? 'key' : 'value';
    } else if (top.next === 'colon') {
      if (sign !== ':') return;
      at++;
      top.next = 'value';
    } else if (top.next === 'key' || top.next === 'key-or-end') {
      const key = take(string);
      if (key === undefined) return;
      top.key = JSON.parse(key) as string;
      top.next = 'colon';
    } else {
      top.keys?.set(top.key, sign === '"');
      top.next = 'comma-or-end';
      if (sign === '{' || sign === '[') push(sign === '{');
      else if (take(string) === undefined && take(literal) === undefined) return;
    }
  }
}
