import { charge, chargeScan, chargeText } from './budget.ts';

/**
 * Strings that remember where their characters came from. A plain JavaScript string was written by the template; a `Text`
 * holds runs, so that a message of a megabyte costs three numbers.
 */
export type Str = string | Text;

/** The source of characters the template wrote. */
export const TEMPLATE = -1;

export class Text {
  readonly text: string;
  /**
   * Three numbers a run: where it starts in `text` (UTF-16), its source, and the offset in that source of its first
   * character, or -1 where the characters were rewritten (escaped, upper-cased ...). A run ends where the next starts.
   */
  readonly runs: readonly number[];
  /** Python's `markupsafe.Markup`: what is added to it is escaped first. */
  readonly markup: boolean;

  constructor(text: string, runs: readonly number[], markup = false) {
    this.text = text;
    this.runs = runs;
    this.markup = markup;
  }
}

export function isStr(value: unknown): value is Str {
  return typeof value === 'string' || value instanceof Text;
}

export function textOf(value: Str): string {
  return typeof value === 'string' ? value : value.text;
}

export function isMarkup(value: Str): boolean {
  return typeof value !== 'string' && value.markup;
}

/** The string of one source, whole. */
export function sourced(text: string, source: number): Str {
  return text === '' ? '' : new Text(text, [0, source, 0]);
}

export function withMarkup(value: Str, markup: boolean): Str {
  if (typeof value === 'string') return markup ? new Text(value, [0, TEMPLATE, -1], true) : value;
  return value.markup === markup ? value : settle(value.text, value.runs, markup);
}

/** Builds a string from pieces, joining neighbouring runs that continue one another. */
export class TextBuilder {
  private text = '';
  private readonly runs: number[] = [];

  get length(): number {
    return this.text.length;
  }

  push(value: Str): void {
    if (typeof value === 'string') this.append(value, TEMPLATE, -1);
    else if (value.runs.length === 3) this.append(value.text, value.runs[1] as number, value.runs[2] as number);
    else this.pushRuns(value, 0, value.text.length);
  }

  /** @param start,end UTF-16 positions in `value` */
  pushSlice(value: Str, start: number, end: number): void {
    if (start >= end) return;
    if (typeof value === 'string') this.append(value.slice(start, end), TEMPLATE, -1);
    else this.pushRuns(value, start, end);
  }

  /** Characters that stand for something in a source but are not its characters. */
  pushDerived(text: string, source: number): void {
    this.append(text, source, -1);
  }

  finish(markup = false): Str {
    chargeScan(this.text.length);
    return settle(this.text, this.runs, markup);
  }

  /** The text and its runs as they are; for the final output. */
  result(): { readonly text: string; readonly runs: readonly number[] } {
    return { text: this.text, runs: this.runs };
  }

  private pushRuns(value: Text, start: number, end: number): void {
    const { runs, text } = value;
    for (let i = Math.max(0, runAt(runs, start)); i < runs.length; i += 3) {
      const runStart = runs[i] as number;
      const runEnd = i + 3 < runs.length ? (runs[i + 3] as number) : text.length;
      if (runStart >= end) break;
      const from = Math.max(runStart, start);
      const offset = runs[i + 2] as number;
      this.append(
        text.slice(from, Math.min(runEnd, end)),
        runs[i + 1] as number,
        offset < 0 ? -1 : offset + from - runStart,
      );
    }
  }

  private append(text: string, source: number, offset: number): void {
    if (text === '') return;
    const { runs } = this;
    const last = runs.length - 3;
    const continues =
      last >= 0 &&
      runs[last + 1] === source &&
      (offset < 0
        ? (runs[last + 2] as number) < 0
        : (runs[last + 2] as number) >= 0 &&
          offset === (runs[last + 2] as number) + this.text.length - (runs[last] as number));
    if (!continues) runs.push(this.text.length, source, offset);
    this.text += text;
    chargeText(this.text.length);
  }
}

function settle(text: string, runs: readonly number[], markup: boolean): Str {
  if (markup) return new Text(text, runs.length > 0 ? runs : [0, TEMPLATE, -1], true);
  if (runs.length === 0 || (runs.length === 3 && runs[1] === TEMPLATE)) return text;
  return new Text(text, runs);
}

export function concat(left: Str, right: Str): Str {
  if (typeof left === 'string' && typeof right === 'string') {
    chargeText(left.length + right.length);
    chargeScan(left.length + right.length);
    return left + right;
  }
  return joined([left, right]);
}

export function joined(parts: readonly Str[], separator: Str = ''): Str {
  const builder = new TextBuilder();
  parts.forEach((part, index) => {
    if (index > 0) builder.push(separator);
    builder.push(part);
  });
  return builder.finish();
}

/** @param start,end UTF-16 positions; a slice of Markup is Markup */
export function sliceText(value: Str, start: number, end: number): Str {
  if (typeof value === 'string') return value.slice(start, end);
  if (start <= 0 && end >= value.text.length) return value;
  const { runs, text, markup } = value;
  const from = Math.max(0, start);
  if (runs.length === 3 && !markup) {
    // Most texts are one run: what a message says, or a part of it.
    const part = text.slice(from, end);
    const offset = runs[2] as number;
    return part === '' ? '' : new Text(part, [0, runs[1] as number, offset < 0 ? -1 : offset + from]);
  }
  const builder = new TextBuilder();
  builder.pushSlice(value, Math.max(0, start), end);
  return builder.finish(value.markup);
}

/** Where the character at a UTF-16 position came from. */
export function sourceAt(value: Str, position: number): number {
  if (typeof value === 'string') return TEMPLATE;
  const run = runAt(value.runs, position);
  return run < 0 ? TEMPLATE : (value.runs[run + 1] as number);
}

/** Index in `runs` of the run that holds a position (the last one where the text ends before it); negative where there is none. */
function runAt(runs: readonly number[], position: number): number {
  let low = 0;
  let high = runs.length / 3;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((runs[middle * 3] as number) <= position) low = middle + 1;
    else high = middle;
  }
  return (low - 1) * 3;
}

/** Rewrites a string as a whole; runs that come out as they went in keep their offsets, others only their source. */
export function rewritten(value: Str, change: (text: string) => string): Str {
  if (typeof value === 'string') return change(value);
  const { text, runs, markup } = value;
  const changed = change(text);
  if (changed === text) return value;
  const builder = new TextBuilder();
  let done = 0;
  for (let i = 0; i < runs.length; i += 3) {
    const start = runs[i] as number;
    const end = i + 3 < runs.length ? (runs[i + 3] as number) : text.length;
    // Where letters grow (`ß` to `SS`), what the text up to here becomes tells how far this run reaches.
    const until =
      changed.length === text.length ? end : end === text.length ? changed.length : change(text.slice(0, end)).length;
    const piece = changed.slice(done, until);
    done = until;
    if (piece === text.slice(start, end)) builder.pushSlice(value, start, end);
    else builder.pushDerived(piece, runs[i + 1] as number);
  }
  return builder.finish(markup);
}

/** Replaces what a global pattern matches, character by character of its source (escapes, quoting). */
export function escaped(value: Str, pattern: RegExp, replacement: (match: string) => string): Str {
  if (typeof value === 'string') return value.replace(pattern, replacement);
  const builder = new TextBuilder();
  pushEscaped(builder, value, pattern, replacement);
  return builder.finish(value.markup);
}

export function pushEscaped(
  builder: TextBuilder,
  value: Str,
  ...[pattern, replacement]: [pattern: RegExp, replacement: (match: string) => string]
): void {
  if (typeof value === 'string') {
    builder.push(value.replace(pattern, replacement));
    return;
  }
  if (value.text.search(pattern) < 0) {
    builder.push(value);
    return;
  }
  let done = 0;
  for (const match of value.text.matchAll(pattern)) {
    builder.pushSlice(value, done, match.index);
    builder.pushDerived(replacement(match[0]), sourceAt(value, match.index));
    done = match.index + match[0].length;
  }
  builder.pushSlice(value, done, value.text.length);
}

const surrogate = /[\ud800-\udbff][\udc00-\udfff]/;

/** Length as Python counts it, in code points. */
export function lengthOf(value: Str): number {
  const text = textOf(value);
  if (!surrogate.test(text)) return text.length;
  let count = 0;
  for (let i = 0; i < text.length; i = nextPosition(text, i)) count++;
  return count;
}

function nextPosition(text: string, position: number): number {
  return position + ((text.codePointAt(position) ?? 0) > 0xffff ? 2 : 1);
}

/** UTF-16 position of the code point with an index in [0, length]. */
export function positionOf(text: string, index: number): number {
  if (!surrogate.test(text)) return Math.min(index, text.length);
  let position = 0;
  for (let i = 0; i < index && position < text.length; i++) position = nextPosition(text, position);
  return position;
}

/** Code point index of a UTF-16 position. */
export function indexOfPosition(text: string, position: number): number {
  return surrogate.test(text) ? lengthOf(text.slice(0, position)) : position;
}

/** The characters one by one; those of Markup are plain, as iterating it gives them in Python. */
export function characters(marked: Str): Str[] {
  const value = withMarkup(marked, false);
  const text = textOf(value);
  charge(text.length);
  const result: Str[] = [];
  for (let i = 0; i < text.length; ) {
    const next = nextPosition(text, i);
    result.push(sliceText(value, i, next));
    i = next;
  }
  return result;
}
