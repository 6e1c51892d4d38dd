import { type AnswerPiece, type LearnPlan, partRanges, unitFactors, weighAnswer } from './learn-rules.ts';
import type { ChatMessage, Source, TemplateData } from './messages.ts';
import { isSaid, piecesOf } from './survival.ts';

interface FactorRequest {
  readonly rendering: { readonly text: string; readonly runs: readonly number[]; readonly sources: readonly Source[] };
  readonly turn: { readonly message: number; readonly start: number; readonly end: number };
  readonly plan: LearnPlan;
  readonly messages: readonly ChatMessage[];
}

/**
 * What the rules make of a learned answer: a factor a UTF-16 unit of `[start, end)`, or undefined where all are 1. A message
 * with a weight of its own keeps it, as in ms-swift; only what it leaves out (reasoning, tool calls) still goes.
 */
export function turnFactors({ rendering, turn, plan, messages }: FactorRequest): Float32Array | undefined {
  const message = messages[turn.message];
  if (message?.role !== 'assistant' || (plan.weights.length === 0 && !plan.own && plan.without.size === 0))
    return undefined;
  const answer = rendering.text.slice(turn.start, turn.end);
  const pieces = piecesOf(rendering, turn.message)
    .filter((piece) => isSaid(piece.source.field))
    .map(
      (piece): AnswerPiece => ({
        start: piece.start - turn.start,
        end: piece.end - turn.start,
        field: piece.source.field,
      }),
    );
  const weighed =
    typeof message.weight === 'number' ? [] : weighAnswer(plan, answer, spoken(messages[turn.message - 1]?.content));
  return unitFactors(answer.length, [...weighed, ...partRanges(answer, pieces, plan.without)]);
}

/** The text of a message's content. */
function spoken(content: TemplateData): string {
  if (typeof content === 'string') return content;
  if (!Array.isArray(content)) return '';
  return content
    .map((part) => (typeof part === 'object' && part !== null && 'text' in part ? String(part.text) : ''))
    .join('');
}
