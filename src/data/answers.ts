import { canonicalJson } from '../core/canonical-json.ts';
import { nearestName } from '../core/nearest.ts';
import type { Message, RankedAnswer, Sample } from '../schema/sample.ts';
import { isTurnsText, present, presentIn, readTurnsOf } from './formats/format.ts';
import { placeMedia, readMedia } from './media.ts';
import { bestOf, isRanked, rankedColumn, rankedColumns, rankedNames, readRanked } from './ranked.ts';
import { type RowNotes, shown } from './row-notes.ts';
import { isObject, type JsonObject } from './strict-json.ts';
import { readTranscript } from './transcript.ts';
import { readTurns } from './turns.ts';

export { isRanked };

const rejections = ['rejected', 'rejected_response', 'rejected_messages'] as const;

/** Whether one of two answers, the better or the worse, stands in a column of that name. */
export const isAnswerColumn = (name: string): boolean => name === 'chosen' || rejections.some((each) => each === name);

/** The columns that such answers may stand in. */
export const answerNames: readonly string[] = ['chosen', ...rejections, ...rankedNames, 'completions', 'labels'];

/** Steps of a solution, each with a verdict of its own. */
export const hasSteps = (row: JsonObject): boolean =>
  Array.isArray(row.completions) && Array.isArray(row.labels) && !isRanked(row, 'completions');

/** Whether answers stand in columns of their own, whatever the question stands in. */
export function hasAnswers(row: JsonObject): boolean {
  return presentIn(row, ['chosen', ...rejections]).length > 0 || rankedColumn(row) !== undefined || hasSteps(row);
}

/** The columns such answers take up in this row. */
export const answerColumns = (row: JsonObject): readonly string[] => [
  'chosen',
  ...rejections,
  ...rankedColumns(row),
  ...(hasSteps(row) ? ['completions', 'labels'] : []),
];

export interface Answers {
  readonly messages: Message[];
  readonly rejected?: Message[];
  readonly rejectedFrom?: number;
  readonly ranked?: RankedAnswer[];
}

/** Puts the answer that was preferred behind the conversation, the others beside it, and media where they belong. */
export function withAnswers(base: readonly Message[], row: JsonObject, place: AnswerPlace): Answers {
  const { notes } = place;
  const media = readMedia(row, notes);
  const column = rankedColumn(row);
  if (column !== undefined) {
    const ranked = readRanked(row, column, notes);
    const whole = append(base, bestOf(ranked)?.messages ?? [], { ...place, from: column });
    return { messages: placeMedia(whole, media, notes), ranked };
  }
  if (hasSteps(row)) return { messages: placeMedia([...base, ...readSteps(row, notes)], media, notes) };
  const chosen = readAnswer(row, 'chosen', notes);
  const messages = placeMedia(chosen === undefined ? base : withChosen(base, chosen, place), media, notes);
  const given = presentIn(row, rejections);
  const [name, second] = given;
  if (name === undefined) {
    if (chosen !== undefined) reportMisspelt(row, notes);
    return { messages };
  }
  if (second !== undefined) {
    notes.problem({
      code: 'two-answers',
      path: [second],
      message: `${name} holds a rejected answer already.`,
      fix: 'Keep one of the two.',
    });
    return { messages };
  }
  const read = readAnswer(row, name, notes);
  if (read === undefined || notes.issues.length > 0) return { messages };
  // A whole conversation shows the same media again, unless it has its own.
  const rejectedMedia = { ...(read.isWhole && media), ...readMedia(row, notes, 'rejected_') };
  const rejected = { ...read, turns: placeMedia(read.turns, rejectedMedia, notes) };
  const start = chosen && !chosen.isWhole ? messages.length - chosen.turns.length : undefined;
  return { messages, ...placeRejected(messages, rejected, { ...place, from: name, start }) };
}

/** A better answer without a worse one is no mistake in itself; a column that looks like one that was misspelt is. */
function reportMisspelt(row: JsonObject, notes: RowNotes): void {
  const meant = Object.keys(row).find((column) => /^rej/i.test(column) && nearestName(column, rejections));
  if (meant === undefined) return;
  const near = nearestName(meant, rejections);
  notes.problem({
    code: 'rejected-missing',
    path: [meant],
    message: 'no answer stands beside chosen that is worse.',
    fix: `Did you mean ${near}? Then set data.sources[].columns: { ${meant}: ${near} }.`,
  });
}

export interface AnswerPlace {
  /** The column the conversation came from. */
  readonly column: string;
  readonly notes: RowNotes;
}

interface AnswerTurns {
  readonly turns: Message[];
  /** Whether it begins with the question it answers. */
  readonly isWhole: boolean;
}

/** An answer in a column of its own: a text, one turn, the assistant's turns, or the whole conversation. */
function readAnswer(row: JsonObject, column: string, notes: RowNotes): AnswerTurns | undefined {
  if (!present(row, column)) return undefined;
  const value = row[column];
  const isConversation = column === 'rejected_messages';
  const isText = typeof value === 'string' && !isTurnsText(value) && !isConversation;
  if (isText) {
    const transcript = readTranscript(value);
    if (transcript) return { turns: transcript, isWhole: true };
    if (value.trim() === '') notes.problem({ code: 'empty-answer', path: [column], message: 'the answer is empty.' });
    return { turns: [{ role: 'assistant', content: value }], isWhole: false };
  }
  const turns = isObject(value) ? readTurns([value], [column], notes) : readTurnsOf(row, column, notes);
  if (turns.length > 0 && turns.at(-1)?.role !== 'assistant')
    notes.problem({
      code: 'role-out-of-order',
      path: [column],
      message: "an answer ends with a turn that is not the assistant's.",
      fix: 'Leave the question in messages alone.',
    });
  return { turns, isWhole: isConversation || turns.some(({ role }) => role !== 'assistant' && role !== 'tool') };
}

const same = (a: unknown, b: unknown): boolean => canonicalJson(a) === canonicalJson(b);

function withChosen(base: readonly Message[], { turns, isWhole }: AnswerTurns, place: AnswerPlace): Message[] {
  if (!isWhole) return append(base, turns, { ...place, from: 'chosen' });
  const asked = questionOf(base);
  if (asked !== undefined && !turns.some((turn) => turn.role === 'user' && same(turn.content, asked)))
    place.notes.problem({
      code: 'prompts-differ',
      path: ['chosen'],
      message: `it answers ${shown(questionOf(turns))}; ${place.column} asks ${shown(asked)}.`,
      fix: 'Leave the question out of chosen, or out of the other column.',
    });
  const [first] = base;
  return first?.role === 'system' && turns[0]?.role !== 'system' ? [first, ...turns] : turns;
}

const questionOf = (messages: readonly Message[]): Message['content'] | undefined =>
  messages.findLast(({ role }) => role === 'user')?.content;

/** The conversation with an answer behind it, unless it ends with that answer already. */
function append(
  base: readonly Message[],
  turns: readonly Message[],
  { column, from, notes }: AnswerPlace & { readonly from: string },
): Message[] {
  const isAnswered = base.at(-1)?.role === 'assistant';
  if (isAnswered && turns.length > 0 && same(base.slice(-turns.length), turns)) return [...base];
  if (isAnswered)
    notes.problem({
      code: 'two-answers',
      path: [from],
      message: `${column} already ends with an answer.`,
      fix: `Leave the answer out of ${column}, or leave out ${from}.`,
    });
  return [...base, ...turns];
}

/** Where rejected turns begin unless a row says otherwise: behind the last question. */
export const afterQuestion = (messages: readonly Message[]): number =>
  messages.findLastIndex(({ role }) => role === 'user') + 1;

function placeRejected(
  messages: readonly Message[],
  { turns: given, isWhole }: AnswerTurns,
  {
    column,
    from,
    start: chosenStart,
    notes,
  }: AnswerPlace & { readonly from: string; readonly start: number | undefined },
): Pick<Answers, 'rejected' | 'rejectedFrom'> {
  if (messages.at(-1)?.role !== 'assistant') {
    notes.problem({
      code: 'chosen-missing',
      path: [from],
      message: `there is no answer in ${column} that it is worse than.`,
      fix: 'Write the better answer as the last message, or as chosen.',
    });
    return {};
  }
  const [first] = messages;
  const turns = isWhole && first?.role === 'system' && given[0]?.role !== 'system' ? [first, ...given] : given;
  if (isWhole && questionOf(messages) === undefined && questionOf(turns) !== undefined)
    notes.problem({
      code: 'prompts-differ',
      path: [from],
      message: `it answers ${shown(questionOf(turns))}; what it is worse than answers nothing.`,
      fix: 'Write the question in both, or in a column of its own.',
    });
  const start = isWhole ? commonStart(messages, turns) : (chosenStart ?? answerStart(messages, turns));
  const rejected = isWhole ? turns.slice(start) : turns;
  if (same(rejected, messages.slice(start)))
    notes.problem({
      code: 'same-answers',
      path: [from],
      message: 'the rejected answer is the chosen one.',
      fix: 'Leave the row out: there is nothing to tell apart.',
    });
  return { rejected, ...(start !== afterQuestion(messages) && { rejectedFrom: start }) };
}

/** How many messages both begin with; one at least is left of the rejected turns. */
function commonStart(messages: readonly Message[], turns: readonly Message[]): number {
  const most = Math.min(messages.length, turns.length) - 1;
  let start = 0;
  while (start < most && same(messages[start], turns[start])) start++;
  return start;
}

/** One text takes the place of the last message; turns take the place of all behind the last question. */
function answerStart(messages: readonly Message[], turns: readonly Message[]): number {
  return turns.length === 1 && !turns[0]?.tool_calls ? messages.length - 1 : afterQuestion(messages);
}

function readSteps(row: JsonObject, notes: RowNotes): Message[] {
  const steps = Array.isArray(row.completions) ? row.completions : [];
  const labels = Array.isArray(row.labels) ? row.labels : [];
  if (steps.length !== labels.length)
    notes.problem({
      code: 'counts-differ',
      path: ['labels'],
      message: `${steps.length} completions and ${labels.length} labels.`,
      fix: 'Give one for each.',
    });
  return steps.flatMap((step, index): Message[] => {
    if (typeof step === 'string' && step.trim() !== '') return [{ role: 'assistant', content: step }];
    notes.problem({
      code: 'wrong-type',
      path: ['completions', index],
      message: `found ${shown(step)}.`,
      expected: 'the text of a step',
    });
    return [];
  });
}

export type RejectedPart = Pick<Sample, 'messages' | 'rejected' | 'rejectedFrom'>;

/** The whole conversation that was preferred less. */
export function rejectedConversation({ messages, rejected = [], rejectedFrom }: RejectedPart): Message[] {
  return [...messages.slice(0, rejectedFrom ?? afterQuestion(messages)), ...rejected];
}
