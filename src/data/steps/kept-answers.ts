import type { Message, Sample } from '../../schema/sample.ts';
import { isEmptyAnswer } from '../conversation.ts';
import type { OpenStep } from './step.ts';

/**
 * The step, held to what rows are held to when they are read: one that leaves an answer without a word loses the row, of which
 * only the end of an answer could be learned.
 */
export function withAnswersKept(step: OpenStep, name: string): OpenStep {
  if (step.kind === 'whole') return step;
  return {
    ...step,
    apply(sample) {
      const verdict = step.apply(sample);
      const path = verdict?.sample && !verdict.drop ? emptyAnswer(verdict.sample) : undefined;
      if (path === undefined || emptyAnswer(sample) !== undefined) return verdict;
      const reason = `${name} leaves the answer empty: ${path}`;
      return { ...verdict, drop: { fate: 'invalid', code: 'empty-answer', reason } };
    },
  };
}

/** Where an answer of the row is empty. */
function emptyAnswer({ messages, rejected = [], ranked = [] }: Sample): string | undefined {
  const conversations: readonly (readonly [path: string, turns: readonly Message[]])[] = [
    ['messages', messages],
    ['rejected', rejected],
    ...ranked.map((answer, index) => [`ranked[${index}].messages`, answer.messages] as const),
  ];
  for (const [path, turns] of conversations) {
    const index = turns.findIndex(isEmptyAnswer);
    if (index !== -1) return `${path}[${index}]`;
  }
  return undefined;
}
