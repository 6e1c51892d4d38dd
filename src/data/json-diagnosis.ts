/** What `JSON.parse` cannot say about a text: where exactly it breaks, which keys stand twice, how numbers are written. */
export interface JsonDiagnosis {
  /** Null when the text is JSON. */
  readonly error: { readonly message: string; readonly fix?: string; readonly index: number } | null;
  readonly duplicates: readonly { readonly path: JsonPath; readonly key: string; readonly index: number }[];
  readonly numbers: readonly { readonly path: JsonPath; readonly source: string }[];
  /** Objects that were asked for, as they stand in the text. */
  readonly objects: readonly { readonly path: JsonPath; readonly text: string }[];
}

export interface DiagnoseOptions {
  readonly maxDepth: number;
  /** Objects whose text is wanted. */
  readonly wants?: (path: JsonPath) => boolean;
}

export type JsonPath = readonly (string | number)[];

class Break extends Error {
  readonly index: number;
  readonly fix: string | undefined;

  constructor(message: string, index: number, fix?: string) {
    super(message);
    this.index = index;
    this.fix = fix;
  }
}

/** Words other languages write for what JSON cannot say. */
const foreignWords: Readonly<Record<string, string>> = {
  NaN: 'Write null, or leave the row out.',
  Infinity: 'Write a finite number or null.',
  nan: 'Write null, or leave the row out.',
  None: 'Write null.',
  True: 'Write true.',
  False: 'Write false.',
  undefined: 'Write null or leave the key out.',
};

const numberPattern = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const wordPattern = /-?[A-Za-z_]+/y;
const spacePattern = /[ \t\n\r]*/y;
const stringPattern = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

/** Slow and thorough; for texts about which something is known to be odd. Nesting must have been bounded before. */
export function diagnoseJson(text: string, { maxDepth, wants = () => false }: DiagnoseOptions): JsonDiagnosis {
  const duplicates: { path: JsonPath; key: string; index: number }[] = [];
  const numbers: { path: JsonPath; source: string }[] = [];
  const objects: { path: JsonPath; text: string }[] = [];
  let at = 0;

  const match = (pattern: RegExp): string | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0] ?? null;
    if (found !== null) at += found.length;
    return found;
  };
  const seen = (): string => (at >= text.length ? 'the end of the row' : JSON.stringify(text[at]));
  const string = (): string => {
    const start = at;
    const source = match(stringPattern);
    if (source === null) throw new Break('a string that is not closed or holds a control character', start);
    return JSON.parse(source) as string;
  };
  const value = (path: JsonPath): void => {
    if (path.length > maxDepth) throw new Break(`nested deeper than ${maxDepth}`, at);
    match(spacePattern);
    const start = at;
    const first = text[at];
    if (first === '{') {
      object(path);
      if (wants(path)) objects.push({ path, text: text.slice(start, at) });
    } else if (first === '[') array(path);
    else if (first === '"') string();
    else {
      const source = match(numberPattern);
      if (source !== null) numbers.push({ path, source });
      else {
        const word = match(wordPattern);
        if (word === null) throw new Break(`found ${seen()} where a value should stand`, start);
        if (word !== 'true' && word !== 'false' && word !== 'null')
          throw new Break(`${word} is not JSON`, start, foreignWords[word.replace('-', '')]);
      }
    }
    match(spacePattern);
  };
  const object = (path: JsonPath): void => {
    at++;
    const keys = new Set<string>();
    match(spacePattern);
    if (text[at] === '}') {
      at++;
      return;
    }
    for (;;) {
      match(spacePattern);
      const index = at;
      if (text[at] !== '"') throw new Break(`found ${seen()} where a key in double quotes should stand`, at);
      const key = string();
      if (keys.has(key)) duplicates.push({ path, key, index });
      keys.add(key);
      match(spacePattern);
      if (text[at] !== ':') throw new Break(`found ${seen()} where ":" should stand`, at);
      at++;
      value([...path, key]);
      if (text[at] === '}') break;
      if (text[at] !== ',') throw new Break(`found ${seen()} where "," or "}" should stand`, at);
      at++;
    }
    at++;
  };
  const array = (path: JsonPath): void => {
    at++;
    match(spacePattern);
    if (text[at] === ']') {
      at++;
      return;
    }
    for (let index = 0; ; index++) {
      value([...path, index]);
      if (text[at] === ']') break;
      if (text[at] !== ',') throw new Break(`found ${seen()} where "," or "]" should stand`, at);
      at++;
    }
    at++;
  };

  try {
    value([]);
    if (at < text.length) throw new Break(`found ${seen()} after the end of the row`, at, 'Write one row a line.');
    return { error: null, duplicates, numbers, objects };
  } catch (error) {
    if (!(error instanceof Break)) throw error;
    const fix = error.fix === undefined ? {} : { fix: error.fix };
    return { error: { message: error.message, index: error.index, ...fix }, duplicates, numbers, objects };
  }
}
