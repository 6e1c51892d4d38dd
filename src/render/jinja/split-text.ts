import { type Str, sliceText, textOf } from './text.ts';
import { isSpaceUnit, lineBreak } from './unicode.ts';

export interface SplitOptions {
  /** Absent: runs of white space. */
  readonly separator: string | undefined;
  readonly limit: number;
}

/** Python's `str.split`. */
export function split(self: Str, { separator, limit }: SplitOptions): Str[] {
  const raw = textOf(self);
  const parts: Str[] = [];
  if (separator === undefined) {
    let position = skipSpace(raw, 0);
    while (position < raw.length && parts.length < limit) {
      let end = position;
      while (end < raw.length && !isSpaceUnit(raw.charAt(end))) end++;
      parts.push(sliceText(self, position, end));
      position = skipSpace(raw, end);
    }
    if (position < raw.length) parts.push(sliceText(self, position, raw.length));
    return parts;
  }
  let done = 0;
  for (let at = raw.indexOf(separator); at >= 0 && parts.length < limit; at = raw.indexOf(separator, done)) {
    parts.push(sliceText(self, done, at));
    done = at + separator.length;
  }
  parts.push(sliceText(self, done, raw.length));
  return parts;
}

function skipSpace(raw: string, position: number): number {
  let at = position;
  while (at < raw.length && isSpaceUnit(raw.charAt(at))) at++;
  return at;
}

/** Python's `str.rsplit`: counts from the end. */
export function rsplit(self: Str, { separator, limit }: SplitOptions): Str[] {
  const raw = textOf(self);
  const parts: Str[] = [];
  if (separator === undefined) {
    let end = raw.length;
    const back = (): void => {
      while (end > 0 && isSpaceUnit(raw.charAt(end - 1))) end--;
    };
    back();
    while (end > 0 && parts.length < limit) {
      let start = end;
      while (start > 0 && !isSpaceUnit(raw.charAt(start - 1))) start--;
      parts.unshift(sliceText(self, start, end));
      end = start;
      back();
    }
    if (end > 0) parts.unshift(sliceText(self, 0, end));
    return parts;
  }
  let end = raw.length;
  while (parts.length < limit) {
    const at = end >= separator.length ? raw.lastIndexOf(separator, end - separator.length) : -1;
    if (at < 0) break;
    parts.unshift(sliceText(self, at + separator.length, end));
    end = at;
  }
  parts.unshift(sliceText(self, 0, end));
  return parts;
}

/** Python's `str.splitlines`. */
export function splitLines(self: Str, keepEnds: boolean): Str[] {
  const raw = textOf(self);
  const lines: Str[] = [];
  let done = 0;
  for (const match of raw.matchAll(lineBreak)) {
    const after = match.index + match[0].length;
    lines.push(sliceText(self, done, keepEnds ? after : match.index));
    done = after;
  }
  if (done < raw.length) lines.push(sliceText(self, done, raw.length));
  return lines;
}
