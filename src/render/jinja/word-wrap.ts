import { bind } from './bind.ts';
import { typeError, valueError } from './error.ts';
import type { Filter } from './filter.ts';
import { str } from './repr.ts';
import { splitLines } from './split-text.ts';
import { isStr, joined, lengthOf, positionOf, type Str, sliceText, textOf } from './text.ts';
import { indexOf, truthy, typeName, Undefined } from './value.ts';

const space = ' \\t\\n\\x0b\\x0c\\r';
const letter = '(?:(?!\\p{Nd})[\\p{L}\\p{N}_])';
/** textwrap's `wordsep_re`: white space, em-dashes, and words that may be cut after a hyphen. */
const hyphenated = new RegExp(
  `([${space}]+|(?<=[\\p{L}\\p{N}_!"'&.,?])-{2,}(?=[\\p{L}\\p{N}_])|[^${space}]+?(?:-(?:(?<=${letter}{2}-)|(?<=${letter}-[\\p{L}\\p{N}_]-))(?=${letter}-?${letter})|(?=[${space}]|$)|(?<=[\\p{L}\\p{N}_!"'&.,?])(?=-{2,}[\\p{L}\\p{N}_])))`,
  'u',
);
const plain = new RegExp(`([${space}]+)`);

/** Wraps each line to a width, as jinja2 does with Python's textwrap. */
export const wordWrap: Filter = (value, args, kwargs) => {
  const parameters = ['width', 'break_long_words', 'wrapstring', 'break_on_hyphens'];
  const [width = 79, breakLong = true, wrap = null, hyphens = true] = bind(
    { name: 'wordwrap', parameters },
    args,
    kwargs,
  );
  const columns = indexOf(width, 'width');
  const glue = wrap === null ? '\n' : str(wrap);
  if (!isStr(value))
    throw value instanceof Undefined ? value.error() : typeError(`wordwrap needs a str, not '${typeName(value)}'`);
  const options = { columns, breakLong: truthy(breakLong), hyphens: truthy(hyphens) };
  return joined(
    splitLines(value, false).map((line) => joined(wrapLine(line, options), glue)),
    glue,
  );
};

interface WrapOptions {
  readonly columns: number;
  readonly breakLong: boolean;
  readonly hyphens: boolean;
}

function wrapLine(line: Str, options: WrapOptions): Str[] {
  if (options.columns <= 0) throw valueError(`invalid width ${options.columns} (must be > 0)`);
  const chunks = chunksOf(line, options.hyphens ? hyphenated : plain).reverse();
  const lines: Str[] = [];
  while (chunks.length > 0) {
    const current: Str[] = [];
    let used = 0;
    if (lines.length > 0 && isBlank(chunks.at(-1))) chunks.pop();
    for (
      let next = chunks.at(-1);
      next !== undefined && used + lengthOf(next) <= options.columns;
      next = chunks.at(-1)
    ) {
      current.push(next);
      used += lengthOf(next);
      chunks.pop();
    }
    const long = chunks.at(-1);
    if (long !== undefined && lengthOf(long) > options.columns) {
      if (options.breakLong) {
        const text = textOf(long);
        let end = options.columns - used;
        if (options.hyphens && lengthOf(long) > end) {
          const hyphen = text.lastIndexOf('-', positionOf(text, end) - 1);
          if (hyphen > 0 && /[^-]/.test(text.slice(0, hyphen))) end = lengthOf(text.slice(0, hyphen)) + 1;
        }
        current.push(sliceText(long, 0, positionOf(text, end)));
        chunks[chunks.length - 1] = sliceText(long, positionOf(text, end), text.length);
      } else if (current.length === 0) {
        current.push(long);
        chunks.pop();
      }
    }
    if (isBlank(current.at(-1))) current.pop();
    if (current.length > 0) lines.push(joined(current));
  }
  return lines;
}

function isBlank(chunk: Str | undefined): boolean {
  return chunk !== undefined && textOf(chunk).trim() === '';
}

function chunksOf(line: Str, pattern: RegExp): Str[] {
  const chunks: Str[] = [];
  let position = 0;
  for (const part of textOf(line).split(pattern)) {
    if (part) chunks.push(sliceText(line, position, position + part.length));
    position += part?.length ?? 0;
  }
  return chunks;
}
