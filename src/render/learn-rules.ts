import { MartletError } from '../core/error.ts';
import { type LearnRuleDefinition, learnRules } from '../schema/learn-rules.ts';
import type { MessageField } from './messages.ts';

/** A weight of one's own: where a pattern matches an answer, and what follows up to the next match. */
export interface OwnWeight {
  /** A regular expression; `.` takes line breaks too, `^` is the start of the answer. */
  readonly match: string;
  readonly weight: number;
  /** Of the text behind the match, up to the next one; 1 when absent. */
  readonly after?: number | undefined;
}

/** What `render.learn` and `render.weights` come to. */
export interface LearnPlan {
  readonly turns: NonNullable<LearnRuleDefinition['turns']>;
  /** Of the named rules, in the order they were given. */
  readonly weights: readonly Weigh[];
  /** Of `render.weights`. */
  readonly own: Weigh | undefined;
  readonly without: ReadonlySet<NonNullable<LearnRuleDefinition['without']>>;
}

/** A stretch with its factor; what no range names counts 1. Positions count from the start of the answer. */
export interface WeightRange {
  readonly start: number;
  readonly end: number;
  readonly weight: number;
}

/**
 * A text cut into ranges that follow one another.
 * @param asked what the turn before the answer says
 */
type Weigh = (answer: string, asked: string) => readonly WeightRange[];

/**
 * The ranges of an answer that do not count once. As in ms-swift, each named rule works on the pieces the one before it
 * made, so that `^` is the start of a piece there; weights of one's own look at the whole answer.
 */
export function weighAnswer({ weights, own }: LearnPlan, ...[answer, asked]: [string, string]): readonly WeightRange[] {
  let pieces: readonly WeightRange[] = [{ start: 0, end: answer.length, weight: 1 }];
  for (const weigh of weights)
    pieces = pieces.flatMap(({ start, end, weight }) =>
      weigh(answer.slice(start, end), asked).map((range) => ({
        start: start + range.start,
        end: start + range.end,
        weight: weight * range.weight,
      })),
    );
  return [...pieces, ...(own?.(answer, asked) ?? [])].filter(({ weight }) => weight !== 1);
}

const definitions = new Map<string, LearnRuleDefinition>(learnRules.map((rule) => [rule.name, rule]));
const plans = new Map<string, LearnPlan>();

/**
 * Reads `render.learn`: names joined by `+`, which rule of turns first where there is one.
 * @throws MartletError `wrong-value` for what `checkLearn` of the recipe refuses
 */
export function learnPlan(learn: string, own: readonly OwnWeight[] = []): LearnPlan {
  const key = own.length === 0 ? learn : JSON.stringify([learn, own]);
  const known = plans.get(key);
  if (known) return known;
  const rules = learn.split('+').map((name) => {
    const rule = definitions.get(name.trim());
    if (rule) return rule;
    throw new MartletError('wrong-value', `there is no learning rule "${name}"`, {
      hint: `Rules: ${[...definitions.keys()].join(', ')}.`,
    });
  });
  const plan: LearnPlan = {
    turns: rules.find((rule) => rule.turns !== undefined)?.turns ?? 'assistant',
    weights: rules.flatMap(weighsOf),
    own: own.length > 0 ? weighOwn(own) : undefined,
    without: new Set(rules.flatMap((rule) => rule.without ?? [])),
  };
  if (plans.size >= 64) plans.clear();
  plans.set(key, plan);
  return plan;
}

function weighsOf({ marks, patterns, asked }: LearnRuleDefinition): Weigh[] {
  if (marks) {
    const pattern = new RegExp(marks.map(([mark]) => quoted(mark)).join('|'), 'g');
    const weightOf = new Map(marks.map(([mark, weight, after]) => [mark, { weight, after }]));
    return [
      (answer, question) => {
        const whole = asked?.find(([text]) => question.includes(text));
        if (whole) return [{ start: 0, end: answer.length, weight: whole[1] }];
        return between(answer, Array.from(answer.matchAll(pattern)), (match) => weightOf.get(match[0]));
      },
    ];
  }
  if (!patterns) return [];
  return [weighOwn(patterns.map(([match, weight]) => ({ match, weight })))];
}

function weighOwn(own: readonly OwnWeight[]): Weigh {
  // Named groups say which of the alternatives matched, whatever groups the patterns have themselves.
  const pattern = new RegExp(own.map(({ match }, index) => `(?<martlet${index}>${match})`).join('|'), 'gs');
  return (answer) =>
    between(answer, Array.from(answer.matchAll(pattern)), (match) => {
      const index = own.findIndex((_, at) => match.groups?.[`martlet${at}`] !== undefined);
      return { weight: own[index]?.weight ?? 1, after: own[index]?.after ?? 1 };
    });
}

function between(
  answer: string,
  ...[matches, weightsOf]: [
    readonly RegExpExecArray[],
    (match: RegExpExecArray) => { readonly weight: number; readonly after: number } | undefined,
  ]
): WeightRange[] {
  const ranges: WeightRange[] = [{ start: 0, end: matches[0]?.index ?? answer.length, weight: 1 }];
  matches.forEach((match, index) => {
    const { weight, after } = weightsOf(match) ?? { weight: 1, after: 1 };
    const end = match.index + match[0].length;
    ranges.push({ start: match.index, end, weight });
    ranges.push({ start: end, end: matches[index + 1]?.index ?? answer.length, weight: after });
  });
  return ranges.filter((range) => range.end > range.start);
}

const quoted = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');

/** A stretch of the answer that a field of the message gave. */
export interface AnswerPiece {
  readonly start: number;
  readonly end: number;
  readonly field: MessageField;
}

/** What the part rules leave unlearned, found by provenance, and by the usual tags where content spells them itself. */
export function partRanges(
  answer: string,
  ...[pieces, without]: [readonly AnswerPiece[], LearnPlan['without']]
): WeightRange[] {
  if (without.size === 0) return [];
  const calls = callRanges(answer, pieces);
  const ranges: Omit<WeightRange, 'weight'>[] = [];
  if (without.has('reasoning')) ranges.push(...reasoningRanges(answer, pieces));
  if (without.has('tool-calls')) ranges.push(...calls);
  if (without.has('all-but-tool-calls') && calls.length > 0) ranges.push(...outside(answer, calls));
  return ranges.filter(({ start, end }) => end > start).map((range) => ({ ...range, weight: 0 }));
}

type Range = Omit<WeightRange, 'weight'>;

const isCall = ({ field }: AnswerPiece): boolean => field === 'tool_name' || field === 'argument';

/** Where the tag that closes reasoning ends, in the template's words behind it. */
function closing(answer: string, from: number, until: number): number {
  const tag = /^[^<]*<\/?[^>]*>\s*/.exec(answer.slice(from, until));
  return tag ? from + tag[0].length : from;
}

function reasoningRanges(answer: string, pieces: readonly AnswerPiece[]): Range[] {
  const ranges: Range[] = Array.from(answer.matchAll(/<think>.*?<\/think>\s*/gs), (match) => ({
    start: match.index,
    end: match.index + match[0].length,
  }));
  pieces.forEach((piece, index) => {
    if (piece.field !== 'reasoning_content') return;
    const next = pieces[index + 1];
    if (next?.field === 'reasoning_content') ranges.push({ start: piece.start, end: next.start });
    else {
      const end = next && !isCall(next) ? next.start : closing(answer, piece.end, next?.start ?? answer.length);
      ranges.push({ start: pieces[index - 1]?.end ?? 0, end });
    }
  });
  return ranges;
}

function callRanges(answer: string, pieces: readonly AnswerPiece[]): Range[] {
  const ranges: Range[] = Array.from(answer.matchAll(/<tool_call>.*?<\/tool_call>/gs), (match) => ({
    start: match.index,
    end: match.index + match[0].length,
  }));
  for (let i = 0; i < pieces.length; i++) {
    const piece = pieces[i];
    if (!piece || !isCall(piece)) continue;
    const before = pieces[i - 1];
    let start = before?.end ?? 0;
    if (before?.field === 'reasoning_content') start = closing(answer, start, piece.start);
    while (i + 1 < pieces.length && isCall(pieces[i + 1] as AnswerPiece)) i++;
    ranges.push({ start, end: pieces[i + 1]?.start ?? answer.length });
  }
  return ranges.toSorted((a, b) => a.start - b.start);
}

function outside(answer: string, ranges: readonly Range[]): Range[] {
  const result: Range[] = [];
  let at = 0;
  for (const { start, end } of ranges) {
    if (start > at) result.push({ start: at, end: start });
    at = Math.max(at, end);
  }
  if (at < answer.length) result.push({ start: at, end: answer.length });
  return result;
}

/** Factors of an answer, one a UTF-16 unit; undefined when all are 1. */
export function unitFactors(length: number, ranges: readonly WeightRange[]): Float32Array | undefined {
  if (ranges.length === 0) return undefined;
  const factors = new Float32Array(length).fill(1);
  for (const { start, end, weight } of ranges)
    for (let i = start; i < end; i++) factors[i] = (factors[i] as number) * weight;
  return factors;
}
