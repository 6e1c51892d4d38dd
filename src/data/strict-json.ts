import { formatPath } from '../core/issue.ts';
import type { Json } from '../schema/common.ts';
import { diagnoseJson, type JsonDiagnosis, type JsonPath } from './json-diagnosis.ts';
import { type RowNotes, type RowPath, shown } from './row-notes.ts';

export type JsonObject = { [key: string]: Json };

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A column that is there and says nothing. */
export const isNothing = (value: Json | undefined): boolean =>
  value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0);

const maxDepth = 100;

/**
 * The value of a JSON text, or undefined with the reason in `notes`. Stricter than `JSON.parse`: refuses keys that stand
 * twice, lone surrogates and numbers out of range, and notes numbers that lose digits, all of which it would let pass in
 * silence. What a template prints number by number (the arguments of a tool call, a tool's definition) becomes the text it
 * was written as where an object would lose `1.0`, a large integer or the order of keys such as "2" and "1".
 * @param within where in the row the text stands as a string; absent for the text of the row itself.
 */
export function readStrictJson(text: string, notes: RowNotes, within?: RowPath): Json | undefined {
  const found = notes.issues.length;
  const prefix = within ?? [];
  // A place in a text inside a text is of no use to anyone.
  const at = (index: number) => (within ? {} : { at: placeOf(text, index) });
  let value: Json;
  try {
    value = JSON.parse(text) as Json;
  } catch {
    const { error } = diagnoseJson(text, { maxDepth });
    const index = error?.index ?? 0;
    notes.problem({
      code: 'not-json',
      path: prefix,
      ...at(index),
      message: `${error?.message ?? 'not JSON'}, at ${shown(text.slice(Math.max(0, index - 12), index + 12).toWellFormed())}.`,
      fix: error?.fix,
    });
    return undefined;
  }
  const counted = countMembers(value, prefix, notes);
  if (counted === null) return undefined;
  const written = scanMembers(text);
  if (written.members !== counted.members || written.oddNumber || counted.reordered) {
    const diagnosis = diagnoseJson(text, { maxDepth, wants: (path) => isPrinted([...prefix, ...path]) });
    for (const { path, key, index } of diagnosis.duplicates)
      notes.problem({
        code: 'duplicate-key',
        path: [...prefix, ...path],
        ...at(index),
        message: `the key ${shown(key)} stands twice.`,
        fix: 'Keep one of the two.',
      });
    const kept = keepTexts(value, diagnosis);
    noteNumbers(
      diagnosis.numbers.filter(({ path }) => !kept.some((outer) => isInside(path, outer))),
      prefix,
      notes,
    );
  }
  return notes.issues.length > found ? undefined : value;
}

function placeOf(text: string, index: number): { readonly linesBelow: number; readonly column: number } {
  const before = text.slice(0, index).split('\n');
  return { linesBelow: before.length - 1, column: (before.at(-1)?.length ?? 0) + 1 };
}

interface Counted {
  readonly members: number;
  /** Whether an object has keys that are put in order of their numbers. */
  readonly reordered: boolean;
}

/** Counts members and refuses what has no place in a document. Null when it was refused. */
function countMembers(root: Json, prefix: RowPath, notes: RowNotes): Counted | null {
  let members = 0;
  let reordered = false;
  let refused = false;
  const refuse = (code: string, path: readonly (string | number)[], message: string, fix?: string): void => {
    refused = true;
    notes.problem({ code, path, message, fix });
  };
  const path: (string | number)[] = [...prefix];
  const visit = (value: Json): void => {
    if (typeof value === 'string') {
      if (!value.isWellFormed())
        refuse('lone-surrogate', [...path], 'half a character: a surrogate without its partner.', 'Mend its encoding.');
    } else if (typeof value === 'number') {
      if (!Number.isFinite(value)) refuse('number-out-of-range', [...path], 'a number too large for a double.');
    } else if (typeof value === 'object' && value !== null) {
      if (path.length >= prefix.length + maxDepth) {
        refuse('too-deep', path.slice(0, 3), `nested deeper than ${maxDepth}.`);
        return;
      }
      const keys: readonly (string | number)[] = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
      if (!Array.isArray(value)) {
        members += keys.length;
        reordered ||= keys.length > 1 && isIndex(keys[0]);
      }
      for (const key of keys) {
        if (refused) return;
        path.push(key);
        if (typeof key === 'string' && !key.isWellFormed())
          refuse('lone-surrogate', [...path], 'a key with half a character.', 'Mend its encoding.');
        visit((value as JsonObject)[key] as Json);
        path.pop();
      }
    }
  };
  visit(root);
  return refused ? null : { members, reordered };
}

/**
 * Colons outside strings, which is how many members the text has (fewer in the parsed value: a key stood twice); and
 * whether a number is written so that a double may not keep it.
 */
function scanMembers(text: string): { readonly members: number; readonly oddNumber: boolean } {
  let members = 0;
  let oddNumber = false;
  let at = 0;
  for (;;) {
    const opening = text.indexOf('"', at);
    const end = opening === -1 ? text.length : opening;
    let digits = 0;
    for (let i = at; i < end; i++) {
      const code = text.charCodeAt(i);
      if (code >= 48 && code <= 57) {
        digits++;
        if (digits > 15) oddNumber = true;
        continue;
      }
      if (code === 58) members++;
      else if (digits > 0 && (code === 101 || code === 69 || (code === 46 && zeroFraction(text, i + 1))))
        oddNumber = true;
      digits = 0;
    }
    if (opening === -1) return { members, oddNumber };
    at = closingQuote(text, opening) + 1;
  }
}

function zeroFraction(text: string, at: number): boolean {
  let i = at;
  while (text.charCodeAt(i) === 48) i++;
  const code = text.charCodeAt(i);
  return !(code >= 49 && code <= 57);
}

function closingQuote(text: string, opening: number): number {
  let quote = opening;
  for (;;) {
    quote = text.indexOf('"', quote + 1);
    if (quote === -1) return text.length;
    let before = quote - 1;
    while (text.charCodeAt(before) === 92) before--;
    if ((quote - before) % 2 === 1) return quote;
  }
}

/** Keys that look like an index of an array come first in an object, whatever their place in the text. */
const isIndex = (key: string | number | undefined): boolean =>
  typeof key === 'string' && /^(?:0|[1-9][0-9]{0,9})$/.test(key);

/** Columns whose turns may hold tool calls. */
const turnColumns = new Set([
  ...['messages', 'conversations', 'conversation', 'chosen', 'rejected', 'rejected_response', 'rejected_messages'],
  ...['prompt', 'completion', 'responses', 'completions', 'positive_messages', 'negative_messages'],
]);

/** Where what a template prints number by number stands: a tool's definition, the arguments of a call. */
function isPrinted(path: RowPath): boolean {
  const [column] = path;
  if (column === 'tools' || column === 'rejected_tools') return path.length === 2;
  const last = path.at(-1);
  return turnColumns.has(String(column)) && (last === 'arguments' || last === 'parameters' || last === 'input');
}

const isInside = (path: JsonPath, outer: JsonPath): boolean => outer.every((key, index) => path[index] === key);

/** Puts the text in place of each printed object that does not keep what it says. Returns where. */
function keepTexts(value: Json, { objects, numbers }: JsonDiagnosis): readonly JsonPath[] {
  const kept: JsonPath[] = [];
  for (const { path, text } of objects) {
    const object = valueAt(value, path);
    const changes = numbers.some((number) => isInside(number.path, path) && !keepsNumber(number.source));
    const key = path.at(-1);
    const holder = valueAt(value, path.slice(0, -1));
    if (key === undefined || typeof holder !== 'object' || holder === null || !(changes || isReordered(object)))
      continue;
    (holder as { [key: string | number]: Json })[key] = text;
    kept.push(path);
  }
  return kept;
}

function valueAt(value: Json, path: JsonPath): Json | undefined {
  let inner: Json | undefined = value;
  for (const key of path) inner = typeof inner === 'object' && inner !== null ? (inner as JsonObject)[key] : undefined;
  return inner;
}

function isReordered(value: Json | undefined): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Array.isArray(value)) return value.some(isReordered);
  return isIndex(Object.keys(value)[0]) || Object.values(value).some(isReordered);
}

/** Whether the number reads back as it was written: with its point, with all its digits. */
function keepsNumber(source: string): boolean {
  const value = Number(source);
  return /^-?[0-9]+$/.test(source) ? !losesDigits(source) : !Number.isInteger(value);
}

function losesDigits(source: string): boolean {
  const value = Number(source);
  return /^-?[0-9]+$/.test(source) && !Number.isSafeInteger(value) && BigInt(source) !== BigInt(value);
}

function noteNumbers(numbers: JsonDiagnosis['numbers'], prefix: RowPath, notes: RowNotes): void {
  for (const { path, source } of numbers)
    if (losesDigits(source))
      notes.changes.push(`${formatPath([...prefix, ...path])}: ${source} is read as ${Number(source)}`);
}
