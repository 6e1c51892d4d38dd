import type { Json } from '../schema/common.ts';
import { type DateMention, findDates, type PartialDate } from './dates.ts';
import { findNumbers, type NumberMention } from './numbers.ts';

export type Facts = Readonly<Record<string, Json>>;

/** One leaf of the facts; a text that holds several figures or dates gives one for each, all under its path. */
export interface Fact {
  /** `close`, `quarters[0].revenue` */
  readonly path: string;
  /** The last key in lower-case words: `belowHigh` and `below_high` are `below high`. */
  readonly key: string;
  /** Path of the object it stands in: facts with the same one belong together. */
  readonly group: string;
  readonly text: string;
  readonly number: number | null;
  /** Whether it is a percentage; null when nothing says so or otherwise. */
  readonly percent: boolean | null;
  readonly date: PartialDate | null;
}

/** Every leaf of the facts by path, in document order. */
export function listFacts(facts: Facts): Fact[] {
  return [...leaves(facts, '', '', '')];
}

function* leaves(value: Json, path: string, key: string, group: string): Generator<Fact> {
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries()) yield* leaves(item, `${path}[${index}]`, key, path);
  } else if (typeof value === 'object' && value !== null) {
    for (const [name, item] of Object.entries(value))
      yield* leaves(item, path === '' ? name : `${path}.${name}`, keyWords(name), path);
  } else if (value !== null) {
    yield* leafFacts(value, { path, key, group });
  }
}

type Place = Pick<Fact, 'path' | 'key' | 'group'>;

function* leafFacts(value: string | number | boolean, place: Place): Generator<Fact> {
  const percent = /\b(?:percent|percentage|pct)\b|%/u.test(place.key) ? true : null;
  const leaf = { ...place, text: String(value), number: null, percent, date: null };
  if (typeof value === 'number') {
    const isYear = /\byear$/u.test(place.key) && Number.isInteger(value);
    yield { ...leaf, number: value, date: isYear ? { year: value } : null };
    return;
  }
  if (typeof value === 'boolean') return yield leaf;
  const dates = findDates(value);
  // The 12 of `12-month high` names a period: it is no figure that a text could state.
  const numbers = outside(findNumbers(value), dates).filter(
    ({ end }) => !/^[-\s](?:day|week|month|quarter|year)s?\b/iu.test(value.slice(end)),
  );
  if (dates.length === 0 && numbers.length === 0) yield leaf;
  for (const { date } of dates) yield { ...leaf, date };
  for (const number of numbers)
    yield { ...leaf, number: signedValue(number), percent: number.percent ? true : percent };
}

/** `belowHigh`, `below_high`, `below-high` -> `below high` */
export function keyWords(key: string): string {
  return key
    .replace(/([a-z\d])([A-Z])/gu, '$1 $2')
    .replace(/([a-z])(\d)/giu, '$1 $2')
    .replace(/(\d)([a-z])/giu, '$1 $2')
    .replace(/[\s_.-]+/gu, ' ')
    .trim()
    .toLowerCase();
}

export function signedValue(mention: NumberMention): number {
  return mention.sign === -1 ? -mention.value : mention.value;
}

export function outside(numbers: readonly NumberMention[], dates: readonly DateMention[]): NumberMention[] {
  return numbers.filter((number) => !dates.some((date) => number.start < date.end && date.start < number.end));
}

/**
 * The facts a conversation was given: the JSON object in its last user message, alone or with words round it.
 * @returns undefined when there is none.
 */
export function factsFromMessages(
  messages: readonly { readonly role: string; readonly content: unknown }[],
): Record<string, Json> | undefined {
  const text = textOf(messages.findLast((message) => message.role === 'user')?.content);
  for (let from = text.indexOf('{'); from >= 0; from = text.indexOf('{', from + 1)) {
    const end = objectEnd(text, from);
    if (end === undefined) continue;
    try {
      const value = JSON.parse(text.slice(from, end)) as Json;
      if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0)
        return value;
    } catch {
      // Braces that are no JSON: perhaps the next ones are.
    }
  }
  return undefined;
}

function textOf(content: unknown): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content.map((part: { text?: unknown }) => (typeof part?.text === 'string' ? part.text : '')).join('\n');
}

/** Where the object that opens at `from` closes, braces inside strings not counted. */
function objectEnd(text: string, from: number): number | undefined {
  let depth = 0;
  let inString = false;
  for (let at = from; at < text.length; at++) {
    const character = text[at];
    if (inString) {
      if (character === '\\') at++;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{') depth++;
    else if (character === '}' && --depth === 0) return at + 1;
  }
  return undefined;
}
