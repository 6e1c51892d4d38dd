import { formatPath } from '../core/issue.ts';
import type { Json } from '../schema/common.ts';
import { diagnoseJson, type JsonDiagnosis } from './json-diagnosis.ts';
import { type RowNotes, type RowPath, shown } from './row-notes.ts';

export type JsonObject = { [key: string]: Json };

export const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const maxDepth = 100;

/**
 * The value of a JSON text, or undefined with the reason in `notes`. Stricter than `JSON.parse`: refuses keys that stand
 * twice, lone surrogates and numbers out of range, and notes numbers that lose digits, all of which it would let pass in
 * silence.
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
    const { error } = diagnoseJson(text, maxDepth);
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
  const members = countMembers(value, prefix, notes);
  if (members === null) return undefined;
  const written = scanMembers(text);
  if (written.members !== members || written.oddNumber) {
    const diagnosis = diagnoseJson(text, maxDepth);
    for (const { path, key, index } of diagnosis.duplicates)
      notes.problem({
        code: 'duplicate-key',
        path: [...prefix, ...path],
        ...at(index),
        message: `the key ${shown(key)} stands twice.`,
        fix: 'Keep one of the two.',
      });
    noteNumbers(diagnosis, prefix, notes);
  }
  return notes.issues.length > found ? undefined : value;
}

function placeOf(text: string, index: number): { readonly linesBelow: number; readonly column: number } {
  const before = text.slice(0, index).split('\n');
  return { linesBelow: before.length - 1, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** Counts members and refuses what has no place in a document. Null when it was refused. */
function countMembers(root: Json, prefix: RowPath, notes: RowNotes): number | null {
  let members = 0;
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
      if (!Array.isArray(value)) members += keys.length;
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
  return refused ? null : members;
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

/** Columns that a template may print, where `1.0` and `1` are different texts. */
const printedColumns = new Set(['messages', 'conversations', 'conversation', 'tools', 'chosen', 'rejected']);

function noteNumbers({ numbers }: JsonDiagnosis, prefix: RowPath, notes: RowNotes): void {
  for (const { path: inside, source } of numbers) {
    const path = [...prefix, ...inside];
    const value = Number(source);
    const isInteger = /^-?[0-9]+$/.test(source);
    const lost = isInteger && !Number.isSafeInteger(value) && BigInt(source) !== BigInt(value);
    const floatBecameInteger = !isInteger && Number.isInteger(value) && printedColumns.has(String(path[0]));
    if (lost || floatBecameInteger) notes.changes.push(`${formatPath(path)}: ${source} is read as ${value}`);
  }
}
