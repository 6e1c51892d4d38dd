import type { sourceFormats } from '../../schema/recipe.ts';
import type { Message, RankedAnswer } from '../../schema/sample.ts';
import { type RowNotes, type RowPath, shown } from '../row-notes.ts';
import { type JsonObject, readStrictJson } from '../strict-json.ts';
import { readTurns } from '../turns.ts';

export type FormatName = Exclude<(typeof sourceFormats)[number], 'auto'>;

/** One way rows are written. What stands beside the conversation is read alike for all formats. */
export interface RowFormat {
  readonly name: FormatName;
  /** What a row needs, for people. */
  readonly needs: string;
  /** The columns it may read. */
  readonly columns: readonly string[];
  /** The ways in which the row could be meant so; none when it could not. */
  readings(row: JsonObject): readonly Reading[];
}

/** One way to take one row. */
export interface Reading {
  /** The column the conversation stands in, for the messages of issues. */
  readonly column: string;
  /** All columns it reads, and as what. */
  readonly columns: Readonly<Record<string, string>>;
  /** Counts only where no other format reads the row. */
  readonly weak?: boolean;
  read(notes: RowNotes): Conversation;
}

/** What a format makes of a row. */
export interface Conversation {
  readonly messages: Message[];
  readonly plain?: true;
  readonly positives?: Message[][];
  readonly negatives?: Message[][];
  readonly ranked?: RankedAnswer[];
}

export const present = (row: JsonObject, column: string): boolean => row[column] !== undefined && row[column] !== null;

export const presentIn = (row: JsonObject, columns: readonly string[]): readonly string[] =>
  columns.filter((column) => present(row, column));

/** A text, or the empty text with the reason in `notes`. */
export function readText(row: JsonObject, column: string, notes: RowNotes): string {
  const value = row[column];
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') {
    // A table has typed a column of texts: 42 was meant as "42".
    notes.changes.push(`${column}: ${value} is read as text`);
    return String(value);
  }
  notes.problem({ code: 'wrong-type', path: [column], message: `found ${shown(value)}.`, expected: 'a text' });
  return '';
}

/** Turns written as JSON in a text, as tables must write them. */
export function isTurnsText(value: unknown): boolean {
  return typeof value === 'string' && /^\s*\[\s*\{\s*"(?:role|from|content|value)"\s*:/.test(value);
}

/** A list of turns: as it stands, as the JSON of it, or one turn alone. */
export function readTurnsOf(row: JsonObject, column: string, notes: RowNotes): Message[] {
  const value = row[column];
  const path: RowPath = [column];
  if (typeof value === 'string' && /^\s*\[/.test(value)) {
    const written = readStrictJson(value, notes, path);
    return written === undefined ? [] : readTurns(written, path, notes);
  }
  return readTurns(value, path, notes);
}
